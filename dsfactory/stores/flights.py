"""One caller computes, the others wait: the gate of get_or_set, for threads and for processes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from dsfactory.engine import Database, Transaction, forks
from dsfactory.engine.forks import Restarting
from dsfactory.model import Key
from dsfactory.stores import sql
from dsfactory.stores.holders import has_died, new_holder


class Flights(Restarting):
    """A lock for each key that a thread of this handle computes at the moment."""

    def __init__(self) -> None:
        forks.watch(self)
        self.after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """Start with nobody computing: the parent's threads are not here."""
        self._lock = threading.Lock()
        self._flying: dict[Key, tuple[threading.RLock, int]] = {}
        self._inside = threading.local()

    @contextlib.contextmanager
    def alone(self, key: Key) -> Iterator[bool]:
        """Hold *key* for this thread; whoever dies or fails inside gives it up.

        Gives False to a thread that holds it already, further out.
        """
        with self._lock:
            lock, waiting = self._flying.get(key, (threading.RLock(), 0))
            self._flying[key] = (lock, waiting + 1)
        try:
            with lock, self._entered(key) as outermost:
                yield outermost
        finally:
            with self._lock:
                # None in a child that was forked while it computed: it started over.
                lock, waiting = self._flying.pop(key, (lock, 1))
                if waiting > 1:
                    self._flying[key] = (lock, waiting - 1)

    @contextlib.contextmanager
    def _entered(self, key: Key) -> Iterator[bool]:
        held: set[Key] = self._inside.__dict__.setdefault("held", set())
        if key in held:
            yield False
            return
        held.add(key)
        try:
            yield True
        finally:
            held.discard(key)


class Lease:
    """The right to compute one key, among all processes: a row that outlives nobody for long.

    It ends when it is dropped, when its time is up, and when its holder's process has died.
    """

    def __init__(self, database: Database, key: Key, duration_ms: int) -> None:
        self._database = database
        self._key = key
        self._duration_ms = duration_ms
        self._holder = new_holder()

    def take(self, now: int) -> bool:
        """Take the lease unless a living holder has it; return whether it is ours now.

        Looks first: those who wait ask often, and must not hinder the one who writes.
        """
        dead = ""
        for holder, expires_at in self._database.rows(sql.LEASE, (self._key,)):
            if has_died(holder):
                dead = holder
            elif expires_at > now:
                return False
        with self._database.write() as tx:
            until = tx.now + self._duration_ms
            row = (self._key, self._holder, until, tx.now, dead)
            return bool(tx.aside(sql.TAKE_LEASE, row))

    def drop(self) -> None:
        """Give the lease back, if it is still ours."""
        with self._database.write() as tx:
            self.drop_with(tx)

    def drop_with(self, tx: Transaction) -> None:
        """Give the lease back together with what else *tx* commits."""
        tx.aside(sql.DROP_LEASE, (self._key, self._holder))
