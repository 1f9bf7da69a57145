"""Waiting for the write lock: which process writes next.

SQLite's own waiting sleeps longer the longer it has waited, so that whoever came last is served
first. Here everybody tries once without waiting; only who finds the lock taken queues, on
``flock`` of a small file beside the database, and whoever is in front asks again and again until
it has the lock. It stays in front until its commit, and the next one takes over. Who has written
for a while looks whether somebody is in front, and makes way. Nothing but fairness depends on
that file: SQLite's lock is the one that counts.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dsfactory.clock import NS_PER_MS, pause, ticks_ns
from dsfactory.engine.files import PRIVATE_FILE, QUEUE_FILE

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LONGEST_WAIT_MS = 5000
"""Doubling ends here: SQLite itself has waited as long, by the standard busy timeout, each time."""

BURST_NS = 4_000_000
"""How long a process may write before it looks whether others wait: about 100 commits that find
its page cache as it left it, and eight processes have all had their turn after 32 ms."""

MAKE_WAY_S = 0.001
"""How long it then stays away from the lock: whoever is in front asks once meanwhile."""

FRESH_NS = 1_000_000
"""Who writes again after so long has made way already."""

IN_FRONT_S = (0.00005, 0.0003, 0.001)
"""How long whoever is in front sleeps between attempts: at first, where commits are short; among
many writers; at most, during a long transaction. Never longer than MAKE_WAY_S."""

BEHIND_S = 0.0003
"""The others sleep as long as they have waited, and no less than this. A look costs some 15 us of
the processor of the one that writes: scripts/bench/fairness."""

PATIENCE = ((12, 0.0024), (24, 0.0006), (400, 0.0002), (1000, 0.001))
"""The longest sleep of who has waited less than so many milliseconds. Who has waited longer looks
more often, and so comes to the front first; after that, somebody writes for long."""

LONGEST_LOOK_S = 0.005

ASK_ANYWAY = 16
"""Looks after which one from behind asks for the lock: who is in front may have been stopped."""


class Retry(NamedTuple):
    """How often a busy write lock is asked for again, and how long is waited in between."""

    max_retries: int = 3
    """After the first attempt: 0 means one attempt."""
    delay_ms: int = 100
    """Doubled after each attempt up to 5 s, times a random factor from 0.5 to 1."""

    def wait_s(self, attempt: int) -> float:
        """Return how long to wait after attempt number *attempt*, counted from 0."""
        longest = max(self.delay_ms, LONGEST_WAIT_MS)
        return float(min(self.delay_ms * 2**attempt, longest)) * _jitter() / 1000


STANDARD_RETRY = Retry()


def _jitter() -> float:
    """A random factor from 0.5 to 1, so that waiters do not come back together."""
    return 0.5 + os.urandom(1)[0] / 510


class Queue:
    """This process's place among those that wait to write one file."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened before the first wait."""
        self._path = f"{path}{QUEUE_FILE}"
        self._descriptor: int | None = None
        self._usable = fcntl is not None
        self._burst_began = 0
        self.in_front = False
        self.crowded = False
        """Whether the last look found others waiting: then make_way() before the lock is asked."""

    def wait(self, attempt: Callable[[], bool], patience_ms: int) -> bool:
        """Call *attempt* until it succeeds or *patience_ms* are over; return whether it did.

        After a success the caller may be in front: it calls leave() when it has committed.
        """
        succeeded = False
        try:
            succeeded = self._ask(attempt, patience_ms * NS_PER_MS)
        finally:
            if not succeeded:
                self.leave()
        return succeeded

    def _ask(self, attempt: Callable[[], bool], patience_ns: int) -> bool:
        started = ticks_ns()
        looks = 0
        while (waited := ticks_ns() - started) < patience_ns:
            looks += 1
            front = self.in_front or self._come_to_front()
            asks = front or not self._usable or looks % ASK_ANYWAY == 0
            if asks and attempt():
                self._begin_burst()
                return True
            pause(_jitter() * (_in_front_s(waited) if front else _behind_s(waited)))
        return False

    def look(self, now: int) -> None:
        """After a commit at *now*: note whether others wait while we have written for long.

        Costs a comparison in most cases, and a few microseconds once in BURST_NS.
        """
        if now < self._burst_began + BURST_NS:
            return
        self._burst_began = now
        if not self._usable or (self._descriptor is None and not Path(self._path).exists()):
            return
        if self._come_to_front():
            self.leave()
        else:
            self.crowded = self._usable and self._descriptor is not None

    def make_way(self) -> None:
        """Stay away from the lock for a moment, unless we have since we saw others waiting."""
        if ticks_ns() < self._burst_began + FRESH_NS:
            pause(MAKE_WAY_S)
        self._begin_burst()

    def _begin_burst(self) -> None:
        self._burst_began = ticks_ns()
        self.crowded = False

    def _come_to_front(self) -> bool:
        if not self._usable:
            return False
        try:
            if self._descriptor is None:
                self._descriptor = _open(self._path)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(self._descriptor).st_nlink == 0:
                self.drop()  # whoever closed last took the file away
                return False
        except BlockingIOError:
            return False
        except OSError:
            # A file system without flock, a directory that we may not write to: everybody
            # sleeps a little and asks again, which is less fair and as correct.
            self._usable = False
            return False
        self.in_front = True
        return True

    def leave(self) -> None:
        """Let the next one come to the front."""
        if self.in_front and self._descriptor is not None:
            self.in_front = False
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file, and take it away unless somebody is in front."""
        if self._descriptor is not None and self._come_to_front():
            with contextlib.suppress(OSError):
                Path(self._path).unlink()
        self.drop()

    def drop(self) -> None:
        """Let go of the file; in a forked child, which would keep the parent's place."""
        descriptor, self._descriptor = self._descriptor, None
        self.in_front = False
        self.crowded = False
        if descriptor is not None:
            os.close(descriptor)


def _open(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    return os.open(path, flags, PRIVATE_FILE)


def _in_front_s(waited_ns: int) -> float:
    first, among_many, longest = IN_FRONT_S
    grown = max(first, min(among_many, waited_ns / 4e9))
    return max(grown, min(longest, waited_ns / 1e11))


def _behind_s(waited_ns: int) -> float:
    for longest_ms, sleep_s in PATIENCE:
        if waited_ns < longest_ms * NS_PER_MS:
            return min(sleep_s, max(BEHIND_S, waited_ns / 1e9))
    return LONGEST_LOOK_S
