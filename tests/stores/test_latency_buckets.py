"""Latencies are counted in buckets: a quantile is at most an eighth too high, never too low."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsfactory.stores.monitor import _Latencies


def latencies_of(nanoseconds: list[int]) -> _Latencies:
    """The latencies of operations that took so long."""
    latencies = _Latencies()
    for duration in nanoseconds:
        latencies.add(duration)
    return latencies


@given(
    st.lists(st.integers(0, 2**62) | st.integers(0, 100), min_size=1, max_size=60),
    st.sampled_from([0.01, 0.5, 0.95, 0.99, 1.0]),
)
@settings(deadline=None, derandomize=True)
def test_quantile_of_any_latencies(nanoseconds: list[int], q: float) -> None:
    """The quantile lies between the latency of that rank and an eighth more, up to the slowest."""
    exact = sorted(nanoseconds)[math.ceil(q * len(nanoseconds)) - 1]
    shown = latencies_of(nanoseconds).quantile_ms(q) * 1e6
    assert exact * (1 - 1e-9) <= shown <= min(exact * 1.125, max(nanoseconds)) * (1 + 1e-9)


@pytest.mark.parametrize("duration", [0, 1, 7, 8, 15, 16, 17, 1000, 2**40 - 1, 2**40])
def test_stats_of_one_latency(duration: int) -> None:
    """With one latency every number is that latency."""
    stats = latencies_of([duration]).stats()
    shown = {stats.p50_ms, stats.p95_ms, stats.p99_ms, stats.max_ms, stats.total_ms}
    assert shown == {duration / 1e6}
    assert (stats.count, stats.errors) == (1, 0)


def test_stats_of_nothing() -> None:
    """Before the first operation every number is zero."""
    stats = latencies_of([]).stats()
    assert (stats.count, stats.p50_ms, stats.p99_ms, stats.max_ms) == (0, 0.0, 0.0, 0.0)
