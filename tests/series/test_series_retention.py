"""Samples go when their time is up, or for want of room, in whole blocks; the file shrinks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from series_tools import T0, blocks_of, read

import dsfactory as ds
from dsfactory.engine.files import file_size
from dsfactory.series import engine

DAY = 86_400_000
Store = ds.MetricsStore[Any]


def fill(store: Store, days: int, names: int = 1) -> None:
    """Record a random sample every ten seconds for *days* up to now."""
    count = days * 8640
    times = T0 - days * DAY + np.arange(count) * 10_000
    values = np.random.default_rng(5).normal(0, 1, count)
    for number in range(names):
        store.record_many(f"x{number}", values, at=times)
    store.flush()


def test_ttl(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Samples past the ttl are absent at once; their blocks go with the next maintenance."""
    store = factory.create_metrics_store("m", ttl="5d")
    fill(store, 10)
    assert read(store, "x0")[0][0] == T0 - 5 * DAY
    assert store.stats().samples == 86_400
    report = factory.maintain()
    assert 86_400 / 2 - 4096 <= report.samples_dropped <= 86_400 / 2
    assert store.stats().samples == 86_400 - report.samples_dropped
    assert len(read(store, "x0")) == 43_200
    clock.advance(5 * DAY)
    assert read(store, "x0") == []
    factory.maintain()
    assert (store.stats().samples, store.stats().series) == (0, 0)


def test_old_samples_are_taken_and_gone(factory: ds.DataStoreFactory) -> None:
    """What is recorded past its ttl is absent from the first moment."""
    store = factory.create_metrics_store("m", ttl="5d")
    store.record("x", 1, at=T0 - 6 * DAY)
    store.record("x", 2, at=T0)
    assert read(store, "x") == [(T0, 2.0)]
    factory.maintain()
    assert read(store, "x") == [(T0, 2.0)]


def test_file_shrinks(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Maintenance gives the room of dropped blocks back to the file system."""
    store = factory.create_metrics_store("m", ttl="30d")
    fill(store, 30, names=3)
    factory.maintain()
    before = file_size(store.path)
    clock.advance(29 * DAY)
    factory.maintain()
    assert before > 5_000_000
    assert file_size(store.path) < before / 8


def test_max_bytes(factory: ds.DataStoreFactory) -> None:
    """Beyond max_bytes the oldest blocks of all series go; entries are counted too."""
    store = factory.create_metrics_store("m", ttl=None, max_bytes=300_000)
    store["event"] = "x" * 5000
    fill(store, 10, names=2)
    stats = store.stats()
    assert 200_000 < stats.series_bytes < 300_000
    for name in ("x0", "x1"):
        pairs = read(store, name)
        assert pairs[-1][0] == T0 - 10_000
        assert pairs[0][0] > T0 - 4 * DAY
    assert "event" in store


def test_lowered_max_bytes(factory: ds.DataStoreFactory) -> None:
    """A limit that was lowered since is kept by the next maintenance."""
    with factory.create_metrics_store("m", ttl=None) as store:
        fill(store, 5)
    store = factory.create_metrics_store("m", max_bytes=100_000)
    assert factory.maintain().samples_dropped > 0
    assert store.stats().series_bytes < 100_000


def test_journal_is_sealed_by_maintenance(
    factory: ds.DataStoreFactory, clock: ds.ManualClock
) -> None:
    """What lay in the journal for an hour becomes blocks, also after the store was reopened."""
    with factory.create_metrics_store("m") as store:
        store.record_many("x", [1.0] * 10, at=range(T0, T0 + 10))
    assert factory.maintain().series_sealed == 0
    clock.advance(3_600_001)
    assert factory.maintain().series_sealed == 1
    with factory.create_metrics_store("m") as store:
        assert blocks_of(store, "x") == [10]


def test_journal_is_sealed_when_long(store: Store, monkeypatch: Any) -> None:
    """A journal that grew long is sealed by the flush that finds it so."""
    monkeypatch.setattr("dsfactory.series.engine.JOURNAL_SAMPLES", 500)
    for n in range(120):
        store.record_rows(("x", {"n": str(m)}, T0 + n, float(n)) for m in range(5))
        store.flush()
    stats = store.stats()
    assert (stats.samples, stats.series) == (600, 5)
    assert stats.blocks >= 5
    assert read(store, "x", {"n": "3"}) == [(T0 + n, float(n)) for n in range(120)]


def test_empty_series_are_forgotten(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A series without samples leaves the catalogue, in every process; it may come back."""
    store = factory.create_metrics_store("m", ttl="1d")
    store.record("old", 1)
    store.record("kept", 1)
    store.flush()
    clock.advance(2 * DAY)
    store.record("kept", 2)
    store.flush()
    with ds.DataStoreFactory(factory.root, maintenance="manual", clock=clock) as other:
        other.maintain()
    with store._series.reading() as reader:
        assert reader.catalogue.names() == ["kept"]
        assert reader.catalogue.named("old") == ()
    store.record("old", 3)
    assert read(store, "old") == [(T0 + 2 * DAY, 3.0)]
    assert read(store, "kept") == [(T0 + 2 * DAY, 2.0)]


def test_sealing_that_fails(
    factory: ds.DataStoreFactory, clock: ds.ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs no sample and fails no flush; health is told, maintenance raises it, and drops
    what is past its time all the same.
    """
    monkeypatch.setattr(engine, "JOURNAL_ROWS", 1)
    store = factory.create_metrics_store("m", ttl="1d", write_window="1h")
    store.record_many("old", [1.0] * 4096, at=range(T0, T0 + 4096))
    store.flush()
    clock.advance(3 * DAY)
    with store._database.write() as tx:
        tx.run("CREATE TRIGGER no BEFORE INSERT ON draft BEGIN SELECT RAISE(FAIL, 'no'); END")
    store.record("x", 1)
    assert store.flush(durable=True) == 1
    (problem,) = store.health_check().problems
    assert "0 samples wait: what was committed could not be sealed" in problem
    with pytest.raises(ds.DataStoreError):
        store.maintain_series()
    assert store.stats().samples == 1
    with store._database.write() as tx:
        tx.run("DROP TRIGGER no")
    store.record("x", 2)
    assert store.flush() == 1
    assert store.health_check().healthy
    assert store.stats().blocks == 1
    assert store.check() == []
