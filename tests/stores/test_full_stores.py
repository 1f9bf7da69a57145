"""Stores that evict nothing refuse what does not fit, and everything stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from contract.common import MakeStore, Store, nothing_written

import dsfactory as ds

WRITES: dict[str, Callable[[Store], object]] = {
    "set": lambda store: store.set("new", 1),
    "[]=": lambda store: store.__setitem__("new", 1),
    "add": lambda store: store.add("new", 1),
    "set_many": lambda store: store.set_many({"a": 5, "new": 1}),
    "setdefault": lambda store: store.setdefault("new", 1),
    "increment": lambda store: store.increment("new"),
    "update_with": lambda store: store.update_with("new", lambda old: old, 1),
    "get_or_set": lambda store: store.get_or_set("new", lambda: 1),
    "batch": lambda store: store.batch().set("a", 5).set("new", 1).commit(),
}


@pytest.fixture(params=["config", "metrics", "state", "custom"])
def full(request: pytest.FixtureRequest, make_store: MakeStore) -> Store:
    """A store of a kind without eviction that holds as many entries as it may."""
    store = make_store(request.param, max_entries=2)
    store.update({"a": 1, "b": 2})
    return store


@pytest.mark.parametrize("name", WRITES)
def test_new_key_when_full(full: Store, name: str) -> None:
    """A new key is refused with the limits as facts, and nothing is written."""
    with (
        nothing_written(full, by=name),
        pytest.raises(ds.StoreFullError, match="max_entries=2") as caught,
    ):
        WRITES[name](full)
    assert caught.value.facts == {"store": "under-test", "max_entries": 2, "max_bytes": None}


def test_overwriting_when_full(full: Store) -> None:
    """What is there may be changed, and a deleted entry makes room."""
    full["a"] = 3
    full.increment("b")
    full.batch().delete("a").set("c", 4).commit()
    with full.transaction():
        full.delete("b")
        full["d"] = 5
    assert full == {"c": 4, "d": 5}


def test_full_inside_transaction(full: Store) -> None:
    """The refused write changes nothing; the transaction goes on around it."""
    with full.transaction():
        full["a"] = 3
        with pytest.raises(ds.StoreFullError):
            full.set_many({"b": 4, "c": 5})
        full.delete("b")
        full["c"] = 5
    assert full == {"a": 3, "c": 5}


def test_full_of_bytes(make_store: MakeStore) -> None:
    """max_bytes counts stored bytes exactly."""
    store = make_store("state", max_bytes=20, compression=False)
    store.update({"a": "v" * 8, "b": "v" * 8})
    with nothing_written(store), pytest.raises(ds.StoreFullError, match="max_bytes=20"):
        store["a"] = "v" * 9
    with nothing_written(store), pytest.raises(ds.ValueTooLargeError, match="max_bytes"):
        store["a"] = "v" * 19
    del store["b"]
    store["a"] = "v" * 18
    assert store.stats().size_bytes == 20


@pytest.mark.parametrize("kind", ["metrics", "state", "custom"])
def test_expired_make_room(make_store: MakeStore, clock: ds.ManualClock, kind: str) -> None:
    """Expired entries give their places to new ones."""
    store = make_store(kind, max_entries=2)
    store.update({"a": 1})
    store.set("b", 2, ttl=1000)
    clock.advance(1000)
    store["c"] = 3
    assert store == {"a": 1, "c": 3}
    assert store.stats().expired == 1


def test_lowered_limit(make_store: MakeStore, full: Store) -> None:
    """evict() says that there is too much, and evicts nothing."""
    kind = str(full.kind)
    full.close()
    store: ds.DataStore[Any] = make_store(kind, max_entries=1)
    with nothing_written(store), pytest.raises(ds.StoreFullError):
        store.evict()
    assert len(store) == 2
    del store["a"]
    assert store.evict() == 0


def test_evict_without_limits(make_store: MakeStore) -> None:
    """A store without limits has nothing to evict."""
    store = make_store("state")
    store["k"] = 1
    assert store.evict() == 0
    assert store == {"k": 1}
