"""The history as callers see it: versions, differences, and the way back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from dsfactory.checks import checked_count
from dsfactory.codecs import Codec, codec_for
from dsfactory.durations import Duration
from dsfactory.errors import DataStoreError, FeatureError
from dsfactory.keys import checked_key
from dsfactory.model import Key, Version
from dsfactory.stores import sql
from dsfactory.stores.history import History
from dsfactory.stores.monitor import measured
from dsfactory.stores.store import DOCUMENT, DataStore

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Difference:
    """One place at which two versions differ."""

    path: str
    """As in ``$.servers[2].port``; ``$`` is the value itself."""
    change: str
    """"added", "removed" or "changed"."""
    old: Any
    new: Any


class VersionedStore(DataStore[T]):
    """A store that remembers every version of every key, with who, when, why and a hash."""

    def _past(self) -> History[T]:
        if self._history is None:
            raise FeatureError(
                f"Store {self.name!r} was made without the feature 'history'.", store=self.name
            )
        return self._history

    @contextlib.contextmanager
    def signed(self, who: str | None = None, why: str | None = None) -> Iterator[None]:
        """Sign every change that this thread makes inside of the block.

        Without a signature, *who* is the user that runs the process.
        """
        past = self._past()
        self._sign_so_far(past)
        with past.signed(who, why):
            try:
                yield
            except BaseException:
                # The transaction around may go on, with what was done here.
                with contextlib.suppress(DataStoreError):
                    self._sign_so_far(past)
                raise
            self._sign_so_far(past)

    def _sign_so_far(self, past: History[T]) -> None:
        # Inside of a transaction, each change gets the signature under which it was made.
        if self._database.in_transaction:
            with self._database.write() as tx:
                past.sign(tx)

    def set(
        self,
        key: Key,
        value: T,
        *,
        ttl: Duration | None = None,
        tags: Iterable[str] = (),
        if_version: int | None = None,
        who: str | None = None,
        why: str | None = None,
    ) -> int:
        """Write *value* as DataStore.set does, and sign the new version with *who* and *why*."""
        if who is None and why is None:
            return super().set(key, value, ttl=ttl, tags=tags, if_version=if_version)
        with self.signed(who, why):
            return super().set(key, value, ttl=ttl, tags=tags, if_version=if_version)

    def save(self, value: T, *, who: str | None = None, why: str | None = None) -> int:
        """Write *value* as the store's document in a new version; return the version."""
        return self.set(DOCUMENT, value, who=who, why=why)

    @measured
    def history(
        self, key: Key = DOCUMENT, *, limit: int | None = None, plain: bool = False
    ) -> list[Version[T]]:
        """Return the versions of *key*, newest first, deletions included; [] when unknown.

        With *plain* the values are dicts, lists and scalars as they are stored, also those that
        are not of the store's type any more.
        """
        wanted = None if limit is None else checked_count("limit", limit)
        codec: Codec[Any] = codec_for(self.options.codec) if plain else self._values.codec
        with self._database.snapshot() as snapshot:
            return self._past().versions(snapshot, checked_key(key), wanted, codec)

    @measured
    def version(self, version: int, key: Key = DOCUMENT) -> T:
        """Return the value of one version; its hash is checked.

        Raises VersionAbsentError, or CorruptValueError when the hash does not match.
        """
        with self._database.snapshot() as snapshot:
            saved = self._past().saved(snapshot, checked_key(key), version)
        return self._values.decode(saved.stored, saved.unpacked_bytes)

    @measured
    def diff(self, old: int, new: int, key: Key = DOCUMENT) -> list[Difference]:
        """Return where version *new* of *key* differs from version *old*, sorted by path."""
        past, key = self._past(), checked_key(key)
        plain: Codec[Any] = codec_for(self.options.codec)
        with self._database.snapshot() as snapshot:
            both = [past.saved(snapshot, key, version) for version in (old, new)]
        before, after = (
            plain.decode(self._values.unpacked(saved.stored, saved.unpacked_bytes))
            for saved in both
        )
        return sorted(_differences("$", before, after), key=lambda difference: difference.path)

    @measured
    def rollback(
        self,
        version: int,
        key: Key = DOCUMENT,
        *,
        who: str | None = None,
        why: str | None = None,
    ) -> int:
        """Make the value of *version* the current one, as a new version; return its number.

        The hash is checked; the store's type, validators and limits have to accept the value.
        """
        past, key = self._past(), checked_key(key)
        with self.signed(who, why), self._database.write() as tx:
            saved = past.saved(tx, key, version)
            # As any other write: today's type, validators and limits decide.
            value = self._values.decode(saved.stored, saved.unpacked_bytes)
            new = self._values.encode(key, value)
            number = self._put(tx, key, new, self._expiry(None, tx.now))
            tx.run(sql.AS_ROLLBACK, (key,))
        return number


def _differences(path: str, old: Any, new: Any) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _by_key(path, old, new)
    elif isinstance(old, list) and isinstance(new, list):
        # As mappings from place to item: an insertion shows as changes up to the end.
        yield from _by_key(path, dict(enumerate(old)), dict(enumerate(new)))
    elif type(old) is not type(new) or old != new:
        yield Difference(path, "changed", old, new)


def _by_key(path: str, old: dict[Any, Any], new: dict[Any, Any]) -> Iterator[Difference]:
    for name in {**old, **new}:
        place = f"{path}[{name}]" if isinstance(name, int) else f"{path}.{name}"
        if name not in new:
            yield Difference(place, "removed", old[name], None)
        elif name not in old:
            yield Difference(place, "added", None, new[name])
        else:
            yield from _differences(place, old[name], new[name])
