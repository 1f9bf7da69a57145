"""Entries with their bookkeeping, out of one store and into another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from dsfactory.engine import Transaction
from dsfactory.errors import FeatureError
from dsfactory.keys import checked_key
from dsfactory.model import Entry, Key
from dsfactory.stores import sql
from dsfactory.stores.computing import ComputingStore
from dsfactory.stores.monitor import measured
from dsfactory.stores.reading import PAGE_ROWS, key_bounds
from dsfactory.stores.values import Encoded

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Carried:
    """What put_entries() did with its entries, in numbers."""

    written: int = 0
    unchanged: int = 0
    """There already: the same value, expiry and tags, at this version or a later one."""
    kept: int = 0
    """Left alone, because another live entry was not to be replaced."""
    expired: int = 0
    """Their time was up."""

    def __add__(self, other: Carried) -> Carried:
        return Carried(
            self.written + other.written,
            self.unchanged + other.unchanged,
            self.kept + other.kept,
            self.expired + other.expired,
        )


class CarryingStore(ComputingStore[T]):
    """A store whose entries can be taken elsewhere, and back."""

    def entries(
        self,
        *,
        prefix: str | bytes | None = None,
        start: Key | None = None,
        end: Key | None = None,
    ) -> Iterator[Entry[T]]:
        """Iterate over live entries with their bookkeeping in key order, all of one moment.

        Bounds as in scan(). The log cannot be cut while this goes on. Not counted as uses.
        """
        low, high = key_bounds(prefix, start, end)
        now, including = self._now(), True
        with self._database.snapshot() as snapshot:
            while rows := snapshot.rows(sql.WHOLE_FORWARD, (low, including, high, now, PAGE_ROWS)):
                for key, *row in rows:
                    yield self._entry_of(snapshot, key, tuple(row))
                low, including = rows[-1][0], False

    @measured
    def put_entries(self, entries: Iterable[Entry[T]], *, replace: bool = True) -> Carried:
        """Write *entries* as they are, in one transaction; return what became of them.

        Values are validated as ever. Expiry and tags are the entry's own, whatever the store's
        default. The version is the entry's unless the key has had as high a one here, in which
        case it goes on from there; created_at and updated_at are the entry's where no live entry
        is replaced. What is there already is not written again. Without *replace* a live entry
        stays. Raises as set() does; then nothing was written.
        """
        ready = [(entry, self._encoded(entry)) for entry in entries]
        total = Carried()
        with self._database.write() as tx:
            for entry, new in ready:
                total += self._carry(tx, entry, new, replace=replace)
        self._monitor.wrote(sum(new.size for _, new in ready))
        return total

    def _encoded(self, entry: Entry[T]) -> Encoded:
        self._checked_tags(entry.tags)
        if entry.expires_at is not None and "expiry" not in self.options.features:
            raise FeatureError(
                f"Store {self.name!r} was made without the feature 'expiry': its entries live "
                "until they are deleted.",
                store=self.name,
            )
        return self._values.encode(checked_key(entry.key), entry.value)

    def _carry(self, tx: Transaction, entry: Entry[T], new: Encoded, *, replace: bool) -> Carried:
        if entry.expires_at is not None and entry.expires_at <= tx.now:
            return Carried(expired=1)
        key = checked_key(entry.key)
        there = tx.rows(sql.WHOLE, (key, tx.now))
        if there and self._same(tx, entry, new, there[0]):
            return Carried(unchanged=1)
        if there and not replace:
            return Carried(kept=1)
        self._put(tx, key, new, entry.expires_at)
        self._as_it_was(tx, entry, anew=not there)
        self._tag(tx, key, entry.tags)
        return Carried(written=1)

    def _same(
        self, tx: Transaction, entry: Entry[T], new: Encoded, there: tuple[object, ...]
    ) -> bool:
        stored, unpacked_bytes, version, _, _, expires_at, _ = there
        if expires_at != entry.expires_at or int(str(version)) < entry.version:
            return False
        old = self._values.unpacked(stored, unpacked_bytes)  # type: ignore[arg-type]  # a row
        if old != self._values.unpacked(new.stored, new.unpacked_bytes):
            return False
        tagged = "tags" in self.options.features
        tags = tx.rows(sql.TAGS, (checked_key(entry.key),)) if tagged else []
        return sorted(entry.tags) == [name for (name,) in tags]

    def _as_it_was(self, tx: Transaction, entry: Entry[T], *, anew: bool) -> None:
        updated = min(entry.updated_at, tx.now) if anew else None
        created = None if updated is None else min(entry.created_at, updated)
        facts = (entry.key, entry.version, created, updated)
        ((version,),) = tx.rows(sql.AS_IT_WAS, facts)
        if "history" in self.options.features:
            tx.run(sql.HISTORY_AS_IT_WAS, (entry.key, version, updated))
