"""Queries answered once more, slowly and in plain Python, from the definitions alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

Pairs = Sequence[tuple[int, float]]

AGGREGATES = (
    *("avg", "sum", "min", "max", "count", "first", "last", "stddev", "increase", "rate"),
    *("quantile(0)", "quantile(0.25)", "quantile(0.99)", "quantile(1)"),
)


def latest(written: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    """What is stored of samples in the order of writing: the last one of each time wins."""
    return sorted(dict(written).items())


def buckets(start: int, end: int, step: int) -> list[int]:
    """The times that a query with a step has to give."""
    return [] if start >= end else list(range(start // step * step, end, step))


def answered(series: Sequence[Pairs], start: int, end: int, step: int, agg: str) -> list[float]:
    """The values of a query of these series, pooled."""
    return [
        _bucket(series, max(begin, start), min(begin + step, end), agg)
        for begin in buckets(start, end, step)
    ]


def _bucket(series: Sequence[Pairs], low: int, high: int, agg: str) -> float:
    if agg in ("increase", "rate"):
        risen = [rise for pairs in series for rise in _rises(pairs, low, high)]
        total = _sum(risen) if risen else math.nan
        return total / ((high - low) / 1000) if agg == "rate" else total
    inside = [(t, v) for pairs in series for t, v in pairs if low <= t < high and not math.isnan(v)]
    if not inside:
        return 0.0 if agg == "count" else math.nan
    values = [v for _, v in inside]
    if agg in _OF_VALUES:
        return _OF_VALUES[agg](values)
    if agg == "first":
        return min(inside, key=lambda pair: pair[0])[1]
    if agg == "last":
        return max(reversed(inside), key=lambda pair: pair[0])[1]
    return quantile(values, float(agg[9:-1]))


def _stddev(values: Sequence[float]) -> float:
    mean = _sum(values) / len(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))


def quantile(values: Sequence[float], q: float) -> float:
    """The quantile of numbers, linear between ranks."""
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    part = place - low
    if part == 0 or ordered[low] == ordered[low + 1]:
        return ordered[low]
    return ordered[low] * (1 - part) + ordered[low + 1] * part


def _rises(pairs: Pairs, low: int, high: int) -> list[float]:
    numbers = [(t, v) for t, v in pairs if not math.isnan(v)]
    return [
        now - before if now >= before else now
        for (_, before), (t, now) in itertools.pairwise(numbers)
        if low <= t < high
    ]


def _sum(values: Sequence[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # infinite, or inf - inf
        return sum(values)


_OF_VALUES = {
    "avg": lambda values: _sum(values) / len(values),
    "sum": _sum,
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
    "stddev": _stddev,
}


def close(found: float, expected: float, size: float) -> bool:
    """Whether two figures are the same but for rounding, of numbers up to *size*."""
    if math.isnan(found) or math.isnan(expected):
        return math.isnan(found) and math.isnan(expected)
    return found == expected or abs(found - expected) <= 1e-9 * size
