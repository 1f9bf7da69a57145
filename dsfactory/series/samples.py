"""Samples as arrays: checked when they come in, merged so that the one written last wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from numpy.typing import ArrayLike, NDArray

from dsfactory.clock import END_OF_TIME
from dsfactory.errors import SampleRefusedError
from dsfactory.series.arrays import np

Times = NDArray[np.int64]
Values = NDArray[np.float64]
Time = int | datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
EXACT = 2**53
"""Every integer up to here is a float64; beyond, only some are."""


class Samples(NamedTuple):
    """Times (int64, ms since the epoch, strictly ascending) and values (float64)."""

    times: Times
    values: Values

    def between(self, start: int, end: int) -> Samples:
        """Return those with start <= time < end."""
        low, high = np.searchsorted(self.times, (start, end))
        if low == 0 and high == len(self.times):
            return self
        return Samples(self.times[low:high], self.values[low:high])


EMPTY = Samples(np.empty(0, np.int64), np.empty(0, np.float64))


def checked_time(at: object) -> int:
    """Return *at*, an int of milliseconds or a datetime with a time zone, in milliseconds.

    Raises SampleRefusedError for anything else and for times outside 1970 to 9999.
    """
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise SampleRefusedError(
                "A datetime without a time zone could mean any of 24 hours. Give it one, such as "
                "tzinfo=UTC."
            )
        at = (at - EPOCH) // _MILLISECOND
    elif isinstance(at, (bool, np.bool)) or not isinstance(at, (int, np.integer)):
        raise SampleRefusedError(
            f"A time of type {type(at).__name__} is not allowed; allowed: int (milliseconds since "
            "1970, UTC) or datetime."
        )
    if not 0 <= at <= END_OF_TIME:
        raise _outside()
    return int(at)


def _outside() -> SampleRefusedError:
    return SampleRefusedError(
        "A time lies outside 1970 to 9999. Times are milliseconds since 1970, UTC.",
        least=0,
        most=END_OF_TIME,
    )


def checked_value(value: object) -> float:
    """Return *value* as a float; NaN and infinities are taken, as is an int that fits exactly.

    Raises SampleRefusedError for other types and for integers that a float would round.
    """
    if isinstance(value, (bool, np.bool)) or not isinstance(
        value, (int, float, np.integer, np.floating)
    ):
        raise SampleRefusedError(
            f"A value of type {type(value).__name__} is not allowed; allowed: int, float."
        )
    if isinstance(value, (int, np.integer)) and not -EXACT <= value <= EXACT:
        return _exact(int(value))
    return float(value)


def _exact(value: int) -> float:
    try:
        exact = float(value)
    except OverflowError:
        exact = 0.0
    if exact != value:
        raise _inexact()
    return exact


def _inexact() -> SampleRefusedError:
    return SampleRefusedError(
        "An integer beyond 2^53 would be rounded: values are 64-bit floats. Pass float(value) if "
        "that is meant."
    )


def columns(values: ArrayLike, times: ArrayLike | Sequence[datetime]) -> Samples:
    """Return checked copies of the two columns, in the order given; they may hold duplicates.

    Raises SampleRefusedError when one is refused, or when they are not of one length.
    """
    checked = Samples(_times(times), _values(values))
    if checked.times.shape != checked.values.shape:
        raise SampleRefusedError(
            f"There are {len(checked.values)} values and {len(checked.times)} times; as many of "
            "one as of the other are needed."
        )
    return checked


def _times(times: ArrayLike | Sequence[datetime]) -> Times:
    found = _column(times, "times")
    if found.dtype.kind == "M":
        if np.isnat(found).any():
            raise _outside()
        found = found.astype("datetime64[ms]").astype(np.int64)
    elif found.dtype == object:
        found = np.fromiter(map(checked_time, found), np.int64, len(found))
    elif found.dtype.kind not in "iu" and found.size:
        raise SampleRefusedError(
            f"Times of type {found.dtype} are not allowed; allowed: integers (milliseconds since "
            "1970, UTC), datetimes, datetime64."
        )
    # Before the conversion: an unsigned number could come out negative, or the other way round.
    if found.size and not (found.min() >= 0 and found.max() <= END_OF_TIME):
        raise _outside()
    return np.array(found, np.int64)


def _values(values: ArrayLike) -> Values:
    found = _column(values, "values")
    if found.dtype == object or found.dtype.kind == "b":
        return np.fromiter(map(checked_value, found), np.float64, len(found))
    if found.dtype.kind not in "iuf" and found.size:
        raise SampleRefusedError(f"Values of type {found.dtype} are not allowed; allowed: numbers.")
    if found.dtype.itemsize > 8:
        raise SampleRefusedError(f"Values of type {found.dtype} would be rounded to float64.")
    exact = np.array(found, np.float64)
    if found.dtype.kind in "iu" and found.size and _beyond(found):
        for value in found[np.abs(exact) >= EXACT].tolist():
            _exact(value)
    return exact


def _beyond(found: NDArray[Any]) -> bool:
    return bool(found.max() > EXACT or found.min() < -EXACT)


def _column(given: object, what: str) -> NDArray[Any]:
    if isinstance(given, np.ma.MaskedArray):
        raise SampleRefusedError(f"The {what} are a masked array; leave the masked ones out.")
    if not isinstance(given, np.ndarray) and not hasattr(given, "__array__"):
        given = list(given) if isinstance(given, Iterable) else given
        if isinstance(given, list) and any(type(v) is not float for v in given):
            # Else numpy would take text, round mixed integers and make numbers of bools.
            whole = all(type(v) is int for v in given)
            return _whole(given) if whole else np.array([*given, None], object)[:-1]
    found = np.asarray(given)
    if found.ndim != 1:
        raise SampleRefusedError(f"The {what} have {found.ndim} dimensions; allowed: one.")
    return found


def _whole(numbers: list[int]) -> NDArray[Any]:
    try:
        return np.array(numbers, np.int64)
    except OverflowError:
        return np.array(numbers, object)


def ascending(samples: Samples) -> Samples:
    """Return *samples* by time; of several at one time, the one that came last."""
    times, values = samples
    steps = np.diff(times)
    if not (steps <= 0).any():
        return samples
    if (steps < 0).any():
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
    last = np.append(times[1:] != times[:-1], [True])
    return Samples(times[last], values[last])


def merged(older: Samples, newer: Samples) -> Samples:
    """Return the samples of both, each ascending; at one time, that of *newer*."""
    if not len(older.times):
        return newer
    if not len(newer.times):
        return older
    joined = concatenated([older, newer])
    if older.times[-1] < newer.times[0]:
        return joined
    return ascending(joined)


def concatenated(parts: Sequence[Samples]) -> Samples:
    """Return *parts* one after the other."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return EMPTY
    return Samples(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.values for part in parts]),
    )
