"""Several keys in one operation: all of one moment, all or nothing."""

from __future__ import annotations

import pytest
from contract.common import NO_VALUE, Contract, Store, nothing_written

import dsfactory as ds


class ManyContract(Contract):
    """get_many, set_many and delete_many."""

    def test_get_many_mixed(self, store: Store) -> None:
        """Present keys come with their values in the order asked for, absent ones are left out."""
        store.update({"a": 1, "b": None, 3: [3]})
        assert store.get_many(["b", "absent", 3, "a"]) == {"b": None, 3: [3], "a": 1}
        assert list(store.get_many(["b", "a"])) == ["b", "a"]
        assert store.get_many(iter(["a", "a"])) == {"a": 1}
        assert store.get_many([]) == {}

    def test_set_many_forms(self, store: Store) -> None:
        """A mapping or pairs; of two values for one key the later stays."""
        store.set_many({"a": 1, "b": 2})
        store.set_many(iter([("b", 3), ("c", 4), ("c", 5)]))
        store.set_many({})
        assert store == {"a": 1, "b": 3, "c": 5}

    def test_set_many_with_refused_value(self, store: Store) -> None:
        """One value that cannot be stored refuses all."""
        store["a"] = 1
        with nothing_written(store), pytest.raises(ds.ValueShapeError):
            store.set_many({"a": 2, "b": 2, "c": NO_VALUE, "d": 2})

    def test_set_many_with_failing_iterable(self, store: Store) -> None:
        """An exception of the iterable refuses all."""

        def pairs() -> object:
            yield "a", 1
            raise ZeroDivisionError

        with nothing_written(store), pytest.raises(ZeroDivisionError):
            store.set_many(pairs())  # type: ignore[arg-type]

    def test_set_many_is_one_commit(self, store: Store) -> None:
        """Every entry of one call has the same time, and no half is ever visible."""
        store.set_many({number: number for number in range(20)})
        entries = [store.entry(number) for number in range(20)]
        assert len({entry.updated_at for entry in entries if entry}) == 1
        assert all(entries)

    def test_delete_many_counts(self, store: Store) -> None:
        """The number of entries that were there is returned; absent and repeated keys count 0."""
        store.update({"a": 1, "b": 2, "c": 3})
        assert store.delete_many(["a", "absent", "b", "a"]) == 2
        assert store.delete_many(iter(())) == 0
        assert store == {"c": 3}
