"""A mergeable quantile sketch: counts of values by the power of a base that they lie under.

DDSketch (Masson, Rim, Lee: DDSketch: A Fast and Fully-Mergeable Quantile Sketch with
Relative-Error Guarantees, PVLDB 12(12), 2019), without its collapsing of the smallest: with every
float64 there are 75,000 keys, and a bucket of time has no more keys than samples. So the bound
holds for all quantiles: an estimate x' of a value x is off by at most 0.01 * |x|.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from numpy.typing import NDArray

from dsfactory.series.arrays import np
from dsfactory.series.partials import Counts
from dsfactory.series.samples import Samples, Values

RELATIVE_ERROR = 0.01

_LOG_BASE = math.log((1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR))
# Half way, in relative terms, between the two ends of what a key stands for.
_MIDDLE = math.log(1 - RELATIVE_ERROR)
_OFFSET = 40_000
"""Makes the key of the smallest float (-37,220) positive. 0 stands for 0, negative keys for
negative values: keys are in the order of values."""
_INFINITE = 80_000
"""Beyond the key of the largest float (75,490)."""


class Sketch(NamedTuple):
    """Counts by bucket of time and key; rows ascend by both."""

    bucket: Counts
    key: Counts
    counts: Counts


NOTHING = Sketch(*(np.empty(0, np.int64) for _ in range(3)))


def keys(values: Values) -> Counts:
    """Return the key of each value (none of them NaN)."""
    size = np.abs(values)
    with np.errstate(divide="ignore"):
        powers = np.ceil(np.log(size) / _LOG_BASE)
    powers = np.clip(powers, -_OFFSET, _INFINITE - _OFFSET)
    found = np.where(size == 0, 0, powers + _OFFSET)
    return np.copysign(found, values).astype(np.int64)


def estimates(found: Counts) -> Values:
    """Return the value that each key stands for."""
    powers = np.abs(found) - _OFFSET
    with np.errstate(over="ignore"):
        # The middle of the topmost key is no float any more.
        size = np.minimum(np.exp(powers * _LOG_BASE + _MIDDLE), np.finfo(np.float64).max)
    size[np.abs(found) >= _INFINITE] = np.inf
    size[found == 0] = 0.0
    return np.copysign(size, found)


def sketched(buckets: Counts, values: Values) -> Sketch:
    """Return the sketch of *values* in the buckets beside them; NaN is left out."""
    there = ~np.isnan(values)
    if not there.all():
        buckets, values = buckets[there], values[there]
    return merged(buckets, keys(values), np.ones(len(values), np.int64))


def of_samples(samples: Samples, width: int) -> Sketch:
    """Return the sketch of *samples* in buckets of *width*."""
    return sketched(samples.times // width, samples.values)


def merged(buckets: Counts, found: Counts, counts: Counts) -> Sketch:
    """Return the sketch in which equal keys of a bucket are one row."""
    if not len(buckets):
        return NOTHING
    # One sort of one column. Both fit into 63 bits: a query has a million buckets, and those of a
    # tier are no narrower than a second.
    base = int(buckets.min())
    span = 2 * _INFINITE + 1
    together = (buckets - base) * span + (found + _INFINITE)
    order = np.argsort(together, kind="stable")
    sorted_ = together[order]
    starts = np.flatnonzero(np.diff(sorted_, prepend=-1))
    rows = sorted_[starts]
    return Sketch(
        rows // span + base, rows % span - _INFINITE, np.add.reduceat(counts[order], starts)
    )


def joined(parts: list[Sketch]) -> Sketch:
    """Return the sketch of everything in *parts*."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return NOTHING
    return merged(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def rebucketed(sketch: Sketch, factor: int) -> Sketch:
    """Return *sketch* in buckets *factor* as wide."""
    return merged(sketch.bucket // factor, sketch.key, sketch.counts)


def between(sketch: Sketch, first: int, end: int) -> Sketch:
    """Return the rows of the buckets first <= bucket < end."""
    low, high = np.searchsorted(sketch.bucket, (first, end))
    return Sketch._make(column[low:high] for column in sketch)


def quantiles(sketch: Sketch, q: float) -> tuple[Counts, Values]:
    """Return the buckets, and the *q*-quantile of each, interpolated between ranks.

    Off from the exact one by at most 1 % of the two values that it lies between.
    """
    if not len(sketch.bucket):
        return sketch.bucket, np.empty(0)
    starts = np.flatnonzero(np.diff(sketch.bucket, prepend=sketch.bucket[0] - 1))
    cumulated = np.cumsum(sketch.counts)
    sizes = np.add.reduceat(sketch.counts, starts)
    before = cumulated[starts] - sketch.counts[starts]
    low, part = ranks(sizes, q)
    lower = estimates(sketch.key[np.searchsorted(cumulated, before + low, side="right")])
    above = np.minimum(low + 1, sizes - 1)
    upper = estimates(sketch.key[np.searchsorted(cumulated, before + above, side="right")])
    return sketch.bucket[starts], interpolated(lower, upper, part)


def ranks(sizes: Counts, q: float) -> tuple[NDArray[np.int64], Values]:
    """Return the rank below the *q*-quantile of so many values, and how far it is to the next."""
    places = q * (sizes - 1)
    low = np.floor(places).astype(np.int64)
    return low, places - low


def interpolated(lower: Values, upper: Values, part: Values) -> Values:
    """Return what lies at *part* between the two; an infinite end is not touched by a part of 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        mixed = lower * (1 - part) + upper * part
    return np.where((part == 0) | (lower == upper), lower, mixed)
