"""Opening, closing, and two handles of one store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import apsw
import pytest
from contract.common import BOUND_OPERATIONS, KEY_OPERATIONS, Contract, MakeStore, Store

import dsfactory as ds

PLAIN_OPERATIONS: dict[str, Callable[[Store], object]] = {
    "len": len,
    "bool": bool,
    "iter": list,
    "scan": lambda store: list(store.scan()),
    "keys": lambda store: list(store.keys()),
    "items": lambda store: list(store.items()),
    "values": lambda store: list(store.values()),
    "==": lambda store: store == {},
    "popitem": lambda store: store.popitem(),
    "clear": lambda store: store.clear(),
    "save": lambda store: store.save(1),
    "load": lambda store: store.load(),
    "transaction": lambda store: store.transaction().__enter__(),
    "expire": lambda store: store.expire(),
    "evict": lambda store: store.evict(),
    "evict_tag": lambda store: store.evict_tag("t"),
    "train_dictionary": lambda store: store.train_dictionary(),
    "stats": lambda store: store.stats(),
    "check": lambda store: store.check(),
    "repair": lambda store: store.repair(),
    "maintain": lambda store: store.maintain(),
}
"""Every operation on the file that takes no key."""


class LifetimeContract(Contract):
    """close, reopen, and the same store opened twice."""

    @pytest.fixture
    def twin(
        self, store: Store, factory: ds.DataStoreFactory, clock: ds.ManualClock
    ) -> Iterator[Store]:
        """The same store, opened by another factory."""
        with ds.DataStoreFactory(factory.root, maintenance="manual", clock=clock) as other:
            yield other.get_store(store.name)

    def test_close_twice(self, store: Store) -> None:
        """The second close does nothing."""
        store["k"] = 1
        assert not store.closed
        store.close()
        assert store.closed
        store.close()
        assert store.closed

    def test_close_by_context(self, store: Store) -> None:
        """Leaving the block closes, also by an exception."""
        with pytest.raises(ZeroDivisionError), store as entered:
            entered["k"] = 1 // 0
        assert store.closed

    def test_use_after_close(self, store: Store, subtests: pytest.Subtests) -> None:
        """Every operation on a closed store says that it is closed."""
        store["good"] = 1
        store.close()
        for name, operation in PLAIN_OPERATIONS.items():
            with subtests.test(name), pytest.raises(ds.ClosedError):
                operation(store)
        for name, with_key in (KEY_OPERATIONS | BOUND_OPERATIONS).items():
            if name == "touch" and "expiry" not in store.options.features:
                continue  # never allowed, open or closed
            with subtests.test(name), pytest.raises(ds.ClosedError):
                with_key(store, "good")

    def test_closed_store_still_says_what_it_is(self, store: Store) -> None:
        """Name, kind, options, counters and health do not need an open store."""
        store["k"] = 1
        store.close()
        assert (store.name, str(store.kind)) == ("under-test", self.kind)
        assert store.options.max_value_bytes == 64 * 1024 * 1024
        assert store.get_metrics().operations["setitem"].count == 1
        assert store.health_check().healthy

    def test_reopen(self, store: Store, make_store: MakeStore) -> None:
        """What was written is there again, with its versions and times."""
        store.update({"a": 1, "é": [2], 3: None, b"\xff": {}})
        before = [store.entry(key) for key in store]
        assert make_store(self.kind) is store
        store.close()
        again = make_store(self.kind)
        assert again is not store
        assert [again.entry(key) for key in again] == before

    def test_reopen_after_failed_fsync(self, store: Store, make_store: MakeStore) -> None:
        """A store that closed itself because the disk failed can be closed and opened again."""
        store["k"] = 1
        store._database.failure(apsw.exception_for(apsw.SQLITE_IOERR_FSYNC))
        with pytest.raises(ds.DiskFailedError):
            store["k"]
        store.close()
        again = make_store(self.kind)
        assert again["k"] == 1
        assert again.check() == []

    def test_twin_sees_commits(self, store: Store, twin: Store) -> None:
        """Two handles of one store see each other's commits at once, and no half of any."""
        store["a"] = 1
        assert twin["a"] == 1
        assert twin.increment("a") == 2
        assert store["a"] == 2
        with store.transaction():
            store["b"] = 1
            assert "b" not in twin
        assert dict(twin) == {"a": 2, "b": 1}
        twin.clear()
        assert len(store) == 0

    def test_twin_conflicts(self, store: Store, twin: Store) -> None:
        """Compare-and-set and add hold between two handles."""
        version = store.set("k", 1)
        assert twin.set("k", 2, if_version=version) == 2
        with pytest.raises(ds.VersionConflictError):
            store.set("k", 3, if_version=version)
        assert not store.add("k", 4)
        assert store["k"] == 2

    def test_twin_with_another_clock(self, store: Store, factory: ds.DataStoreFactory) -> None:
        """A handle whose clock is behind leaves entries that were never updated before created."""
        ahead = ds.ManualClock(ds.ManualClock().now_ms() + 60_000)
        with ds.DataStoreFactory(factory.root, maintenance="manual", clock=ahead) as other:
            twin: ds.DataStore[Any] = other.get_store(store.name)
            twin.update({"set": 1, "many": 1, "increment": 1, "with": 1})
            store.set("set", 2)
            store.set_many({"many": 2})
            store.increment("increment")
            store.update_with("with", lambda old: old + 1)
            assert store.check() == []
        assert dict(store) == {"set": 2, "many": 2, "increment": 2, "with": 2}

    def test_maintain_gives_pages_back(self, roomy: Store) -> None:
        """Pages that deletes freed go back to the file system, and the WAL is cut."""
        roomy.set_many({number: "v" * 500 + str(number) for number in range(400)})
        roomy.maintain()
        before = roomy.stats()
        roomy.clear()
        if "history" in roomy.options.features:
            return  # the history keeps every value
        copied, freed = roomy.maintain()
        after = roomy.stats()
        assert copied > 0
        assert freed > 10
        assert after.file_bytes < before.file_bytes
        assert (after.free_bytes, after.wal_bytes) == (0, 0)
