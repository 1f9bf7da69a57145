"""Sets that are expected to replace an entry, after others did: the answers are the same."""

from __future__ import annotations

import apsw
import pytest
from contract.common import MakeStore, Store

import dsfactory as ds
from dsfactory.stores.core import REPLACING


@pytest.fixture(params=[None, 3], ids=["unlimited", "limited"])
def store(request: pytest.FixtureRequest, make_store: MakeStore) -> Store:
    """A cache in which so many sets have replaced "k" that the next is expected to."""
    store = make_store("cache", max_entries=request.param, ttl=1000)
    for number in range(REPLACING + 2):
        store["k"] = number
    return store


def test_new_key(store: Store) -> None:
    """A key that is not there is written, and counted, as if nobody had expected another."""
    assert store.set("new", 1) == 1
    assert (store["new"], len(store)) == (1, 2)
    assert store.set("new", 2) == 2
    assert store.check() == []


def test_version(store: Store) -> None:
    """Each set counts the version up by one."""
    assert store.set("k", "x") == REPLACING + 3
    assert store["k"] == "x"


def test_deleted_by_another_program(store: Store) -> None:
    """An entry that went meanwhile begins anew, above its old version."""
    other = apsw.Connection(str(store.path))
    other.execute("DELETE FROM entry")
    other.close()
    assert store.set("k", "x") > REPLACING + 2
    assert (store["k"], len(store)) == ("x", 1)
    assert store.check() == []


def test_expired(store: Store, clock: ds.ManualClock) -> None:
    """What has expired gets a second life: with the time of its making, and no tags."""
    store.set("k", 1, tags=["t"])
    clock.advance(1000)
    store["k"] = 2
    entry = store.entry("k")
    assert entry is not None
    assert (entry.value, entry.created_at, entry.tags) == (2, clock.now_ms(), ())
    assert store.check() == []


def test_at_the_limit(make_store: MakeStore) -> None:
    """A new key evicts who was used least lately; a value that grows evicts until it fits."""
    store = make_store("cache", codec="raw", max_entries=3, max_bytes=30)
    for key in "abc" * (REPLACING + 2):
        store[key] = b"v"
    store["d"] = b"v"
    assert sorted(store) == ["b", "c", "d"]
    for key in "bcd" * (REPLACING + 2):
        store[key] = b"v"
    store["d"] = bytes(29)
    assert sorted(store) == ["c", "d"]
    assert store.check() == []


def test_full(make_store: MakeStore) -> None:
    """A store that evicts nothing refuses the new key, and goes on replacing."""
    store = make_store("state", max_entries=1)
    for number in range(REPLACING + 2):
        store["k"] = number
    with pytest.raises(ds.StoreFullError):
        store["new"] = 1
    store["k"] = "still"
    assert dict(store) == {"k": "still"}
