"""Secrets inside of values: masked by the names of their fields wherever values are shown."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from dsfactory.errors import UsageError

MASK = "(masked)"

_SECRET = re.compile(
    r"pass(word|wd|phrase|code)?s?|pwd|secrets?|tokens?|credentials?|auth(orization)?|cookies?|"
    r"api_?keys?|private_?keys?|access_?keys?|signing_?keys?|encryption_?keys?|dsn",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def is_secret(name: object) -> bool:
    """Whether a field of this name holds a secret, going by the words that the name is made of."""
    if not isinstance(name, str):
        return False
    words = _WORDS.findall(name)
    pairs = ["_".join(pair) for pair in pairwise(words)]
    return any(_SECRET.fullmatch(word) for word in (name, *words, *pairs))


def masked(value: Any) -> Any:
    """Return *value*, as JSON has it, with what secret names hold replaced by the mask."""
    if isinstance(value, list):
        return [masked(item) for item in value]
    if isinstance(value, dict):
        return {
            name: MASK if is_secret(name) and item not in (None, "") else masked(item)
            for name, item in value.items()
        }
    return value


def masked_at(path: str, value: Any) -> Any:
    """Return *value*, found at *path* (``$.db.password``), masked."""
    names = re.findall(r"[^.\[\]$]+", path)
    return MASK if value is not None and any(map(is_secret, names)) else masked(value)


def masked_under(key: object, value: Any) -> Any:
    """Return *value* masked: whole, when its key has the name of a secret."""
    return MASK if is_secret(key) and value is not None else masked(value)


def refuse_mask(key: object, value: Any, what: str) -> None:
    """Refuse to write the mask where a secret was: what get printed was given to set."""
    if is_secret(key) and value == MASK:
        raise _refusal(what)
    inside: list[Any] = [value]
    while inside:
        item = inside.pop()
        if isinstance(item, dict):
            if any(is_secret(name) and held == MASK for name, held in item.items()):
                raise _refusal(what)
            inside += item.values()
        elif isinstance(item, list):
            inside += item


def _refusal(what: str) -> UsageError:
    return UsageError(
        f"{what} holds {MASK} in the place of a secret. Read it with --reveal; nothing was written."
    )
