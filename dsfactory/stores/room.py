"""Keeping a store within its limits: what goes, in which order, and never more than must."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from dsfactory.engine import Transaction, forks
from dsfactory.engine.forks import Restarting
from dsfactory.errors import CorruptError, StoreFullError
from dsfactory.model import Key
from dsfactory.options import StoreOptions
from dsfactory.stores import sql

SWEEP_ROWS = 500
"""Rows that one sweeping transaction deletes: a few milliseconds of the write lock."""

MAX_TOUCHES = 10_000
"""Uses kept in memory before they are written: under 2 MB, and what a crash may forget."""

_VICTIMS = 100


@dataclass(slots=True)
class Removed:
    """How many entries went, by reason."""

    evicted: int = 0
    expired: int = 0


class Touches(Restarting):
    """Which keys were used since the access order was last written: reads never write."""

    def __init__(self) -> None:
        self._used: dict[Key, int] = {}
        self._lock = threading.Lock()
        forks.watch(self)

    def after_fork_in_child(self) -> None:
        """Forget a lock that a thread of the parent may have held."""
        self._lock = threading.Lock()

    def add(self, key: Key, now: int) -> None:
        """Note that *key* was used last; beyond MAX_TOUCHES the oldest note is forgotten."""
        with self._lock:
            self._used.pop(key, None)  # so that the order of the dict is the order of use
            self._used[key] = now
            if len(self._used) > MAX_TOUCHES:
                del self._used[next(iter(self._used))]

    def flush(self, tx: Transaction) -> None:
        """Write the order of use. A rollback forgets it, which costs precision, not data."""
        with self._lock:
            used, self._used = self._used, {}
        if used:
            tx.many(sql.USED, used.items())

    def __len__(self) -> int:
        return len(self._used)


class Room:
    """The limits of one store."""

    def __init__(self, options: StoreOptions) -> None:
        self.max_entries = options.max_entries
        self.max_bytes = options.max_bytes
        self.limited = options.max_entries is not None or options.max_bytes is not None
        self.touches = Touches() if "access" in options.features else None

    def enforce(self, tx: Transaction) -> Removed:
        """Bring the store within its limits before *tx* commits.

        Expired entries go first, then the least recently used. A store without the feature
        "access" evicts nothing: it raises StoreFullError, and the transaction is rolled back.
        """
        removed = Removed()
        if not self.limited:
            return removed
        while self._excess(tx) and (swept := sweep(tx)):
            removed.expired += swept
        excess = self._excess(tx)
        if excess and self.touches is None:
            raise self._full()
        while excess:
            removed.evicted += self._evict(tx, *excess)
            excess = self._excess(tx)
        return removed

    def _excess(self, tx: Transaction) -> tuple[int, int] | None:
        """Entries and bytes over the limits; None when within both."""
        ((entries, stored),) = tx.rows(sql.COUNTERS)
        over_entries = 0 if self.max_entries is None else max(0, entries - self.max_entries)
        over_bytes = 0 if self.max_bytes is None else max(0, stored - self.max_bytes)
        return (over_entries, over_bytes) if over_entries or over_bytes else None

    def _evict(self, tx: Transaction, entries: int, size: int) -> int:
        if self.touches is not None:
            self.touches.flush(tx)
        victims = []
        for entry_id, entry_bytes in tx.rows(sql.OLDEST, (min(max(entries, 8), _VICTIMS),)):
            if entries <= 0 and size <= 0:
                break
            victims.append((entry_id,))
            entries -= 1
            size -= entry_bytes
        if not victims:
            raise CorruptError(
                "The access table has lost the order of use. Run repair() on the store."
            )
        tx.many(sql.REMOVE, victims)
        return len(victims)

    def _full(self) -> StoreFullError:
        return StoreFullError(
            f"The store is full (max_entries={self.max_entries}, max_bytes={self.max_bytes}) and "
            "evicts nothing. Delete entries, or raise the limit; nothing was written.",
            max_entries=self.max_entries,
            max_bytes=self.max_bytes,
        )


def sweep(tx: Transaction, rows: int = SWEEP_ROWS) -> int:
    """Delete up to *rows* entries whose time is up; return how many went."""
    tx.run(sql.SWEEP, (tx.now, rows))
    swept = tx.changes
    if swept:
        tx.run(sql.KEEP_TIME, (tx.now,))
    return swept
