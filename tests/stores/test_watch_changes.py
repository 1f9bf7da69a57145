"""watch(): the changes that any process commits, as they happen."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dsfactory as ds
from dsfactory.engine import watch

MakeStore = Callable[..., ds.DataStore[Any]]
Change = ds.Change

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="other processes are forked")


@pytest.fixture(params=["cache", "config", "state", "asked"])
def store(
    request: pytest.FixtureRequest, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> ds.DataStore[Any]:
    """A store of each way to find what changed, and of each way to find that something did."""
    monkeypatch.setattr(watch, "MAPPABLE", request.param != "asked")
    return make_store("state" if request.param == "asked" else request.param)


def last_of_each(changes: Iterator[Change]) -> dict[ds.Key, Change]:
    """What the changes of each key came to."""
    return {change.key: change for change in changes}


def version_of(store: ds.DataStore[Any], key: ds.Key) -> int:
    """The version of an entry that is there."""
    entry = store.entry(key)
    assert entry is not None
    return entry.version


def test_sets_and_deletes(store: ds.DataStore[Any]) -> None:
    """Every changed key comes, with what was done and the version."""
    store["old"] = 1
    changes = store.watch(timeout=1)
    version = store.set("new", 1)
    assert next(changes) == Change("new", "set", version)
    version = store.set("old", 2)
    assert next(changes) == Change("old", "set", version)
    store.delete("old")
    assert next(changes) == Change("old", "delete", None)
    store.set_many({"a": 1, "b": 2})
    assert {next(changes).key, next(changes).key} == {"a", "b"}


def test_nothing_before(store: ds.DataStore[Any]) -> None:
    """What was there when watching began is no change."""
    store["old"] = 1
    assert list(store.watch(timeout=1)) == []


def test_second_life(store: ds.DataStore[Any]) -> None:
    """A key deleted and set again is a change, however quickly that went."""
    store["k"] = 1
    changes = store.watch(timeout=1)
    with store.transaction():
        store.delete("k")
        store["k"] = 1
    found = last_of_each(changes)
    assert found["k"].what == "set"


def test_rollback(store: ds.DataStore[Any]) -> None:
    """What was undone is no change."""
    changes = store.watch(timeout=1)
    with store.transaction():
        store["k"] = 1
        raise ds.Rollback
    assert list(changes) == []


def test_prefix(store: ds.DataStore[Any]) -> None:
    """With a prefix, only keys that begin so come, of its own type."""
    changes = store.watch("ab", timeout=1)
    store.set_many({"ab": 1, "abc": 1, "b": 1, "a": 1, b"abc": 1, 5: 1})
    store.delete("b")
    assert last_of_each(changes).keys() == {"ab", "abc"}
    changes = store.watch(b"ab", timeout=1)
    store.set_many({"abd": 1, b"abd": 1})
    assert last_of_each(changes).keys() == {b"abd"}


def test_timeout(store: ds.DataStore[Any]) -> None:
    """The iteration ends when nothing has changed for so long, and stays at its end."""
    changes = store.watch(timeout="1ms")
    store["k"] = 1
    assert [change.key for change in changes] == ["k"]
    store["k"] = 2
    assert list(changes) == []


@pytest.mark.parametrize("timeout", [-1, 1.5, "soon", True])
def test_timeout_refused(store: ds.DataStore[Any], timeout: Any) -> None:
    """What is no duration is refused at once."""
    with pytest.raises(ds.OptionError):
        store.watch(timeout=timeout)


def test_prefix_refused(store: ds.DataStore[Any]) -> None:
    """So is a prefix that no key can have."""
    with pytest.raises(ds.UsageError):
        store.watch(5)  # type: ignore[arg-type]


def test_expired_and_swept(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """An entry that expires comes as a delete when it is swept."""
    store = factory.create_cache_store("c")
    store.set("k", 1, ttl=10)
    changes = store.watch(timeout=1)
    clock.advance(10)
    store.expire()
    assert list(changes) == [Change("k", "delete", None)]


def test_closed(store: ds.DataStore[Any]) -> None:
    """Closing the store ends the waiting with ClosedError."""
    changes = store.watch()
    store["k"] = 1
    assert next(changes).key == "k"
    closing = threading.Timer(0.01, store.close)
    closing.start()
    with pytest.raises(ds.ClosedError):
        next(changes)
    closing.join()


def test_other_process(store: ds.DataStore[Any], tmp_path: Path) -> None:
    """Everything that another process does arrives, in the end as it is there."""
    store["key 5"] = "before"
    changes = store.watch(timeout="20s")
    pid = os.fork()
    if pid == 0:
        for number in range(100):
            store.set(f"key {number % 10}", number)
        store.delete("key 5")
        store.set("last", True)
        os._exit(0)
    found: dict[ds.Key, Change] = {}
    while "last" not in found:
        change = next(changes)
        found[change.key] = change
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    expected = {key: Change(key, "set", version_of(store, key)) for key in store}
    expected["key 5"] = Change("key 5", "delete", None)
    while found != expected:
        change = next(changes)  # StopIteration when something never comes
        found[change.key] = change


def test_two_watchers(store: ds.DataStore[Any]) -> None:
    """Each watcher gets all changes."""
    one, other = store.watch(timeout=1), store.watch(timeout=1)
    store["k"] = 1
    assert [change.key for change in one] == ["k"]
    assert [change.key for change in other] == ["k"]


def be_heard(store: ds.DataStore[Any]) -> None:
    """Watch until whoever commits has found out; he looks once a millisecond."""
    while not store._hot.telling:
        list(store.watch(timeout=1))
        store["met"] = 0


def test_by_notices(make_store: MakeStore) -> None:
    """Once those who commit know that somebody watches, only what they changed is looked at."""
    store = make_store("cache", max_entries=None)
    store.set_many({f"key {number}": number for number in range(5000)})
    be_heard(store)
    with store._database.reader() as cursor:
        connection = cursor.connection
    heard: list[str] = []
    connection.exec_trace = lambda _cursor, sql, _bindings: heard.append(sql) or True
    changes = store.watch(timeout=1000)
    store["key 7"] = "new"
    assert next(changes).key == "key 7"  # the first look is at all of them
    heard.clear()
    version = store.set("key 8", "new")
    assert next(changes) == Change("key 8", "set", version)
    del store["key 9"]
    assert next(changes) == Change("key 9", "delete", None)
    assert [sql for sql in heard if "version" in sql and "key = ?3" not in sql] == []
    assert len(heard) <= 4
    connection.exec_trace = None


def test_swept_by_notices(make_store: MakeStore, clock: ds.ManualClock) -> None:
    """What a sweep deletes is told, though no notice names it."""
    store = make_store("cache", max_entries=None)
    store.set_many({number: number for number in range(100)}, ttl=1000)
    store.set_many({number: number for number in range(100, 200)})
    be_heard(store)
    changes = store.watch(timeout="30s")
    for number in (150, 151):
        store[number] = "new"
        assert next(changes).key == number
    clock.advance(1000)
    assert store.expire() == 100
    told = [next(changes) for _ in range(100)]
    assert {(change.key, change.what) for change in told} == {(n, "delete") for n in range(100)}
