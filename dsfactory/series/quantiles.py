"""Exact quantiles of samples in buckets, interpolated between ranks as Prometheus and numpy do."""

from __future__ import annotations

from dsfactory.series.arrays import np
from dsfactory.series.partials import Counts
from dsfactory.series.samples import Values
from dsfactory.series.sketch import interpolated, ranks

_LARGE = 64
"""From so many numbers a bucket on, sorting each by itself is faster than all at once."""


def exact(buckets: Counts, values: Values, q: float) -> tuple[Counts, Values]:
    """Return the buckets that there are, and the *q*-quantile of the values of each (no NaN)."""
    if not len(buckets):
        return buckets, values
    order = None if (np.diff(buckets) >= 0).all() else np.argsort(buckets, kind="stable")
    if order is not None:
        buckets, values = buckets[order], values[order]
    starts = np.flatnonzero(np.diff(buckets, prepend=buckets[0] - 1))
    ends = np.append(starts[1:], len(values))
    if len(values) >= _LARGE * len(starts):
        values = values.copy()
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            values[start:end].sort()
    else:
        values = values[np.lexsort((values, buckets))]
    low, part = ranks(ends - starts, q)
    lower = values[starts + low]
    upper = values[np.minimum(starts + low + 1, ends - 1)]
    return buckets[starts], interpolated(lower, upper, part)
