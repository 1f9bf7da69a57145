"""Threads of one process that record, query, flush and close at the same time."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from series_tools import T0, read

import dsfactory as ds
from dsfactory.engine import Settings, Transaction, open_connection
from dsfactory.series import flushing, sql
from dsfactory.series.names import identity
from dsfactory.series.writing import Writing

Store = ds.MetricsStore[Any]


@pytest.fixture
def hasty() -> Iterator[None]:
    """Python changes threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(*works: Callable[[], object]) -> None:
    """Run each of *works* in a thread of its own; raise what the first one of them raised."""
    failures: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 -- raised below
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.mark.usefixtures("hasty")
def test_queries_in_threads(store: Store) -> None:
    """Threads that ask for many metrics for the first time share what was read of them."""
    names = [f"m{n}" for n in range(1500)]
    store.record_rows((name, None, T0 + n, float(n)) for n, name in enumerate(names))
    store.flush()

    def ask(first: int) -> None:
        for n in range(first, len(names), 5):
            assert read(store, names[n]) == [(T0 + n, float(n))]
            assert len(store.query_all(names[n], start=T0, end=T0 + 2000)) == 1

    together(*(lambda first=first: ask(first) for first in range(5)))  # type: ignore[misc]


@pytest.mark.usefixtures("hasty")
def test_records_beside_close(tmp_path: Path) -> None:
    """While a store is closed, each sample is committed, or refused: none is taken in vain."""
    for number in range(5):
        root = tmp_path / str(number)
        factory = ds.DataStoreFactory(root, maintenance="manual")
        store = factory.create_metrics_store("m", ttl=None, write_window="1h")
        taken = [0, 0]

        def record(
            thread: int, store: Store = store, taken: list[int] = taken, limit: int = 100_000
        ) -> None:
            for n in range(limit):
                store.record("x", n, labels={"t": str(thread)}, at=T0 + n)
                taken[thread] = n + 1

        def close(factory: ds.DataStoreFactory = factory, taken: list[int] = taken) -> None:
            while min(taken) < 100:
                os.sched_yield()
            factory.close()

        with pytest.raises(ds.ClosedError):
            together(lambda: record(0), lambda: record(1), close)
        with ds.DataStoreFactory(root, maintenance="manual") as again:
            found = again.get_store("m")
            assert isinstance(found, ds.MetricsStore)
            for thread in (0, 1):
                pairs = read(found, "x", {"t": str(thread)})
                assert pairs == [(T0 + n, float(n)) for n in range(taken[thread])]
    assert not [t for t in threading.enumerate() if t.name == "dsfactory-series"]


def test_query_beside_a_flush(factory: ds.DataStoreFactory) -> None:
    """A query sees what was recorded before it, also where a flush has it in hand."""
    store = factory.create_metrics_store("m", ttl=None, write_window="1h", busy_timeout_ms=60_000)
    store.record("x", 1, at=T0)
    store.flush()
    other = open_connection(store.path, Settings(), write=True)
    other.execute("BEGIN IMMEDIATE")
    store.record("x", 2, at=T0 + 1)
    seen = []

    def ask() -> None:
        while store._series.pending:
            os.sched_yield()
        seen.append(read(store, "x"))

    def release() -> None:
        for _ in range(20_000):  # more than long enough for a query that does not wait
            if seen:
                break
            os.sched_yield()
        other.close()

    together(store.flush, ask, release)
    assert seen == [[(T0, 1.0), (T0 + 1, 2.0)]]


def test_window_is_not_extended() -> None:
    """The window ends where it was going to, however often more comes to wait meanwhile."""
    bell: SimpleQueue[bool] = SimpleQueue()
    ended = threading.Event()

    def wait() -> None:
        assert flushing._stopped(bell, 0.002) is False
        ended.set()

    def ring() -> None:
        for _ in range(500_000):
            if ended.is_set():
                return
            bell.put(True)
        bell.put(False)  # so that the other thread ends

    together(wait, ring)
    assert ended.is_set()


def test_thread_that_does_not_start(
    factory: ds.DataStoreFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the machine has no thread to give, the next call tries again."""
    store = factory.create_metrics_store("m", ttl=None, write_window=1)

    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError):
            store.record("x", 1, at=T0)
    store.flush()
    store.record("x", 2, at=T0 + 1)
    for _ in range(1_000_000):
        if not store._series.pending:
            break
        os.sched_yield()
    assert store._series.pending == 0
    assert read(store, "x") == [(T0, 1.0), (T0 + 1, 2.0)]


class Interrupted:
    """A transaction in which something happens just after a series was made."""

    def __init__(self, tx: Transaction, then: Callable[[], object]) -> None:
        self._tx = tx
        self._then = then

    def rows(self, statement: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        """Run the statement, and after that of a new series, whatever is to happen."""
        found = self._tx.rows(statement, parameters)
        if statement == sql.ADD_SERIES:
            self._then()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)


def test_type_given_beside_a_flush(store: Store) -> None:
    """A type that is given while a flush makes the series is kept with it by the next one."""
    engine = store._series
    store.record("x", 1.0, at=T0)
    with store._database.write() as tx:
        beside: Any = Interrupted(tx, lambda: engine.pot(identity("x"), kind="gauge"))
        writing = Writing(beside, engine.sealer(tx), engine._journal, max_series=9)
        writing.write(engine._collector.take())
    store.record("x", 2.0, at=T0 + 1)
    store.flush()
    (held,) = store.list_series()
    assert (held.type, held.samples) == ("gauge", 2)
