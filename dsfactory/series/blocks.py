"""A block: up to 4,096 samples of one series, compressed, checksummed and summed up.

The payload, little-endian: version (1 byte), form of the times (1), form of the values (1), bytes
of the times (4), then the times and the values.

Times: EVEN, an int64 step; GRID, that step and the distances from the even grid by pcodec; or
PLAIN, themselves by pcodec. Values: the number of decimal digits that gives back every value as
integer / 10**digits, and those integers by pcodec; or FLOAT, themselves by pcodec. Two-digit
gauges take a quarter less as integers than as floats, and half the time.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple
from zlib import crc32

from numpy.typing import NDArray

from dsfactory.series.arrays import np, pcodec
from dsfactory.series.samples import Samples, Times, Values

MAX_SAMPLES = 4096

VERSION = 1
EVEN, GRID, PLAIN = 0, 1, 2
FLOAT = 255
MAX_DIGITS = 9
_HEAD = struct.Struct("<BBBI")
_STEP = struct.Struct("<q")
_SEAL = struct.Struct("<qqqq")
_INT32 = 2**31 - 1
_EXACT = 2.0**53
_PROBE = 64
"""So many values rule out most numbers of digits before all are tried."""

_classic = pcodec.ModeSpec.classic()
AS_IS = pcodec.ChunkConfig(mode_spec=_classic, delta_spec=pcodec.DeltaSpec.no_op())
STEPS = pcodec.ChunkConfig(mode_spec=_classic, delta_spec=pcodec.DeltaSpec.try_consecutive(1))
FLOATS = pcodec.ChunkConfig()
_compress = pcodec.standalone.simple_compress
_decompress = pcodec.standalone.simple_decompress


class Block(NamedTuple):
    """One row of the table: where the samples are and what they come to.

    minimum to increase are over the values that are numbers, and None where there is none (or
    where the sum is not a number). Both times are inclusive.
    """

    series: int
    first_at: int
    last_at: int
    samples: int
    numbers: int
    """How many of the values are not NaN."""
    minimum: float | None
    maximum: float | None
    total: float | None
    squares: float | None
    """Sum of the squared deviations from the mean: blocks combine by Chan's formula."""
    opening: float | None
    closing: float | None
    increase: float | None
    """What a counter rose by inside of the block; after a fall (a reset), the new value counts."""
    bytes: int
    crc: int
    piece: int
    pieces: int


def encode(series: int, samples: Samples) -> tuple[Block, bytes]:
    """Return the block of *samples* (ascending, 1 to 4,096 of them), not yet stored."""
    times, values = samples
    time_form, time_bytes = _packed_times(times)
    value_form, value_bytes = packed_values(values)
    head = _HEAD.pack(VERSION, time_form, value_form, len(time_bytes))
    payload = b"".join((head, time_bytes, value_bytes))
    place = (series, int(times[0]), int(times[-1]), len(times))
    crc = sealed_crc(place, payload)
    return Block._make((*place, *_summary(values), len(payload), crc, 0, 0)), payload


def sealed_crc(place: tuple[int, int, int, int], payload: bytes) -> int:
    """Return the checksum of *payload* at its *place*: bytes of another block do not pass."""
    return crc32(payload, crc32(_SEAL.pack(*place)))


def require_intact(place: tuple[int, int, int, int], size: int, crc: int, payload: bytes) -> None:
    """Raise ValueError when *payload* is not what was sealed for its *place*."""
    if len(payload) != size or sealed_crc(place, payload) != crc:
        raise ValueError("its checksum is another")


def decode(block: Block, payload: bytes) -> Samples:
    """Return the samples of an intact *payload*; ValueError when it is none of ours."""
    try:
        return _decoded(block, payload)
    except struct.error as error:
        raise ValueError("a block cut short") from error


def _decoded(block: Block, payload: bytes) -> Samples:
    version, time_form, value_form, time_bytes = _HEAD.unpack_from(payload)
    if version != VERSION:
        raise ValueError(f"a block of version {version}")
    middle = _HEAD.size + time_bytes
    times = _unpacked_times(time_form, block, payload[_HEAD.size : middle])
    values = unpacked_values(value_form, payload[middle:])
    if len(times) != block.samples or len(values) != block.samples:
        raise ValueError("a block of another number of samples")
    return Samples(times, values)


# -- times


def _packed_times(times: Times) -> tuple[int, bytes]:
    if len(times) == 1:
        return EVEN, _STEP.pack(0)
    steps = np.diff(times)
    step = int(np.median(steps))
    if (steps == step).all():
        return EVEN, _STEP.pack(step)
    off = times - _grid(int(times[0]), step, len(times))
    if np.std(off) < np.std(steps):
        return GRID, _STEP.pack(step) + _compress(_narrow(off), AS_IS)
    return PLAIN, _compress(times, STEPS)


def _unpacked_times(form: int, block: Block, packed: bytes) -> Times:
    if form == PLAIN:
        return unpacked(packed)
    (step,) = _STEP.unpack_from(packed)
    grid = _grid(block.first_at, step, block.samples)
    return grid if form == EVEN else grid + unpacked(packed[_STEP.size :])


def _grid(first: int, step: int, count: int) -> Times:
    if step <= 0:  # a single sample, or bytes that are none of ours
        return first + np.arange(count, dtype=np.int64) * step
    return np.arange(first, first + count * step, step, dtype=np.int64)


def unpacked(packed: bytes) -> NDArray[Any]:
    """Return the numbers of pcodec's bytes; ValueError when they are none."""
    try:
        found: NDArray[Any] | None = _decompress(packed)
    except (RuntimeError, TypeError) as error:
        raise ValueError("bytes that pcodec does not read") from error
    if found is None:
        raise ValueError("no numbers")
    return found


# -- values


def packed_values(values: Values) -> tuple[int, bytes]:
    """Return *values* packed, and the form that unpacked_values() needs."""
    digits, whole = _decimal(values)
    if whole is None:
        return FLOAT, _compress(values, FLOATS)
    # Where the steps scatter less than the values themselves, they take fewer bits.
    config = STEPS if len(whole) > 2 and np.std(np.diff(whole)) < np.std(whole) else AS_IS
    return digits, _compress(_narrow(whole), config)


def unpacked_values(form: int, packed: bytes) -> Values:
    """Return what packed_values() was given; ValueError when it is none of ours."""
    found = unpacked(packed)
    return found.astype(np.float64, copy=False) if form in (FLOAT, 0) else found / 10.0**form


def _decimal(values: Values) -> tuple[int, NDArray[np.int64] | None]:
    """Return digits and integers such that integer / 10**digits is each value, or no integers."""
    probe = values[:_PROBE]
    for digits in range(MAX_DIGITS + 1):
        if _shifted(probe, digits) is not None:
            shifted = _shifted(values, digits)
            if shifted is not None:
                return digits, shifted.astype(np.int64)
    return FLOAT, None


def _shifted(values: Values, digits: int) -> Values | None:
    power = 10.0**digits
    with np.errstate(invalid="ignore", over="ignore"):
        shifted = np.rint(values * power)
        exact = (shifted / power == values) & (np.abs(shifted) < _EXACT)
    return shifted if exact.all() else None


def _narrow(whole: NDArray[np.int64]) -> NDArray[np.signedinteger]:
    fits = len(whole) == 0 or max(int(whole.max()), -int(whole.min())) <= _INT32
    return whole.astype(np.int32) if fits else whole


# -- what they come to

_Figure = float | None
_Summary = tuple[int, _Figure, _Figure, _Figure, _Figure, _Figure, _Figure, _Figure]


def _summary(values: Values) -> _Summary:
    """Return numbers, minimum, maximum, total, squares, opening, closing and increase."""
    numbers = values if not np.isnan(values).any() else values[~np.isnan(values)]
    if not len(numbers):
        return (0, None, None, None, None, None, None, None)
    with np.errstate(invalid="ignore", over="ignore"):
        total = numbers.sum()
        squares = np.square(numbers - total / len(numbers)).sum()
        rises = np.diff(numbers)
        increase = np.where(rises >= 0, rises, numbers[1:]).sum()
    return (
        len(numbers),
        float(numbers.min()),
        float(numbers.max()),
        _or_none(total),
        _or_none(squares),
        float(numbers[0]),
        float(numbers[-1]),
        _or_none(increase),
    )


def _or_none(figure: np.float64) -> _Figure:
    """SQLite has no NaN, which inf - inf gives: NULL."""
    return None if np.isnan(figure) else float(figure)
