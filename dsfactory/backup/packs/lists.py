"""Which chunks an image is made of, in order: runs of consecutive ids, compressed.

Each list stands alone. Ids grow in the order of keeping, so a first backup is a single run, and
what later ones changed lies between long ones.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from dsfactory.codecs.chunks import packed_numbers, unpacked_numbers
from dsfactory.errors import CorruptValueError

CHUNK_BYTES = 4096
"""SQLite's page: measured against 8, 16 and 64 KiB in DESIGN.md."""

LAST_ID = 2**62
"""No pack of ours comes near; sums of two stay within 64 bits."""

_LARGEST = 1024**3
"""Bytes: the list of 256 GiB in which no two chunks follow each other."""

_NUMBER = "q"
_NUMBER_BYTES = 8


class Run(NamedTuple):
    """Consecutive chunks."""

    first: int
    length: int


class ChunkList:
    """The chunks of one image; grows while that is kept."""

    def __init__(self) -> None:
        self._firsts = array(_NUMBER)
        self._counts = array(_NUMBER)

    def add(self, chunk: int) -> None:
        """Let *chunk* come next."""
        if self._firsts and self._firsts[-1] + self._counts[-1] == chunk:
            self._counts[-1] += 1
        else:
            self._firsts.append(chunk)
            self._counts.append(1)

    def runs(self) -> Iterator[Run]:
        """Yield the runs in order."""
        return map(Run, self._firsts, self._counts)

    def ids(self) -> Iterator[int]:
        """Yield each chunk in order."""
        return chain.from_iterable(range(first, first + length) for first, length in self.runs())

    def encoded(self) -> bytes:
        """Return the list as it is kept: the gaps between runs, then their lengths."""
        ends = chain((0,), (first + length for first, length in self.runs()))
        gaps = array(_NUMBER, (first - end for first, end in zip(self._firsts, ends, strict=False)))
        return packed_numbers(_little_endian(gaps) + _little_endian(self._counts))


def decoded_list(stored: bytes, size_bytes: int) -> ChunkList:
    """Return the list that *stored* holds, of an image of *size_bytes*.

    Raises CorruptValueError when it was changed, or is the list of another size.
    """
    chunks = chunk_count(size_bytes)
    numbers = array(_NUMBER)
    # No run is empty, so there are at most as many as chunks.
    limit = min(2 * _NUMBER_BYTES * chunks, _LARGEST)
    plain = unpacked_numbers(stored, limit=limit)
    if len(plain) % (2 * _NUMBER_BYTES):
        raise _changed()
    numbers.frombytes(plain)
    if sys.byteorder == "big":
        numbers.byteswap()
    half = len(numbers) // 2
    return _checked(numbers[:half], numbers[half:], chunks)


def chunk_count(size_bytes: int) -> int:
    """Return of how many chunks an image consists."""
    return -(-size_bytes // CHUNK_BYTES)


def _checked(gaps: Iterable[int], counts: Iterable[int], chunks: int) -> ChunkList:
    made = ChunkList()
    end = total = 0
    for gap, count in zip(gaps, counts, strict=True):
        first = end + gap
        end = first + count
        total += count
        if count < 1 or first < 1 or end > LAST_ID:
            raise _changed()
        made._firsts.append(first)
        made._counts.append(count)
    if total != chunks:
        raise _changed()
    return made


def _little_endian(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _changed() -> CorruptValueError:
    return CorruptValueError("The list of its chunks is not what was written.")
