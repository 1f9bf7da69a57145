"""Dictionaries: what many small values have in common, learned from samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from dsfactory.errors import OptionError

if TYPE_CHECKING:
    import zstandard

# RFC 8878 reserves the ids below and above, under "Dictionary_ID".
FIRST_ID, LAST_ID = 32_768, 2**31 - 1

# Every fifth sample is not learned but judged by; with fewer than 32 the verdict would rest on less
# than seven values.
_FEWEST, _JUDGED = 32, 5

# A dictionary has to make the judged samples this much smaller than doing without it: below that it
# is not worth a row of its own that may never be deleted.
_WORTHWHILE = 0.9

_LEVEL = 3
_SMALLEST = 256  # zstd's ZDICT_DICTSIZE_MIN

# Format of a dictionary: 4 bytes magic, 4 bytes id, then tables and content.
_ID_AT = slice(4, 8)


class Dictionary(NamedTuple):
    """A trained zstd dictionary. Frames name it by its id: keep it as long as any of them."""

    id: int
    body: bytes


def train_dictionary(samples: Sequence[bytes], *, size: int = 16 * 1024) -> Dictionary | None:
    """Return a dictionary of at most *size* bytes for values like *samples*.

    None when there are fewer than 32 samples that are not empty, or when the dictionary does not
    make those that it was not trained on at least 10 % smaller. A hundred samples suffice; a
    thousand of 400 bytes take about 25 ms. The same samples give the same dictionary. The id is
    taken from a hash of the body, so that two dictionaries hardly share one (32768 to 2**31 - 1).

    Raises OptionError when *size* is below 256 bytes.
    """
    if size < _SMALLEST:
        raise OptionError(f"size is {size}; a dictionary has at least {_SMALLEST} bytes", size=size)
    import zstandard

    usable = [sample for sample in samples if sample]
    if len(usable) < _FEWEST:
        return None
    judged = usable[::_JUDGED]
    learned: list[bytes | bytearray | memoryview] = [
        sample for index, sample in enumerate(usable) if index % _JUDGED
    ]
    try:
        trained = zstandard.train_dictionary(size, learned, dict_id=FIRST_ID, level=_LEVEL)
        dictionary = _named(trained.as_bytes())
        worthwhile = _is_worthwhile(dictionary, judged)
    except zstandard.ZstdError:
        return None  # zstd finds nothing in common, or too little for its tables
    return dictionary if worthwhile else None


def _named(body: bytes) -> Dictionary:
    from hashlib import blake2b  # loads OpenSSL, which opening a store must not

    digest = int.from_bytes(blake2b(body[_ID_AT.stop :], digest_size=8).digest(), "little")
    number = FIRST_ID + digest % (LAST_ID - FIRST_ID + 1)
    named = bytearray(body)
    named[_ID_AT] = number.to_bytes(4, "little")
    return Dictionary(number, bytes(named))


def _is_worthwhile(dictionary: Dictionary, judged: list[bytes]) -> bool:
    import zstandard

    shared = zstandard.ZstdCompressionDict(dictionary.body)
    with_it = zstandard.ZstdCompressor(level=_LEVEL, dict_data=shared, write_checksum=True)
    alone = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    bytes_with = _stored(with_it, judged)
    return bytes_with <= _WORTHWHILE * _stored(alone, judged)


def _stored(compressor: zstandard.ZstdCompressor, values: list[bytes]) -> int:
    return sum(min(len(value), len(compressor.compress(value))) for value in values)
