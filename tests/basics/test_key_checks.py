"""Keys and names: what a store takes, and what it refuses before anything happens."""

from __future__ import annotations

import contextlib
import re
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsfactory.errors import KeyRefusedError, KeyTypeError, StoreNameError
from dsfactory.keys import MAX_KEY_BYTES, checked_key, checked_name, shown_key

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class OwnBytes(bytes):
    pass


@pytest.mark.parametrize(
    "key",
    [
        "",
        "a",
        "a\0b",
        "x" * MAX_KEY_BYTES,
        "é" * (MAX_KEY_BYTES // 2),
        "\U0010ffff",
        0,
        -(2**63),
        2**63 - 1,
        b"",
        b"\xff" * MAX_KEY_BYTES,
    ],
)
def test_key_allowed(key: Any) -> None:
    """Text, 64-bit integers and bytes up to 1,024 bytes come back as they are."""
    assert checked_key(key) == key
    assert type(checked_key(key)) is type(key)


@pytest.mark.parametrize(
    ("key", "base"), [(Colour.RED, str), (Level.HIGH, int), (OwnBytes(b"x"), bytes)]
)
def test_key_of_subclass(key: Any, base: type) -> None:
    """A key of a subclass is stored as its base type."""
    assert type(checked_key(key)) is base
    assert checked_key(key) == base(key)


@pytest.mark.parametrize("key", [True, False, 1.0, None, (), [], bytearray(b"x"), object()])
def test_key_of_wrong_type(key: Any) -> None:
    """bool, float, None and other types are refused, as a TypeError too."""
    with pytest.raises(KeyTypeError, match=f"{type(key).__name__}.*allowed: str, int") as refused:
        checked_key(key)
    assert isinstance(refused.value, TypeError)
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("x" * (MAX_KEY_BYTES + 1), "1025 bytes; allowed: 1024"),
        ("é" * (MAX_KEY_BYTES // 2 + 1), "1026 bytes; allowed: 1024"),
        (b"x" * (MAX_KEY_BYTES + 1), "1025 bytes; allowed: 1024"),
        ("\ud800", "lone surrogate"),
        ("x\udfff", "lone surrogate"),
        (2**63, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        (10**5_000, "64 bits"),
    ],
    ids=["text", "wide text", "bytes", "high", "low", "over", "under", "huge"],
)
def test_key_refused(key: Any, words: str) -> None:
    """Over-long keys, lone surrogates and integers beyond 64 bits are refused by value."""
    with pytest.raises(KeyRefusedError, match=words) as refused:
        checked_key(key)
    assert not isinstance(refused.value, KeyTypeError)
    assert len(str(refused.value)) < 200


@given(st.one_of(st.text(), st.integers(), st.binary(), st.floats(), st.booleans()))
def test_key_total(key: Any) -> None:
    """Whatever is given comes back equal, or KeyRefusedError is raised."""
    with contextlib.suppress(KeyRefusedError):
        assert checked_key(key) == key


@given(st.one_of(st.text(), st.integers(), st.binary()))
def test_shown_key_fits_a_line(key: Any) -> None:
    """A key in a message is printable ASCII of at most 60 characters."""
    shown = shown_key(key)
    assert len(shown) <= 60
    assert shown.isascii()
    assert shown.isprintable()


@given(st.from_regex(NAME, fullmatch=True))
def test_name_allowed(name: str) -> None:
    """Every name of the allowed form is taken as it is."""
    assert checked_name(name) == name


@given(st.one_of(st.text(), st.from_regex(NAME), st.text("a./-_ \n\0é", max_size=200)))
def test_name_as_the_form_says(name: str) -> None:
    """A name is taken exactly when the whole of it has the allowed form."""
    if NAME.fullmatch(name) and name.isascii():
        assert checked_name(name) == name
    else:
        with pytest.raises(StoreNameError, match="allowed: a letter or digit"):
            checked_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "-x", "_x", "a/b", "../a", "a\n", "a\0", "é", "a b", "a" * 129],
)
def test_name_refused(name: str) -> None:
    """Names that could leave the directory, hide in it or be misread are refused."""
    with pytest.raises(StoreNameError) as refused:
        checked_name(name)
    assert isinstance(refused.value, ValueError)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", [None, 5, b"abc", True, ["a"]])
def test_name_of_wrong_type(name: Any) -> None:
    """A name has to be text."""
    with pytest.raises(StoreNameError, match="allowed"):
        checked_name(name)
