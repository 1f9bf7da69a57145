"""What a query asks for, checked; and from where each part of its time is read.

Intervals are half-open, start <= time < end, everywhere. With a step, bucket n is
[n * step, (n + 1) * step) counted from the epoch, and its timestamp its begin: moving the start
of a query does not move its buckets. The first and the last one hold what of them lies in the
interval.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from dsfactory.clock import END_OF_TIME
from dsfactory.durations import duration_ms
from dsfactory.errors import OptionError, QueryError, SampleRefusedError, shown
from dsfactory.series.arrays import np
from dsfactory.series.partials import Partials
from dsfactory.series.samples import Time, Values, checked_time

MAX_POINTS = 10_000_000
"""Of all results of a query together: 160 MB."""

RAW = "raw"
_QUANTILE = re.compile(r"quantile\(\s*([^()\s]{1,40})\s*\)", re.ASCII)
_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
_ROUND = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(n * _SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
    *(n * _DAY for n in (1, 2, 7, 14, 28, 91, 182, 364)),
)


class Aggregate(NamedTuple):
    """How one aggregate is made from the partials of each bucket."""

    name: str
    finish: Callable[[Partials, Values], Values]
    """Given the partials and the seconds of each of their buckets."""
    wanted: frozenset[str] = frozenset()
    """The columns of the partials that it needs, besides bucket and numbers."""
    empty: float = float("nan")
    """What a bucket without numbers comes to."""
    quantile: float | None = None


def _increase(parts: Partials, _seconds: Values) -> Values:
    return np.where(parts.pairs > 0, parts.increase, np.nan)


_RISING = frozenset(("opening", "closing", "increase", "pairs"))
AGGREGATES = {
    row.name: row
    for row in (
        Aggregate("avg", lambda p, _: p.total / p.numbers, frozenset({"total"})),
        Aggregate("sum", lambda p, _: p.total, frozenset({"total"})),
        Aggregate("min", lambda p, _: p.minimum, frozenset({"minimum"})),
        Aggregate("max", lambda p, _: p.maximum, frozenset({"maximum"})),
        Aggregate("count", lambda p, _: p.numbers.astype(np.float64), empty=0.0),
        Aggregate("first", lambda p, _: p.opening, frozenset({"opening", "opening_at"})),
        Aggregate("last", lambda p, _: p.closing, frozenset({"closing", "closing_at"})),
        Aggregate(
            "stddev", lambda p, _: np.sqrt(p.squares / p.numbers), frozenset({"total", "squares"})
        ),
        Aggregate("increase", _increase, _RISING),
        Aggregate("rate", lambda p, seconds: _increase(p, seconds) / seconds, _RISING),
    )
}


class Question(NamedTuple):
    """A checked query. Times are milliseconds; *step* is 0 for the samples themselves."""

    start: int
    end: int
    step: int
    aggregate: Aggregate
    by: tuple[str, ...] | None
    tier: int | None
    """The width that was asked for, 0 for raw samples; None: as fits."""

    @property
    def first(self) -> int:
        """The number of the first bucket."""
        return self.start // self.step

    @property
    def buckets(self) -> int:
        """How many there are."""
        return -(-self.end // self.step) - self.first if self.end > self.start else 0


def question(
    start: Time, end: Time, step: object, agg: object, *, by: object = None, tier: object = None
) -> Question:
    """Return the checked query; QueryError says what is wrong with it."""
    asked = Question(
        _time("start", start),
        _time("end", end),
        0 if step is None else _width("step", step),
        aggregate(agg),
        _by(by),
        None if tier is None else 0 if tier == RAW else _width("tier", tier),
    )
    if asked.end < asked.start:
        raise QueryError(
            f"The end ({asked.end}) lies before the start ({asked.start}).",
            start=asked.start,
            end=asked.end,
        )
    if not asked.step and (asked.by is not None or asked.tier):
        raise QueryError("by and tier need a step: without one, a query gives the samples as is.")
    if asked.step and asked.tier and asked.step % asked.tier:
        raise QueryError(
            f"The step ({asked.step} ms) is no multiple of the tier ({asked.tier} ms).",
            step=asked.step,
            tier=asked.tier,
        )
    return asked


def _time(word: str, at: object) -> int:
    if at == END_OF_TIME + 1 and isinstance(at, int):
        return at
    try:
        return checked_time(at)
    except SampleRefusedError as error:
        raise QueryError(f"{word}: {error.message}", **error.facts) from error


def _width(word: str, value: object) -> int:
    try:
        return duration_ms(value, word)
    except OptionError as error:
        raise QueryError(error.message, **error.facts) from error


def _by(by: object) -> tuple[str, ...] | None:
    if by is None:
        return None
    if (
        isinstance(by, str)
        or not isinstance(by, Sequence)
        or not all(isinstance(b, str) for b in by)
    ):
        raise QueryError(f'by={shown(by)} is not allowed; allowed: labels such as ("route",).')
    return tuple(by)


def aggregate(agg: object) -> Aggregate:
    """Return the aggregate of this name; QueryError when there is none."""
    if isinstance(agg, str):
        if agg in AGGREGATES:
            return AGGREGATES[agg]
        match = _QUANTILE.fullmatch(agg)
        if match is not None:
            return Aggregate(agg, AGGREGATES["avg"].finish, quantile=_fraction(match[1]))
    raise QueryError(
        f"agg={shown(agg)} is not allowed; allowed: {', '.join(AGGREGATES)}, quantile(0.99).",
        agg=agg,
    )


def _fraction(text: str) -> float:
    try:
        fraction = float(text)
    except ValueError:
        fraction = float("nan")
    if not 0 <= fraction <= 1:
        raise QueryError(f"quantile({shown(text)}) is not allowed; allowed: 0 to 1.")
    return fraction


def require_points(asked: Question, results: int) -> None:
    """Raise QueryError when the answer would have too many points."""
    points = asked.buckets * results
    if points > MAX_POINTS:
        raise QueryError(
            f"{results} results of {asked.buckets} points are too many; allowed: {MAX_POINTS} "
            "points in all. Ask for a longer step, a shorter time or fewer series.",
            points=points,
            limit=MAX_POINTS,
        )


def step_for(start: Time, end: Time, points: int) -> int:
    """Return the shortest round step (a second, 5 minutes, 1 day) that cuts the interval into at
    most so many parts, one more where it begins within one.
    """
    least = (_time("end", end) - _time("start", start)) / max(points, 1)
    return next((step for step in _ROUND if step >= least), -(-int(least) // _DAY) * _DAY)


# -- where from


class Tier(NamedTuple):
    """Buckets of one width that can be read of a series, from *since* to *until*."""

    width: int
    since: int
    until: int


class Part(NamedTuple):
    """A part of a query's time, and the width of what it is read from; 0: the samples."""

    width: int
    start: int
    end: int


def cover(start: int, end: int, tiers: Sequence[Tier]) -> list[Part]:
    """Return the interval cut into parts, each read from the first of *tiers* that has it.

    Of a tier, only whole buckets inside of the interval are read; the rest from the next one, and
    in the end from the samples.
    """
    if start >= end:
        return []
    if not tiers:
        return [Part(0, start, end)]
    width, since, until = tiers[0]
    low = -(-max(start, since) // width) * width
    high = min(end, until) // width * width
    if low >= high:
        return cover(start, end, tiers[1:])
    return [
        *cover(start, low, tiers[1:]),
        Part(width, low, high),
        *cover(high, end, tiers[1:]),
    ]


def named(width: int) -> str:
    """Return the name of a tier: "raw", or its width such as "5m"."""
    units = (("d", _DAY), ("h", _HOUR), ("m", _MINUTE), ("s", _SECOND), ("ms", 1))
    if not width:
        return RAW
    return next(f"{width // size}{unit}" for unit, size in units if width % size == 0)
