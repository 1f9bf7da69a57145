"""What is allowed: names, texts and counts, refused before anything is read or written."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dsfactory.errors import PreferenceError

MAX_NAME = 128
"""Characters of a user or scope: quoted, all parts of a key stay below its 1,024 bytes."""

MAX_TEXT = 2000
"""Characters of a command; chat systems stop there or before."""

ALIAS_ALLOWED = "a letter, then up to 31 letters, digits, hyphens or underscores (ASCII)"
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)


def refused(field: str, value: object, rule: str, kind: str | None = None) -> PreferenceError:
    """Return the error for *value*: it names the field, the value's type and the rule."""
    kind = kind or type(value).__name__
    return PreferenceError(
        f"{field} was refused (got {kind}); allowed: {rule}.", field=field, type=kind, rule=rule
    )


def checked_name(field: str, value: object) -> str:
    """Return *value* when it may name a user or a scope."""
    rule = f"text of 1 to {MAX_NAME} characters"
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or not _is_unicode(value):
        raise refused(field, value, rule)
    return str(value)


def checked_text(field: str, value: object) -> str:
    """Return *value* when it may be a command: some text, with more than spaces."""
    rule = f"text of 1 to {MAX_TEXT} characters that is not blank"
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.strip():
        raise refused(field, value, rule)
    if not _is_unicode(value):
        raise refused(field, value, "text without lone surrogates")
    return str(value)


def checked_limit(field: str, value: object, most: int) -> int:
    """Return *value* when it is a whole number from 1 to *most*."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise refused(field, value, f"a whole number from 1 to {most}")
    return value


def checked_alias(value: object, taken: Iterable[str]) -> str:
    """Return *value* in lower case when it may name an alias; *taken* are reserved words."""
    folded = value.lower() if isinstance(value, str) else ""
    if not _ALIAS.fullmatch(folded):
        raise refused("alias", value, ALIAS_ALLOWED)
    if folded in taken:
        raise refused("alias", value, "no reserved word and no name of a command")
    return folded


def checked_words(field: str, value: object) -> tuple[str, ...]:
    """Return *value* as texts in their order, each once; a single text is no list of them."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise refused(field, value, "several texts")
    return tuple(dict.fromkeys(checked_text(field, word) for word in value))


def first_word(text: str) -> str:
    """Return the first word of *text* in lower case: what decides which command it is."""
    return text.split(maxsplit=1)[0].lower() if text.strip() else ""


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
