"""write_behind: visible at once here, committed together soon, and nothing hidden when it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

import dsfactory as ds
from dsfactory.stores import behind

SOON = "1ms"
LATER = "1h"
WRITER = Path(__file__).with_name("behind_writer.py")


@pytest.fixture(params=["cache", "metrics"])
def store(
    request: pytest.FixtureRequest, make_store: Callable[..., ds.DataStore[Any]]
) -> ds.DataStore[Any]:
    """A store whose sets wait until something asks for them."""
    return make_store(request.param, write_behind=LATER)


def committed(store: ds.DataStore[Any]) -> list[Any]:
    """Return the keys that another process would see."""
    rows = store._database.committed_rows("SELECT key FROM entry ORDER BY key")
    return [key for (key,) in rows]


class Rival:
    """Somebody else who holds the write lock for a while."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path))

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


class TestWaiting:
    """What waits is there for everybody in this process."""

    def test_lookups(self, store: ds.DataStore[Any]) -> None:
        """get and [] find a set that is not in the file yet, and see the newest one."""
        assert store.set("a", 1) == 0
        store["a"] = [2]
        assert (store.get("a"), store["a"], store.get("b")) == ([2], [2], None)
        assert committed(store) == []
        store["a"].append(3)
        assert store["a"] == [2]

    def test_warm_lookups(self, store: ds.DataStore[Any]) -> None:
        """A value that was read before does not hide the one that waits."""
        for n in range(5):
            store["a"] = n
            assert (store["a"], store["a"]) == (n, n)
            if n % 2:
                store.flush()
                assert (store["a"], store["a"]) == (n, n)

    @pytest.mark.parametrize(
        ("ask", "answer"),
        [
            (len, 2),
            (list, ["a", "b"]),
            (lambda s: list(s.scan()), [("a", 1), ("b", 2)]),
            (lambda s: s.get_many(["a", "c"]), {"a": 1}),
            (lambda s: "b" in s, True),
            (lambda s: s.entry("a").version, 1),
            (lambda s: s.ttl("a") is not None, True),
            (lambda s: s.stats().entries, 2),
            (lambda s: s.add("a", 5), False),
            (lambda s: s.delete("b"), True),
            (lambda s: s.pop("b"), 2),
            (lambda s: s.increment("a", 4), 5),
            (lambda s: s.update_with("a", lambda v: v + 1), 2),
            (lambda s: s.touch("a", "1h"), True),
            (lambda s: s.set("a", 9, if_version=1), 2),
            (lambda s: s.batch().delete("a").commit(), 1),
        ],
    )
    def test_everything_else(
        self, store: ds.DataStore[Any], ask: Callable[[Any], Any], answer: object
    ) -> None:
        """Every other operation commits what waits first, and so leaves nothing out."""
        store["a"], store["b"] = 1, 2
        assert ask(store) == answer

    def test_transaction(self, store: ds.DataStore[Any]) -> None:
        """A block sees what was set before it; what is set inside is a part of it."""
        store["a"] = 1
        with store.transaction():
            assert committed(store) == ["a"]
            store["b"] = store["a"] + 1
            assert (store["b"], committed(store)) == (2, ["a"])
            store.flush()
            raise ds.Rollback
        assert store.get("b") is None

    def test_other_thread_inside_transaction(self, store: ds.DataStore[Any]) -> None:
        """What others set meanwhile is not seen inside of a block, and comes after it."""
        with store.transaction():
            store["a"] = "block"
            thread = threading.Thread(target=store.set, args=("a", "thread"))
            thread.start()
            thread.join()
            assert store["a"] == "block"
        assert store["a"] == "thread"
        store.flush()
        assert store["a"] == "thread"

    def test_expiry(self, store: ds.DataStore[Any], clock: ds.ManualClock) -> None:
        """ttl counts from the set, not from the commit."""
        store.set("a", 1, ttl=100)
        clock.advance(99)
        assert store["a"] == 1
        clock.advance(1)
        assert store.get("a") is None
        store.flush()
        assert store.get("a") is None

    def test_refused_value(self, store: ds.DataStore[Any]) -> None:
        """A value that is refused is refused at once."""
        with pytest.raises(ds.ValueShapeError):
            store["a"] = object()
        assert store.get("a") is None

    def test_kinds_of_keys_and_values(self, make_store: Callable[..., ds.DataStore[Any]]) -> None:
        """Whatever waits comes back as it was: keys of all types, text, compressed values."""
        for codec in ("json", "msgpack"):
            store = make_store(
                "cache",
                codec,
                codec=codec,
                write_behind=LATER,
                compression=True,
                compression_threshold=100,
                max_entries=None,
            )
            values = {-(2**63): "", "ü\0x": "é" * 300, b"\xff\0": [None], "1": {"a": 1}, 1: 1.5}
            for key, value in values.items():
                store[key] = value
            store.flush()
            assert dict(store.items()) == values


class TestCommitting:
    """When what waits gets into the file."""

    def test_by_itself(self, make_store: Callable[..., ds.DataStore[Any]]) -> None:
        """A thread commits what waits, again and again."""
        store = make_store("cache", write_behind=SOON)
        for key in ("a", "b"):
            store[key] = 1
            while key not in committed(store):
                os.sched_yield()

    def test_together(self, store: ds.DataStore[Any]) -> None:
        """What waited is one commit, in the order of the last sets."""
        for key in ("c", "a", "b", "c"):
            store[key] = key
        store.flush()
        order = store._database.committed_rows("SELECT key FROM entry ORDER BY id")
        assert [key for (key,) in order] == ["a", "b", "c"]

    def test_close(self, store: ds.DataStore[Any], factory: ds.DataStoreFactory) -> None:
        """Closing commits."""
        store["a"] = 1
        store.close()
        assert factory.get_store("under-test")["a"] == 1

    def test_limits(self, make_store: Callable[..., ds.DataStore[Any]]) -> None:
        """The limits hold after every commit, and the newest stay."""
        store = make_store("cache", write_behind=LATER, max_entries=3)
        for n in range(10):
            store[n] = n
        assert list(store) == [7, 8, 9]
        assert store.stats().evicted == 7

    def test_bounded(self, store: ds.DataStore[Any]) -> None:
        """More than MAX_WAITING entries never wait: who sets one more commits them."""
        for n in range(behind.MAX_WAITING + 1):
            store[n] = 0
        assert store._behind is not None
        assert len(store._behind._waiting) == 1

    def test_bounded_bytes(self, make_store: Callable[..., ds.DataStore[Any]]) -> None:
        """Neither do more than MAX_WAITING_BYTES and one value."""
        store = make_store("cache", write_behind=LATER)
        value = "x" * (behind.MAX_WAITING_BYTES // 4 + 1)
        for n in range(5):
            store[n] = value
        assert store._behind is not None
        assert len(store._behind._waiting) == 1

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    def test_fork(self, store: ds.DataStore[Any]) -> None:
        """What waits is committed before a fork, once; the child's sets are its own."""
        store["a"] = 1
        pid = os.fork()
        if pid == 0:
            waiting = store._behind is not None and bool(store._behind._waiting)
            store["b"] = store["a"] + 1
            store.close()
            os._exit(7 if waiting else 0)
        assert os.waitpid(pid, 0)[1] == 0
        assert (store["a"], store["b"], store.entry("a").version) == (1, 2, 1)  # type: ignore[union-attr]


class TestFailing:
    """Nobody is left believing that a set was committed."""

    @pytest.fixture
    def impatient(
        self, make_store: Callable[..., ds.DataStore[Any]]
    ) -> Iterator[ds.DataStore[Any]]:
        """A store that does not wait for the write lock."""
        store = make_store("cache", write_behind=LATER, busy_timeout_ms=0, max_retries=0)
        yield store
        store.flush()

    def test_flush(self, impatient: ds.DataStore[Any]) -> None:
        """flush() raises what kept it from committing; what waits goes on waiting."""
        impatient["a"] = 1
        with Rival(impatient.path):
            with pytest.raises(ds.BusyError):
                impatient.flush()
            assert impatient["a"] == 1
            impatient["a"] = 2
            with pytest.raises(ds.BusyError):
                len(impatient)
        assert len(impatient) == 1
        assert impatient["a"] == 2

    def test_next_call(self, make_store: Callable[..., ds.DataStore[Any]]) -> None:
        """What fails in the background is raised by the next set, which is not done, and once."""
        store = make_store("cache", write_behind=SOON, busy_timeout_ms=0, max_retries=0)
        store["a"] = 1
        with Rival(store.path):
            store["b"] = 2
            assert store._behind is not None
            while not store._behind._untold:
                os.sched_yield()
            with pytest.raises(ds.BusyError, match="not committed yet"):
                store["c"] = 3
            health = store.health_check()
            assert not health.healthy
            assert "cannot be committed" in str(health.probes[-1].detail)
            assert store.get("c") is None
        store.flush()
        assert list(store) == ["a", "b"]
        assert store.health_check().healthy

    def test_close(
        self, make_store: Callable[..., ds.DataStore[Any]], factory: ds.DataStoreFactory
    ) -> None:
        """Closing says what it could not commit, and closes all the same."""
        store = make_store("cache", write_behind=LATER, busy_timeout_ms=0, max_retries=0)
        store["a"] = 1
        with Rival(store.path), pytest.raises(ds.BusyError):
            store.close()
        assert store.closed
        assert "a" not in factory.get_store("under-test")

    def test_full_store(self, make_store: Callable[..., ds.DataStore[Any]]) -> None:
        """Where nothing may be evicted the commit is refused, until there is room."""
        store = make_store("metrics", write_behind=LATER, max_entries=2)
        store.set_many({"a": 1, "b": 2})
        store["c"] = 3
        with pytest.raises(ds.StoreFullError):
            store.flush()
        assert store["c"] == 3
        assert store._behind is not None
        with pytest.raises(ds.StoreFullError):
            store._behind.close()
        store._behind = store._database.settle = None  # what waits is given up
        assert list(store) == ["a", "b"]


class TestOption:
    """Where it may be asked for."""

    @pytest.mark.parametrize("kind", ["config", "state", "custom"])
    def test_kinds(self, make_store: Callable[..., ds.DataStore[Any]], kind: str) -> None:
        """Stores that must not lose what they acknowledged refuse it."""
        with pytest.raises(ds.OptionError, match="write_behind"):
            make_store(kind, write_behind="50ms")

    @pytest.mark.parametrize("value", [0, "0ms", -1, "soon", True, 1.5])
    def test_values(self, make_store: Callable[..., ds.DataStore[Any]], value: object) -> None:
        """It is a duration above nothing."""
        with pytest.raises(ds.OptionError, match="write_behind"):
            make_store("cache", write_behind=value)

    def test_flush_without(self, make_store: Callable[..., ds.DataStore[Any]]) -> None:
        """Stores without it have a flush() too; nothing waits."""
        store = make_store("state")
        store["a"] = 1
        store.flush()
        assert committed(store) == ["a"]


class TestKilled:
    """What the end of the process costs."""

    def run(self, root: Path, how: str) -> tuple[list[int], int, int]:
        """Return the keys in the store, and what the writer last set and flushed."""
        command = [sys.executable, str(WRITER), str(root), how]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(400)]
            if how == "kill":
                process.send_signal(signal.SIGKILL)
            lines += process.stdout.readlines()
        words = [line.split() for line in lines if line.endswith("\n")]
        done = {
            word: max([0, *(int(n) for w, n in words if w == word)]) for word in ("set", "flushed")
        }
        with ds.DataStoreFactory(root, maintenance="manual") as factory:
            store = factory.get_store("behind")
            assert store.check() == []
            return list(store), done["set"], done["flushed"]  # type: ignore[arg-type]

    @pytest.mark.parametrize("attempt", range(4))
    def test_killed(self, tmp_path: Path, attempt: int) -> None:
        """SIGKILL loses the newest sets and no others; what was flushed is there."""
        keys, last, flushed = self.run(tmp_path / str(attempt), "kill")
        assert keys == list(range(1, len(keys) + 1))
        assert flushed <= len(keys) <= last + 1

    def test_exit(self, tmp_path: Path) -> None:
        """A process that ends without closing anything commits what waits."""
        keys, last, _ = self.run(tmp_path, "exit")
        assert keys == list(range(1, last + 1))
