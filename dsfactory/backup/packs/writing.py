"""From an image into a pack: what is there already is named, what is new is added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from dsfactory.backup.containers import Order
from dsfactory.backup.packs import sql
from dsfactory.backup.packs.lists import CHUNK_BYTES, ChunkList, chunk_count, decoded_list
from dsfactory.backup.packs.reading import know_dictionaries
from dsfactory.codecs.chunks import NO_DICTIONARY, ChunkCodec
from dsfactory.codecs.training import train_dictionary
from dsfactory.engine import Database, Transaction
from dsfactory.errors import CorruptError

HASH_BYTES = 16
"""128 bits: two different ones of 2**40 chunks (4 PiB) share a hash with odds of 2**-49."""

ROW_BYTES = 40
"""What a new chunk takes beside its frame: its hash, its ids, SQLite's cells."""

_AT_ONCE = 256
"""Chunks: 1 MiB of the image is in memory."""

# zstd's own default size. 2,000 chunks take 0.3 s and come within 0.5 % of twice as many; a small
# store gets a small one.
_DICTIONARY_BYTES = 112_640
_DICTIONARY_SHARE = 64
_SAMPLES = 2_000

# A store that has grown this much since holds other things, or more of them.
_GROWTH = 4
_FEWEST_CHUNKS = 256

# A base stays as long as one delta needs it. At half its size or less, chunk and base together
# take at most half as much again as the chunk alone would.
_DELTA_SHARE = 2


def add_image(pack: Database, tx: Transaction, order: Order) -> int:
    """Keep the image under the order's id; return the bytes that this added."""
    size = order.image.stat().st_size
    adding = _Adding(pack, tx)
    adding.choose_dictionary(order.image, chunk_count(size))
    done = 0
    for chunks in _batches(order.image):
        adding.add(chunks)
        done += sum(map(len, chunks))
        if order.progress is not None:
            order.progress(done, size)
    return adding.finish(order.id, done)


def _batches(image: Path) -> Iterator[list[bytes]]:
    with image.open("rb") as file:
        while block := file.read(_AT_ONCE * CHUNK_BYTES):
            yield [block[at : at + CHUNK_BYTES] for at in range(0, len(block), CHUNK_BYTES)]


class _New(NamedTuple):
    """The rows of one batch."""

    chunks: list[tuple[int, bytes]]
    digests: list[tuple[bytes, int]]
    deltas: list[tuple[int, int, int]]


class _Adding:
    """One image on its way into the pack, in one transaction."""

    def __init__(self, pack: Database, tx: Transaction) -> None:
        self._pack = pack
        self._tx = tx
        self._list = ChunkList()
        self._codec = ChunkCodec(CHUNK_BYTES)
        self._dictionary = NO_DICTIONARY
        self._before = _latest(pack)
        ((self._last,),) = tx.rows(sql.LAST_CHUNK)
        self._added = 0

    def choose_dictionary(self, image: Path, chunks: int) -> None:
        """Use the pack's newest dictionary; train one when none fits the store any more."""
        self._dictionary, trained_for = know_dictionaries(self._codec, self._tx)
        if chunks < max(_GROWTH * trained_for, _FEWEST_CHUNKS):
            return
        size = min(_DICTIONARY_BYTES, chunks * CHUNK_BYTES // _DICTIONARY_SHARE)
        trained = train_dictionary(_samples(image, chunks), size=size)
        if trained is not None:
            self._tx.run(sql.ADD_DICTIONARY, (trained.id, trained.body, chunks))
            self._codec.know(trained)
            self._dictionary = trained.id
            self._added += len(trained.body)

    def add(self, chunks: Sequence[bytes]) -> None:
        """Let *chunks* come next in the image."""
        hashes = [blake2b(chunk, digest_size=HASH_BYTES).digest() for chunk in chunks]
        known = self._tx.many(sql.FIND, [(value,) for value in hashes])
        before: list[int | None] = list(islice(self._before, len(chunks)))
        before += [None] * (len(chunks) - len(before))
        new = _New([], [], [])
        fresh: dict[bytes, int] = {}
        for chunk, value, (found,), other in zip(chunks, hashes, known, before, strict=True):
            number = fresh.get(value) if found is None else found
            if number is None:
                number = fresh[value] = self._last = self._last + 1
                self._compress(chunk, other, new)
                new.digests.append((value, number))
            self._list.add(number)
        self._write(new)

    def _compress(self, chunk: bytes, before: int | None, new: _New) -> None:
        """Make the rows of the chunk that was numbered last."""
        base, stored, content = (0, 0, None) if before is None else self._base(before)
        if content is not None:
            frame = self._codec.compress_against(chunk, content, self._dictionary)
            if len(frame) * _DELTA_SHARE <= stored:
                new.chunks.append((self._last, frame))
                new.deltas.append((self._last, base, self._dictionary))
                return
        new.chunks.append((self._last, self._codec.compress(chunk, self._dictionary)))

    def _base(self, before: int) -> tuple[int, int, bytes | None]:
        """Return what a new chunk may stand against where *before* stood: id, size, content.

        Committed long ago, so it is read beside the transaction, which a damaged page would end.
        """
        try:
            rows = self._pack.committed_rows(sql.BASE, (before,))
            if not rows:
                return 0, 0, None
            ((base, frame),) = rows
            return base, len(frame), self._codec.expand(frame)
        except CorruptError:
            return 0, 0, None

    def _write(self, new: _New) -> None:
        self._tx.many(sql.ADD_CHUNK, new.chunks)
        self._tx.many(sql.ADD_DIGEST, new.digests)
        self._tx.many(sql.ADD_DELTA, new.deltas)
        self._added += sum(len(frame) + ROW_BYTES for _, frame in new.chunks)

    def finish(self, backup: str, size_bytes: int) -> int:
        """Write the list; return the bytes added."""
        encoded = self._list.encoded()
        self._tx.run(sql.ADD_BACKUP, (backup, size_bytes, encoded))
        return self._added + len(encoded)


def _latest(pack: Database) -> Iterator[int]:
    """Yield the chunks of the latest backup; nothing when there is none that can be read."""
    try:
        for size_bytes, stored in pack.committed_rows(sql.LATEST):
            yield from decoded_list(stored, size_bytes).ids()
    except CorruptError:
        return  # without it, what is new stands alone


def _samples(image: Path, chunks: int) -> list[bytes]:
    """Return chunks from everywhere in the image."""
    count = min(chunks, _SAMPLES)
    taken = []
    with image.open("rb") as file:
        for n in range(count):
            file.seek(n * chunks // count * CHUNK_BYTES)
            taken.append(file.read(CHUNK_BYTES))
    return taken
