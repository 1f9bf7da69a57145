"""The only place that asks what time it is. Times are integer milliseconds since the epoch, UTC."""

from __future__ import annotations

import time
from typing import Protocol

END_OF_TIME = 253_402_300_799_999
"""The last millisecond of the year 9999: the last moment that datetime and SQLite can both name."""

ticks_ns = time.perf_counter_ns
"""For measuring how long something took; says nothing about the time of day."""

cpu_ns = time.process_time_ns
"""The processor time of this process, for benchmarks."""

wall_ns = time.time_ns
"""The machine's time of day in nanoseconds, where asking a Clock would take half of the time."""

NS_PER_MS = 1_000_000

pause = time.sleep
"""For backing off from a lock that another process holds; never for waiting on a thread."""


class Clock(Protocol):
    """Whatever can tell the time of day."""

    def now_ms(self) -> int:
        """Return milliseconds since the epoch, UTC; may jump in either direction."""
        ...


class SystemClock:
    """The machine's wall clock."""

    def now_ms(self) -> int:
        """Return the machine's time of day."""
        return wall_ns() // NS_PER_MS


class ManualClock:
    """A clock that moves only when told to, for tests of anything that expires."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now = now_ms

    def now_ms(self) -> int:
        """Return the time that was set last."""
        return self._now

    def advance(self, milliseconds: int) -> None:
        """Move by *milliseconds*; a negative number plays a clock that is set back."""
        self._now += milliseconds


class Ratchet:
    """A store's time: a clock that never goes back, so that nothing expired comes to life again.

    When the wall clock jumps back, the store's time goes on from where it was, at the wall
    clock's pace, until the wall clock has caught up. *floor* is the highest time that earlier
    processes saw (the store keeps it in its file).

    Threads share one without a lock: nothing is called between a look at the last answer and the
    next, and only at calls and jumps backwards may CPython let another thread go on.
    """

    __slots__ = ("_last", "_offset", "_wall")

    def __init__(self, clock: Clock, floor: int = 0) -> None:
        self._wall = clock.now_ms
        self._last = floor
        self._offset = 0

    def now_ms(self) -> int:
        """Return the store's time: at least as late as every earlier answer."""
        wall = self._wall()
        if wall >= self._last:
            self._offset = 0
            self._last = wall
            return wall
        now = wall + self._offset
        if now < self._last:
            now = self._last
            self._offset = now - wall
        self._last = now
        return now

    def raise_to(self, floor: int) -> None:
        """Never again answer anything before *floor*."""
        if floor > self._last:  # noqa: PLR1730 -- max() is a call: what others answer would be lost
            self._last = floor
