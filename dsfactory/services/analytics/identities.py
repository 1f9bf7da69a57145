"""Ids become keyed hashes: BLAKE2b (RFC 7693) with a secret key, 128 bits.

Without the key nobody can try out ids; with it, anybody can. It lives in a state store of its own,
a file of mode 0600, apart from what it protects.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import NamedTuple

from dsfactory.clock import Clock
from dsfactory.services.analytics.records import Secret, Secrets
from dsfactory.stores import StateStore

SECRETS = "secrets"
KEY_BYTES = 32
HASH_BYTES = 16

User = str | int


class Hashed(NamedTuple):
    """A user's hashes."""

    current: str
    key: str
    """The id of the current key."""
    every: tuple[str, ...]
    """Under all keys that are kept, the current one first."""


class Identities:
    """The keys, and the hashes that they make; the same in all processes."""

    def __init__(self, store: StateStore[Secrets], clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def user(self, user: User) -> Hashed:
        """Return the hashes of *user*; 1 and "1" are two users."""
        text = f"{type(user).__name__}:{user}"
        secrets = self._secrets()
        every = tuple(_hash(one, b"user", text) for one in reversed(secrets))
        return Hashed(every[0], secrets[-1].id, every)

    def scopes(self, scope: str | None) -> tuple[str, ...]:
        """Return the hashes of *scope*, the current one first; ("",) of None: everything."""
        if scope is None:
            return ("",)
        return tuple(_hash(one, b"scope", scope) for one in reversed(self._secrets()))

    def fingerprint(self, text: str) -> str:
        """Return the fingerprint of an error."""
        return _hash(self._secrets()[-1], b"error", text)

    def rotate(self) -> str:
        """Make a new key and return its id; the old ones are kept until forget()."""
        now = self._clock.now_ms()
        new = _new_secret(now)

        def rotated(held: Secrets) -> Secrets:
            held.secrets[-1].retired_at = now
            return Secrets([*held.secrets, new])

        self._secrets()
        self._store.update_with(SECRETS, rotated)
        return new.id

    def forget(self, retired_before: int, needed: set[str]) -> int:
        """Drop the keys retired before a moment, but for the *needed*; return how many."""
        if len(self._secrets()) == 1:
            return 0
        dropped = 0

        def left(held: Secrets) -> Secrets:
            nonlocal dropped
            keep = [
                one
                for one in held.secrets
                if one.retired_at is None or one.retired_at >= retired_before or one.id in needed
            ]
            dropped = len(held.secrets) - len(keep)
            return Secrets(keep)

        self._store.update_with(SECRETS, left)
        if dropped:
            self._store.scrub()
        return dropped

    def _secrets(self) -> list[Secret]:
        held = self._store.get(SECRETS)
        if held is None:
            held = self._store.setdefault(SECRETS, Secrets([_new_secret(self._clock.now_ms())]))
        return held.secrets


def _new_secret(now: int) -> Secret:
    return Secret(os.urandom(4).hex(), os.urandom(KEY_BYTES).hex(), now)


def _hash(secret: Secret, purpose: bytes, text: str) -> str:
    return blake2b(
        text.encode("utf-8", "surrogatepass"),
        key=bytes.fromhex(secret.hex),
        person=purpose,
        digest_size=HASH_BYTES,
    ).hexdigest()
