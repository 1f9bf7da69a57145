"""Counters, gauges, histograms and timers: states that are sampled once a window."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from series_tools import T0, read

import dsfactory as ds

Store = ds.MetricsStore[Any]


def test_counter(store: Store, clock: ds.ManualClock) -> None:
    """A window gives one sample of what was counted so far; none where nothing changed."""
    requests = store.counter("requests", labels={"route": "/x"})
    for _ in range(1000):
        requests.inc()
    assert store.flush() == 1
    clock.advance(1000)
    assert store.flush() == 0
    requests.inc(2.5)
    store.flush()
    assert read(store, "requests", {"route": "/x"}) == [(T0, 1000.0), (T0 + 1000, 1002.5)]
    assert requests.value == 1002.5


@pytest.mark.parametrize("by", [-1, float("nan"), float("inf")])
def test_counter_only_rises(store: Store, by: float) -> None:
    """A fall is refused."""
    with pytest.raises(ds.SampleRefusedError):
        store.counter("c").inc(by)


def test_gauge(store: Store, clock: ds.ManualClock) -> None:
    """Of several values in a window the last one is sampled."""
    queue = store.gauge("queue", unit="jobs")
    queue.set(7)
    queue.inc()
    queue.dec(3)
    assert queue.value == 5
    store.flush()
    clock.advance(5)
    queue.set(float("nan"))
    store.flush()
    pairs = read(store, "queue")
    assert pairs[0] == (T0, 5.0)
    assert pairs[1][1] != pairs[1][1]
    with pytest.raises(ds.SampleRefusedError):
        queue.set("7")  # type: ignore[arg-type]


def test_histogram(store: Store) -> None:
    """Buckets are cumulative and inclusive, as Prometheus'; sum and count go with them."""
    sizes = store.histogram("sizes", [1, 10], labels={"a": "b"}, unit="bytes")
    for value in (0.5, 1, 2, 10, 11, 1000):
        sizes.observe(value)
    store.flush()
    counts = {le: read(store, "sizes_bucket", {"a": "b", "le": le}) for le in ("1", "10", "+Inf")}
    assert counts == {"1": [(T0, 2.0)], "10": [(T0, 4.0)], "+Inf": [(T0, 6.0)]}
    assert read(store, "sizes_count", {"a": "b"}) == [(T0, 6.0)]
    assert read(store, "sizes_sum", {"a": "b"}) == [(T0, 1024.5)]
    with pytest.raises(ds.SampleRefusedError):
        sizes.observe(float("nan"))


@pytest.mark.parametrize("buckets", [[], [1, 1], [2, 1], [float("inf")], ["a"], range(300), None])
def test_buckets(store: Store, buckets: Any) -> None:
    """Bounds ascend and are finite; without any they are Prometheus'."""
    if buckets is None:
        assert store.histogram("h").bounds[0] == 0.005
        return
    with pytest.raises(ds.OptionError):
        store.histogram("h", buckets)


def test_timer(store: Store) -> None:
    """A timer observes its block's seconds, whether or not the block fails."""
    with store.timer("step"):
        pass
    with pytest.raises(KeyError), store.timer("step"):
        raise KeyError
    store.flush()
    assert read(store, "step_count") == [(T0, 2.0)]
    assert 0 < read(store, "step_sum")[0][1] < 60


def test_one_of_each(store: Store) -> None:
    """The same name and labels give the same instrument; another type is refused."""
    assert store.counter("c", labels={"a": "1", "b": "2"}) is store.counter(
        "c", labels={"b": "2", "a": "1"}
    )
    with pytest.raises(ds.SeriesConflictError):
        store.gauge("c", labels={"a": "1", "b": "2"})
    store.histogram("h", [1, 2])
    assert store.histogram("h").bounds == (1, 2)
    with pytest.raises(ds.SeriesConflictError):
        store.histogram("h", [1, 3])


def described(store: Store, name: str) -> tuple[str, str]:
    """Type and unit of a series, from the file."""
    with store._series.reading() as reader:
        (series,) = reader.catalogue.named(name)
        return series.type, series.unit


def test_type_and_unit_stay(factory: ds.DataStoreFactory) -> None:
    """Type and unit are kept with the series, also where it was recorded before without them."""
    with factory.create_metrics_store("m") as store:
        store.record("heat", 1.5)
        store.flush()
        assert described(store, "heat") == ("unknown", "")
        store.gauge("heat", unit="celsius").set(2)
        store.flush()
        assert described(store, "heat") == ("gauge", "celsius")
    with factory.create_metrics_store("m") as store:
        assert described(store, "heat") == ("gauge", "celsius")
        with pytest.raises(ds.SeriesConflictError, match="gauge"):
            store.counter("heat")
        with pytest.raises(ds.SeriesConflictError, match="celsius"):
            store.gauge("heat", unit="kelvin")
        store.gauge("heat").set(3)
    with factory.create_metrics_store("m") as store:
        store.record("heat", 4)
        store.flush()
        with pytest.raises(ds.SeriesConflictError, match="gauge"):
            store.counter("heat")


def test_buckets_apart(store: Store) -> None:
    """Bounds that agree in six digits are series of their own; each label reads back as it was."""
    bounds = [0.1, 1 / 3, 1_000_000, 1_000_001, 2.5e9]
    histogram = store.histogram("h", bounds)
    for bound in bounds:
        histogram.observe(bound)
    with store._series.reading() as reader:
        told = [series.labels["le"] for series in reader.catalogue.named("h_bucket")]
    assert told == ["0.1", "0.3333333333333333", "1e+06", "1000001", "2.5e+09", "+Inf"]
    found = [read(store, "h_bucket", {"le": le})[0][1] for le in told]
    assert found == [1, 2, 3, 4, 5, 5]


def test_threads_count_exactly(store: Store) -> None:
    """No increment and no sample of any thread is lost."""
    counter = store.counter("c")
    histogram = store.histogram("h", [5])

    def work(number: int) -> None:
        for n in range(2000):
            counter.inc()
            histogram.observe(n % 10)
            store.record("r", n, labels={"t": str(number)}, at=T0 + n)
            if n % 500 == 0:
                store.flush()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.flush()
    assert read(store, "c")[-1][1] == 8000
    assert read(store, "h_bucket", {"le": "5"})[-1][1] == 4800
    for number in range(4):
        expected = [(T0 + n, float(n)) for n in range(2000)]
        assert read(store, "r", {"t": str(number)}) == expected
