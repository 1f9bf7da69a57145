"""What samples come to in buckets of time, in parts that can be put together.

Bucket n of a width is the half-open interval [n * width, (n + 1) * width), counted from the epoch:
the same grid for every series, tier and query. Values that are NaN count for nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from numpy.typing import NDArray

from dsfactory.series.arrays import np
from dsfactory.series.blocks import Block
from dsfactory.series.samples import Samples, Times, Values

Counts = NDArray[np.int64]


class Partials(NamedTuple):
    """A row for each bucket that holds a number, as columns; buckets ascend within a series."""

    bucket: Counts
    numbers: Counts
    minimum: Values
    maximum: Values
    total: Values
    squares: Values
    """Sum of the squared deviations from the row's own mean."""
    opening: Values
    closing: Values
    opening_at: Times
    closing_at: Times
    increase: Values
    """What a counter rose by; see rises()."""
    pairs: Counts
    """How many steps from one number to the next are in *increase*."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.bucket)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Partials:
        """Return these *rows*."""
        return Partials._make(column[rows] for column in self)


EVERYTHING = frozenset(Partials._fields)
"""Which columns are wanted; the others may hold anything, and cost nothing."""

_FLOATS = frozenset(("minimum", "maximum", "total", "squares", "opening", "closing", "increase"))
NOTHING = Partials._make(
    np.empty(0, np.float64 if name in _FLOATS else np.int64) for name in Partials._fields
)


def rises(before: Values, after: Values) -> Values:
    """Return what a counter rose by from each number to the next.

    A counter that fell was reset and began at 0: then all of the new value counts. This is
    Prometheus' rule: https://prometheus.io/docs/prometheus/latest/querying/functions/#rate
    """
    steps = after - before
    return np.where(steps >= 0, steps, after)


def summed_up(samples: Samples, width: int, wanted: Collection[str] = EVERYTHING) -> Partials:
    """Return what *samples* (ascending) come to in buckets of *width*."""
    times, values = samples
    missing = np.isnan(values)
    if missing.any():
        times, values = times[~missing], values[~missing]
    if not len(times):
        return NOTHING
    buckets, starts = cut(times, width)
    ends = np.append(starts[1:], len(times))
    numbers = ends - starts
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.add.reduceat(values, starts)
        return Partials(
            buckets,
            numbers,
            np.minimum.reduceat(values, starts) if "minimum" in wanted else total,
            np.maximum.reduceat(values, starts) if "maximum" in wanted else total,
            total,
            _squares(values, starts, numbers, total) if "squares" in wanted else total,
            values[starts],
            values[ends - 1],
            times[starts],
            times[ends - 1],
            _increase(values, starts) if "increase" in wanted else total,
            numbers - 1,
        )


def cut(times: Times, width: int) -> tuple[Counts, NDArray[np.intp]]:
    """Return the buckets that *times* (ascending, not empty) fall into, and where each begins."""
    first, last = int(times[0]) // width, int(times[-1]) // width
    if first == last:
        return np.array([first]), np.zeros(1, np.intp)
    if last - first > len(times):  # more buckets than times: most are empty
        of_each = times // width
        starts = np.flatnonzero(np.diff(of_each, prepend=of_each[0] - 1))
        return of_each[starts], starts
    buckets = np.arange(first, last + 1)
    starts = np.searchsorted(times, buckets * width)
    filled = np.diff(starts, append=len(times)) > 0
    return (buckets, starts) if filled.all() else (buckets[filled], starts[filled])


def _squares(values: Values, starts: NDArray[np.intp], numbers: Counts, total: Values) -> Values:
    means = np.repeat(total / numbers, numbers)
    squares: Values = np.add.reduceat(np.square(values - means), starts)
    return squares


def _increase(values: Values, starts: NDArray[np.intp]) -> Values:
    steps = np.zeros(len(values))
    steps[1:] = rises(values[:-1], values[1:])
    steps[starts] = 0.0  # from the bucket before: link() adds it
    increase: Values = np.add.reduceat(steps, starts)
    return increase


def of_block(block: Block, width: int) -> Partials:
    """Return what a block that lies within one bucket comes to, from its summary."""
    if not block.numbers:
        return NOTHING
    low, high, total, squares = _arrays(block.minimum, block.maximum, block.total, block.squares)
    opening, closing, increase = _arrays(block.opening, block.closing, block.increase)
    first, last = np.array([block.first_at]), np.array([block.last_at])
    numbers = np.array([block.numbers])
    return Partials(
        first // width,
        numbers,
        low,
        high,
        total,
        squares,
        opening,
        closing,
        first,
        last,
        increase,
        numbers - 1,
    )


def _arrays(*figures: float | None) -> list[Values]:
    return [np.array([np.nan if figure is None else figure]) for figure in figures]


def joined(parts: Sequence[Partials]) -> Partials:
    """Return the rows of all *parts*, one after the other."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return NOTHING
    return Partials._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


def rebucketed(parts: Partials, factor: int) -> Partials:
    """Return rows of one series, in the order of time, folded into buckets *factor* as wide."""
    return folded(parts._replace(bucket=parts.bucket // factor))


def folded(parts: Partials) -> Partials:
    """Return one row for each bucket of one series; rows are in the order of time.

    Steps between rows of one bucket are added to its increase.
    """
    starts = _starts(parts.bucket)
    if len(starts) == parts.rows:
        return parts
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.zeros(parts.rows)
        steps[1:] = rises(parts.closing[:-1], parts.opening[1:])
        steps[starts] = 0.0
        inner = parts._replace(increase=parts.increase + steps)
        found = _reduced(inner, starts)
    return found._replace(pairs=found.numbers - 1)


def _starts(bucket: Counts) -> NDArray[np.intp]:
    return np.flatnonzero(np.diff(bucket, prepend=bucket[:1] - 1))


def _reduced(parts: Partials, starts: NDArray[np.intp]) -> Partials:
    ends = np.append(starts[1:], parts.rows) - 1
    numbers = np.add.reduceat(parts.numbers, starts)
    total = np.add.reduceat(parts.total, starts)
    # Chan, Golub, LeVeque: Updating Formulae and a Pairwise Algorithm for Computing Sample
    # Variances (1979), for any number of parts at once.
    off = parts.total / parts.numbers - np.repeat(total / numbers, ends - starts + 1)
    return Partials(
        parts.bucket[starts],
        numbers,
        np.minimum.reduceat(parts.minimum, starts),
        np.maximum.reduceat(parts.maximum, starts),
        total,
        np.add.reduceat(parts.squares + parts.numbers * np.square(off), starts),
        parts.opening[starts],
        parts.closing[ends],
        parts.opening_at[starts],
        parts.closing_at[ends],
        np.add.reduceat(parts.increase, starts),
        np.add.reduceat(parts.pairs, starts),
    )


def linked(parts: Partials, before: float | None) -> Partials:
    """Return rows of one series with the steps between its buckets, each added to the later one.

    *before* is the last number before the first row; None when there is none.
    """
    if not parts.rows:
        return parts
    with np.errstate(invalid="ignore", over="ignore"):
        increase, pairs = parts.increase.copy(), parts.pairs + 1
        increase[1:] += rises(parts.closing[:-1], parts.opening[1:])
        if before is None:
            pairs[0] -= 1
        else:
            increase[0] += rises(np.array([before]), parts.opening[:1])[0]
    return parts._replace(increase=increase, pairs=pairs)


def pooled(parts: Partials) -> Partials:
    """Return one row for each bucket of several series, as though their samples were of one.

    First and last are by time; at one time, the first row opens and the last one closes.
    """
    if not parts.rows:
        return parts
    order = np.argsort(parts.bucket, kind="stable")
    by_bucket = parts.take(order)
    starts = _starts(by_bucket.bucket)
    if len(starts) == parts.rows:
        return by_bucket
    with np.errstate(invalid="ignore", over="ignore"):
        found = _reduced(by_bucket, starts)
    first = np.lexsort((by_bucket.opening_at, by_bucket.bucket))
    last = np.lexsort((by_bucket.closing_at, by_bucket.bucket))
    ends = np.append(starts[1:], parts.rows) - 1
    return found._replace(
        opening=by_bucket.opening[first][starts],
        opening_at=by_bucket.opening_at[first][starts],
        closing=by_bucket.closing[last][ends],
        closing_at=by_bucket.closing_at[last][ends],
    )
