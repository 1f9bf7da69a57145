"""Keeping a store within its limits: what goes, in which order, and never more than must."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dsfactory.engine import Transaction
from dsfactory.errors import CorruptError, StoreFullError
from dsfactory.model import Key
from dsfactory.options import StoreOptions
from dsfactory.stores import sql
from dsfactory.stores.policies import POLICIES, Candidate, Queues, Turn
from dsfactory.stores.touches import FLUSH_TOUCHES, Touches

SWEEP_ROWS = 500
"""Rows that one sweeping transaction deletes: a few milliseconds of the write lock."""

Count = Callable[[str, int], None]
"""Told (reason, entries) of what was removed, once that is committed."""


class Room:
    """The limits of one store, and the order in which its entries go."""

    def __init__(self, options: StoreOptions, count: Count) -> None:
        self.max_entries = options.max_entries
        self.max_bytes = options.max_bytes
        self.limited = options.max_entries is not None or options.max_bytes is not None
        self._count = count
        self._gone: list[Key] = []
        self._policy = POLICIES[options.policy if "access" in options.features else "none"]
        self._queues = Queues(options.max_entries)
        self.ordered = self._policy.place is not None
        """Whether inserts have to be told to placed()."""
        self.crowded = False
        """Whether there was no room for one more, the last time that somebody looked."""
        self.touches: Touches | None = self._queues.touches if self._policy.used else None

    # -- the order of use

    def flush(self, tx: Transaction, most: int | None = None) -> None:
        """Write the uses that are noted in memory, or *most* of them, the oldest."""
        if self._policy.used is not None:
            self._queues.touches.flush(tx, self._policy.used, most)

    def last(self, tx: Transaction) -> int | None:
        """Return the highest number in the order, for placed() after an insert."""
        ((last,),) = tx.rows(sql.LAST_SEQ)
        return None if last is None else int(last)

    def placed(self, tx: Transaction, last: int | None) -> None:
        """Put the entries in their place that were inserted since *last*."""
        if self._policy.place is not None:
            self._policy.place(tx, last, self._queues)

    def wrote(self, tx: Transaction, key: Key, *, inserted: bool) -> None:
        """Note that *key* was written; now and then, write what is noted."""
        self.put_alone(key, tx.now, inserted=inserted)
        if self.touches is not None and self.touches.due(tx.now):
            self.flush(tx, FLUSH_TOUCHES)  # while the write lock is ours anyway

    def needs_transaction(self, now: int) -> bool:
        """Whether a set has more to do than its own statement."""
        touches = self.touches
        return self.crowded or self.ordered or (touches is not None and touches.due(now))

    def put_alone(self, key: Key, now: int, *, inserted: bool) -> None:
        """As wrote(), without a transaction."""
        touches = self.touches
        # A new entry has its place already, unless uses are to be written that came before it.
        if touches is not None and (not inserted or (self._policy.insert_is_use and len(touches))):
            touches.add(key, now)

    def before(self, tx: Transaction) -> tuple[int, int | None]:
        """Return how many entries there are, and the last in the order, for wrote_many()."""
        if self.touches is None and not self.ordered:
            return 0, None
        ((entries, _),) = tx.rows(sql.COUNTERS)
        return entries, self.last(tx)

    def wrote_many(self, tx: Transaction, keys: list[Key], before: tuple[int, int | None]) -> None:
        """Note that *keys* were written since *before*, in their order."""
        touches, (entries, last) = self.touches, before
        if touches is None:
            return
        ((now_there, _),) = tx.rows(sql.COUNTERS)
        new: set[Key] | None = None
        if now_there - entries != len(keys):
            since = -(1 << 63) if last is None else last
            new = {key for _, key in tx.rows(sql.NEW_SINCE, (since,))}
        self.placed(tx, last)
        everything = self._policy.insert_is_use and (new is not None or len(touches) > 0)
        for key in keys:
            if everything or (new is not None and key not in new):
                touches.add(key, tx.now)
        if touches.due(tx.now):
            self.flush(tx, FLUSH_TOUCHES)

    # -- the limits

    def make(self, tx: Transaction, key: Key, size: int) -> int | None:
        """Make room for *size* bytes under *key* before they are written.

        Expired entries go first, then those that the policy chooses. Return the id of one that
        went, for the new row: its pages are dirty already. A store that evicts nothing raises
        StoreFullError, and the transaction is rolled back.
        """
        ((entries, stored),) = tx.rows(sql.COUNTERS)
        self.crowded = self._excess(entries + 1, stored + size) is not None
        if not self.crowded:
            return None
        while True:
            ((entries, stored, own, own_bytes, due),) = tx.rows(sql.ROOM, (key, tx.now))
            entries, stored = entries + (own is None), stored + size - (own_bytes or 0)
            if self._excess(entries, stored) is None:
                return None
            if not due:
                return self._evict(tx, entries, stored, key)
            self._counted(tx, "expired", sweep(tx))

    def gone(self) -> list[Key]:
        """Return the keys that were evicted since the last call; nobody else writes meanwhile."""
        gone, self._gone = self._gone, []
        return gone

    def enforce(self, tx: Transaction, keep: Key | None = None) -> int:
        """Bring the store within its limits before *tx* commits; return how many were evicted.

        As make(), after the writes; the entry *keep* stays.
        """
        if not self.limited:
            return 0
        while True:
            ((entries, stored),) = tx.rows(sql.COUNTERS)
            if self._excess(entries, stored) is None:
                return 0
            swept = sweep(tx)
            if not swept:
                break
            self._counted(tx, "expired", swept)
        self._evict(tx, entries, stored, keep)
        ((left, _),) = tx.rows(sql.COUNTERS)
        return int(entries - left)

    def _excess(self, entries: int, stored: int) -> str | None:
        """The limit that so many entries and bytes are over; None when within both."""
        if self.max_entries is not None and entries > self.max_entries:
            return "max_entries"
        if self.max_bytes is not None and stored > self.max_bytes:
            return "max_bytes"
        return None

    def _evict(self, tx: Transaction, entries: int, stored: int, keep: Key | None) -> int | None:
        last = None
        while reason := self._excess(entries, stored):
            victim = self._choose(tx, keep)
            tx.run(sql.REMOVE, (victim.entry_id,))
            self._gone.append(victim.key)
            self._counted(tx, reason, 1)
            entries, stored = entries - 1, stored - victim.size_bytes
            last = victim.entry_id
        return last

    def _choose(self, tx: Transaction, keep: Key | None) -> Candidate:
        if self._policy.choose is None:
            raise self._full()
        victim = self._policy.choose(Turn(tx, self._policy, self._queues, keep))
        if victim is None:
            raise CorruptError(
                "The access table has lost the order of use. Run repair() on the store."
            )
        return victim

    def _counted(self, tx: Transaction, reason: str, entries: int) -> None:
        tx.when_committed(partial(self._count, reason, entries))

    def _full(self) -> StoreFullError:
        return StoreFullError(
            f"The store is full (max_entries={self.max_entries}, max_bytes={self.max_bytes}) and "
            "evicts nothing. Delete entries, or raise the limit; nothing was written.",
            max_entries=self.max_entries,
            max_bytes=self.max_bytes,
        )


def sweep(tx: Transaction, rows: int = SWEEP_ROWS) -> int:
    """Delete up to *rows* entries whose time is up; return how many went."""
    tx.aside(sql.SWEEP, (tx.now, rows))
    swept = tx.changes
    if swept:
        tx.swept = True
        tx.aside(sql.KEEP_TIME, (tx.now,))
    return swept
