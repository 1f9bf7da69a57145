"""Damaged bytes: a corrupt value is reported as one, whatever the bytes are."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from codec_samples import FORMATS, PRIVATE, Config, Everything, Person, Server, Tree, everything
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dsfactory.codecs import codec_for
from dsfactory.errors import CorruptValueError

CODECS = [
    codec_for(name, schema)
    for name in FORMATS
    for schema in (None, Config, Everything, Tree, Person, dict[Any, Any], set[Any], Any)
]


@given(st.binary(max_size=200))
@example(b"")
@example(b"\x81\x80\x01")  # a map as a key
@example(b"\xdd\xff\xff\xff\xff")  # an array of four billion
@example(b"\xd7\xff\xff\xff\xff\xff\xff\xff\xff\xff")  # a timestamp beyond every calendar
@example(b'"\xff"')
@example(b'"\\ud800"')
@example(b"\xc4\x01\xff")  # bytes, for a model: pydantic writes them as text
@example(b"\xc7\x01\x05x")  # an extension object
@example(b"1e999")
@example(b"9" * 5000)
@example(b"[" * 2000)
@example(b"\x91" * 2000)
@settings(deadline=None, max_examples=500)
def test_decode_random_bytes(encoded: bytes) -> None:
    """Random bytes give a value or CorruptValueError, from every codec, and nothing else."""
    for codec in CODECS:
        with suppress(CorruptValueError):
            codec.decode(encoded)


@given(st.text(max_size=100))
@settings(deadline=None)
def test_decode_random_text(encoded: str) -> None:
    """So does text, lone surrogates included."""
    for codec in CODECS:
        with suppress(CorruptValueError):
            codec.decode(encoded)


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_decode_flipped_bit(name: str, data: st.DataObject) -> None:
    """A flipped bit gives another value of the type, or CorruptValueError."""
    codec = codec_for(name, Everything)
    encoded = bytearray(codec.encode(everything()))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(CorruptValueError):
        assert isinstance(codec.decode(bytes(encoded)), Everything)


@pytest.mark.parametrize("name", FORMATS)
def test_decode_truncated(name: str) -> None:
    """Every shortened form of a value is refused."""
    codec = codec_for(name, Config)
    encoded = codec.encode(Config(PRIVATE, [Server("h", 1)], {"a": 1}))
    for length in range(len(encoded)):
        with pytest.raises(CorruptValueError) as caught:
            codec.decode(encoded[:length])
        assert PRIVATE not in str(caught.value)


@pytest.mark.parametrize("stored", [None, 5, 1.5, [b"x"]])
def test_decode_other_type(stored: Any) -> None:
    """A column that holds neither bytes nor text is damage."""
    for codec in (*CODECS, codec_for("raw")):
        with pytest.raises(CorruptValueError):
            codec.decode(stored)


def test_corrupt_value_message() -> None:
    """The message says what is wrong, where, in which type, and what to do; facts say the rest."""
    with pytest.raises(CorruptValueError) as caught:
        codec_for("json", Config).decode(b'{"name":"x","servers":[{"host":"h","port":"x"}]}')
    assert caught.value.facts == {
        "path": "$.servers[0].port",
        "expected": "int",
        "actual": "str",
        "codec": "json",
    }
    assert str(caught.value) == (
        "a stored value cannot be decoded: $.servers[0].port: expected `int`, got `str` "
        "(json, Config); it was damaged or written with another type: write it again or restore "
        "a backup"
    )
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
