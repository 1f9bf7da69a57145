"""What every part of the store contract stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, ClassVar

import apsw
import pytest
from hypothesis import HealthCheck, settings

import dsfactory as ds
from dsfactory.engine import checksums

Store = ds.DataStore[Any]
MakeStore = Callable[..., Store]
Operation = Callable[[Store, Any], object]

NO_VALUE = object()
"""A value that no codec can store."""

# One store serves all examples of a test, each clears it first; the same examples every time.
examples = settings(
    deadline=None,
    derandomize=True,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


class Contract:
    """What a part of the contract inherits: the kind, and a store of it."""

    kind: ClassVar[str]

    @pytest.fixture
    def store(self, make_store: MakeStore) -> Store:
        """A new store with the options of its kind."""
        return make_store(self.kind)

    @pytest.fixture
    def roomy(self, make_store: MakeStore) -> Store:
        """A new store without a limit on its entries."""
        return make_store(self.kind, "roomy", max_entries=None)


@contextmanager
def stranger(store: Store) -> Iterator[apsw.Connection]:
    """A connection to the store's file that is not the store's own; no functions, no hooks."""
    vfs = checksums.vfs() if store.options.page_checksums else None
    connection = apsw.Connection(str(store.path), vfs=vfs)
    connection.set_busy_timeout(5000)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def nothing_written(store: Store, by: str = "") -> Iterator[None]:
    """Fail when anybody commits a change to the store's file inside of the block.

    get_or_set alone may take a lease, and has to give it back.
    """
    look = _contents if by == "get_or_set" else _data_version
    with stranger(store) as watching:
        before = look(watching)
        yield
        assert look(watching) == before, "something was written"


def _data_version(watching: apsw.Connection) -> object:
    return watching.pragma("data_version")


def _contents(watching: apsw.Connection) -> object:
    """Everything in the file."""
    tables = watching.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    reads = [f'SELECT * FROM "{name}"' for (name,) in tables]  # noqa: S608 -- names of tables
    return [watching.execute(read).fetchall() for read in reads]


def in_threads(*jobs: Callable[[], object]) -> None:
    """Run each of *jobs* in a thread of its own; raise what the first of them raised."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        done, hanging = wait([pool.submit(job) for job in jobs], timeout=30)
        assert not hanging, "a thread hangs"
        for job in done:
            job.result()


def consume(iterator: Iterable[object]) -> list[object]:
    """Run *iterator* to its end."""
    return list(iterator)


KEY_OPERATIONS: dict[str, Operation] = {
    "get": lambda store, key: store.get(key),
    "[]": lambda store, key: store[key],
    "in": lambda store, key: key in store,
    "entry": lambda store, key: store.entry(key),
    "ttl": lambda store, key: store.ttl(key),
    "get_many": lambda store, key: store.get_many(["good", key]),
    "set": lambda store, key: store.set(key, 1),
    "[]=": lambda store, key: store.__setitem__(key, 1),
    "add": lambda store, key: store.add(key, 1),
    "setdefault": lambda store, key: store.setdefault(key, 1),
    "set_many": lambda store, key: store.set_many([("good", 2), (key, 2)]),
    "update": lambda store, key: store.update([("good", 2), (key, 2)]),
    "increment": lambda store, key: store.increment(key),
    "update_with": lambda store, key: store.update_with(key, lambda old: old, 1),
    "get_or_set": lambda store, key: store.get_or_set(key, lambda: 1),
    "touch": lambda store, key: store.touch(key, None),
    "delete": lambda store, key: store.delete(key),
    "del": lambda store, key: store.__delitem__(key),
    "pop": lambda store, key: store.pop(key),
    "pop with default": lambda store, key: store.pop(key, 1),
    "delete_many": lambda store, key: store.delete_many(["good", key]),
    "batch set": lambda store, key: store.batch().set("good", 2).set(key, 2).commit(),
    "batch delete": lambda store, key: store.batch().delete("good").delete(key).commit(),
}
"""Every operation that takes a key. The entry "good" is not to suffer from a bad one."""

BOUND_OPERATIONS: dict[str, Operation] = {
    "scan prefix": lambda store, key: consume(store.scan(prefix=key)),
    "scan start": lambda store, key: consume(store.scan(start=key)),
    "scan end": lambda store, key: consume(store.scan(end=key)),
}
"""Every operation that takes a key or None."""

VALUE_OPERATIONS: dict[str, Operation] = {
    "set": lambda store, value: store.set("new", value),
    "[]=": lambda store, value: store.__setitem__("new", value),
    "add": lambda store, value: store.add("new", value),
    "setdefault": lambda store, value: store.setdefault("new", value),
    "set_many": lambda store, value: store.set_many({"new": 1, "newer": value}),
    "update": lambda store, value: store.update({"new": 1, "newer": value}),
    "update_with": lambda store, value: store.update_with("new", lambda _: value, 0),
    "get_or_set": lambda store, value: store.get_or_set("new", lambda: value),
    "batch": lambda store, value: store.batch().set("new", 1).set("newer", value).commit(),
    "save": lambda store, value: store.save(value),
}
"""Every operation that takes a value."""
