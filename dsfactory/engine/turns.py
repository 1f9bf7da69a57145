"""Which thread of this process writes next: the one that has waited longest.

A thread may leave its work with its place in the queue. Whoever comes to the front then does the
work of all the others with its own, and one commit, one fsync serves them all.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from dsfactory.engine.transaction import Savepoint, Transaction
from dsfactory.errors import DataStoreError

Step = Callable[[Transaction], Any]

LARGEST_GROUP = 128
"""Steps that one commit serves: more would only make the first of them wait."""


class Place:
    """One thread's place in the queue, and what became of its work."""

    __slots__ = ("_error", "_result", "called", "done", "served", "step")

    def __init__(self, step: Step | None) -> None:
        self.step = step
        self.served = False
        """Whether another thread had the work in hand: then the turn is not ours."""
        self.done = False
        """Whether that came to an end; else the work is still to be done."""
        self._result: Any = None
        self._error: BaseException | None = None
        self.called = threading.Lock()
        self.called.acquire()

    def attempt(self, transaction: Transaction) -> None:
        """Do the work as a part of *transaction*, undone alone when it fails."""
        step = self.step
        if step is None:
            return
        try:
            with Savepoint(transaction):
                self._result = step(transaction)
        except Exception as error:
            if transaction.over:
                raise  # SQLite undid the work of all
            self._error = error  # raised in the thread whose work it is

    def fail(self, error: DataStoreError) -> None:
        """Let the work end with an *error* that all who share a transaction have in common."""
        self._error = type(error)(error.message, **error.facts)
        self.done = True

    def outcome(self) -> Any:
        """Return what the work returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._result


class Turns:
    """One thread at a time, first come, first served."""

    def __init__(self) -> None:
        self._held = threading.Lock()
        self._mutex = threading.Lock()
        self._queue: deque[Place] = deque()

    def take_free(self) -> bool:
        """Take the turn if nobody has it or waits for it; return whether it is ours."""
        return not self._queue and self._held.acquire(blocking=False)

    def take(self, patience_s: float) -> bool:
        """Take the turn, waiting for it as long as *patience_s*; return whether it is ours."""
        return self.take_free() or self.queue(None, patience_s) is not None

    def queue(self, step: Step | None, patience_s: float) -> Place | None:
        """Wait for the turn, or for *step* to be served; None when neither came in time.

        Unless the place that is returned was served, the turn is ours.
        """
        place = Place(step)
        with self._mutex:
            self._queue.append(place)
        self._call()  # the turn may have been given back just before
        try:
            called = place.called.acquire(timeout=patience_s)
        except BaseException:
            if not self._leave(place):
                self._decline(place)
            raise
        if called or not self._leave(place):
            if not called:
                place.called.acquire()  # somebody has our work in hand
            return place
        return None

    def _leave(self, place: Place) -> bool:
        with self._mutex:
            try:
                self._queue.remove(place)
            except ValueError:
                return False
            return True

    def _decline(self, place: Place) -> None:
        """Pass on a turn that came while its thread was interrupted."""
        place.called.acquire()
        if not place.served:
            self.give()

    def others(self) -> list[Place]:
        """Take out of the queue those who left their work there: the caller does it."""
        if not self._queue:
            return []
        with self._mutex:
            found = [place for place in self._queue if place.step is not None][:LARGEST_GROUP]
            for place in found:
                self._queue.remove(place)
        return found

    def give(self) -> None:
        """Pass the turn to who has waited longest."""
        self._held.release()
        if self._queue:
            self._call()

    def _call(self) -> None:
        with self._mutex:
            if self._queue and self._held.acquire(blocking=False):
                self._queue.popleft().called.release()
