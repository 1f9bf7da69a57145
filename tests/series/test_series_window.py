"""The window: what is recorded is committed by itself, once, and what fails is told."""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from series_tools import T0, read

import dsfactory as ds
from dsfactory.engine import Settings, open_connection
from dsfactory.series import collecting, recording

Store = ds.MetricsStore[Any]
SAMPLES = """
SELECT coalesce(sum(samples), 0)
FROM (SELECT samples FROM journal UNION ALL SELECT samples FROM block)
"""


def committed(store: Store) -> int:
    """How many samples another process would see."""
    ((count,),) = store._database.committed_rows(SAMPLES)
    return int(count)


def wait_for_commit(store: Store, count: int) -> None:
    """Return when the background has committed so many; the suite's timeout is the limit."""
    for _ in range(1_000_000):
        if committed(store) >= count:
            return
        os.sched_yield()
    raise AssertionError("it never was")


def test_committed_by_itself(factory: ds.DataStoreFactory) -> None:
    """A sample is in the file a window later, without flush(); so is the next one."""
    store = factory.create_metrics_store("m", write_window=20)
    store.record("x", 1)
    wait_for_commit(store, 1)
    store.counter("c").inc()
    wait_for_commit(store, 2)


def test_nothing_before_the_window(factory: ds.DataStoreFactory) -> None:
    """Until then it is in memory; a query of this process sees it all the same."""
    store = factory.create_metrics_store("m", write_window="1h")
    store.record("x", 1)
    assert committed(store) == 0
    assert read(store, "x") == [(T0, 1.0)]
    assert committed(store) == 1


def test_durable(store: Store) -> None:
    """With durable the commit is synced, in every way of recording; later ones are as before."""
    levels = []
    begin = store._database.begin

    def begun(tx: Any) -> None:
        begin(tx)
        levels.append(tx.connection.pragma("synchronous"))

    store._database.begin = begun  # type: ignore[method-assign]
    store.record("x", 1, at=T0, durable=True)
    store.record_many("x", [2.0], at=[T0 + 1], durable=True)
    store.record_rows([("x", None, T0 + 2, 3.0)], durable=True)
    store.record("x", 4, at=T0 + 3)
    store.flush(durable=True)
    store.record("x", 5, at=T0 + 4)
    store.flush()
    assert levels == [2, 2, 2, 2, 1]
    store.flush(durable=True)  # of what was committed without: as the background may have done
    store.flush(durable=True)
    assert levels == [2, 2, 2, 2, 1, 2]
    assert committed(store) == 5


def test_close_commits(factory: ds.DataStoreFactory) -> None:
    """close() commits what was recorded and changed; afterwards recording is refused."""
    store = factory.create_metrics_store("m", write_window="1h")
    counter = store.counter("c")
    counter.inc()
    store.record("x", 1)
    store.close()
    with pytest.raises(ds.ClosedError):
        store.record("x", 2)
    counter.inc()
    store.close()
    with factory.create_metrics_store("m") as again:
        assert (read(again, "x"), read(again, "c")) == ([(T0, 1.0)], [(T0, 1.0)])


def test_interpreter_exit(tmp_path: Path) -> None:
    """A program that ends without closing anything has its samples committed."""
    program = """
import sys, dsfactory as ds
factory = ds.DataStoreFactory(sys.argv[1])
store = factory.create_metrics_store("m", write_window="1h", ttl=None)
store.record("x", 1.5, at=1_000)
store.counter("c").inc()
"""
    root = str(tmp_path / "data")
    subprocess.run([sys.executable, "-c", program, root], check=True)
    with ds.DataStoreFactory(root, clock=ds.ManualClock(2000)) as factory:
        store = factory.create_metrics_store("m", ttl=None)
        assert read(store, "x") == [(1000, 1.5)]
        assert committed(store) == 2


def test_forgotten_store(factory: ds.DataStoreFactory) -> None:
    """The thread holds no store alive."""
    store = factory.create_metrics_store("m", write_window="1h")
    store.record("x", 1)
    store.close()
    gone = weakref.ref(store)
    del store
    gc.collect()
    assert gone() is None
    assert not [t for t in threading.enumerate() if t.name == "dsfactory-series"]


def test_forgotten_unclosed(tmp_path: Path) -> None:
    """A factory that nobody closes or holds any more is collected, and its thread ends."""
    factory = ds.DataStoreFactory(tmp_path / "data", maintenance="manual")
    store = factory.create_metrics_store("m", write_window="1h")
    store.record("x", 1)
    (thread,) = [t for t in threading.enumerate() if t.name == "dsfactory-series"]
    del store, factory
    gc.collect()
    thread.join(30)
    assert not thread.is_alive()


def test_inside_of_a_transaction(store: Store) -> None:
    """Recording goes on inside of a transaction; its rollback does not take samples along."""
    with store.transaction():
        store["event"] = {"n": 1}
        store.record("x", 1)
        with pytest.raises(ds.TransactionError):
            store.flush()
        with pytest.raises(ds.TransactionError):
            store.close()
        raise ds.Rollback
    assert read(store, "x") == [(T0, 1.0)]
    assert "event" not in store


def test_durable_inside_of_a_transaction(store: Store) -> None:
    """What cannot be brought onto the disk there is refused, not left to be tried again."""
    rows = [("x", None, T0, 1.0)]
    ways: list[Callable[[], object]] = [
        lambda: store.record("x", 1, durable=True),
        lambda: store.record_many("x", [1.0], at=[T0], durable=True),
        lambda: store.record_rows(rows, durable=True),
        lambda: store.import_samples(io.StringIO("x 1 1\n"), format="prometheus"),
    ]
    with store.transaction():
        for way in ways:
            with pytest.raises(ds.TransactionError):
                way()
    assert store.flush() == 0


def locked(store: Store) -> Any:
    """A connection of somebody else who holds the write lock."""
    connection = open_connection(store.path, Settings(), write=True)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_failure_is_told_once(factory: ds.DataStoreFactory) -> None:
    """What fails in the background is raised by the next call and told to health; no sample is
    lost when it works again.
    """
    options = {"write_window": 10, "busy_timeout_ms": 0, "max_retries": 0}
    store = factory.create_metrics_store("m", **options)
    store.record("x", 1, at=T0)
    store.flush()
    other = locked(store)
    store.record("x", 2, at=T0 + 1)
    while store._series.failure is None:
        os.sched_yield()
    with pytest.raises(ds.BusyError, match="recorded before"):
        store.record("x", 3, at=T0 + 2)
    (problem,) = [p for p in store.health_check().problems if p.startswith("recording")]
    assert "1 samples wait" in problem
    assert any("recording" in line for line in factory.perform_health_check().problems)
    other.close()
    wait_for_commit(store, 2)
    store.flush()
    assert store.health_check().healthy
    assert read(store, "x") == [(T0, 1.0), (T0 + 1, 2.0)]


def test_failed_flush(factory: ds.DataStoreFactory) -> None:
    """A flush that fails raises, keeps everything in its order, and is tried again by itself."""
    options = {"write_window": 10, "busy_timeout_ms": 0, "max_retries": 0}
    store = factory.create_metrics_store("m", **options)
    store["made"] = 1
    other = locked(store)
    with store._series._flushing:  # so that the background does not come first
        store.record("x", 1, at=T0)
        store.record_many("x", [2.0], at=[T0])
        with pytest.raises(ds.BusyError):
            store.flush()
        store.record("x", 3, at=T0)
        assert store._series.pending == 3
        other.close()
    wait_for_commit(store, 1)
    assert read(store, "x") == [(T0, 3.0)]


def test_forked_with_a_forgotten_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child begins with nothing of an instrument whose series is no longer remembered."""
    monkeypatch.setattr(collecting, "MAX_POTS", 1)
    collector = collecting.Collector("m")
    held = collector.pot("a", None)
    collector.pot("b", None)
    collector.add(held, T0, 1.0)
    collector.begin_anew()
    assert collector.add(held, T0, 2.0)
    assert [(taken.pot, taken.flat) for taken in collector.take()] == [(held, [T0, 2.0])]


def test_memory_is_bounded(factory: ds.DataStoreFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too much waits, recording commits by itself; where it cannot, samples are refused."""
    for module in (collecting, recording):
        monkeypatch.setattr(module, "MAX_PENDING", 100)
    options = {"write_window": "1h", "busy_timeout_ms": 0, "max_retries": 0}
    store = factory.create_metrics_store("m", **options)
    for n in range(250):
        store.record("x", n, at=T0 + n)
    assert (committed(store), store._series.pending) == (200, 50)
    other = locked(store)
    with pytest.raises(ds.BusyError):
        store.record_rows(("x", None, T0 + n, 0.0) for n in range(250, 10**6))
    assert store._series.pending <= 0x10000 + 100
    with pytest.raises(ds.BusyError):
        store.record("x", 1)
    other.close()
    store.flush()
    store.record_many("x", [0.0] * 99, at=range(T0 + 10**6, T0 + 10**6 + 99))
    with store.transaction():
        store.record("x", 1)
        with pytest.raises(ds.TransactionError):
            store.record("x", 1)
    assert len(read(store, "x")) >= 250


def test_fork(factory: ds.DataStoreFactory) -> None:
    """What waits at a fork is committed once, by the parent; the child records its own."""
    store = factory.create_metrics_store("m", write_window="1h")
    counter = store.counter("c")
    counter.inc(5)
    store.record("x", 1, at=T0)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            counter.inc(1)
            store.record("y", 2, at=T0)
            assert (counter.value, store.flush()) == (1, 2)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    counter.inc(1)
    assert store.flush() == 1
    assert (read(store, "x"), read(store, "y")) == ([(T0, 1.0)], [(T0, 2.0)])
    assert read(store, "c")[-1][1] == 6


FORKING = """
import os, sys, threading, warnings
import dsfactory as ds
warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, since Python 3.12
T0 = int(sys.argv[2])
clock = ds.ManualClock(T0)
with ds.DataStoreFactory(sys.argv[1], maintenance="manual", clock=clock) as factory:
    store = factory.create_metrics_store("m", write_window=1)
    store.record("first", 1)  # Python's own locks of modules do not survive a fork amid an import
    stop = threading.Event()

    def work(number):
        n = 0
        while not stop.is_set():
            store.record("x", n, labels={"t": str(number)}, at=T0 + n)
            n += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for number in range(5):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                store.record("child", number, at=T0 + number)
                store.flush()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    for thread in threads:
        thread.join()
"""


def test_fork_beside_threads(tmp_path: Path, clock: ds.ManualClock) -> None:
    """Children forked while threads record and flush start empty and work.

    In a process of its own, not measured: coverage's own lock does not survive such a fork.
    """
    plain = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    subprocess.run(
        [sys.executable, "-c", FORKING, str(tmp_path), str(T0)], check=True, env=plain, timeout=120
    )
    with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=clock) as factory:
        store = factory.get_store("m")
        assert isinstance(store, ds.MetricsStore)
        assert read(store, "child") == [(T0 + n, float(n)) for n in range(5)]
        for number in range(2):
            pairs = read(store, "x", {"t": str(number)})
            assert pairs == [(T0 + n, float(n)) for n in range(len(pairs))]
        assert store.check() == []


def test_dropped_in_the_background(factory: ds.DataStoreFactory) -> None:
    """Whoever flushes hears of samples that the background had no room for; only once."""
    store = factory.create_metrics_store("m", write_window=1, max_series=1)
    store.record("x", 1)
    store.flush()
    store.record("y", 1)
    while store._series.failure is None:
        os.sched_yield()
    with pytest.raises(ds.SeriesLimitError):
        store.flush(durable=True)
    assert store.flush() == 0
    store.record("x", 2, at=T0 + 1, durable=True)
    assert len(read(store, "x")) == 2
