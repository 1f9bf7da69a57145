"""Compressed or plain: one zstd frame around an encoded value where that saves something."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from dsfactory.codecs.training import FIRST_ID, LAST_ID, Dictionary
from dsfactory.errors import CorruptValueError, OptionError, ValueTooLargeError

if TYPE_CHECKING:
    import zstandard

# Sizes in bytes for which a dictionary is used: tests/codecs/codec_timings.py. Below 64 the frame,
# with 14 bytes around its content, saves little. A value as large as the dictionary itself holds
# most of what that knows: 16 KB records came out 10 % smaller to 2 % larger, 64 KB ones 4 % smaller
# to 5 % larger, because the dictionary ties the compressor to parameters for small inputs.
_DICTIONARY_FROM, _DICTIONARY_TO = 64, 16 * 1024

# A frame is kept when it saves an eighth: at less, a page of SQLite's holds hardly one value more,
# and every read pays the decompression and every tool meets a blob instead of text.
_SAVING_SHIFT = 3

# Decoders of RFC 8878 support 8 MiB windows; level 3 asks for 2 MiB, and for the content's size
# when it stands in a single segment.
_LARGEST_WINDOW = 8 * 1024 * 1024

_LEVELS = range(1, 23)
_PLAIN = 0  # zstd's id for "no dictionary"


class _Tools(threading.local):
    """Each thread's compressors and decompressors by dictionary: zstd contexts are not shared."""

    def __init__(self) -> None:
        self.compressors: dict[int, zstandard.ZstdCompressor] = {}
        self.decompressors: dict[int, zstandard.ZstdDecompressor] = {}


class Packer:
    """Packs encoded values into zstd frames and unpacks them; usable by several threads."""

    def __init__(
        self,
        *,
        threshold: int | None,
        level: int = 3,
        max_bytes: int,
        find_dictionary: Callable[[int], bytes | None],
    ) -> None:
        """Compress values of at least *threshold* bytes; None packs nothing anew.

        *level* is zstd's, 1 to 22. No value is larger than *max_bytes*, packed or not.
        *find_dictionary* returns the body of the dictionary with an id, None when there is none;
        it is called without any lock held, and a body that it returned is kept.

        Raises OptionError for an option out of range.
        """
        if threshold is not None and threshold < 0:
            raise OptionError(f"threshold is {threshold}; it is 0 or more bytes", value=threshold)
        if level not in _LEVELS:
            raise OptionError(f"level is {level}; zstd has levels 1 to 22", value=level)
        if max_bytes < 0:
            raise OptionError(f"max_bytes is {max_bytes}; it is 0 or more", value=max_bytes)
        self._threshold = threshold
        self._level = level
        self._max_bytes = max_bytes
        self._find_dictionary = find_dictionary
        self._current = _PLAIN
        self.least = max_bytes + 1 if threshold is None else threshold
        """pack() keeps everything plain that has fewer bytes."""
        self._dictionaries: dict[int, zstandard.ZstdCompressionDict] = {}
        self._tools = _Tools()

    def use_dictionary(self, dictionary: Dictionary | None) -> None:
        """Pack values of 64 bytes to 16 KiB with *dictionary* from now on, whatever the threshold.

        None goes back to packing without one. Raises OptionError when the body is not a dictionary
        of that id. A threshold of None still packs nothing.
        """
        if dictionary is None:
            self._current = _PLAIN
            return
        known = self._dictionaries.get(dictionary.id)
        loaded = known or self._load(dictionary.id, dictionary.body)
        if loaded is None or loaded.as_bytes() != dictionary.body:
            raise OptionError(
                f"the bytes given are not zstd dictionary {dictionary.id}; train one again",
                dictionary_id=dictionary.id,
            )
        self._dictionaries[dictionary.id] = loaded
        self._current = dictionary.id
        if self._threshold is not None:
            self.least = min(self._threshold, _DICTIONARY_FROM)

    def pack(self, encoded: bytes) -> tuple[bytes, int | None]:
        """Return what to store and the unpacked size in bytes; *encoded* and None when kept plain.

        Kept plain when below the threshold (and no dictionary is there for its size) and when the
        frame would not save an eighth. Raises ValueTooLargeError above ``max_bytes``.
        """
        size = len(encoded)
        if size > self._max_bytes:
            raise ValueTooLargeError(
                f"the value has {size} bytes encoded and at most {self._max_bytes} are allowed; "
                "nothing was written",
                size_bytes=size,
                limit=self._max_bytes,
            )
        threshold = self._threshold
        if threshold is None:
            return encoded, None
        current = self._current if _DICTIONARY_FROM <= size <= _DICTIONARY_TO else _PLAIN
        if current == _PLAIN and size < threshold:
            return encoded, None
        frame = self._compressor(current).compress(encoded)
        if len(frame) > size - (size >> _SAVING_SHIFT):
            return encoded, None
        return frame, size

    def unpack(self, stored: bytes, unpacked_bytes: int) -> bytes:
        """Return the encoded value in the frame *stored*, exactly *unpacked_bytes* long.

        Raises CorruptValueError for anything that is not one whole frame of ours with that content,
        for more than ``max_bytes``, and for a dictionary that is gone, naming its id. Nothing
        larger than *unpacked_bytes* is allocated whatever the frame claims.
        """
        import zstandard

        try:
            frame = zstandard.get_frame_parameters(stored)
            dictionary_id = self._examine(frame, unpacked_bytes)
        except (zstandard.ZstdError, TypeError):
            _corrupt("it is not a zstd frame", unpacked_bytes)
        decompressor = self._decompressor(dictionary_id)
        try:
            # zstandard allocates what the frame claims, whatever its max_output_size says: the
            # claim was compared above.
            unpacked = decompressor.decompress(stored, allow_extra_data=False)
        except zstandard.ZstdError as error:
            # zstd's texts name what is wrong with the frame and hold no content.
            _corrupt(f"its frame is damaged: {error}", unpacked_bytes)
        if len(unpacked) != unpacked_bytes:
            _corrupt(f"its frame holds {len(unpacked)} bytes", unpacked_bytes)
        return unpacked

    def _examine(self, frame: zstandard.FrameParameters, unpacked_bytes: int) -> int:
        """Return the id of the frame's dictionary, after refusing what we never wrote."""
        if not 0 <= unpacked_bytes <= self._max_bytes:
            _corrupt(f"at most {self._max_bytes} bytes are allowed", unpacked_bytes)
        if frame.content_size != unpacked_bytes:
            _corrupt(f"its frame claims {frame.content_size} bytes", unpacked_bytes)
        if frame.window_size > max(unpacked_bytes, _LARGEST_WINDOW):
            _corrupt(f"its frame asks for a window of {frame.window_size} bytes", unpacked_bytes)
        if not frame.has_checksum:
            _corrupt("its frame has no checksum", unpacked_bytes)
        return frame.dict_id

    def _compressor(self, dictionary_id: int) -> zstandard.ZstdCompressor:
        ready = self._tools.compressors.get(dictionary_id)
        return ready or self._make_compressor(dictionary_id)

    def _make_compressor(self, dictionary_id: int) -> zstandard.ZstdCompressor:
        import zstandard

        made = zstandard.ZstdCompressor(
            level=self._level,
            dict_data=self._dictionaries.get(dictionary_id),
            write_checksum=True,
            write_content_size=True,
            write_dict_id=True,
        )
        self._tools.compressors[dictionary_id] = made
        return made

    def _decompressor(self, dictionary_id: int) -> zstandard.ZstdDecompressor:
        ready = self._tools.decompressors.get(dictionary_id)
        return ready or self._make_decompressor(dictionary_id)

    def _make_decompressor(self, dictionary_id: int) -> zstandard.ZstdDecompressor:
        import zstandard

        loaded = None if dictionary_id == _PLAIN else self._dictionary(dictionary_id)
        made = zstandard.ZstdDecompressor(dict_data=loaded)
        self._tools.decompressors[dictionary_id] = made
        return made

    def _dictionary(self, dictionary_id: int) -> zstandard.ZstdCompressionDict:
        """Return the dictionary with this id, from the store on first use."""
        loaded = self._dictionaries.get(dictionary_id)
        if loaded is not None:
            return loaded
        body = self._find_dictionary(dictionary_id)
        loaded = None if body is None else self._load(dictionary_id, body)
        if loaded is None:
            state = "missing" if body is None else "damaged"
            raise CorruptValueError(
                f"a stored value needs zstd dictionary {dictionary_id}, which is {state}; "
                "restore a backup",
                dictionary_id=dictionary_id,
            )
        return self._dictionaries.setdefault(dictionary_id, loaded)

    def _load(self, dictionary_id: int, body: bytes) -> zstandard.ZstdCompressionDict | None:
        """The dictionary in *body*; None when that is damaged or another one."""
        import zstandard

        try:
            loaded = zstandard.ZstdCompressionDict(body, dict_type=zstandard.DICT_TYPE_FULLDICT)
            # Digested once for all threads; fails on damaged tables. Not repeated: compressors of
            # other threads may be reading the digest.
            loaded.precompute_compress(level=self._level)
        except (zstandard.ZstdError, TypeError):
            return None
        in_range = FIRST_ID <= dictionary_id <= LAST_ID
        return loaded if in_range and loaded.dict_id() == dictionary_id else None


def _corrupt(what: str, unpacked_bytes: int) -> NoReturn:
    raise CorruptValueError(
        f"a stored value of {unpacked_bytes!r} bytes cannot be unpacked: {what}; "
        "write it again or restore a backup",
        unpacked_bytes=unpacked_bytes,
    ) from None
