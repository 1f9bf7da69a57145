"""Several processes on one store: nothing is lost, not even by SIGKILL."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import store_workers

import dsfactory as ds

PROCESSES, TURNS = 4, 25


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The directory that the processes share."""
    return tmp_path / "shared"


@pytest.fixture
def store(root: Path) -> Iterator[ds.DataStore[Any]]:
    """The store that the processes share, opened in this one before they start."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        store: ds.DataStore[Any] = factory.create_state_store("shared")
        yield store
        assert store.check() == []


def run_processes(job: Callable[[Path, int], None], root: Path, turns: int) -> None:
    """Run *job* in real processes that share nothing but the directory."""
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=job, args=(root, turns)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * PROCESSES


def test_processes_count(root: Path, store: ds.DataStore[Any]) -> None:
    """No increment and no update of any process is lost; this one sees them all."""
    run_processes(store_workers.count_up, root, TURNS)
    assert store["n"] == PROCESSES * TURNS
    assert store["moves"] == [1] * (PROCESSES * TURNS)


def test_processes_compare_and_set(root: Path, store: ds.DataStore[Any]) -> None:
    """if_version lets one of several processes through."""
    run_processes(store_workers.compare_and_set, root, TURNS)
    entry = store.entry("cas")
    assert entry is not None
    assert (entry.value, entry.version) == (PROCESSES * TURNS, PROCESSES * TURNS)


def test_processes_add(root: Path, store: ds.DataStore[Any]) -> None:
    """Of several processes that add a name one succeeds; the store may be new to all of them."""
    run_processes(store_workers.add_names, root, TURNS)
    assert store["won"] == TURNS
    assert len(store) == TURNS + 1


def test_processes_create_store(root: Path) -> None:
    """Processes that create the same store at once get the same one."""
    run_processes(store_workers.count_up, root, 5)
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        assert [record.name for record in factory.get_registered_stores()] == ["shared"]
        assert factory.get_store("shared")["n"] == PROCESSES * 5


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("acknowledged", [1, 60, 333])
def test_killed_process(root: Path, acknowledged: int) -> None:
    """Whatever a killed process said was written is there, and the file is sound."""
    package = str(Path(ds.__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, store_workers.__file__, root],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": package},
    ) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(acknowledged)]
        writer.send_signal(signal.SIGKILL)
        lines += [line for line in writer.stdout if line.endswith("\n")]
    assert writer.returncode == -signal.SIGKILL
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        store: ds.DataStore[Any] = factory.get_store("shared")
        assert store.check() == []
        said = list(map(int, lines))
        assert said == list(range(len(said)))
        assert store.get_many(said) == {
            number: {"number": number, "text": "t" * (number % 50)} for number in said
        }
        assert len(store) - 2 in (len(said), len(said) + 1)
        assert store["pair a"] == store["pair b"] >= said[-1] - 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
class TestFork:
    """A store that is open when its process forks."""

    def in_child(self, job: Callable[[], None]) -> None:
        """Run *job* in a forked child; fail when it raises there."""
        child = os.fork()
        if child == 0:
            signal.alarm(30)  # ends a child that hangs
            code = 1
            try:
                job()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0

    @pytest.fixture
    def cache(self, root: Path) -> Iterator[ds.DataStore[Any]]:
        """A cache, which keeps the most in memory."""
        with ds.DataStoreFactory(root, maintenance="manual") as factory:
            cache: ds.DataStore[Any] = factory.create_cache_store("cache")
            yield cache
            assert cache.check() == []

    def test_child_and_parent_go_on(self, cache: ds.DataStore[Any]) -> None:
        """Both use the store afterwards, each through connections of its own."""
        cache["n"] = 0

        def child() -> None:
            for _ in range(10):
                cache.increment("n")
                cache.get("n")
                cache.get_or_set("child", lambda: 1)
            cache.close()

        self.in_child(child)
        for _ in range(10):
            cache.increment("n")
        assert dict(cache) == {"n": 20, "child": 1}

    def test_child_of_locked_parts(self, cache: ds.DataStore[Any]) -> None:
        """Locks that threads of the parent held at the fork do not stop the child."""
        notes = cache._room.touches
        assert notes is not None

        def child() -> None:
            cache["k"] = 1
            assert cache.get("k") == 1
            assert cache.get_or_set("other", lambda: 2) == 2
            assert cache.get_metrics().hits == 1

        with cache._monitor._lock, notes._lock, cache._flights._lock:
            self.in_child(child)

    def test_fork_inside_transaction(self, cache: ds.DataStore[Any]) -> None:
        """A transaction is the parent's; the child is refused, and cannot undo it."""

        def child() -> None:
            with pytest.raises(ds.ForkedError):
                cache["child"] = 1
            with pytest.raises(ds.ForkedError):
                cache.get("parent")

        with cache.transaction():
            cache["parent"] = 1
            self.in_child(child)
            cache["later"] = 2
        assert dict(cache) == {"parent": 1, "later": 2}
