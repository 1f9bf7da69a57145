"""Versions, compare-and-set, and updates of which none is lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from contract.common import Contract, Store, in_threads, nothing_written

import dsfactory as ds

REMOVALS: dict[str, Callable[[Store], object]] = {
    "delete": lambda store: store.delete("k"),
    "del": lambda store: store.__delitem__("k"),
    "pop": lambda store: store.pop("k"),
    "popitem": lambda store: store.popitem(),
    "delete_many": lambda store: store.delete_many(["k"]),
    "clear": lambda store: store.clear(),
    "evict_tag": lambda store: store.evict_tag("t"),
}


class VersionContract(Contract):
    """Every write of a key raises its version."""

    def test_set_returns_version(self, store: Store) -> None:
        """The first version is 1 and every write adds one, whichever operation writes."""
        assert store.set("k", 1) == 1
        store["k"] = 2
        store.set_many({"k": 3})
        store.increment("k")
        store.update_with("k", lambda value: value + 1)
        store.batch().set("k", 6).commit()
        entry = store.entry("k")
        assert entry is not None
        assert (entry.version, entry.value) == (6, 6)
        assert store.set("k", 7, if_version=6) == 7

    @pytest.mark.parametrize("remove", REMOVALS.values(), ids=REMOVALS)
    def test_version_after_removal(self, store: Store, remove: Callable[[Store], object]) -> None:
        """A key that was deleted and made again never repeats a version."""
        seen = []
        for _ in range(3):
            seen += [store.set("k", 1), store.set("k", 2, tags=["t"])]
            remove(store)
            assert "k" not in store
        assert len(set(seen)) == 6
        assert seen == sorted(seen)

    def test_set_if_version(self, store: Store) -> None:
        """A write happens when the live entry has that version; 0 stands for none."""
        assert store.set("k", "a", if_version=0) == 1
        assert store.set("k", "b", if_version=1) == 2
        assert store["k"] == "b"

    @pytest.mark.parametrize(("expected", "actual"), [(0, 2), (1, 2), (3, 2)])
    def test_set_if_version_differs(self, store: Store, expected: int, actual: int) -> None:
        """Any other version is a conflict that names both, and nothing is written."""
        store.set("k", "a")
        store.set("k", "b")
        with nothing_written(store), pytest.raises(ds.VersionConflictError) as caught:
            store.set("k", "c", if_version=expected)
        assert caught.value.facts == {"key": "k", "expected": expected, "actual": actual}
        assert "'c'" not in str(caught.value)

    def test_set_if_version_of_absent(self, store: Store) -> None:
        """An absent key is at version 0, also when it was there before."""
        store["k"] = 1
        del store["k"]
        with pytest.raises(ds.VersionConflictError, match="version 0"):
            store.set("k", 2, if_version=1)
        assert store.set("k", 2, if_version=0) > 1

    @pytest.mark.parametrize("wrong", [True, "1", 1.0])
    def test_set_if_version_of_wrong_type(self, store: Store, wrong: Any) -> None:
        """A version is an int."""
        store["k"] = 1
        with nothing_written(store), pytest.raises(ds.OptionTypeError, match="if_version"):
            store.set("k", 2, if_version=wrong)

    def test_add_twice(self, store: Store) -> None:
        """Only the first add writes, until the key is deleted."""
        assert store.add("k", 1)
        with nothing_written(store):
            assert not store.add("k", 2)
        assert store["k"] == 1
        del store["k"]
        assert store.add("k", 3)

    def test_add_in_threads(self, store: Store) -> None:
        """Of threads that add the same key, one succeeds."""
        added: list[int] = []

        def job(number: int) -> None:
            if store.add("k", number):
                added.append(number)

        in_threads(*(partial(job, number) for number in range(4)))
        assert added == [store["k"]]

    def test_increment_result(self, store: Store) -> None:
        """The sum is returned and stored; an absent key counts from the default."""
        assert store.increment("n") == 1
        assert store.increment("n", 5) == 6
        assert store.increment("n", -7) == -1
        assert store.increment("n", 0.5) == -0.5
        assert store.increment("m", 2, default=10) == 12
        assert dict(store) == {"n": -0.5, "m": 12}

    @pytest.mark.parametrize("value", ["1", None, True, [1]])
    def test_increment_of_other_value(self, store: Store, value: object) -> None:
        """What is no number is not counted up."""
        store["k"] = value
        with nothing_written(store), pytest.raises(ds.ValueShapeError, match="not a number"):
            store.increment("k")

    @pytest.mark.parametrize("name", ["delta", "default"])
    @pytest.mark.parametrize("wrong", ["1", None, True])
    def test_increment_by_other_value(self, store: Store, name: str, wrong: Any) -> None:
        """delta and default are numbers."""
        with nothing_written(store), pytest.raises(ds.OptionTypeError, match=name):
            store.increment("k", **{name: wrong})

    @pytest.mark.parametrize(("last", "step"), [(2**64 - 1, 1), (-(2**63), -1)])
    def test_increment_beyond_64_bits(self, store: Store, last: int, step: int) -> None:
        """JSON holds integers of any size; MessagePack refuses the sum, and the old value stays."""
        store["k"] = last
        if store.options.codec == "json":
            assert store.increment("k", step) == store["k"] == last + step
            return
        with nothing_written(store), pytest.raises(ds.ValueRefusedError):
            store.increment("k", step)

    def test_update_with_result(self, store: Store) -> None:
        """The function gets the value or the default; what it makes is stored and returned."""
        assert store.update_with("k", lambda old: [*old, 1], []) == [1]
        assert store.update_with("k", lambda old: [*old, 2]) == [1, 2]
        assert store.update_with("n", lambda old: old, None) is None
        assert store["k"] == [1, 2]

    def test_update_with_absent_key(self, store: Store) -> None:
        """Without a default an absent key is an error, and the function is not called."""
        called: list[object] = []
        with nothing_written(store), pytest.raises(ds.KeyAbsentError):
            store.update_with("k", called.append)
        assert called == []

    def test_update_with_failing_function(self, store: Store) -> None:
        """An exception of the function reaches the caller; what it did to the store is undone."""
        store["k"] = 1

        def fail(value: int) -> int:
            store["other"] = value
            raise ZeroDivisionError

        with nothing_written(store), pytest.raises(ZeroDivisionError):
            store.update_with("k", fail)

    @pytest.mark.parametrize("change", ["delete", "clear"])
    def test_update_with_function_that_deletes(self, store: Store, change: str) -> None:
        """What the function returns is written, also when the function deleted the old entry."""
        store["k"] = 1

        def delete(value: int) -> int:
            store.delete("k") if change == "delete" else store.clear()
            return value + 1

        assert store.update_with("k", delete) == 2
        assert store == {"k": 2}

    def test_times_of_entry(self, store: Store, clock: ds.ManualClock) -> None:
        """An entry remembers when its key was made and when it was written last."""
        first = clock.now_ms()
        store["k"] = 1
        for write in (
            lambda: store.set("k", 2),
            lambda: store.increment("k"),
            lambda: store.set_many({"k": 3}),
            lambda: store.update_with("k", lambda old: old),
            lambda: store.batch().set("k", 4).commit(),
        ):
            clock.advance(1000)
            write()
            entry = store.entry("k")
            assert entry is not None
            assert (entry.created_at, entry.updated_at) == (first, clock.now_ms())

    def test_updates_in_threads(self, store: Store) -> None:
        """No increment and no update of any thread is lost."""

        def job(number: int) -> None:
            for turn in range(20):
                store.increment("n")
                store.update_with("list", lambda old: [*old, number * 20 + turn], [])  # noqa: B023

        in_threads(*(partial(job, number) for number in range(4)))
        assert store["n"] == 80
        assert sorted(store["list"]) == list(range(80))
