"""Small pieces of files as zstd frames (RFC 8878), alone or against a similar piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from dsfactory.codecs.training import Dictionary
from dsfactory.errors import CorruptValueError

if TYPE_CHECKING:
    import zstandard

LEVEL = 3

# The few chunks that are compressed against another one can have more time: 8 % smaller than at
# level 3 for 0.1 s in 14,000 chunks (backup/DESIGN.md, "Packs").
_LEVEL_AGAINST = 6

# Of the trained dictionary, what comes before the other chunk: all of it would have to be indexed
# anew for each chunk, and its end holds what is most frequent.
_TAIL_BYTES = 16 * 1024

NO_DICTIONARY = 0
"""zstd's id for "none"."""


class ChunkCodec:
    """Compresses chunks of at most *largest* bytes and expands them; for one thread."""

    def __init__(self, largest: int) -> None:
        """Dictionaries are told by :meth:`know`."""
        self._largest = largest
        self._bodies: dict[int, bytes] = {}
        self._compressors: dict[int, zstandard.ZstdCompressor] = {}
        self._decompressors: dict[int, zstandard.ZstdDecompressor] = {}

    def know(self, dictionary: Dictionary) -> None:
        """Be able to use *dictionary*; raise CorruptValueError when it is none, or another one."""
        import zstandard

        try:
            loaded = zstandard.ZstdCompressionDict(
                dictionary.body, dict_type=zstandard.DICT_TYPE_FULLDICT
            )
            loaded.precompute_compress(level=LEVEL)
        except (zstandard.ZstdError, TypeError) as error:
            raise CorruptValueError(f"Dictionary {dictionary.id} is damaged.") from error
        if loaded.dict_id() != dictionary.id:
            _refuse(f"dictionary {dictionary.id} is another one")
        self._bodies[dictionary.id] = dictionary.body
        self._compressors[dictionary.id] = zstandard.ZstdCompressor(
            level=LEVEL, dict_data=loaded, write_checksum=True
        )
        self._decompressors[dictionary.id] = zstandard.ZstdDecompressor(dict_data=loaded)

    def compress(self, chunk: bytes, dictionary: int) -> bytes:
        """Return *chunk* as a frame with a checksum, which names its *dictionary*."""
        import zstandard

        if dictionary == NO_DICTIONARY and dictionary not in self._compressors:
            self._compressors[dictionary] = zstandard.ZstdCompressor(
                level=LEVEL, write_checksum=True
            )
        return self._compressors[dictionary].compress(chunk)

    def expand(self, frame: bytes) -> bytes:
        """Return the chunk in *frame*.

        Raises CorruptValueError for anything that is not one whole frame of ours, and for a
        dictionary that is not known. No more than the largest chunk is allocated, whatever the
        frame claims.
        """
        import zstandard

        dictionary = self._examined(frame)
        if dictionary == NO_DICTIONARY and dictionary not in self._decompressors:
            self._decompressors[dictionary] = zstandard.ZstdDecompressor()
        decompressor = self._decompressors.get(dictionary)
        if decompressor is None:
            _refuse(f"its dictionary {dictionary} is missing")
        return _expanded(decompressor, frame)

    def compress_against(self, chunk: bytes, base: bytes, dictionary: int) -> bytes:
        """Return *chunk* as a frame that can be read with *base* and *dictionary* only."""
        import zstandard

        compressor = zstandard.ZstdCompressor(
            level=_LEVEL_AGAINST, dict_data=self._before(base, dictionary), write_checksum=True
        )
        return compressor.compress(chunk)

    def expand_against(self, frame: bytes, base: bytes, dictionary: int) -> bytes:
        """Return the chunk in *frame*, as :meth:`expand` does."""
        import zstandard

        if self._examined(frame) != NO_DICTIONARY:
            _refuse("it names a dictionary")
        decompressor = zstandard.ZstdDecompressor(dict_data=self._before(base, dictionary))
        return _expanded(decompressor, frame)

    def _before(self, base: bytes, dictionary: int) -> zstandard.ZstdCompressionDict:
        """What zstd takes to stand before the chunk: the likeliest comes last."""
        import zstandard

        if dictionary != NO_DICTIONARY and dictionary not in self._bodies:
            _refuse(f"its dictionary {dictionary!r} is missing")
        tail = self._bodies.get(dictionary, b"")[-_TAIL_BYTES:]
        return zstandard.ZstdCompressionDict(tail + base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)

    def _examined(self, frame: bytes) -> int:
        """Return the id of the frame's dictionary, after refusing what we never wrote."""
        import zstandard

        try:
            parameters = zstandard.get_frame_parameters(frame)
        except (zstandard.ZstdError, TypeError):
            _refuse("it is not a zstd frame")
        if not 0 < parameters.content_size <= self._largest:
            _refuse(f"its frame claims {parameters.content_size} bytes")
        # zstd asks for 1 KiB at least.
        if parameters.window_size > max(self._largest, 1024):
            _refuse(f"its frame asks for a window of {parameters.window_size} bytes")
        if not parameters.has_checksum:
            _refuse("its frame has no checksum")
        return int(parameters.dict_id)


def packed_numbers(numbers: bytes) -> bytes:
    """Return *numbers*, an array's bytes, as a frame with a checksum."""
    import zstandard

    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(numbers)


def unpacked_numbers(frame: bytes, *, limit: int) -> bytes:
    """Return what the frame holds; CorruptValueError if it is damaged or claims over *limit*."""
    return _whole(frame, limit)


def _whole(frame: bytes, limit: int) -> bytes:
    import zstandard

    try:
        parameters = zstandard.get_frame_parameters(frame)
    except (zstandard.ZstdError, TypeError):
        _refuse("it is not a zstd frame")
    if parameters.content_size > limit or not parameters.has_checksum:
        _refuse(f"its frame claims {parameters.content_size} bytes")
    return _expanded(zstandard.ZstdDecompressor(), frame)


def _expanded(decompressor: zstandard.ZstdDecompressor, frame: bytes) -> bytes:
    import zstandard

    try:
        # The claimed size was compared: zstandard allocates it whatever its max_output_size says.
        return decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        _refuse(f"its frame is damaged: {error}")


def _refuse(why: str) -> NoReturn:
    raise CorruptValueError(f"A chunk cannot be read: {why}.") from None
