"""Waiting for the write lock: which process writes next.

SQLite's own waiting sleeps longer the longer it has waited, so that whoever came last is served
first. Here everybody tries once without waiting; only who finds the lock taken queues, on
``flock`` of a small file beside the database, and whoever is in front asks again and again until
it has the lock. It stays in front until its commit, and the next one takes over. Nothing but
fairness depends on that file: SQLite's lock is the one that counts.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dsfactory.clock import pause, ticks_ns
from dsfactory.engine.files import PRIVATE_FILE, QUEUE_FILE

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LONGEST_WAIT_MS = 5000
"""Doubling ends here: SQLite itself has waited as long, by the standard busy timeout, each time."""

IN_FRONT_S = 0.00005
"""How long whoever is in front sleeps between attempts; a commit takes about as long."""

BEHIND_S = 0.0006
"""How long who comes last sleeps, at most, between looks at who is in front. Who has waited longer
looks more often, and so comes to the front first: scripts/bench/fairness."""

PATIENCE = ((10, BEHIND_S), (20, 0.0003), (40, 0.0002), (200, 0.0001), (1000, 0.001))
"""How long who has waited so many milliseconds sleeps; after that somebody writes for long."""

LONGEST_LOOK_S = 0.005

ASK_ANYWAY = 32
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
        self.in_front = False

    def wait(self, attempt: Callable[[], bool], patience_ms: int) -> bool:
        """Call *attempt* until it succeeds or *patience_ms* are over; return whether it did.

        After a success the caller may be in front: it calls leave() when it has committed.
        """
        started = ticks_ns()
        deadline = started + patience_ms * 1_000_000
        looks = 0
        try:
            while (now := ticks_ns()) < deadline:
                looks += 1
                if self.in_front or self._come_to_front():
                    # A hundredth of the wait: a long transaction is waited for at rest.
                    sleep_s = max(IN_FRONT_S, min(LONGEST_LOOK_S, (now - started) / 1e11))
                else:
                    sleep_s = _between_looks_s((now - started) // 1_000_000)
                    if self._usable and looks % ASK_ANYWAY:
                        pause(_jitter() * sleep_s)
                        continue
                if attempt():
                    return True
                pause(_jitter() * sleep_s)
        except BaseException:
            self.leave()
            raise
        self.leave()
        return False

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
        if descriptor is not None:
            os.close(descriptor)


def _open(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    return os.open(path, flags, PRIVATE_FILE)


def _between_looks_s(waited_ms: int) -> float:
    for longest, sleep_s in PATIENCE:
        if waited_ms < longest:
            return sleep_s
    return LONGEST_LOOK_S
