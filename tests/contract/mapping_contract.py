"""A store is a mapping, as dict is one, except that it keeps its keys in order."""

from __future__ import annotations

from collections.abc import MutableMapping
from types import MappingProxyType
from typing import Any

import pytest
from contract.common import Contract, Store, examples
from hypothesis import given
from hypothesis import strategies as st

import dsfactory as ds

KEYS = st.sampled_from(["a", "b", "", 1, -1, b"a"])
VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.just([1, {}])
STEPS = st.one_of(
    st.tuples(st.just("set"), KEYS, VALUES),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("pop"), KEYS, VALUES),
    st.tuples(st.just("setdefault"), KEYS, VALUES),
    st.tuples(st.just("update"), st.dictionaries(KEYS, VALUES, max_size=3)),
    st.tuples(st.just("popitem")),
    st.tuples(st.just("clear")),
)


def in_order(model: dict[Any, Any]) -> list[tuple[Any, Any]]:
    """The pairs of *model* as a store iterates: integers, text, bytes."""
    of_types = ([key for key in model if type(key) is kind] for kind in (int, str, bytes))
    return [(key, model[key]) for keys in of_types for key in sorted(keys)]


def outcome(mapping: Any, step: tuple[Any, ...]) -> object:
    """What *step* returns from *mapping*, or that its key was absent."""
    name, *arguments = step
    if name == "popitem" and isinstance(mapping, dict):
        if not mapping:
            return KeyError
        first = in_order(mapping)[0]
        del mapping[first[0]]
        return first
    call = {"set": mapping.__setitem__, "delete": mapping.__delitem__}.get(name)
    try:
        return (call or getattr(mapping, name))(*arguments)
    except KeyError:
        return KeyError


class MappingContract(Contract):
    """Get, set, delete, iterate and compare."""

    def test_store_is_mutable_mapping(self, store: Store) -> None:
        """isinstance says what a store is."""
        assert isinstance(store, MutableMapping)
        assert str(store.kind) == self.kind

    @examples
    @given(steps=st.lists(STEPS, max_size=12))
    def test_store_behaves_as_dict(self, store: Store, steps: list[tuple[Any, ...]]) -> None:
        """Whatever is done to it, a store answers and contains what a dict does, in key order."""
        store.clear()
        model: dict[Any, Any] = {}
        for step in steps:
            assert outcome(store, step) == outcome(model, step)
        assert list(store.items()) == in_order(model)
        assert list(store) == list(store.keys()) == [key for key, _ in in_order(model)]
        assert list(store.values()) == [value for _, value in in_order(model)]
        assert len(store) == len(model)
        assert bool(store) == bool(model)
        assert store == model

    def test_get_absent_key(self, store: Store) -> None:
        """get gives None or the default, [] and del raise a KeyError that names the key."""
        assert store.get("k") is None
        assert store.get("k", 7) == 7
        with pytest.raises(ds.KeyAbsentError, match="'k'") as caught:
            store["k"]
        assert caught.value.facts == {"store": "under-test", "key": "k"}
        with pytest.raises(KeyError):
            del store["k"]
        with pytest.raises(KeyError):
            store.pop("k")

    def test_get_stored_none(self, store: Store) -> None:
        """None is a value: present, and not the default."""
        store["k"] = None
        assert "k" in store
        assert store["k"] is None
        assert store.get("k", 1) is None
        assert store.pop("k", 1) is None

    @pytest.mark.parametrize(
        "value",
        [None, True, 0, -(2**63), 2**64 - 1, 1.5, -0.0, "", "nul\0 é \U0001f600", [], {}],
    )
    def test_value_round_trip(self, store: Store, value: object) -> None:
        """A plain value reads back equal and of the same type, alone and inside of others."""
        store["k"] = value
        store["in"] = {"list": [value], "": {"é": value}}
        assert store["k"] == value
        assert type(store["k"]) is type(value)
        assert store["in"] == {"list": [value], "": {"é": value}}

    def test_value_is_copy(self, store: Store) -> None:
        """What was stored does not change with the object that it was made from."""
        value = [1]
        store["k"] = value
        value.append(2)
        store["k"].append(3)
        assert store["k"] == [1]

    def test_update_forms(self, store: Store) -> None:
        """update takes a mapping, whatever has keys(), pairs and keywords."""

        class Keyed:
            def keys(self) -> list[str]:
                return ["b"]

            def __getitem__(self, key: str) -> int:
                return 2

        store.update({"a": 1})
        store.update(Keyed())
        store.update([("c", 3)], d=4)
        store.update(self=5, other=6)
        assert store == {"a": 1, "b": 2, "c": 3, "d": 4, "self": 5, "other": 6}

    def test_views_are_live(self, store: Store) -> None:
        """keys(), values() and items() show what comes later, and know what they contain."""
        keys, values, items = store.keys(), store.values(), store.items()
        store["k"] = [1]
        assert list(keys) == ["k"]
        assert [1] in values
        assert [2] not in values
        assert ("k", [1]) in items
        assert ("k", [2]) not in items
        assert ("absent", 1) not in items
        assert len(keys) == len(values) == len(items) == 1

    def test_store_equality(self, store: Store) -> None:
        """A store equals a mapping with its entries and itself, never anything else."""
        store["k"] = 1
        assert store == store  # noqa: PLR0124 -- that is the point
        assert store == MappingProxyType({"k": 1})
        assert store != {"k": 2}
        assert store != {"k": 1, "l": 1}
        assert store != [("k", 1)]
        with pytest.raises(TypeError):
            hash(store)

    def test_repr_without_values(self, store: Store) -> None:
        """repr shows class, name and whether it is closed: neither keys nor values."""
        store["secret-key"] = "secret value"
        name = type(store).__name__
        assert repr(store) == f"<{name} 'under-test'>"
        assert "secret" not in repr(store.items()) + repr(store.values()) + repr(store.keys())
        store.close()
        assert repr(store) == f"<{name} 'under-test' closed>"

    def test_popitem_order(self, store: Store) -> None:
        """popitem takes the first key in order, and raises KeyError when there is none."""
        store.update({"b": 1, "a": 2, 5: 3})
        assert [store.popitem() for _ in range(3)] == [(5, 3), ("a", 2), ("b", 1)]
        with pytest.raises(ds.KeyAbsentError):
            store.popitem()

    def test_load_saved_document(self, store: Store) -> None:
        """save and load treat the store as one document; None before the first."""
        assert store.load() is None
        assert [store.save({"a": 1}), store.save({"a": 2})] == [1, 2]
        assert store.load() == {"a": 2}
        assert list(store) == ["document"]
