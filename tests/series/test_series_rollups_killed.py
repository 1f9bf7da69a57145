"""Killed before any statement of rolling up and of retention: no bucket twice, none lost."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from series_tools import T0
from test_series_killed import Course, every

import dsfactory as ds

Store = ds.MetricsStore[Any]
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOW = T0 // DAY * DAY
OPTIONS: dict[str, Any] = {"ttl": "4d", "rollups": [("10m", "90d"), ("1h", "2y")]}


def counts(store: Store) -> list[list[Any]]:
    """How many samples there were in each hour, and what the counter rose by."""
    return [
        [
            None if math.isnan(v) else v
            for v in store.query(
                name, start=NOW - 6 * DAY, end=NOW, step="1h", agg=agg
            ).values.tolist()
        ]
        for name in ("a", "b")
        for agg in ("count", "increase", "max", "quantile(1)")
    ]


def test_rolling_up_and_expiring(tmp_path: Path) -> None:
    """Rolled up and expired in one go, killed anywhere, and done again: the same answers."""

    def prepare(store: Store) -> None:
        times = NOW - 6 * DAY + np.arange(6 * DAY // MINUTE) * MINUTE
        for name in ("a", "b"):
            store.record_many(name, np.arange(len(times)) % 500, at=times)
        store.flush()
        store._series.seal(everything=True)
        store.roll_up()
        # Late ones, which are due when the process dies.
        late = NOW - 3 * DAY + np.arange(200) * 7000 + 1
        store.record_many("a", np.full(200, 600.0), at=late)
        store.flush()
        store._series.seal(everything=True)

    def work(store: Store) -> None:
        store.maintain_series()

    course = Course(tmp_path, prepare, work, **OPTIONS)
    count = course.statements()
    assert count > 30
    with course._factory() as factory:
        expected = counts(factory.create_metrics_store("m"))
    assert sum(expected[0]) == 6 * 1440 + 200
    for number in every(count, 20):
        after, again, _ = course.killed(number, counts)
        assert after[0][48:] == expected[0][48:], number
        assert again == expected, number
