"""The two stores of analytics, and the keys in them.

Metrics store: u/DAY/USER, e/DAY/FINGERPRINT and p/DAY/OPERATION, one entry a day each.
Custom store: d/DAY (totals of a finished day), p/USER (privacy), x/ID (an erasure under way).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

from dsfactory.clock import Clock
from dsfactory.services.analytics.calendar import DAY_MS, ONE_DAY, Calendar
from dsfactory.services.analytics.identities import Hashed
from dsfactory.services.analytics.records import (
    Erasure,
    Failure,
    Kept,
    Privacy,
    Timing,
    Totals,
    Tracked,
    Usage,
)
from dsfactory.services.analytics.tracking import add_timing, count
from dsfactory.stores import CustomStore, MetricsStore

SETTLED_MS = 10 * 60_000
"""A day is finished so long after its end: what was on its way is there by then."""

Change = Callable[[Usage, int, int], None]
"""Gets the usage, the moment and the hour of the day."""


class Book:
    """Reads and writes what was tracked; several processes may do so at once."""

    def __init__(
        self,
        events: MetricsStore[Tracked],
        kept: CustomStore[Kept],
        calendar: Calendar,
        clock: Clock,
        retention_ms: int,
    ) -> None:
        self.events = events
        self.kept = kept
        self.calendar = calendar
        self.retention_ms = retention_ms
        self._now = clock.now_ms

    # -- writing

    def note_usage(self, user: Hashed, scope: str, change: Change) -> bool:
        """Apply *change* to the user's day; return False for who has opted out."""
        at = self._now()
        day, hour = self.calendar.day(at), self.calendar.hour(at)
        key = f"u/{day}/{user.current}"
        with self.events.transaction():
            # Asked under the write lock: after opt_out() has deleted, nothing comes any more.
            if self.privacy(user).opted_out:
                return False
            tracked = self.events.get(key)
            usages = (tracked.usage if tracked else self._begun(day, user.current)) or {}
            for name in {"", scope}:
                change(usages.setdefault(name, Usage()), at, hour)
            self.events.set(key, Tracked(usage=usages), ttl=self._left(day, at))
        self._outdated(day)
        return True

    def _begun(self, day: date, user: str) -> dict[str, Usage]:
        """A new day, into which sessions of the day before may go on."""
        before = self.events.get(f"u/{day - ONE_DAY}/{user}")
        usages = (before.usage if before else None) or {}
        return {name: Usage(last_at=usage.last_at) for name, usage in usages.items()}

    def note_failure(self, failure: Failure) -> None:
        """Count an error on the current day."""
        at = self._now()
        day = self.calendar.day(at)

        def counted(tracked: Tracked) -> Tracked:
            kept = tracked.failure or failure
            kept.count += 1
            kept.last_at = max(kept.last_at, at)
            return Tracked(failure=kept)

        key = f"e/{day}/{failure.fingerprint}"
        self.events.update_with(key, counted, Tracked(), ttl=self._left(day, at))

    def note_timing(self, operation: str, milliseconds: float) -> None:
        """Count a duration on the current day."""
        at = self._now()
        day = self.calendar.day(at)

        def counted(tracked: Tracked) -> Tracked:
            timing = tracked.timing or Timing()
            add_timing(timing, milliseconds)
            return Tracked(timing=timing)

        self.events.update_with(f"p/{day}/{operation}", counted, Tracked(), ttl=self._left(day, at))

    def _left(self, day: date, at: int) -> int:
        return self.calendar.end(day) + self.retention_ms - at

    def _outdated(self, day: date) -> None:
        """Drop the totals of a day that was finished: the clock was set back into it."""
        if f"d/{day}" in self.kept:
            self.kept.delete(f"d/{day}")

    # -- reading

    def privacy(self, user: Hashed) -> Privacy:
        """Return what the user decided, under whatever key it was noted."""
        found = self.kept.get_many([f"p/{one}" for one in user.every])
        for one in user.every:
            kept = found.get(f"p/{one}")
            if kept is not None and kept.privacy is not None:
                return kept.privacy
        return Privacy()

    def entries(self, letter: str, start: date, end: date) -> Iterator[tuple[date, str, Tracked]]:
        """Yield (day, rest of the key, entry) of the days from *start* to before *end*."""
        for key, tracked in self.events.scan(start=f"{letter}/{start}", end=f"{letter}/{end}"):
            _, day, rest = str(key).split("/", 2)
            yield date.fromisoformat(day), rest, tracked

    def user_keys(self) -> Iterator[tuple[str, date, str]]:
        """Yield (key, day, user) of every user's day."""
        for key in self.events:
            if isinstance(key, str) and key.startswith("u/"):
                _, day, user = key.split("/")
                yield key, date.fromisoformat(day), user

    def day_totals(self, day: date) -> Totals:
        """Return the day of all users: as kept, or counted now."""
        kept = self.kept.get(f"d/{day}")
        return kept.totals if kept is not None and kept.totals else self.counted(day)

    def counted(self, day: date) -> Totals:
        """Count the day of all users from its entries."""
        totals = Totals()
        for _, _, tracked in self.entries("u", day, day + ONE_DAY):
            usage = (tracked.usage or {}).get("")
            if usage is not None:
                totals.users += 1
                add_usage(totals.usage, usage)
        return totals

    def erasures(self) -> Iterator[tuple[str, Erasure]]:
        """Yield (key, erasure) of those that were begun."""
        for key, kept in self.kept.scan(prefix="x/"):
            if kept.erasure is not None:
                yield str(key), kept.erasure

    # -- maintenance

    def total_up(self) -> int:
        """Make the totals of the finished days that lack them; return of how many days."""
        now = self._now()
        made = 0
        for day in sorted({day for _, day, _ in self.user_keys()}):
            if self.calendar.end(day) + SETTLED_MS <= now and f"d/{day}" not in self.kept:
                made += self._total_up(day, now)
        return made

    def _total_up(self, day: date, now: int) -> bool:
        # Counted under the lock that a deletion takes first: no totals outlive whom they count.
        with self.kept.transaction():
            if any(str(day) in erasure.days for _, erasure in self.erasures()):
                return False
            totals = Kept(totals=self.counted(day))
            self.kept.set(f"d/{day}", totals, ttl=max(self._left(day, now), 1))
        return True

    def oldest(self) -> date:
        """Return the first day that is kept."""
        return self.calendar.day(max(self._now() - self.retention_ms, DAY_MS))

    def drop_old(self) -> int:
        """Delete what is of days before the retention; return how many entries."""
        oldest = self.oldest()
        gone = [
            key
            for letter in "epu"
            for key, _ in self.events.scan(start=f"{letter}/", end=f"{letter}/{oldest}")
        ]
        totals = [key for key, _ in self.kept.scan(start="d/", end=f"d/{oldest}")]
        return self.events.delete_many(gone) + self.kept.delete_many(totals)


def add_usage(total: Usage, usage: Usage) -> None:
    """Add *usage* to *total*."""
    for name in ("commands", "failed", "actions"):
        for one, times in getattr(usage, name).items():
            count(getattr(total, name), one, times)
    total.hours = [a + b for a, b in zip(total.hours, usage.hours, strict=True)]
    total.sessions += usage.sessions
    total.active_ms += usage.active_ms
