"""The quantile sketch against exact quantiles, with the bound that it promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from series_reference import quantile

from dsfactory.series import sketch

ANY = st.floats(allow_nan=False)
FRACTIONS = st.sampled_from([0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0]) | st.floats(0, 1)


def within(found: float, values: list[float], q: float) -> bool:
    """Whether an estimate is off by at most 1 % of the two values that the quantile lies between.

    A thousandth of that is granted to rounding.
    """
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    part = place - low
    high = min(low + 1, len(ordered) - 1)
    expected = quantile(values, q)
    if math.isnan(expected) or math.isinf(expected):
        return found == expected or (math.isnan(found) and math.isnan(expected))
    allowed = abs(ordered[low]) * (1 - part) + (abs(ordered[high]) * part if part else 0.0)
    return abs(found - expected) <= 0.01001 * allowed


@settings(max_examples=300, deadline=None)
@given(values=st.lists(ANY, min_size=1, max_size=60), q=FRACTIONS)
def test_bound(values: list[float], q: float) -> None:
    """Any floats: negative, zero, denormal, infinite; any quantile is within the bound."""
    found = sketch.sketched(np.zeros(len(values), np.int64), np.array(values))
    _, (estimate,) = sketch.quantiles(found, q)
    assert within(float(estimate), values, q)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(-3, 3), ANY | st.just(math.nan)), max_size=60),
    cuts=st.tuples(st.integers(0, 60), st.integers(0, 60)),
)
def test_merging(rows: list[tuple[int, float]], cuts: tuple[int, int]) -> None:
    """Merged parts are the sketch of the whole, in whatever order they come."""
    first, second = sorted(cuts)
    buckets = np.array([b for b, _ in rows], np.int64)
    values = np.array([v for _, v in rows], np.float64)
    parts = [
        sketch.sketched(buckets[cut], values[cut])
        for cut in (slice(second, None), slice(first), slice(first, second))
    ]
    whole = sketch.sketched(buckets, values)
    for one, other in zip(sketch.joined(parts), whole, strict=True):
        assert one.tolist() == other.tolist()
    assert whole.counts.sum() == np.count_nonzero(~np.isnan(values))


@pytest.mark.parametrize("shape", ["normal", "lognormal", "pareto", "uniform", "two-sided"])
def test_distributions(shape: str) -> None:
    """Large samples of the usual distributions, in several buckets at once."""
    rng = np.random.default_rng(3)
    count = 50_000
    values = {
        "normal": rng.normal(5, 2, count),
        "lognormal": rng.lognormal(0, 3, count),
        "pareto": rng.pareto(1, count) + 1,
        "uniform": rng.uniform(0, 1e9, count),
        "two-sided": rng.standard_cauchy(count),
    }[shape]
    buckets = np.arange(count) % 5
    found = sketch.sketched(buckets, values)
    for q in (0.0, 0.1, 0.5, 0.95, 0.999, 1.0):
        numbers, estimates = sketch.quantiles(found, q)
        assert numbers.tolist() == list(range(5))
        for bucket, estimate in enumerate(estimates.tolist()):
            assert within(estimate, values[buckets == bucket].tolist(), q)


def test_keys_are_in_order() -> None:
    """Keys ascend with values, from the smallest to the largest float and on both sides of 0."""
    sizes = [5e-324, 1e-310, 2.2250738585072014e-308, 1e-9, 1.0, 1e9, 1.7976931348623157e308]
    values = [-math.inf, *(-v for v in reversed(sizes)), -0.0, 0.0, *sizes, math.inf]
    keys = sketch.keys(np.array(values))
    assert (np.diff(keys) >= 0).all()
    assert (np.abs(keys) <= 80_000).all()
    assert len(set(keys.tolist())) == len(values) - 1
    estimates = sketch.estimates(keys)
    with np.errstate(invalid="ignore"):
        off = np.abs(estimates - values) / np.abs(values)
    assert np.nanmax(off[np.isfinite(values)]) <= 0.01001
