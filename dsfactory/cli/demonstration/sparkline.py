"""A curve in one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

WIDTH = 20
_STEPS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"


def sparkline(values: Sequence[float], width: int = WIDTH) -> str:
    """Return *values* as blocks of eight heights, the means of neighbours where there are many."""
    means = [_mean(part) for part in _parts(values, width)]
    if not means:
        return ""
    low, span = min(means), max(means) - min(means)
    if not span:
        return _STEPS[0] * len(means)
    top = len(_STEPS) - 1
    return "".join(_STEPS[round((mean - low) / span * top)] for mean in means)


def _parts(values: Sequence[float], width: int) -> list[Sequence[float]]:
    count = min(width, len(values))
    bounds = [part * len(values) // count for part in range(count)] + [len(values)]
    return [values[a:b] for a, b in pairwise(bounds)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
