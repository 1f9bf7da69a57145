"""Secrets inside of values: masked by the names of their fields wherever values are shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from dsfactory.errors import ConfigurationError, UsageError
from dsfactory.stores import DOCUMENT

MASK = "(masked)"

CONFIGURED = (DOCUMENT, "sources")
"""The keys under which a configuration's store has settings."""

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


class Masks(NamedTuple):
    """What hides the secrets of one store: their names, and what a configuration's schema says."""

    patterns: Sequence[tuple[str, ...]]
    """Where the schema of a configuration has secrets; empty for every other store."""

    def under(self, key: object, value: Any) -> Any:
        """Return *value* masked: whole, when its key has the name of a secret."""
        return self.at(key, "$", value)

    def at(self, key: object, path: str, value: Any) -> Any:
        """Return *value*, found at *path* (``$.db.password``) under *key*, masked."""
        names = re.findall(r"[^.\[\]$]+", path)
        if value is not None and any(map(is_secret, (key, *names))):
            return MASK
        return masked(self._declared(path, value) if key in CONFIGURED else value)

    def _declared(self, path: str, value: Any) -> Any:
        if not self.patterns or value is None:
            return value
        from dsfactory.services.configuration import paths, secret

        try:
            steps = paths.steps_of(path)
        except ConfigurationError:  # an odd key of a dict, which a difference does not quote
            return MASK
        # Nor does it say where a key with a dot in it ends: below such a dict all is masked.
        wild = (
            pattern[: pattern.index(secret.ANY)]
            for pattern in self.patterns
            if secret.ANY in pattern
        )
        if steps and any(steps[: len(above)] == above for above in wild):
            return MASK
        return secret.masked_at(value, steps, self.patterns, MASK)


def refuse_mask(value: Any, what: str) -> None:
    """Refuse to write the mask: what get printed, in the place of a secret, was given to set."""
    inside: list[Any] = [value]
    while inside:
        item = inside.pop()
        if item == MASK:
            raise UsageError(
                f"{what} holds {MASK} in the place of a secret. Read it with --reveal; nothing was "
                "written."
            )
        if isinstance(item, dict):
            inside += item.values()
        elif isinstance(item, list):
            inside += item
