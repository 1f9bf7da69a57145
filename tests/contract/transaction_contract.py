"""All or nothing: transactions, savepoints, and what other threads see of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from contract.common import NO_VALUE, Contract, Store, in_threads, nothing_written

import dsfactory as ds

FAILURES: dict[str, tuple[type[BaseException], Callable[[Store], object]]] = {
    "refused value": (ds.ValueShapeError, lambda s: s.set("x", NO_VALUE)),
    "refused many": (ds.ValueShapeError, lambda s: s.set_many({"x": 1, "y": NO_VALUE})),
    "refused key": (ds.KeyTypeError, lambda s: s.set(None, 1)),
    "conflict": (ds.VersionConflictError, lambda s: s.set("a", 1, if_version=77)),
    "absent key": (ds.KeyAbsentError, lambda s: s.__delitem__("x")),
    "no number": (ds.ValueShapeError, lambda s: s.increment("text")),
    "failing function": (ZeroDivisionError, lambda s: s.update_with("a", lambda _: 1 // 0)),
    "bad ttl": (ds.UsageError, lambda s: s.set_many({"x": 1}, ttl=-1)),
    "full disk": (ds.DiskFullError, lambda s: s.set("x", os.urandom(200_000).hex())),
}


def limit_pages(store: Store) -> None:
    """Let the store's file grow by some pages only, as a full disk does."""
    with store._database.write() as tx:
        ((pages,),) = tx.rows("PRAGMA page_count")
        tx.connection.pragma("max_page_count", pages + 8)


class TransactionContract(Contract):
    """with store.transaction()."""

    def test_transaction_commit(self, store: Store) -> None:
        """Everything in the block is there afterwards; the block is handed the store itself."""
        with store.transaction() as tx:
            assert tx is store
            tx["a"] = 1
            tx["b"] = 2
        assert store == {"a": 1, "b": 2}

    @pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
    def test_transaction_with_exception(self, store: Store, error: type[BaseException]) -> None:
        """An exception undoes everything and goes on to the caller."""
        store["a"] = 1

        def fail() -> None:
            with store.transaction():
                store["a"] = 2
                store["b"] = 2
                store.delete("a")
                raise error

        with nothing_written(store), pytest.raises(error):
            fail()
        assert store == {"a": 1}

    def test_transaction_rollback(self, store: Store) -> None:
        """Rollback undoes everything quietly."""
        store["a"] = 1
        with nothing_written(store), store.transaction():
            store.clear()
            store.update({"b": 1, "c": 2})
            raise ds.Rollback
        assert store == {"a": 1}

    def test_transaction_reads_its_own(self, store: Store) -> None:
        """Every way of reading shows the transaction's own state."""
        store["a"] = 1
        with store.transaction():
            store["a"] = 2
            store["b"] = 3
            assert (store["a"], store.get("b"), len(store)) == (2, 3, 2)
            assert store.get_many(["a", "b"]) == {"a": 2, "b": 3}
            assert store.stats().entries == 2
            entry = store.entry("a")
            assert entry is not None
            assert entry.version == 2
            assert store.check() == []

    def test_nested_rollback(self, store: Store) -> None:
        """A block inside of a block is undone alone."""
        with store.transaction():
            store["a"] = 1
            with store.transaction():
                store["b"] = 2
                with store.transaction():
                    store["c"] = 3
                raise ds.Rollback
            assert store == {"a": 1}
            with store.transaction():
                store["d"] = 4
        assert store == {"a": 1, "d": 4}

    def test_nested_exception(self, store: Store) -> None:
        """A nested block that fails leaves the outer one usable, and is undone with it."""

        def fail() -> None:
            with store.transaction():
                store["a"] = 2
                raise ZeroDivisionError

        with store.transaction():
            store["a"] = 1
            with pytest.raises(ZeroDivisionError):
                fail()
            store["b"] = store["a"]
        assert store == {"a": 1, "b": 1}
        with store.transaction():
            with store.transaction():
                store["c"] = 1
            raise ds.Rollback
        assert store == {"a": 1, "b": 1}

    @pytest.mark.parametrize(("error", "fail"), FAILURES.values(), ids=FAILURES)
    def test_failing_operation_inside(
        self, store: Store, error: type[BaseException], fail: Callable[[Store], object]
    ) -> None:
        """An operation that fails changes nothing, and the transaction goes on around it."""
        store["text"] = "t"
        limit_pages(store)
        with store.transaction():
            store["a"] = 1
            with pytest.raises(error):
                fail(store)
            store["b"] = 2
        assert store == {"text": "t", "a": 1, "b": 2}

    @pytest.mark.parametrize(("error", "fail"), FAILURES.values(), ids=FAILURES)
    def test_failing_operation_alone(
        self, store: Store, error: type[BaseException], fail: Callable[[Store], object]
    ) -> None:
        """An operation that fails by itself writes nothing, and the next one works."""
        store.update({"text": "t", "a": 1})
        limit_pages(store)
        with nothing_written(store), pytest.raises(error):
            fail(store)
        store["b"] = 2
        assert store == {"text": "t", "a": 1, "b": 2}

    def test_other_thread_reads(self, store: Store) -> None:
        """Another thread sees the last commit while the transaction goes on, and does not wait."""
        store["a"] = 1
        seen: list[Any] = []
        with store.transaction():
            store["a"] = 2
            store["b"] = 2
            in_threads(lambda: seen.append(dict(store.scan())))
            in_threads(lambda: seen.append((len(store), store["a"], "b" in store)))
        assert seen == [{"a": 1}, (1, 1, False)]

    def test_other_thread_writes(self, store: Store) -> None:
        """Another thread that writes waits for the end of the transaction."""
        begun, tried = Event(), Event()
        order: list[str] = []

        def first() -> None:
            with store.transaction():
                store["k"] = 1
                begun.set()
                assert tried.wait(10)
                order.append("first")

        def second() -> None:
            assert begun.wait(10)
            tried.set()
            assert store.increment("k") == 2
            order.append("second")

        in_threads(first, second)
        assert order == ["first", "second"]

    def test_close_inside_transaction(self, store: Store) -> None:
        """A store cannot be closed inside of its own transaction, which goes on."""
        with store.transaction():
            store["a"] = 1
            with pytest.raises(ds.TransactionError):
                store.close()
            store["b"] = 2
        assert store == {"a": 1, "b": 2}

    def test_maintain_inside_transaction(self, store: Store) -> None:
        """The WAL is not copied back inside of a transaction."""
        with store.transaction():
            store["a"] = 1
            with pytest.raises(ds.TransactionError):
                store.maintain()
        assert store == {"a": 1}
