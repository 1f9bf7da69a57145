"""Packer: what is compressed, what stays plain, and what a damaged frame gives."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import suppress
from threading import Barrier, Thread
from typing import Any

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packing_samples import MAX_BYTES, noise, packer, records, trained

from dsfactory.codecs import Dictionary, Packer
from dsfactory.errors import CorruptValueError, OptionError, ValueTooLargeError

TEXT = b"the same words again and again, " * 40
DICTIONARY = trained()


def frame_claiming(size: int, *, window: int | None = None) -> bytes:
    """A zstd frame of 16 bytes (18 with a window) that claims *size* bytes of content."""
    # Descriptor: content size in 8 bytes; a single segment unless a window is given; a checksum.
    single = window is None
    head = bytes([0xC0 | (0x20 if single else 0) | 0x04]) + (
        b"" if single else bytes([window or 0])
    )
    return b"\x28\xb5\x2f\xfd" + head + struct.pack("<Q", size) + b"\x01\x00\x00"


@pytest.mark.parametrize("size", [0, 1, 255])
def test_pack_below_threshold(size: int) -> None:
    """Values below the threshold stay as they are."""
    value = b"a" * size
    assert packer(threshold=256).pack(value) == (value, None)


def test_pack_from_threshold() -> None:
    """A value of the threshold's size is packed into one frame, with its size beside it."""
    value = TEXT[:256]
    stored, unpacked_bytes = packer(threshold=256).pack(value)
    assert unpacked_bytes == 256
    assert len(stored) < 256
    frame = zstandard.get_frame_parameters(stored)
    assert (frame.content_size, frame.has_checksum, frame.dict_id) == (256, True, 0)


def test_pack_without_threshold() -> None:
    """Without a threshold nothing is packed, with a dictionary neither; all can be unpacked."""
    writer = packer(DICTIONARY)
    writer.use_dictionary(DICTIONARY)
    packed = [writer.pack(TEXT), writer.pack(records(1)[0])]
    reader = packer(DICTIONARY, threshold=None)
    reader.use_dictionary(DICTIONARY)
    assert reader.pack(TEXT) == (TEXT, None)
    assert [reader.unpack(stored, size or 0) for stored, size in packed] == [TEXT, records(1)[0]]


def test_pack_incompressible() -> None:
    """What compression does not make smaller stays plain."""
    assert packer(threshold=0).pack(noise(5000)) == (noise(5000), None)
    assert packer(threshold=0).pack(b"") == (b"", None)


@pytest.mark.parametrize(("random_bytes", "kept_plain"), [(960, True), (700, False)])
def test_pack_saves_an_eighth(random_bytes: int, kept_plain: bool) -> None:
    """A frame that saves less than an eighth is not worth a decompression for every read."""
    value = noise(random_bytes) + b"a" * (1000 - random_bytes)
    stored, unpacked_bytes = packer(threshold=0).pack(value)
    assert (unpacked_bytes is None) == kept_plain
    assert len(stored) <= 875 or kept_plain


@given(st.binary(max_size=5000), st.integers(1, 40))
@settings(deadline=None)
def test_packed_value_round_trip(part: bytes, times: int) -> None:
    """Whatever is packed comes back, with a dictionary and without."""
    value = part * times
    with_it = packer(DICTIONARY, threshold=0)
    with_it.use_dictionary(DICTIONARY)
    for each in (with_it, packer(threshold=0)):
        stored, size = each.pack(value)
        assert value == (stored if size is None else each.unpack(stored, size))


@pytest.mark.parametrize("level", [1, 9, 19, 22])
def test_levels(level: int) -> None:
    """Every level packs what every packer unpacks."""
    stored, size = packer(level=level).pack(TEXT)
    assert size == len(TEXT)
    assert packer().unpack(stored, size) == TEXT


def test_dictionary_packs_small_values() -> None:
    """With a dictionary, values below the threshold are packed, to less than half."""
    writer = packer(DICTIONARY, threshold=10_000)
    plain = records(50, seed=9)
    assert all(writer.pack(value) == (value, None) for value in plain)
    writer.use_dictionary(DICTIONARY)
    packed = [writer.pack(value) for value in plain]
    assert sum(len(stored) for stored, _ in packed) < sum(map(len, plain)) / 2
    frame = zstandard.get_frame_parameters(packed[0][0])
    assert (frame.dict_id, frame.has_checksum) == (DICTIONARY.id, True)
    assert frame.content_size == len(plain[0])


def test_dictionary_leaves_tiny_values() -> None:
    """Values below 64 bytes stay plain: the frame around them would be as large."""
    writer = packer(DICTIONARY)
    writer.use_dictionary(DICTIONARY)
    value = records(1)[0]
    assert writer.pack(value[:63]) == (value[:63], None)
    assert writer.pack(value[:64])[1] == 64


def test_dictionary_only_up_to_16_kib() -> None:
    """Large values are packed without the dictionary, which would not help them."""
    writer = packer(DICTIONARY)
    writer.use_dictionary(DICTIONARY)
    value = b"\n".join(records(1000))
    small, large = writer.pack(value[: 16 * 1024])[0], writer.pack(value)[0]
    assert zstandard.get_frame_parameters(small).dict_id == DICTIONARY.id
    assert zstandard.get_frame_parameters(large).dict_id == 0
    assert writer.unpack(large, len(value)) == value


def test_dictionary_laid_down() -> None:
    """None goes back to packing without a dictionary; what was packed with it is still read."""
    writer = packer()
    writer.use_dictionary(DICTIONARY)
    value = records(1)[0]
    stored, size = writer.pack(value)
    writer.use_dictionary(None)
    assert writer.pack(value[:100]) == (value[:100], None)
    assert writer.unpack(stored, size or 0) == value


def test_dictionary_replaced() -> None:
    """A newer dictionary writes; frames of the older one are still read."""
    newer = trained(seed=2)
    both = packer(DICTIONARY, newer)
    value, frames = records(1)[0], []
    for dictionary in (DICTIONARY, newer, DICTIONARY):
        both.use_dictionary(dictionary)
        frames.append(both.pack(value)[0])
    ids = [zstandard.get_frame_parameters(frame).dict_id for frame in frames]
    assert ids == [DICTIONARY.id, newer.id, DICTIONARY.id]
    assert {packer(DICTIONARY, newer).unpack(frame, len(value)) for frame in frames} == {value}


def test_dictionary_found_once() -> None:
    """The dictionary of a frame is asked for by its id, and its body is kept."""
    asked: list[int] = []

    def find(number: int) -> bytes | None:
        asked.append(number)
        return DICTIONARY.body if number == DICTIONARY.id else None

    writer = packer()
    writer.use_dictionary(DICTIONARY)
    value = records(1)[0]
    stored, size = writer.pack(value)
    reader = Packer(threshold=None, max_bytes=MAX_BYTES, find_dictionary=find)
    assert [reader.unpack(stored, size or 0) for _ in range(3)] == [value] * 3
    assert asked == [DICTIONARY.id]


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (None, "missing"),
        (b"", "damaged"),
        (b"abc" * 100, "damaged"),
        (DICTIONARY.body[:100], "damaged"),
        (trained(seed=2).body, "damaged"),
        ("text", "damaged"),
    ],
)
def test_dictionary_missing_or_damaged(body: Any, state: str) -> None:
    """A dictionary that is gone, or is not the one, is named in the error; it is asked for anew."""
    writer = packer()
    writer.use_dictionary(DICTIONARY)
    value = records(1)[0]
    stored, size = writer.pack(value)
    bodies = {DICTIONARY.id: body}
    reader = Packer(threshold=None, max_bytes=MAX_BYTES, find_dictionary=bodies.get)
    with pytest.raises(CorruptValueError, match=f"dictionary {DICTIONARY.id}, which is {state}"):
        reader.unpack(stored, size or 0)
    bodies[DICTIONARY.id] = DICTIONARY.body
    assert reader.unpack(stored, size or 0) == value


def test_find_dictionary_raising() -> None:
    """An error of the search itself is no corrupt value: it passes through."""
    writer = packer()
    writer.use_dictionary(DICTIONARY)
    stored, size = writer.pack(records(1)[0])

    def find(_: int) -> bytes | None:
        raise TypeError("search failed")

    with pytest.raises(TypeError, match="search failed"):
        Packer(threshold=None, max_bytes=MAX_BYTES, find_dictionary=find).unpack(stored, size or 0)


@pytest.mark.parametrize(
    "dictionary",
    [
        Dictionary(DICTIONARY.id, b"no dictionary at all"),
        Dictionary(DICTIONARY.id + 1, DICTIONARY.body),
        Dictionary(5, b"\x37\xa4\x30\xec\x05\x00\x00\x00" + DICTIONARY.body[8:]),
    ],
)
def test_use_dictionary_that_is_none(dictionary: Dictionary) -> None:
    """Bytes that are no dictionary of that id, or of an id that zstd reserves, are refused."""
    writer = packer()
    with pytest.raises(OptionError, match=f"dictionary {dictionary.id}"):
        writer.use_dictionary(dictionary)
    assert writer.pack(b"a" * 100) == (b"a" * 100, None)


def test_use_dictionary_with_a_known_id() -> None:
    """Another body under an id that is in use is refused: frames would be unreadable."""
    writer = packer()
    writer.use_dictionary(DICTIONARY)
    changed = DICTIONARY.body[:-1] + bytes([DICTIONARY.body[-1] ^ 1])
    with pytest.raises(OptionError, match="train one again"):
        writer.use_dictionary(Dictionary(DICTIONARY.id, changed))


@pytest.mark.parametrize(
    "options", [{"threshold": -1}, {"level": 0}, {"level": 23}, {"max_bytes": -1}]
)
def test_packer_option_out_of_range(options: dict[str, int]) -> None:
    """An option out of range is refused and named."""
    with pytest.raises(OptionError, match=next(iter(options))):
        packer(**options)


def test_pack_larger_than_max_bytes() -> None:
    """Nothing is packed that could not be unpacked; the error holds the sizes."""
    writer = packer(max_bytes=100)
    assert writer.pack(b"a" * 100) == (b"a" * 100, None)
    with pytest.raises(ValueTooLargeError) as caught:
        writer.pack(b"a" * 101)
    assert caught.value.facts == {"size_bytes": 101, "limit": 100}


def packed(value: bytes = TEXT) -> tuple[bytes, int]:
    stored, size = packer().pack(value)
    assert size is not None
    return stored, size


def test_unpack_larger_than_max_bytes() -> None:
    """A size above max_bytes is refused before the frame is looked into."""
    stored, size = packed()
    with pytest.raises(CorruptValueError, match="at most 100 bytes"):
        packer(max_bytes=100).unpack(stored, size)


@pytest.mark.parametrize("size", [0, 1, len(TEXT) - 1, len(TEXT) + 1, -1, MAX_BYTES, None, "x"])
def test_unpack_wrong_size(size: Any) -> None:
    """A frame whose content is not exactly as large as the store says is refused."""
    with pytest.raises(CorruptValueError):
        packer().unpack(packed()[0], size)


@pytest.mark.parametrize("size", [1 << 40, 1 << 20, 500_000])
def test_unpack_bomb(size: int) -> None:
    """A frame of 16 bytes that claims 1 TiB is refused, and nothing of the kind is allocated."""
    bomb = frame_claiming(size)
    assert len(bomb) == 16
    assert zstandard.get_frame_parameters(bomb).content_size == size
    reader = packer()
    with suppress(CorruptValueError):
        reader.unpack(*packed())
    tracemalloc.start()
    try:
        for claimed in (1000, size):
            with pytest.raises(CorruptValueError):
                reader.unpack(bomb, claimed)
        assert tracemalloc.get_traced_memory()[1] < MAX_BYTES
    finally:
        tracemalloc.stop()


def test_unpack_large_window() -> None:
    """A frame that asks for a window of more than 8 MiB for a small value is refused."""
    wide = frame_claiming(1000, window=(24 - 10) << 3)
    assert zstandard.get_frame_parameters(wide).window_size == 16 * 1024 * 1024
    with pytest.raises(CorruptValueError, match="window of 16777216 bytes"):
        packer().unpack(wide, 1000)


def test_unpack_second_frame() -> None:
    """A second frame after the first is refused, and so are other bytes after it."""
    stored, size = packed()
    for extra in (stored, b"\x00", frame_claiming(0)):
        with pytest.raises(CorruptValueError, match="unused data"):
            packer().unpack(stored + extra, size)
    with pytest.raises(CorruptValueError):
        packer().unpack(stored + stored, size * 2)


def test_unpack_truncated() -> None:
    """Every shortened form of a frame is refused."""
    stored, size = packed()
    for length in range(len(stored)):
        with pytest.raises(CorruptValueError):
            packer().unpack(stored[:length], size)


def test_unpack_without_checksum() -> None:
    """A frame without a checksum is none of ours: its damage could not be seen."""
    bare = zstandard.ZstdCompressor(write_checksum=False).compress(TEXT)
    with pytest.raises(CorruptValueError, match="no checksum"):
        packer().unpack(bare, len(TEXT))


def test_unpack_skippable_frame() -> None:
    """A frame that says "skip me" holds no value, not even an empty one."""
    for size in (0, 4):
        with pytest.raises(CorruptValueError):
            packer().unpack(b"\x50\x2a\x4d\x18" + struct.pack("<I", size) + b"\x00" * size, size)


def test_unpack_flipped_bits() -> None:
    """Each single flipped bit is found, or changes nothing."""
    for value, reader in ((TEXT, packer()), (records(1)[0], packer(DICTIONARY))):
        if value != TEXT:
            reader.use_dictionary(DICTIONARY)
        stored, size = reader.pack(value)
        assert size is not None
        for at in range(len(stored) * 8):
            flipped = bytearray(stored)
            flipped[at // 8] ^= 1 << (at % 8)
            with suppress(CorruptValueError):
                assert reader.unpack(bytes(flipped), size) == value


@given(st.binary(max_size=300), st.integers(-5, 2 * MAX_BYTES))
@example(frame_claiming(1 << 63), 1 << 63)
@example(b"\x28\xb5\x2f\xfd" + b"\xff" * 30, 255)
@settings(deadline=None, max_examples=500)
def test_unpack_random_bytes(stored: bytes, size: int) -> None:
    """Random bytes give CorruptValueError and nothing else, with zstd's magic before them too."""
    for candidate in (stored, b"\x28\xb5\x2f\xfd" + stored):
        with pytest.raises(CorruptValueError):
            packer(DICTIONARY).unpack(candidate, size)


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_unpack_mutated_frame(data: st.DataObject) -> None:
    """A frame with bytes changed gives its value or CorruptValueError."""
    stored = bytearray(packed()[0])
    for _ in range(data.draw(st.integers(1, 4))):
        stored[data.draw(st.integers(0, len(stored) - 1))] = data.draw(st.integers(0, 255))
    with suppress(CorruptValueError):
        assert packer(DICTIONARY).unpack(bytes(stored), len(TEXT)) == TEXT


@pytest.mark.parametrize("stored", ["text", None, 5])
def test_unpack_other_type(stored: Any) -> None:
    """A column that holds no bytes is damage."""
    with pytest.raises(CorruptValueError, match="not a zstd frame"):
        packer().unpack(stored, 4)


class Short:
    """A decompressor that returns less than the frame claims, as no sound one does."""

    def decompress(self, *_: Any, **__: Any) -> bytes:
        return TEXT[1:]


def test_unpack_to_another_length() -> None:
    """The length is looked at once more after decompression."""
    stored, size = packed()
    reader = packer()
    reader._tools.decompressors[0] = Short()  # type: ignore[assignment]
    with pytest.raises(CorruptValueError, match=f"holds {size - 1} bytes"):
        reader.unpack(stored, size)


def test_unpack_message_holds_no_content() -> None:
    """The message names the sizes and what to do; no byte of the value."""
    stored, size = packed(b"hunter2 " * 100)
    with pytest.raises(CorruptValueError) as caught:
        packer().unpack(stored[:-1], size)
    assert "hunter2" not in str(caught.value)
    assert caught.value.facts == {"unpacked_bytes": size}
    assert caught.value.__suppress_context__


def test_packer_used_by_threads() -> None:
    """One packer serves several threads at once, while dictionaries come and go."""
    dictionaries = [DICTIONARY, trained(seed=2)]
    shared = packer(*dictionaries, threshold=200)
    values = [*records(100, seed=5), *(noise(n) + TEXT * 20 for n in range(10))]
    start, wrong = Barrier(5), []

    def work() -> None:
        start.wait()
        for value in values * 10:
            stored, size = shared.pack(value)
            back = stored if size is None else shared.unpack(stored, size)
            wrong.extend([value] if back != value else [])

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    start.wait()
    for turn in range(200):
        shared.use_dictionary([*dictionaries, None][turn % 3])
    for thread in threads:
        thread.join()
    assert wrong == []
