"""Which keys were used since the order of use was last written: reads never write."""

from __future__ import annotations

import threading
from itertools import islice

from dsfactory.engine import Transaction, forks
from dsfactory.engine.forks import Restarting
from dsfactory.model import Key

MAX_TOUCHES = 10_000
"""Keys whose uses are kept in memory: under 2 MB, and at most what a crash forgets."""

FLUSH_AFTER_MS = 10_000
"""Notes that have waited for so long are written along with the next write: a key that is in use
all the time is written every ten seconds, not with every thousandth get."""

FLUSH_TOUCHES = 1000
"""As many at a time: 5 ms, where each alone would dirty two pages."""

_LOG = 512


class Touches(Restarting):
    """The uses of one handle: noted by any thread, written by whoever holds the write lock."""

    def __init__(self) -> None:
        self._log: list[Key] = []
        self.quick = self._log.append
        """add() without a look at the time or the length: call settle() now and then."""
        self._uses: dict[Key, int] = {}
        self._since = 0
        self._lock = threading.Lock()
        forks.watch(self)

    def after_fork_in_child(self) -> None:
        """Forget a lock that a thread of the parent may have held."""
        self._lock = threading.Lock()

    def add(self, key: Key, now: int) -> None:
        """Note that *key* was used last; beyond MAX_TOUCHES the oldest notes are forgotten."""
        log = self._log
        if not log:
            self._since = self._since or now
        log.append(key)  # atomic: no lock on the way of every read
        if len(log) >= _LOG:
            self._fold()

    def settle(self, now: int) -> None:
        """Take over what came by quick()."""
        if self._log:
            self._since = self._since or now
            if len(self._log) >= _LOG:
                self._fold()

    def _fold(self) -> None:
        """Count the log by key; the order of the dict is the order of the last use."""
        with self._lock:
            # In place: quick() may be called meanwhile.
            log = self._log[:]
            del self._log[: len(log)]
            uses = self._uses
            for key in log:
                uses[key] = uses.pop(key, 0) + 1
            if len(uses) > MAX_TOUCHES:
                self._uses = dict(islice(uses.items(), len(uses) - MAX_TOUCHES, None))

    def __contains__(self, key: Key) -> bool:
        if self._log:
            self._fold()
        return key in self._uses

    def __len__(self) -> int:
        if self._log:
            self._fold()
        return len(self._uses)

    def due(self, now: int) -> bool:
        """Whether a write that happens anyway should take notes along."""
        if self._since and now - self._since >= FLUSH_AFTER_MS:
            return True
        nearly_full = MAX_TOUCHES - FLUSH_TOUCHES
        return len(self._log) + len(self._uses) > nearly_full and len(self) > nearly_full

    def flush(self, tx: Transaction, statement: str, most: int | None = None) -> None:
        """Write notes by *statement* (?1 key, ?2 time, ?3 uses), the oldest first.

        All of them, or *most*. A rollback forgets them, which costs precision of the order, not
        data.
        """
        self._fold()
        with self._lock:
            rows = [(key, tx.now, count) for key, count in islice(self._uses.items(), most)]
            for key, _, _ in rows:
                del self._uses[key]
            if len(self._uses) <= FLUSH_TOUCHES:
                self._since = tx.now if self._uses else 0
        if rows:
            tx.many(statement, rows)
