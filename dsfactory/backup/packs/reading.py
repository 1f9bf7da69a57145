"""From a pack back to images: chunk by chunk, in order, in bounded memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dsfactory.backup.packs import sql
from dsfactory.backup.packs.lists import CHUNK_BYTES, ChunkList, Run, decoded_list
from dsfactory.codecs.chunks import NO_DICTIONARY, ChunkCodec
from dsfactory.codecs.training import Dictionary
from dsfactory.engine import Reading, Row
from dsfactory.errors import BackupAbsentError, CorruptError, CorruptValueError

_AT_ONCE = 256
"""Chunks: at most 1 MiB of frames are in memory."""


def image_chunks(pack: Reading, backup: str, size_bytes: int) -> Iterator[bytes]:
    """Yield the image of *backup*, never more than *size_bytes*, which its manifest says.

    Raises BackupAbsentError when the pack does not know it, and CorruptError when something of it
    is missing or not what was written.
    """
    chunks = list_of(pack, backup, size_bytes)
    reader = ChunkReader(pack)
    left = size_bytes
    for chunk in reader.chunks(chunks):
        left -= CHUNK_BYTES
        if len(chunk) != CHUNK_BYTES + min(left, 0):
            raise CorruptValueError("A chunk has another size than it had.")
        yield chunk


def list_of(pack: Reading, backup: str, size_bytes: int) -> ChunkList:
    """Return the list of *backup*; raise BackupAbsentError or CorruptError."""
    rows = pack.rows(sql.BACKUP, (backup,))
    if not rows:
        raise BackupAbsentError(
            f"The pack does not hold backup {backup}. Use another backup.", backup=backup
        )
    ((size, stored),) = rows
    if size != size_bytes:
        raise CorruptValueError("The pack has it in another size than its manifest says.")
    return decoded_list(stored, size_bytes)


def know_dictionaries(codec: ChunkCodec, pack: Reading) -> tuple[int, int]:
    """Tell *codec* the pack's dictionaries; return the newest one's id and its chunks, or zeros.

    A damaged one is passed over: whatever needs it cannot be read then, and the rest can.
    """
    newest = NO_DICTIONARY, 0
    for number, body, chunks in pack.rows(sql.DICTIONARIES):
        with contextlib.suppress(CorruptValueError):
            codec.know(Dictionary(number, body))
            newest = number, chunks
    return newest


class ChunkReader:
    """Gives back the chunks of one pack, as it is at one moment."""

    def __init__(self, pack: Reading) -> None:
        self._pack = pack
        self.codec = ChunkCodec(CHUNK_BYTES)
        know_dictionaries(self.codec, pack)

    def chunks(self, wanted: ChunkList) -> Iterator[bytes]:
        """Yield the content of each chunk of *wanted*; raise CorruptError for one not whole."""
        for run in wanted.runs():
            for row in self._fetched(run):
                yield self._content(row)

    def whole(self, chunk: int) -> bytes | None:
        """Return the content of one chunk, or None when it is missing or damaged."""
        try:
            (row,) = self._fetched(Run(chunk, 1))
            return self._content(row)
        except CorruptError:
            return None

    def _fetched(self, run: Run) -> Iterator[Row]:
        end = run.first + run.length
        for first in range(run.first, end, _AT_ONCE):
            last = min(first + _AT_ONCE, end) - 1
            rows = self._pack.rows(sql.FETCH, (first, last))
            if len(rows) != last - first + 1:
                raise CorruptValueError("A chunk is missing from the pack.")
            yield from rows

    def _content(self, row: Row) -> bytes:
        _, frame, base, dictionary = row
        if base is None:
            return self.codec.expand(frame)
        rows = self._pack.rows(sql.FRAME, (base,))
        if not rows:
            raise CorruptValueError("A chunk that another one needs is missing from the pack.")
        ((other,),) = rows
        return self.codec.expand_against(frame, self.codec.expand(other), dictionary)
