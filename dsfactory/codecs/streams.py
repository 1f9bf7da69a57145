"""Whole files as one zstd frame (RFC 8878), a megabyte at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from dsfactory.errors import CorruptError

CHUNK_BYTES = 1024 * 1024

LEVEL = 3

LARGEST_WINDOW = 8 * 1024 * 1024
"""What a frame may ask a reader to remember; level 3 asks for 2 MiB."""


def compressed(chunks: Iterable[bytes], *, size: int, threads: int = 0) -> Iterator[bytes]:
    """Yield *chunks*, *size* bytes in all, as one frame with a checksum.

    *threads* beside the caller's compress; with 0 the caller's own does.
    """
    import zstandard

    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, threads=threads)
    chunker = compressor.chunker(size=size, chunk_size=CHUNK_BYTES)
    for chunk in chunks:
        yield from chunker.compress(chunk)
    yield from chunker.finish()  # type: ignore[no-untyped-call]


def decompressed(file: BinaryIO, *, limit: int) -> Iterator[bytes]:
    """Yield what the frame in *file* holds.

    Raises CorruptError when that is damaged, asks for more than 8 MiB of memory, or holds more
    than *limit* bytes, whatever its header claims. A frame that was cut short ends early: compare
    the sizes.
    """
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
    try:
        with decompressor.stream_reader(file, closefd=False) as reader:
            yield from _read(reader, limit)
    except (zstandard.ZstdError, MemoryError) as error:
        raise CorruptError(f"A compressed file cannot be read: {error}.") from error


def _read(reader: BinaryIO, limit: int) -> Iterator[bytes]:
    left = limit
    while chunk := reader.read(CHUNK_BYTES):
        left -= len(chunk)
        if left < 0:
            raise CorruptError(f"A compressed file holds more than its {limit} bytes.")
        yield chunk
