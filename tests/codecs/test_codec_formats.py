"""codec_for: which codec a name and a type give, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import InitVar, dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pydantic
import pytest
from codec_samples import Config, Person, Server, Tree

import dsfactory.codecs.models
from dsfactory.codecs import Codec, codec_for
from dsfactory.errors import (
    CorruptValueError,
    OptionError,
    UnfitEnvironmentError,
    ValueShapeError,
)


@pytest.mark.parametrize(("name", "text"), [("json", True), ("msgpack", False), ("raw", False)])
def test_codec_attributes(name: str, text: bool) -> None:
    """A codec says its name, whether it writes text, and its schema."""
    codec = codec_for(name)
    assert isinstance(codec, Codec)
    assert (codec.name, codec.text, codec.schema) == (name, text, None)


def test_codec_schema_attribute() -> None:
    """The schema is the type that was asked for."""
    assert codec_for("json", Config).schema is Config
    assert codec_for("msgpack", Person).schema is Person
    assert codec_for("raw", bytes).schema is bytes


@pytest.mark.parametrize("name", ["xml", "", "JSON", None, 3, ["json"]])
def test_codec_for_unknown_name(name: Any) -> None:
    """An unknown name is refused with the names that there are."""
    with pytest.raises(OptionError, match="json, msgpack, raw"):
        codec_for(name)


@pytest.mark.parametrize("schema", [str, dict, Config, int | None])
def test_codec_for_raw_with_schema(schema: Any) -> None:
    """The raw codec keeps bytes and no other type."""
    with pytest.raises(OptionError, match="raw codec keeps bytes"):
        codec_for("raw", schema)


class Opaque:
    """Neither msgspec nor pydantic knows what it holds."""


@dataclass
class HoldsPath:
    files: dict[str, list[Path]]


@dataclass
class Unresolved:
    other: Nowhere  # type: ignore[name-defined]  # noqa: F821


@dataclass
class HasInitVar:
    seed: InitVar[int]


class UnresolvedModel(pydantic.BaseModel):
    other: Nowhere  # type: ignore[name-defined]  # noqa: F821


class MixedStruct(msgspec.Struct):
    person: Person


REFUSED: list[tuple[Any, str]] = [
    (Opaque, "Opaque"),
    (list[Opaque], "Opaque"),
    (HoldsPath, r"Path \(in files\)"),
    (Unresolved, "Nowhere"),
    (HasInitVar, "InitVar"),
    (UnresolvedModel, "Nowhere"),
    (MixedStruct, "MixedStruct"),
    (Config | Server, "more than one dataclass"),
    (OrderedDict[str, int], "OrderedDict"),
    (Iterable[int], "Iterable"),
    (Callable, "Callable"),
    (msgspec.Raw, "msgspec.Raw"),
    ("Config", "not supported"),
    (7, "not supported"),
]


@pytest.mark.parametrize("name", ["json", "msgpack"])
@pytest.mark.parametrize(("schema", "reason"), REFUSED)
def test_codec_for_unrepresentable_type(name: str, schema: Any, reason: str) -> None:
    """A type that cannot be stored is refused when the codec is made; the reason names it."""
    with pytest.raises(OptionError, match=reason) as caught:
        codec_for(name, schema)
    assert "cannot be stored" in str(caught.value)


def test_codec_for_old_pydantic(monkeypatch: pytest.MonkeyPatch) -> None:
    """pydantic before 2.11 is refused with the version that is needed."""
    monkeypatch.setattr(dsfactory.codecs.models.pydantic, "VERSION", "2.10.6")
    with pytest.raises(UnfitEnvironmentError, match=r"2\.11"):
        codec_for("json", Person)


@pytest.mark.parametrize("value", [b"", b"\x00\xff", bytearray(b"ab"), memoryview(b"abc")])
def test_raw_round_trip(value: Any) -> None:
    """Bytes-like values read back as equal bytes."""
    codec = codec_for("raw")
    encoded = codec.encode(value)
    assert type(encoded) is bytes
    assert codec.decode(encoded) == value


def test_raw_bytes_are_not_copied() -> None:
    """Bytes are passed on as the same object."""
    value = b"x" * 100
    assert codec_for("raw").encode(value) is value


@pytest.mark.parametrize("value", ["text", None, 5, [1], memoryview(b"abcdefgh").cast("i")])
def test_raw_other_value(value: Any) -> None:
    """Anything but bytes is refused, a view of wider items too."""
    with pytest.raises(ValueShapeError, match=r"^\$: expected `bytes`"):
        codec_for("raw").encode(value)


def test_raw_decode_text() -> None:
    """Text where bytes were stored is damage."""
    with pytest.raises(CorruptValueError, match="str"):
        codec_for("raw").decode("text")


def test_json_is_compact_text() -> None:
    """JSON is written without spaces, as UTF-8, and is read from bytes and from str."""
    codec = codec_for("json")
    encoded = codec.encode({"a": [1, "é"]})
    assert encoded == '{"a":[1,"é"]}'.encode()
    assert codec.decode(encoded) == codec.decode(encoded.decode()) == {"a": [1, "é"]}


IMPORTED = """
import sys, dsfactory.errors
import dsfactory.codecs as codecs
heavy = {"msgspec", "zstandard", "pydantic", "attr", "attrs"}
print(sorted(heavy & set(sys.modules)))
codecs.codec_for("raw").encode(b"1")
codecs.Packer(threshold=None, max_bytes=9, find_dictionary=lambda _: None).pack(b"1")
print(sorted(heavy & set(sys.modules)))
codecs.codec_for("json", dict[str, int]).encode({"a": 1})
print(sorted(heavy & set(sys.modules)))
"""


def test_import_is_cheap() -> None:
    """Foreign libraries are imported by what uses them, and pydantic only for its own models."""
    run = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, check=True)
    assert run.stdout.decode().split("\n")[:3] == ["[]", "[]", "['msgspec']"]


def test_codec_used_by_threads() -> None:
    """One codec serves several threads at once."""
    codec = codec_for("json", Tree)
    values = [Tree(f"t{n}", [Tree(f"c{n}")] * n) for n in range(20)]
    wrong: list[Tree] = []

    def work() -> None:
        for value in values * 20:
            wrong.extend([value] if codec.decode(codec.encode(value)) != value else [])

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
