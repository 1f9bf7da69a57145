"""One caller computes, the other threads wait: the gate of get_or_set."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from dsfactory.engine import forks
from dsfactory.engine.forks import Restarting
from dsfactory.model import Key


class Flights(Restarting):
    """A lock for each key that somebody computes at the moment."""

    def __init__(self) -> None:
        forks.watch(self)
        self.after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """Start with nobody computing: the parent's threads are not here."""
        self._lock = threading.Lock()
        self._flying: dict[Key, tuple[threading.RLock, int]] = {}

    @contextlib.contextmanager
    def alone(self, key: Key) -> Iterator[None]:
        """Hold *key* for this thread; whoever dies or fails inside gives it up."""
        with self._lock:
            lock, waiting = self._flying.get(key, (threading.RLock(), 0))
            self._flying[key] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                # None in a child that was forked while it computed: it started over.
                lock, waiting = self._flying.pop(key, (lock, 1))
                if waiting > 1:
                    self._flying[key] = (lock, waiting - 1)
