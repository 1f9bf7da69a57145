"""get_or_set between processes: one computes, and its death does not stop the others."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import computing_workers
import pytest
from contract.common import MakeStore, Store, in_threads, stranger

import dsfactory as ds
from dsfactory.stores import holders

PROCESSES = 4


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The directory that the processes share."""
    return tmp_path / "shared"


@pytest.fixture
def store(root: Path) -> Iterator[Store]:
    """The cache that the processes share."""
    with computing_workers.opened(root) as factory:
        store: Store = factory.create_cache_store("shared")
        yield store
        assert store.check() == []


@contextmanager
def computing_process(root: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that computes the key "k" and does not end by itself."""
    tests = Path(__file__).resolve().parents[1]
    with subprocess.Popen(
        [sys.executable, tests / "stores" / "computing_workers.py", root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tests.parent)},
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "computing\n"
        yield process
        process.kill()


def leases(store: Store) -> int:
    """How many leases there are."""
    with stranger(store) as other:
        ((count,),) = other.execute("SELECT count(*) FROM lease").fetchall()
        return int(count)


def test_one_process_computes(root: Path, store: Store) -> None:
    """Of processes that ask for a key at once one computes, and all get its value."""
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(PROCESSES)
    processes = [
        spawn.Process(target=computing_workers.ask_for_all, args=(root, barrier))
        for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    computed = Counter((root / "computed").read_text().split())
    assert computed == {str(key): 1 for key in range(computing_workers.KEYS)}
    assert len(store) == computing_workers.KEYS
    assert leases(store) == 0


def test_waits_for_other_process(root: Path, store: Store) -> None:
    """Who asks while another process computes gets that process's value."""
    with computing_process(root) as process:

        def answer() -> None:
            assert process.stdin
            process.stdin.write("theirs")
            process.stdin.close()

        def never() -> str:
            raise AssertionError("computed by two")

        got: list[object] = []
        in_threads(lambda: got.append(store.get_or_set("k", never)), answer)
        assert got == ["theirs"]


def test_killed_holder(root: Path, store: Store) -> None:
    """When the computing process is killed, one of those that wait computes, however long the
    lease would have been."""
    with computing_process(root) as process:
        killed = Event()

        def kill() -> None:
            process.kill()
            killed.set()  # not waited for: a zombie is as dead

        def compute() -> str:
            assert killed.wait(10)
            computing_workers.note(root, "mine")
            return "mine"

        got: list[object] = []
        ask = [lambda: got.append(store.get_or_set("k", compute))] * 3
        in_threads(*ask, kill)
    assert got == ["mine"] * 3
    assert (root / "computed").read_text().split() == ["killed", "mine"]
    assert leases(store) == 0


def test_lease_runs_out(make_store: MakeStore, clock: ds.ManualClock) -> None:
    """Who takes longer than the lease is not waited for; what it finds is kept all the same."""
    store = make_store("cache")

    def slow() -> int:
        with stranger(store) as other:
            ((until,),) = other.execute("SELECT expires_at FROM lease").fetchall()
        assert until == clock.now_ms() + 2000
        in_threads(lambda: late.append(two.get_or_set("k", lambda: 2, lease="2s")), pass_time)
        return 1

    def pass_time() -> None:
        clock.advance(2000)

    late: list[int] = []
    with ds.DataStoreFactory(
        store.path.parent.parent, maintenance="manual", clock=clock
    ) as factory:
        two = factory.get_store("under-test")
        assert store.get_or_set("k", slow, lease="2s") == 1
        assert late == [2]
        assert two["k"] == 1
    assert leases(store) == 0


def test_left_lease_is_swept(make_store: MakeStore, clock: ds.ManualClock) -> None:
    """A lease of the dead, for a key that nobody asks for again, goes when it is over."""
    store = make_store("cache")
    with stranger(store) as other:
        other.execute("INSERT INTO lease VALUES ('k', 'somebody', ?)", (clock.now_ms() + 10,))
    store.expire()
    assert leases(store) == 1
    clock.advance(10)
    store.expire()
    assert leases(store) == 0


def test_inside_of_transaction(store: Store) -> None:
    """In a transaction nobody is waited for: whoever computes would be waiting for us."""
    asked, computing = Event(), Event()

    def compute() -> int:
        computing.set()
        assert asked.wait(10)
        return 1

    def in_transaction() -> None:
        assert computing.wait(10)
        with store.transaction():
            assert store.get_or_set("k", lambda: 2) == 2
        asked.set()

    in_threads(lambda: store.get_or_set("k", compute), in_transaction)
    assert store["k"] == 1


def test_refresh_ahead(make_store: MakeStore, clock: ds.ManualClock) -> None:
    """Shortly before the end one caller computes anew; the others get the old value at once."""
    store = make_store("cache")
    assert store.get_or_set("k", lambda: 1, ttl=1000, refresh_ahead=200) == 1
    clock.advance(800)
    assert store.get_or_set("k", lambda: 2, ttl=1000, refresh_ahead=200) == 1
    clock.advance(1)
    inner: list[int] = []

    def compute() -> int:
        in_threads(
            lambda: inner.append(store.get_or_set("k", lambda: 3, ttl=1000, refresh_ahead=200))
        )
        return 2

    assert store.get_or_set("k", compute, ttl=1000, refresh_ahead=200) == 2
    assert inner == [1]
    assert store.ttl("k") == 1000
    store.set("k", 4, ttl="never")
    assert store.get_or_set("k", lambda: 5, refresh_ahead="1h") == 4


@pytest.mark.parametrize(
    "options", [{"lease": "soon"}, {"lease": -1}, {"refresh_ahead": 1.5}, {"tags": "t"}]
)
def test_options_are_refused(store: Store, options: dict[str, object]) -> None:
    """A wrong option is refused before anything is computed, also where the value is there."""
    store["k"] = 1
    for ask in (
        lambda: store.get_or_set("k", lambda: 2, **options),  # type: ignore[arg-type]
        lambda: store.memoize(**options),  # type: ignore[arg-type]
    ):
        with pytest.raises(ds.OptionError):
            ask()


def test_tags_of_computed_value(store: Store) -> None:
    """A computed value can be evicted by its tag."""
    store.get_or_set("k", lambda: 1, tags=["t"])
    assert store.evict_tag("t") == 1


def test_holders_differ() -> None:
    """Every holder has a name of its own, and this process is alive."""
    one, other = holders.new_holder(), holders.new_holder()
    assert one != other
    assert not holders.has_died(one)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_holder_of_other_start() -> None:
    """A process number that was given again does not keep a lease alive; another host's, and a
    name that is not ours, are not judged; what ran before this boot is dead."""
    host, process, started, call = holders.new_holder().split(" ")
    boot, space = host.split("/")
    assert holders.has_died(f"{host} {process} {int(started) - 1} {call}")
    assert holders.has_died(f"{host} {2**22 + 1} {started} {call}")
    assert not holders.has_died(f"{boot}/{int(space) + 1} {process} 1 {call}")
    assert holders.has_died(f"other/{space} {process} {started} {call}")
    assert not holders.has_died(f"/ {process} {started} {call}")
    assert not holders.has_died("somebody")
