"""How a key is written on the command line and in files: one notation, in and out.

    user:7          the text "user:7"
    int:-5          the integer -5
    hex:00ff        two bytes
    text:int:5      the text "int:5", which would be taken for an integer
    json:"a\\nb"     text as a JSON string, for what no terminal shows

Whatever begins with none of these four words and a colon is text as it stands.
"""

from __future__ import annotations

import json
from typing import Any

import click

from dsfactory.errors import KeyRefusedError
from dsfactory.keys import checked_key
from dsfactory.model import Key

PREFIXES = ("int:", "hex:", "text:", "json:")


def key_of(text: str) -> Key:
    """Return the key that *text* stands for; KeyRefusedError says what is wrong with it."""
    prefix, colon, rest = text.partition(":")
    if not colon or f"{prefix}:" not in PREFIXES:
        return checked_key(text)
    try:
        return checked_key(_READ[prefix](rest))
    except (ValueError, TypeError) as error:
        if isinstance(error, KeyRefusedError):
            raise
        raise KeyRefusedError(
            f"The key {text!r} cannot be read: {_WANTED[prefix]}. For text that begins so, write "
            f"text:{text}"
        ) from error


def shown(key: Key) -> str:
    """Return *key* in the notation that key_of() reads."""
    if isinstance(key, int):
        return f"int:{key}"
    if isinstance(key, bytes):
        return f"hex:{key.hex()}"
    if not key.isprintable():
        return f"json:{json.dumps(key)}"
    return f"text:{key}" if key.startswith(PREFIXES) else key


def _integer(rest: str) -> int:
    if not rest.removeprefix("-").isdecimal() or not rest.isascii():
        raise ValueError
    return int(rest)


def _text(rest: str) -> str:
    found = json.loads(rest)
    if not isinstance(found, str):
        raise TypeError
    return found


_READ: dict[str, Any] = {"int": _integer, "hex": bytes.fromhex, "text": str, "json": _text}
_WANTED = {
    "int": "an integer has to follow int:",
    "hex": "pairs of hexadecimal digits have to follow hex:",
    "text": "text has to follow text:",
    "json": "a string in JSON has to follow json:",
}


class KeyType(click.ParamType[Key]):
    """A key in this notation, as a parameter of a command."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Key:
        """Return the key; refuse what is none as a wrong use of the command."""
        try:
            return key_of(value) if isinstance(value, str) else checked_key(value)
        except KeyRefusedError as error:
            self.fail(str(error), param, ctx)


KEY = KeyType()
