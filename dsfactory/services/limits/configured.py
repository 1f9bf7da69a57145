"""The limits of one limiter as its store keeps them, the same for all processes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from dsfactory.errors import OptionError, ServiceError
from dsfactory.services.limits.rules import Limits, Rule

if TYPE_CHECKING:
    from dsfactory.stores import DataStore

STAMP = "configuration.stamp"
"""The key of a text that every change makes anew: all that a decision has to read."""
DOCUMENT = "configuration"

MOST_KEYS = 1000
"""Keys with limits of their own; for whole groups of keys make another limiter."""

_LIMITS = ("per_minute", "per_hour", "per_day")


class Known(NamedTuple):
    """The limits at one moment; replaced as a whole, since threads share it."""

    stamp: str
    limits: Limits
    own: Mapping[str, Limits]
    """Of keys with limits of their own."""
    rules: tuple[Rule, ...]
    own_rules: Mapping[str, tuple[Rule, ...]]

    def rules_of(self, key: str) -> tuple[Rule, ...]:
        """Return the rules of *key*."""
        return self.own_rules.get(key, self.rules)

    def limits_of(self, key: str) -> Limits:
        """Return the limits of *key*."""
        return self.own.get(key, self.limits)


class Configured:
    """The limits, read again when somebody changed them."""

    def __init__(self, store: DataStore[Any], given: Mapping[str, Any] | None = None) -> None:
        """Take the stored limits, or *given* ones when there are none or these are others.

        What was changed at run time outlives a restart, until the program's own arguments change.
        """
        self._store = store
        self._known: Known | None = None
        if given is not None and any(given[name] is not None for name in _LIMITS):
            self._take(given)
        self.current()

    def _take(self, given: Mapping[str, Any]) -> None:
        # Looking needs no lock; most of the time there is nothing to change.
        document = self._store.get(DOCUMENT)
        if document is not None and document["given"] == given:
            return
        first = Limits(**given)
        with self._store.transaction():
            document = self._store.get(DOCUMENT)
            if document is None:
                self._write({"given": given, "limits": asdict(first), "keys": {}})
            elif document["given"] != given:
                was = document["given"]
                changes = {name: value for name, value in given.items() if value != was.get(name)}
                limits = Limits(**document["limits"]).changed(changes)
                self._write({**document, "given": given, "limits": asdict(limits)})

    def current(self) -> Known:
        """Return the limits, read again if they were changed.

        Inside of a transaction those of that: nobody changes them before it has ended.
        """
        known, stamp = self._known, self._store.get(STAMP)
        if known is not None and known.stamp == stamp:
            return known
        document = self._document()
        if stamp is None:
            raise self._lost()
        limits = Limits(**document["limits"])
        own = {key: limits.changed(changes) for key, changes in document["keys"].items()}
        rules = {key: its.rules() for key, its in own.items()}
        known = self._known = Known(stamp, limits, own, limits.rules(), rules)
        return known

    def _document(self) -> dict[str, Any]:
        document: dict[str, Any] | None = self._store.get(DOCUMENT)
        if document is None:
            raise self._lost()
        return document

    def _lost(self) -> ServiceError:
        name = self._store.name
        return ServiceError(
            f"Store {name!r} holds no limits: it is no rate limiter's, or somebody cleared it. "
            "Make the RateLimiter with its limits.",
            store=name,
        )

    def change(self, key: str | None, changes: Mapping[str, Any]) -> Limits:
        """Change the limits of *key*, or of all keys without their own; return them."""
        with self._store.transaction():
            document = self._document()
            limits = Limits(**document["limits"])
            keys: dict[str, dict[str, Any]] = document["keys"]
            if key is None:
                limits = changed = limits.changed(changes)
            else:
                keys[key] = {**keys.get(key, {}), **changes}
                changed = limits.changed(keys[key])
            for own in keys.values():
                limits.changed(own)  # has to stay possible
            if len(keys) > MOST_KEYS:
                raise OptionError(
                    f"At most {MOST_KEYS} keys have limits of their own; make another limiter.",
                    option="key",
                )
            self._write({**document, "limits": asdict(limits), "keys": keys})
        return changed

    def forget(self, key: str) -> bool:
        """Let *key* have the limits of all again; return whether it had its own."""
        with self._store.transaction():
            document = self._document()
            if document["keys"].pop(key, None) is None:
                return False
            self._write(document)
        return True

    def _write(self, document: dict[str, Any]) -> None:
        self._store.set(DOCUMENT, document, ttl="never")
        self._store.set(STAMP, secrets.token_hex(8), ttl="never")
