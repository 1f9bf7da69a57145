"""The hot tier beside other processes: only what they change is forgotten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from test_hot_tier import Race, statements_of

import dsfactory as ds
from dsfactory.clock import ticks_ns

ROOT = Path(__file__).resolve().parents[2]
KEYS = range(100)
ROOMY = {"max_entries": 5000}
Pair = tuple[ds.DataStore[Any], ds.DataStore[Any]]


@pytest.fixture(params=["cache", "state"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """A store open twice, warm here, and both know of each other."""
    with (
        ds.DataStoreFactory(tmp_path, maintenance="manual") as one,
        ds.DataStoreFactory(tmp_path, maintenance="manual") as other,
    ):
        make = f"create_{request.param}_store"
        here, there = (getattr(factory, make)("hot", **ROOMY) for factory in (one, other))
        here.set_many({n: n for n in KEYS})
        met(here, there)
        yield here, there
        assert here.check() == []
        here.close()
        there.close()
        assert [path.name for path in here.path.parent.iterdir()] == ["hot.db"]


def met(here: ds.DataStore[Any], there: ds.DataStore[Any]) -> None:
    """Let *there* learn that *here* listens, and *here* read everything after that."""
    deadline = ticks_ns() + 30 * 10**9
    while not there._hot.telling:
        warm(here)
        there.set("met", 0)
        assert ticks_ns() < deadline
    while forgotten(here):  # for a moment it waits for the notices of those commits
        assert ticks_ns() < deadline


def warm(store: ds.DataStore[Any]) -> None:
    """Read everything."""
    for key in KEYS:
        store.get(key)


def forgotten(store: ds.DataStore[Any]) -> int:
    """How many of the keys have to be read from the file."""
    return statements_of(store, lambda: warm(store))


def undone(store: ds.DataStore[Any]) -> None:
    """Change something and take it back."""
    with store.transaction():
        store[1] = "never"
        raise ds.Rollback


CHANGES: dict[str, tuple[Callable[[ds.DataStore[Any]], object], int]] = {
    "set": (lambda s: s.set(1, "new"), 1),
    "sets": (lambda s: [s.set(n, "new") for n in range(30)], 30),
    "another key": (lambda s: s.set("other", "new"), 0),
    "tags": (lambda s: s.set(1, "new", tags=("t",)), 1),
    "set_many": (lambda s: s.set_many({1: "new", 2: "new", "b": 1}), 2),
    "large set_many": (lambda s: s.set_many(dict.fromkeys(range(1000), "new")), 100),
    "delete": (lambda s: s.delete(7), 1),
    "delete_many": (lambda s: s.delete_many(range(10)), 10),
    "pop": (lambda s: s.pop(7), 1),
    "update_with": (lambda s: s.update_with(7, lambda n: n + 1), 1),
    "clear": (lambda s: s.clear(), 100),
    "nothing": (lambda s: s.delete("absent"), 0),
    "undone": (undone, 0),
}


@pytest.mark.parametrize("what", CHANGES)
def test_only_what_changed(pair: Pair, what: str) -> None:
    """What another process changes is read anew; everything else stays in memory."""
    here, there = pair
    change, gone = CHANGES[what]
    assert forgotten(here) == 0
    change(there)
    assert forgotten(here) == gone
    assert {key: here.get(key) for key in KEYS} == {key: there.get(key) for key in KEYS}


def test_by_turns(pair: Pair) -> None:
    """Two that write and read by turns keep what neither of them changed, and are never wrong."""
    here, there = pair
    met(there, here)
    for number in range(300):
        writer, reader = (here, there) if number % 2 else (there, here)
        writer[number % 10] = number
        assert reader[number % 10] == number
        assert writer[number % 10] == number
    assert forgotten(here) + forgotten(there) <= 2


def test_evicted(tmp_path: Path) -> None:
    """What another process's set puts out is forgotten with it."""
    with (
        ds.DataStoreFactory(tmp_path, maintenance="manual") as one,
        ds.DataStoreFactory(tmp_path, maintenance="manual") as other,
    ):
        here = one.create_cache_store("hot", max_entries=50)
        there = other.create_cache_store("hot", max_entries=50)
        met(here, there)
        for number in range(200):
            there[number] = number
            assert here[number] == number
            assert len([key for key in range(number + 1) if key in here]) == min(50, number + 1)


def test_past_us(pair: Pair) -> None:
    """A commit that nobody tells of, by plain SQL, shows at once, and costs what is kept."""
    here, there = pair
    plain = apsw.Connection(str(here.path))
    plain.execute("UPDATE entry SET value = (SELECT value FROM entry WHERE key = 7) WHERE key = 1")
    assert [here[1], there[1]] == [7, 7]
    deadline = ticks_ns() + 30 * 10**9
    while forgotten(here):  # it waits a moment for a notice
        assert ticks_ns() < deadline
    there[2] = "new"
    assert here[2] == "new"
    plain.close()


KILLED = """
import os, signal, sys
import dsfactory as ds
from dsfactory.engine.notices import Notices
with ds.DataStoreFactory(sys.argv[1], maintenance="manual") as factory:
    store = factory.get_store("hot")
    while not store._hot.telling:
        store["met"] = 0
    Notices.tell = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    store[1] = "new"
"""


def test_killed_before_telling(pair: Pair, tmp_path: Path) -> None:
    """Whoever is killed between the commit and the notice hides nothing."""
    here, _ = pair
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], check=False, env=env, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert here[1] == "new"
    deadline = ticks_ns() + 30 * 10**9
    while forgotten(here):
        assert ticks_ns() < deadline


def test_alone(tmp_path: Path) -> None:
    """A process that is alone makes no file and tells nobody."""
    with ds.DataStoreFactory(tmp_path, maintenance="manual") as factory:
        store = factory.create_cache_store("hot")
        for number in range(2000):
            store[number % 7] = number
            assert store[number % 7] == number
        assert not list(tmp_path.rglob("*-notices"))


def test_looking_leaves_nothing(pair: Pair, tmp_path: Path) -> None:
    """A handle that only looks says nothing to anybody."""
    here, there = pair
    with (
        ds.DataStoreFactory(tmp_path, maintenance="manual") as factory,
        factory.look("hot") as look,
    ):
        warm(look)
        there[1] = "new"
        assert look[1] == "new"
        assert here[1] == "new"
        assert not look._hot.telling


def test_scrubbed(pair: Pair) -> None:
    """scrub() leaves no deleted key in the notices either."""
    here, there = pair
    there["somebody's name"] = 1
    assert here["somebody's name"] == 1
    del there["somebody's name"]
    file = Path(f"{here.path}-notices")
    assert b"somebody" in file.read_bytes()
    there.scrub()
    assert b"somebody" not in file.read_bytes()
    assert here.get("somebody's name") is None


@pytest.mark.parametrize("entries", [250, 1000])
def test_threads_and_handles(tmp_path: Path, entries: int) -> None:
    """Threads of two handles see nothing stale, wherever the interpreter stops one of them."""
    usual = sys.getswitchinterval()
    with (
        ds.DataStoreFactory(tmp_path, maintenance="manual") as one,
        ds.DataStoreFactory(tmp_path, maintenance="manual") as other,
    ):
        here = one.create_cache_store("hot", hot_entries=entries)
        there = other.create_cache_store("hot", hot_entries=entries)
        met(here, there)
        sys.setswitchinterval(1e-6)
        try:
            assert Race(here, there).run(1000) == []
        finally:
            sys.setswitchinterval(usual)
        assert here.check() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked(pair: Pair) -> None:
    """Parent and child go on with files of their own, and see each other at once."""
    here, there = pair
    pid = os.fork()
    if pid == 0:
        right = here[1] == 1
        here[1] = "of the child"
        there[2] = "of the child"
        os._exit(0 if right and [here[2], there[1]] == ["of the child"] * 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert [here[1], there[1], here[2], there[2]] == ["of the child"] * 4
    met(here, there)
    there[3] = "new"
    assert forgotten(here) == 1
    assert here[3] == "new"


def test_no_notices_at_all(tmp_path: Path) -> None:
    """Where the file of notices cannot be had, commits are as good, and all is read anew."""
    with (
        ds.DataStoreFactory(tmp_path, maintenance="manual") as one,
        ds.DataStoreFactory(tmp_path, maintenance="manual") as other,
    ):
        here, there = (factory.create_cache_store("hot", **ROOMY) for factory in (one, other))
        here.set_many({n: n for n in KEYS})
        Path(f"{here.path}-notices").mkdir()
        for number in range(5):
            warm(here)
            assert forgotten(here) == 0
            there[1] = number
            assert here[1] == number
        assert not there._hot.telling
