"""Changes that are collected first and written together."""

from __future__ import annotations

import pytest
from contract.common import NO_VALUE, Contract, Store, nothing_written

import dsfactory as ds


class BatchContract(Contract):
    """store.batch()."""

    def test_batch_commit(self, store: Store) -> None:
        """Nothing is there before commit, everything after it; the number of changes returns."""
        store["old"] = 1
        batch = store.batch().delete("old").set("a", 1).set("b", 2, tags=["t"])
        assert len(batch) == 3
        assert store == {"old": 1}
        assert batch.commit() == 3
        assert store == {"a": 1, "b": 2}
        assert store.evict_tag("t") == 1

    def test_batch_ending_with_delete(self, store: Store) -> None:
        """A delete of an entry that is there may be the last change, or the only one."""
        store.update({"a": 1, "b": 2})
        assert store.batch().set("c", 3).delete("a").commit() == 2
        assert store.batch().delete("b").commit() == 1
        assert store == {"c": 3}

    def test_batch_delete_absent(self, store: Store) -> None:
        """Deleting what is not there is no error."""
        assert store.batch().delete("absent").commit() == 1
        assert store == {}

    def test_batch_order(self, store: Store) -> None:
        """Changes happen in the order in which they were added."""
        store.batch().set("k", 1).delete("k").set("k", 2).set("k", 3).commit()
        assert store == {"k": 3}

    def test_batch_rollback(self, store: Store) -> None:
        """A batch that is rolled back writes nothing."""
        batch = store.batch().set("a", 1)
        with nothing_written(store):
            batch.rollback()
        assert len(batch) == 0

    def test_batch_empty(self, store: Store) -> None:
        """A batch without changes commits nothing."""
        with nothing_written(store):
            assert store.batch().commit() == 0

    def test_batch_as_context(self, store: Store) -> None:
        """Leaving the block commits; leaving it by an exception writes nothing."""
        with store.batch() as batch:
            batch.set("a", 1)
        assert store == {"a": 1}
        with nothing_written(store), pytest.raises(ZeroDivisionError), store.batch() as batch:
            batch.set("b", 1).set("c", 1 // 0)

    @pytest.mark.parametrize("end", ["commit", "rollback"])
    def test_batch_after_its_end(self, store: Store, end: str) -> None:
        """A batch is used once; leaving the block after its end does nothing more."""
        with store.batch() as batch:
            getattr(batch.set("a", 1), end)()
        with nothing_written(store):
            for use in (lambda: batch.set("b", 1), lambda: batch.delete("a"), batch.commit):
                with pytest.raises(ds.TransactionError, match="Begin another"):
                    use()
            with pytest.raises(ds.TransactionError):
                batch.rollback()

    def test_batch_takes_value_at_once(self, store: Store) -> None:
        """A value is taken as it is when it is added, and refused then."""
        value = [1]
        batch = store.batch().set("a", value)
        value.append(2)
        with pytest.raises(ds.ValueShapeError):
            batch.set("b", NO_VALUE)
        batch.commit()
        assert store == {"a": [1]}

    def test_batch_inside_transaction(self, store: Store) -> None:
        """A batch that was committed inside of a transaction is undone with it."""
        store["old"] = 1
        with store.transaction():
            store.batch().delete("old").set("a", 1).commit()
            assert store == {"a": 1}
            raise ds.Rollback
        assert store == {"old": 1}
