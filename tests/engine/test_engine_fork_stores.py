"""Whole stores in forked processes, as applications fork them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from engine_tools import error_of, forked, in_child

import dsfactory as ds

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


@pytest.fixture
def store(factory: ds.DataStoreFactory) -> Iterator[ds.DataStore[Any]]:
    """A state store that was written and read before."""
    made = factory.create_state_store("sessions", busy_timeout_ms=60_000)
    made["count"] = 0
    assert made["count"] == 0
    yield made
    assert made.check() == []


class TestMultiprocessing:
    """The standard library's pools."""

    def test_processes(self, store: ds.DataStore[Any]) -> None:
        """Forked workers count in a store that was used before; no count is lost."""

        def work() -> None:
            for _ in range(20):
                store.increment("count")

        processes = [multiprocessing.get_context("fork").Process(target=work) for _ in range(3)]
        for process in processes:
            process.start()
        work()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0, 0]
        assert store["count"] == 80

    def test_factory_in_child(self, factory: ds.DataStoreFactory) -> None:
        """A child uses the factory that it inherited: makes stores, finds the parent's."""
        factory.create_cache_store("parents")["k"] = "parent"

        def work() -> list[Any]:
            factory.create_state_store("childs")["k"] = "child"
            return [factory.get_store("parents")["k"], factory.perform_health_check().healthy]

        assert in_child(work) == ["parent", True]
        assert [record.name for record in factory.get_registered_stores()] == ["childs", "parents"]
        assert factory.get_store("childs")["k"] == "child"

    def test_fork_in_transaction(self, store: ds.DataStore[Any]) -> None:
        """A transaction stays the parent's; the child's copy of the store refuses everything."""

        def work() -> list[str]:
            uses: tuple[Callable[[], object], ...] = (
                lambda: store["count"],
                lambda: store.set("count", 9),
                lambda: len(store),
                lambda: list(store.scan()),
                store.check,
                lambda: store.transaction().__enter__(),
            )
            return [error_of(use) for use in uses]

        with store.transaction():
            store["count"] = 1
            assert in_child(work) == ["ForkedError"] * 6
            store["more"] = 2
        assert store == {"count": 1, "more": 2}

    def test_fork_in_update(self, store: ds.DataStore[Any]) -> None:
        """A function that forks inside of update_with disturbs nothing."""

        def fork_and_add(old: int) -> int:
            assert in_child(lambda: error_of(lambda: store["count"])) == "ForkedError"
            return old + 1

        assert store.update_with("count", fork_and_add) == 1

    def test_child_goes_on_after_get_or_set(self, store: ds.DataStore[Any]) -> None:
        """A child that was forked by the function of get_or_set gets its value too."""
        reading, writing = os.pipe()
        me = os.getpid()

        def compute() -> int:
            if os.fork() == 0:
                signal.alarm(60)
            return 5

        error = error_of(lambda: store.get_or_set("k", compute))
        if os.getpid() != me:
            os.write(writing, (error or str(store["k"])).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as said:
            answer = said.read()
        os.wait()
        assert (error, answer) == ("", "5")


def hold(lock: Any) -> Callable[[threading.Event, threading.Event], None]:
    """Return what a thread does to have *lock* while another one forks."""

    def work(there: threading.Event, leave: threading.Event) -> None:
        with lock:
            there.set()
            leave.wait(60)

    return work


class TestForeignLocks:
    """Another thread holds a lock of a part at the moment of the fork, and is gone in the child."""

    def use(self, store: ds.DataStore[Any]) -> list[Any]:
        """Use whatever takes one of these locks."""
        store["k"] = 1
        found = [store["k"], store.get_or_set("computed", lambda: 5), store.get_or_set("k", int)]
        return [*found, store.get_metrics().operations["setitem"].count > 0]

    def fork_beside(
        self, store: ds.DataStore[Any], work: Callable[[threading.Event, threading.Event], object]
    ) -> Any:
        """Return what a child answers that was forked while a thread was in *work*."""
        there, leave = threading.Event(), threading.Event()
        with ThreadPoolExecutor(1) as threads:
            done = threads.submit(work, there, leave)
            assert there.wait(30)
            try:
                return forked(lambda: self.use(store)).answer()
            finally:
                leave.set()
                done.result()

    @pytest.fixture
    def cache(self, factory: ds.DataStoreFactory) -> ds.DataStore[Any]:
        """A cache store: it has all of the parts."""
        made: ds.DataStore[Any] = factory.create_cache_store("thumbs")
        made["before"] = 0
        return made

    def test_monitor(self, cache: ds.DataStore[Any]) -> None:
        """A count in the making does not stop the child."""
        assert self.fork_beside(cache, hold(cache._monitor._lock)) == [1, 5, 1, True]

    def test_touches(self, cache: ds.DataStore[Any]) -> None:
        """A use that is being noted does not stop the child."""
        touches = cache._room.touches
        assert touches is not None
        assert self.fork_beside(cache, hold(touches._lock)) == [1, 5, 1, True]

    def test_flights(self, cache: ds.DataStore[Any]) -> None:
        """What another thread of the parent computes does not keep the child from its own.

        For the same key it waits as any other process does: that thread holds the lease.
        """

        def compute(there: threading.Event, leave: threading.Event) -> int:
            def slowly() -> int:
                there.set()
                leave.wait(60)
                return 7

            return cache.get_or_set("elsewhere", slowly)

        assert self.fork_beside(cache, compute) == [1, 5, 1, True]

    def test_flights_lock(self, cache: ds.DataStore[Any]) -> None:
        """Nor does the lock over all computations stop it."""
        assert self.fork_beside(cache, hold(cache._flights._lock)) == [1, 5, 1, True]

    def test_write_in_the_making(self, cache: ds.DataStore[Any]) -> None:
        """A thread inside of update_with is waited for; the child sees what it wrote."""
        forking = threading.Event()

        def update(there: threading.Event, _leave: threading.Event) -> int:
            def slowly(old: int) -> int:
                there.set()
                forking.wait(0.05)  # nobody sets it: the fork waits for this thread
                return old + 1

            return cache.update_with("before", slowly)

        assert self.fork_beside(cache, update) == [1, 5, 1, True]
        assert cache["before"] == 1
