"""Which keys a store takes. Refused here, once, before anything is read or written."""

from __future__ import annotations

import re

from dsfactory.errors import KeyRefusedError, KeyTypeError, StoreNameError, shown
from dsfactory.model import Key

MAX_KEY_BYTES = 1024
_INT64 = 2**63
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
NAME_ALLOWED = "a letter or digit, then up to 127 letters, digits, dots, underscores or hyphens"


def checked_key(key: object) -> Key:
    """Return *key* as the base type that is stored.

    Refuses with KeyTypeError what is not str, int or bytes (bool is refused too), and with
    KeyRefusedError text or bytes over 1,024 bytes, lone surrogates and integers beyond 64 bits.
    """
    if type(key) is str:
        # The common case at once: ASCII has a byte a character and no surrogates.
        if len(key) <= MAX_KEY_BYTES and key.isascii():
            return key
        return _checked_text(key)
    if isinstance(key, bool) or not isinstance(key, (str, int, bytes)):
        raise KeyTypeError(
            f"A key of type {type(key).__name__} is not allowed; allowed: str, int (not bool), "
            "bytes.",
            type=type(key).__name__,
        )
    if isinstance(key, int):
        if not -_INT64 <= key < _INT64:
            raise KeyRefusedError("An integer key must fit into 64 bits with its sign.")
        return int(key)
    if isinstance(key, bytes):
        return _within_limit(bytes(key), len(key))
    return _checked_text(str.__str__(key))


def _checked_text(key: str) -> Key:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise KeyRefusedError(
            f"The key {shown_key(key)} holds a lone surrogate, which is no Unicode text; use bytes."
        ) from None
    return _within_limit(key, size)


def _within_limit(key: Key, size: int) -> Key:
    if size > MAX_KEY_BYTES:
        raise KeyRefusedError(
            f"The key {shown_key(key)} has {size} bytes; allowed: {MAX_KEY_BYTES}. "
            "Use a hash of it.",
            size=size,
            limit=MAX_KEY_BYTES,
        )
    return key


def shown_key(key: Key) -> str:
    """Return *key* for a message: escaped and not longer than a line."""
    text = ascii(key)
    return text if len(text) <= 60 else text[:57] + "..."


def is_name(name: object) -> bool:
    """Whether a store may be called so."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def checked_name(name: object) -> str:
    """Return *name* when a store may be called so; else raise StoreNameError."""
    if not is_name(name):
        raise StoreNameError(
            f"The store name {shown(name)} is not allowed; allowed: {NAME_ALLOWED}.",
            allowed=NAME_ALLOWED,
        )
    return str(name)
