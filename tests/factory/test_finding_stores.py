"""get_store, get_registered_store, unregister_store and the numbers of the registry."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from factory_traces import create, traces

import dsfactory as ds
from dsfactory.model import Kind


class Session(msgspec.Struct):
    user: str


@pytest.mark.parametrize("kind", Kind)
def test_get_store_reopens(factory: ds.DataStoreFactory, kind: Kind) -> None:
    """A store that was closed is opened anew, of its kind and with its values."""
    closed = create(factory, kind)
    closed["a"] = 1
    closed.close()
    store = factory.get_store("x")
    assert store is not closed
    assert type(store) is type(closed)
    assert store["a"] == 1


def test_get_store_without_type(factory: ds.DataStoreFactory) -> None:
    """Reopened without its type, a store gives plain values and takes any."""
    factory.create_state_store("x", Session)["a"] = Session("ann")
    factory.get_store("x").close()
    store: ds.DataStore[Any] = factory.get_store("x")
    assert store["a"] == {"user": "ann"}
    store["b"] = [1, 2]
    assert store["b"] == [1, 2]


def test_get_store_with_type(factory: ds.DataStoreFactory) -> None:
    """Reopened with its type, a store validates again."""
    factory.create_state_store("x", Session)["a"] = Session("ann")
    factory.get_store("x").close()
    store = factory.get_store("x", Session)
    assert store["a"] == Session("ann")
    assert factory.get_store("x", Session) is store


def test_get_store_unknown(factory: ds.DataStoreFactory) -> None:
    """An unknown name is a StoreAbsentError, a KeyError too, and makes nothing."""
    with pytest.raises(ds.StoreAbsentError, match=r"no store 'x'.*get_registered_stores") as absent:
        factory.get_store("x")
    assert isinstance(absent.value, KeyError)
    assert absent.value.facts["store"] == "x"
    assert traces(factory) == ([], [])


FINDERS: dict[str, Callable[[Path], Any]] = {
    "name": lambda _path: "x",
    "path": lambda path: path,
    "text": str,
    "dots": lambda path: path.parent / ".." / "stores" / "x.db",
    "double slash": lambda path: str(path).replace("/stores/", "//stores/./"),
    "relative": os.path.relpath,
    "relative path": lambda path: Path(os.path.relpath(path)),
}


@pytest.mark.parametrize("spell", FINDERS.values(), ids=FINDERS)
def test_registered_store(factory: ds.DataStoreFactory, spell: Callable[[Path], Any]) -> None:
    """A record is found by name and by any spelling of the path."""
    store = create(factory, "cache", max_entries=9)
    record = factory.get_registered_store(spell(store.path))
    assert record is not None
    assert (record.name, record.kind, record.path) == ("x", Kind.CACHE, store.path)
    assert record.options.max_entries == 9


def test_registered_store_by_symlink(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """A symbolic link to the file is another spelling of it."""
    (tmp_path / "link.db").symlink_to(create(factory, "cache").path)
    assert factory.get_registered_store(tmp_path / "link.db") is not None


@pytest.mark.parametrize(
    "unknown",
    ["y", "", "x.db", Path("x"), Path("/nowhere/x.db"), "/", "a" * 5000, "a\0b", "\ud800", "é"],
    ids=repr,
)
def test_registered_store_unknown(factory: ds.DataStoreFactory, unknown: Any) -> None:
    """Whatever is not registered is None: no error, and no file."""
    create(factory, "cache")
    assert factory.get_registered_store(unknown) is None


def test_registered_stores(factory: ds.DataStoreFactory) -> None:
    """All records come by name."""
    for name, kind in (("c", "state"), ("a", "cache"), ("B", "custom")):
        create(factory, kind, name)
    assert [record.name for record in factory.get_registered_stores()] == ["B", "a", "c"]


@pytest.mark.parametrize("was_open", [True, False])
def test_unregister_keeps_files(factory: ds.DataStoreFactory, was_open: bool) -> None:
    """An unregistered store is closed and forgotten; its file waits to be adopted again."""
    store = create(factory, "state")
    store["a"] = 1
    if not was_open:
        store.close()
    assert factory.unregister_store("x") is True
    assert store.closed
    assert factory.get_registered_store("x") is None
    assert store.path.is_file()
    assert factory.create_state_store("x")["a"] == 1


def test_unregister_deletes_files(factory: ds.DataStoreFactory) -> None:
    """With delete_files no file of it is left, and the name is free for another kind."""
    create(factory, "state")["a"] = 1
    assert factory.unregister_store("x", delete_files=True) is True
    assert traces(factory) == ([], [])
    assert len(create(factory, "cache")) == 0


@pytest.mark.parametrize("unknown", ["y", "", "../x", "a\0b", "\ud800"], ids=repr)
@pytest.mark.parametrize("delete_files", [True, False])
def test_unregister_unknown(factory: ds.DataStoreFactory, unknown: str, delete_files: bool) -> None:
    """Whatever is not registered is no error, and nothing happens to the others."""
    create(factory, "state")["a"] = 1
    assert factory.unregister_store(unknown, delete_files=delete_files) is False
    assert factory.get_store("x")["a"] == 1


def test_unregister_twice(factory: ds.DataStoreFactory) -> None:
    """The second time there is nothing to forget."""
    create(factory, "state")
    assert [factory.unregister_store("x"), factory.unregister_store("x")] == [True, False]


def test_unregister_missing_file(factory: ds.DataStoreFactory) -> None:
    """A store whose file is gone can be forgotten, and then made anew."""
    store = create(factory, "state")
    store.close()
    store.path.unlink()
    assert factory.unregister_store("x", delete_files=True)
    assert len(create(factory, "state")) == 0


def test_unregister_inside_a_transaction(factory: ds.DataStoreFactory) -> None:
    """A store is not forgotten in the middle of its own transaction."""
    store = create(factory, "state")
    with store.transaction():
        store["a"] = 1
        with pytest.raises(ds.TransactionError):
            factory.unregister_store("x")
    assert factory.get_store("x")["a"] == 1


def test_stats_of_nothing(factory: ds.DataStoreFactory) -> None:
    """A factory without stores has nothing to count."""
    assert factory.get_registry_stats() == ds.RegistryStats(0, {}, None, None, 0, 0)


def test_stats(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """The registry counts stores by kind, names the oldest and the newest, and adds up bytes."""
    for name, kind in (("m", "state"), ("z", "cache"), ("a", "state")):
        create(factory, kind, name).set_many({1: "x", 2: "y"})
        clock.advance(1000)
    stats = factory.get_registry_stats()
    assert (stats.total, stats.entries) == (3, 6)
    assert stats.by_kind == {Kind.STATE: 2, Kind.CACHE: 1}
    assert stats.oldest == factory.get_registered_store("m")
    assert stats.newest == factory.get_registered_store("a")
    files = [path for path in (factory.root / "stores").iterdir() if path.suffix != ".db-shm"]
    assert stats.bytes == sum(path.stat().st_size for path in files)


@pytest.mark.parametrize("was_open", [True, False])
def test_stats_count_live_entries(
    factory: ds.DataStoreFactory, clock: ds.ManualClock, was_open: bool
) -> None:
    """What has expired is not counted, whether the store is open or not."""
    store = create(factory, "cache")
    store.set("short", 1, ttl=1000)
    store.set("long", 1)
    if not was_open:
        store.close()
    clock.advance(1000)
    assert factory.get_registry_stats().entries == 1


def test_stats_leave_closed_stores_closed(factory: ds.DataStoreFactory) -> None:
    """Counting a closed store neither keeps it open nor counts as an access."""
    create(factory, "state").close()
    before = factory.get_registered_store("x")
    factory.get_registry_stats()
    assert factory.get_registered_store("x") == before
    # An open store would refuse another option.
    assert create(factory, "state", max_retries=9).options.max_retries == 9
