"""Quantiles from counts in logarithmic buckets, within 1 % of the true value, and mergeable.

DDSketch: Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
relative-error guarantees", VLDB 2019.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

RELATIVE_ERROR = 0.01
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(_GAMMA)

LEAST = 0.001
"""A microsecond, in milliseconds: what is shorter counts as that."""


def bucket(value: float) -> int:
    """Return the number of the bucket that *value* belongs to."""
    return math.ceil(math.log(max(value, LEAST)) / _LOG_GAMMA)


def quantile(buckets: Mapping[int, int], q: float) -> float:
    """Return the value below which a share *q* of those counted lies; NaN when there are none."""
    rank = q * (sum(buckets.values()) - 1)
    seen = 0
    for number in sorted(buckets):
        seen += buckets[number]
        if seen > rank:
            return 2 * math.exp(number * _LOG_GAMMA) / (_GAMMA + 1)
    return math.nan
