"""What is wrong with a pack, and which of its backups that hurts."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from dsfactory.backup.packs import sql
from dsfactory.backup.packs.file import opened_for_reading
from dsfactory.backup.packs.lists import ChunkList, Run, decoded_list
from dsfactory.backup.packs.reading import ChunkReader, list_of
from dsfactory.backup.packs.sweep import Marks, chunks_in_use
from dsfactory.backup.packs.writing import HASH_BYTES
from dsfactory.engine import Database, Reading, register
from dsfactory.errors import CorruptError, DataStoreError

_AT_ONCE = 10_000


class PackProblem(NamedTuple):
    """Something that is not as it should be."""

    backup: str | None
    """The backup that cannot be restored because of it; None: none, or not known which."""
    detail: str


def check_pack(path: Path) -> list[PackProblem]:
    """Return what is wrong with the pack at *path*: each backup that is hurt, and anything else.

    Reads everything: every page, every chunk, every hash. Writes nothing.
    """
    try:
        with opened_for_reading(path) as pack, pack.snapshot() as moment:
            return [*_unsound(moment), *_hurt(moment)]
    except (DataStoreError, OSError) as error:
        return [PackProblem(None, str(error))]


def _unsound(pack: Reading) -> Iterator[PackProblem]:
    try:
        found = [str(text) for (text,) in pack.rows(sql.CHECK)]
    except CorruptError as error:
        found = [str(error)]
    yield from (PackProblem(None, text) for text in found if text != "ok")


def _hurt(pack: Reading) -> Iterator[PackProblem]:
    examiner = _Examiner(pack)
    for number, backup in pack.rows(sql.NUMBERED):
        try:
            ((size_bytes, stored),) = pack.rows(sql.LIST, (number,))
            bad = sum(1 for _ in examiner.damaged(decoded_list(stored, size_bytes)))
        except CorruptError as error:
            yield PackProblem(backup, str(error))
        else:
            if bad:
                yield PackProblem(backup, f"{bad} of its chunks are missing or damaged")
    yield from _unused(pack)


def _unused(pack: Reading) -> Iterator[PackProblem]:
    """Tell of chunks that nothing needs; with a damaged list nobody knows."""
    try:
        ((held,),) = pack.rows(sql.CHUNKS)
        needed = chunks_in_use(pack.rows).count()
    except CorruptError:
        return
    if held > needed:
        yield PackProblem(None, f"{held - needed} chunks belong to no backup")


class _Examiner:
    """Looks at each chunk once, however many backups share it."""

    def __init__(self, pack: Reading) -> None:
        ((last,),) = pack.rows(sql.LAST_CHUNK)
        self._reader = ChunkReader(pack)
        self._whole = Marks(pack.rows)
        self._damaged: set[int] = set()
        self._hashes = _hashes(pack, last)

    def damaged(self, chunks: ChunkList) -> Iterator[int]:
        """Yield those of *chunks* that are missing or not what their hash says."""
        for chunk in chunks.ids():
            if chunk in self._whole:
                continue
            if chunk not in self._damaged and self._is_whole(chunk):
                self._whole.mark(Run(chunk, 1))
            else:
                self._damaged.add(chunk)
                yield chunk

    def _is_whole(self, chunk: int) -> bool:
        content = self._reader.whole(chunk)
        if content is None:
            return False
        at = chunk * HASH_BYTES
        expected = bytes(self._hashes[at : at + HASH_BYTES])
        # One that was distrusted has no hash any more.
        return expected in (
            blake2b(content, digest_size=HASH_BYTES).digest(),
            bytes(HASH_BYTES),
        )


def _hashes(pack: Reading, last: int) -> bytearray:
    """Return the hash of each chunk, at its number times 16."""
    hashes = bytearray((last + 1) * HASH_BYTES)
    after = b""
    while rows := pack.rows(sql.DIGESTS, (after, _AT_ONCE)):
        for value, chunk in rows:
            if 0 < chunk <= last and len(value) == HASH_BYTES:
                hashes[chunk * HASH_BYTES : (chunk + 1) * HASH_BYTES] = value
        after = rows[-1][0]
    return hashes


def distrust_damaged(pack: Database, backup: str, size_bytes: int) -> None:
    """Let the damaged chunks of *backup* never be shared again: the next backup adds them anew."""
    with pack.snapshot() as moment:
        chunks = list_of(moment, backup, size_bytes)
        damaged = set(_Examiner(moment).damaged(chunks))
    if damaged:
        with pack.write() as tx:
            register(tx.connection, "distrusted", lambda chunk: chunk in damaged, 1)
            tx.run(sql.DISTRUST)
