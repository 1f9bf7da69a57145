"""A metrics store of a release that knew no series keeps its events, and takes samples."""

from __future__ import annotations

from pathlib import Path

import compat_samples as samples
import pytest

import dsfactory as ds

CLOCK = ds.ManualClock(samples.MADE_AT + 1000)


@pytest.mark.parametrize("revision", ["metrics_0001", "metrics_0002"])
def test_events_and_samples(tmp_path: Path, revision: str) -> None:
    """Upgraded when it is opened; events and samples then live side by side, and both expire."""
    with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=CLOCK) as factory:
        path = factory.root / "stores" / f"{samples.NAME}.db"
        samples.unpack(revision, path)
        store = factory.create_metrics_store(samples.NAME)
        events = dict(store)
        assert events == {**events, **samples.values()}
        now = CLOCK.now_ms()
        store.record_many("cpu", [1.0, 2.0, 3.0], at=[now, now + 1, now + 2])
        store.counter("hits").inc()
        assert store.query_all("cpu", start=now, end=now + 10)[0].values.tolist() == [1, 2, 3]
        assert dict(store) == events
        assert {series.name for series in store.list_series()} == {"cpu", "hits"}
        assert store.check() == []
    with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=CLOCK) as factory:
        again = factory.get_store(samples.NAME)
        assert isinstance(again, ds.MetricsStore)
        assert dict(again) == events
        assert again.stats().samples == 4
        assert again.check() == []


@pytest.mark.parametrize("revision", ["metrics_0002"])
def test_never_upgraded(tmp_path: Path, revision: str) -> None:
    """Where upgrading is not allowed, the file is refused and left as it was."""
    with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=CLOCK, upgrade="never") as made:
        path = made.root / "stores" / f"{samples.NAME}.db"
        samples.unpack(revision, path)
        before = path.read_bytes()
        with pytest.raises(ds.OlderSchemaError):
            made.create_metrics_store(samples.NAME)
        assert path.read_bytes() == before
