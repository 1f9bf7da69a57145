"""Several processes record into one store at once, sealing as they go."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from series_tools import T0, read

import dsfactory as ds

PROGRAM = """
import sys
import dsfactory as ds
from dsfactory.series import engine
engine.JOURNAL_SAMPLES = 700  # so that they seal all the time, and at once
root, number = sys.argv[1], int(sys.argv[2])
T0 = 1_700_000_000_000
with ds.DataStoreFactory(root, maintenance="manual") as factory:
    store = factory.get_store("m")
    for n in range(150):
        store.record("own", n, labels={"p": str(number)}, at=T0 + n)
        store.record_rows(("turns", {"s": str(s)}, T0 + n * 3 + number, n) for s in range(4))
        if n % 10 == 0:
            times = range(T0 + n * 100 + number, T0 + n * 100 + 1000 + number, 3)
            store.record_many("many", [float(number)] * len(times), at=times)
        store.flush()
        if n % 40 == 0:
            store.maintain_series()
"""


@pytest.mark.parametrize("processes", [3])
def test_processes(tmp_path: Path, processes: int) -> None:
    """Every sample of every process is there once, whoever sealed it."""
    root = tmp_path / "data"
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        store: ds.MetricsStore[Any] = factory.create_metrics_store(
            "m", ttl=None, busy_timeout_ms=20_000
        )
        running = [
            subprocess.Popen([sys.executable, "-c", PROGRAM, str(root), str(number)])
            for number in range(processes)
        ]
        assert [process.wait() for process in running] == [0] * processes
        for number in range(processes):
            pairs = read(store, "own", {"p": str(number)})
            assert pairs == [(T0 + n, float(n)) for n in range(150)]
        turns = [(T0 + n * 3 + p, float(n)) for n in range(150) for p in range(processes)]
        for series in range(4):
            assert read(store, "turns", {"s": str(series)}) == turns
        many = {
            at: float(p)
            for n in range(0, 150, 10)
            for p in range(processes)
            for at in range(T0 + n * 100 + p, T0 + n * 100 + 1000 + p, 3)
        }
        found = read(store, "many")
        assert [at for at, _ in found] == sorted(many)
        assert store.stats().series == processes + 4 + 1
        assert store.check() == []
        store._series.seal(everything=True)
        assert read(store, "many") == found
        assert store.check() == []
