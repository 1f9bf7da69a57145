"""Which keys a store takes, and that a bad one is refused before anything is touched."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

import pytest
from contract.common import (
    BOUND_OPERATIONS,
    KEY_OPERATIONS,
    Contract,
    Operation,
    Store,
    nothing_written,
)

import dsfactory as ds

WRONG_TYPE = {
    "bool": True,
    "float": 1.5,
    "None": None,
    "tuple": ("a",),
    "list": ["a"],
    "bytearray": bytearray(b"a"),
}
WRONG_VALUE = {
    "lone surrogate": "a\ud800",
    "text of 1025 bytes": "x" * 1025,
    "text of 1026 bytes": "é" * 513,
    "bytes of 1025": b"x" * 1025,
    "integer over 64 bits": 2**63,
    "integer under 64 bits": -(2**63) - 1,
}
AT_THE_EDGE = {
    "no text": "",
    "NUL inside": "a\0b",
    "last character": "\U0010ffff",
    "text of 1024 bytes": "é" * 512,
    "no bytes": b"",
    "NUL byte": b"\0",
    "bytes of 1024": b"\xff" * 1024,
    "zero": 0,
    "largest integer": 2**63 - 1,
    "smallest integer": -(2**63),
}


class Text(str):
    """Text that claims to be something else."""

    __slots__ = ()

    def __str__(self) -> str:
        return "else"


class Colour(StrEnum):
    """A key of text with a name."""

    RED = "red"


class Number(IntEnum):
    """A key that is an integer with a name."""

    ONE = 1


def operations(key: object) -> dict[str, Operation]:
    """The operations for which *key* is one that they have to refuse."""
    return KEY_OPERATIONS if key is None else KEY_OPERATIONS | BOUND_OPERATIONS


class KeyContract(Contract):
    """Keys are text, integers and bytes."""

    @pytest.mark.parametrize("key", WRONG_TYPE.values(), ids=WRONG_TYPE)
    def test_key_of_wrong_type(self, store: Store, key: object, subtests: pytest.Subtests) -> None:
        """Every operation refuses it with a TypeError, and nothing is written."""
        store["good"] = 1
        for name, operation in operations(key).items():
            with subtests.test(name), nothing_written(store):
                with pytest.raises(ds.KeyTypeError, match="str, int") as caught:
                    operation(store, key)
                assert isinstance(caught.value, TypeError)

    @pytest.mark.parametrize("key", WRONG_VALUE.values(), ids=WRONG_VALUE)
    def test_key_refused(self, store: Store, key: object, subtests: pytest.Subtests) -> None:
        """Every operation refuses it with a ValueError, and nothing is written."""
        store["good"] = 1
        for name, operation in operations(key).items():
            with subtests.test(name), nothing_written(store):
                with pytest.raises(ds.KeyRefusedError) as caught:
                    operation(store, key)
                assert isinstance(caught.value, ValueError)
                assert len(str(caught.value)) < 200

    @pytest.mark.parametrize("key", AT_THE_EDGE.values(), ids=AT_THE_EDGE)
    def test_key_at_the_edge(self, store: Store, key: Any) -> None:
        """The longest, shortest and largest keys work and come back as they were."""
        assert store.set(key, 1) == 1
        assert key in store
        assert list(store) == [key]
        assert type(next(iter(store))) is type(key)
        assert store.pop(key) == 1

    def test_keys_of_different_types(self, store: Store) -> None:
        """Text, integer and bytes that look alike are three keys."""
        store.set_many([("1", "text"), (1, "integer"), (b"1", "bytes")])
        assert (store["1"], store[1], store[b"1"]) == ("text", "integer", "bytes")
        assert list(store) == [1, "1", b"1"]
        del store["1"]
        assert list(store) == [1, b"1"]

    def test_keys_with_nul(self, store: Store) -> None:
        """Text does not end at a NUL."""
        store.update({"a": 0, "a\0": 1, "a\0b": 2, "a\0c": 3})
        assert list(store.items()) == [("a", 0), ("a\0", 1), ("a\0b", 2), ("a\0c", 3)]
        assert store.delete("a\0b")
        assert not store.delete("a\0b")

    def test_keys_are_not_normalized(self, store: Store) -> None:
        """Two spellings of one letter, and two cases, are different keys."""
        store.update({"é": 1, "e\u0301": 2, "E": 3, "e": 4})
        assert len(store) == 4
        assert store["e\u0301"] == 2

    @pytest.mark.parametrize(
        ("key", "base"), [(Colour.RED, "red"), (Number.ONE, 1), (Text("é"), "é")], ids=ascii
    )
    def test_key_of_subclass(self, store: Store, key: Any, base: object) -> None:
        """A key of a subclass is the key of its base type."""
        store[key] = 1
        assert list(store) == [base]
        assert type(next(iter(store))) is type(base)
        assert store[key] == 1
