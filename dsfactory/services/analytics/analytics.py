"""AnalyticsManager: what is used, how often and how fast, without knowing by whom."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from dsfactory.durations import Duration, duration_ms
from dsfactory.services.analytics import erasing
from dsfactory.services.analytics.book import Book, Change
from dsfactory.services.analytics.calendar import DAY_MS, ONE_DAY, Calendar
from dsfactory.services.analytics.dashboard import StoreLine, store_lines
from dsfactory.services.analytics.identities import Hashed, Identities, User
from dsfactory.services.analytics.records import (
    Failure,
    Kept,
    Privacy,
    Secrets,
    Tracked,
    Usage,
)
from dsfactory.services.analytics.reporting import PERIODS, Report, make_report
from dsfactory.services.analytics.rules import (
    checked_day,
    checked_days,
    checked_ms,
    checked_name,
    checked_scope,
    checked_user,
    refused,
)
from dsfactory.services.analytics.statistics import (
    Performance,
    UsageStatistics,
    failures,
    performance,
    usage_statistics,
)
from dsfactory.services.analytics.tracking import count, touch, traits_of

if TYPE_CHECKING:
    from dsfactory.factory import DataStoreFactory

MOST_DAYS = 3650


class AnalyticsManager:
    """Counts use by day in a metrics store; ids are kept as keyed hashes only.

    Off by default: nothing is recorded unless *enabled*. Shared by threads and processes; what a
    call has tracked survives a kill. Statistics are of whole days of *time_zone*. Finished days are
    added up by maintenance, which also deletes what is older than *retention*.
    """

    def __init__(
        self,
        factory: DataStoreFactory,
        *,
        name: str = "analytics",
        enabled: bool = False,
        retention: Duration = "90d",
        time_zone: str = "UTC",
    ) -> None:
        """Open the stores *name* (metrics), *name*-kept (custom) and *name*-secrets (state).

        *retention* is rounded up to whole days. Raises AnalyticsError for an unknown time zone.
        """
        days = -(-duration_ms(retention, "retention") // DAY_MS)
        if days > MOST_DAYS:
            raise refused("retention", retention, f"at most {MOST_DAYS} days")
        self._factory = factory
        self._enabled = bool(enabled)
        self._retention_days = days
        # Never compressed: a dictionary is made of pieces of values, and outlives them.
        events = factory.create_metrics_store(name, Tracked, compression=False, ttl=f"{days}d")
        kept = factory.create_custom_store(
            f"{name}-kept", Kept, features=["expiry"], compression=False, auto_cleanup=True
        )
        secrets = factory.create_state_store(f"{name}-secrets", Secrets, compression=False)
        clock = factory.clock
        self._identities = Identities(secrets, clock)
        self._book = Book(events, kept, Calendar(time_zone), clock, days * DAY_MS)
        self._clock = clock
        factory.add_maintenance(name, self.maintain)

    @property
    def enabled(self) -> bool:
        """Whether anything is recorded."""
        return self._enabled

    # -- tracking

    def track_command(
        self, user: User, command: str, *, scope: str | None = None, failed: bool = False
    ) -> bool:
        """Count a command; return whether it was recorded.

        It was not when analytics is off or *user* has opted out. *scope* is where: a room, a
        team; kept as a hash too. Raises AnalyticsError for what is no user, scope or name.
        """
        command = checked_name("command", command)

        def change(usage: Usage, at: int, hour: int) -> None:
            count(usage.commands, command)
            if failed:
                count(usage.failed, command)
            usage.hours[hour] += 1
            touch(usage, at)

        return self._note(user, scope, change)

    def track_engagement(
        self, user: User, action: str = "active", *, scope: str | None = None
    ) -> bool:
        """Count an action that is no command; return whether it was recorded.

        Commands and actions make up sessions: after 30 minutes of nothing a new one begins.
        """
        action = checked_name("action", action)

        def change(usage: Usage, at: int, _hour: int) -> None:
            count(usage.actions, action)
            touch(usage, at)

        return self._note(user, scope, change)

    def _note(self, user: User, scope: str | None, change: Change) -> bool:
        user, scope = checked_user(user), checked_scope(scope)
        if not self._enabled:
            return False
        return self._book.note_usage(
            self._identities.user(user), self._identities.scopes(scope)[0], change
        )

    def track_error(self, category: str, error: BaseException | str = "") -> str | None:
        """Count an error of a *category* by day and fingerprint; return the fingerprint, or None.

        Of an exception its class and the function that raised it are kept; of a text nothing,
        and numbers and quoted parts make no difference. Nobody's name goes with it.
        """
        category = checked_name("category", category)
        if not isinstance(error, (str, BaseException)):
            raise refused("error", error, "an exception or a str")
        if not self._enabled:
            return None
        kind, where, text = traits_of(error)
        fingerprint = self._identities.fingerprint(f"{category} {text}")
        self._book.note_failure(Failure(fingerprint, category, kind, where))
        return fingerprint

    def track_performance(self, operation: str, milliseconds: float) -> bool:
        """Count how long an operation took, whoever it was for; return whether it was recorded."""
        operation, milliseconds = checked_name("operation", operation), checked_ms(milliseconds)
        if self._enabled:
            self._book.note_timing(operation, milliseconds)
        return self._enabled

    # -- asking

    def usage_statistics(self, start: date, end: date, scope: str | None = None) -> UsageStatistics:
        """Return the use of the days from *start* to before *end*, in a scope or everywhere.

        Days without use, before the retention or in the future count as nothing.
        """
        start, end = checked_day("start", start), checked_day("end", end)
        if start >= end:
            raise refused("end", end, "a day after start")
        hashes = self._identities.scopes(checked_scope(scope))
        return usage_statistics(self._book, start, end, scope, hashes)

    def errors(self, start: date, end: date) -> list[Failure]:
        """Return the errors from *start* to before *end*, the most frequent first."""
        return failures(self._book, checked_day("start", start), checked_day("end", end))

    def performance(self, start: date, end: date) -> list[Performance]:
        """Return the operations from *start* to before *end*, the slowest by p95 first."""
        return performance(self._book, checked_day("start", start), checked_day("end", end))

    def report(self, period: str = "daily", *, until: date | None = None) -> Report:
        """Return the report of the last day, 7 days ("weekly") or 30 days ("monthly").

        It ends where *until* begins; None is today, so that only whole days count. Trends compare
        with the period before; monthly ones need a retention of 60 days.
        """
        if not isinstance(period, str) or period not in PERIODS:
            raise refused("period", period, ", ".join(PERIODS))
        end = self._today() if until is None else checked_day("until", until)
        if (end - date.min).days < 2 * PERIODS[period]:
            raise refused("until", until, "a day with two such periods before it")
        return make_report(self._book, period, end)

    def store_dashboard(self) -> list[StoreLine]:
        """Return a line of numbers for every store of the factory; it moves no counters.

        One that cannot be read says why in ``problem``.
        """
        return store_lines(self._factory)

    # -- privacy

    def opt_out(self, user: User) -> None:
        """Record nothing of *user* from now on, in all processes; what was recorded stays.

        This is remembered under the user's hash until opt_in() or delete_user().
        """
        self._decide(user, opted_out=True)

    def opt_in(self, user: User) -> None:
        """Record *user* again."""
        self._decide(user, opted_out=False)

    def set_retention(self, user: User, days: int | None) -> None:
        """Keep what *user* does for fewer days than everybody's, from the next maintenance on.

        None keeps it as long as everybody's.
        """
        self._decide(user, retention_days=checked_days("days", days, self._retention_days))

    def privacy(self, user: User) -> Privacy:
        """Return what *user* decided; the defaults when nothing was."""
        return self._book.privacy(self._hashed(user))

    def export_user(self, user: User) -> dict[str, Any]:
        """Return all that is kept of *user*, in plain JSON types; scopes are hashes."""
        hashed = self._hashed(user)
        days = [
            {"day": str(day), "usage": {n: dataclasses.asdict(u) for n, u in usage.items()}}
            for day, one, tracked in self._book.entries("u", date.min, date.max)
            if one in hashed.every and (usage := tracked.usage) is not None
        ]
        privacy = dataclasses.asdict(self._book.privacy(hashed))
        return {"hashes": list(hashed.every), "privacy": privacy, "days": days}

    def delete_user(self, user: User, *, keep_opt_out: bool = False) -> int:
        """Delete all of *user*; return of how many days there was something.

        When this returns, nothing is left in any table, free page or log of the stores, nor in a
        backup made from now on: the stores are written anew, which takes as long as copying them.
        With *keep_opt_out* what the user decided stays, under a hash, so that nothing new comes.

        A deletion that was killed is finished by maintenance. BusyError: somebody reads or writes
        for too long; maintenance finishes it too. Backups made before still hold the hashes
        until they are removed, and restoring one brings the user back: delete again then.
        """
        return erasing.erase(self._book, self._hashed(user), privacy=not keep_opt_out)

    def rotate_key(self) -> str:
        """Hash ids with a new key from now on; return its id.

        Old keys are kept as long as something hashed with them is, so that opting out, export and
        deletion reach it. Who is seen before and after counts as two, and so does an error.
        """
        return self._identities.rotate()

    def _hashed(self, user: User) -> Hashed:
        return self._identities.user(checked_user(user))

    def _decide(self, user: User, **decided: Any) -> None:
        hashed = self._hashed(user)
        with self._book.kept.transaction():
            before = self._book.privacy(hashed)
            after = dataclasses.replace(before, **decided, key=hashed.key)
            self._book.kept.delete_many([f"p/{one}" for one in hashed.every])
            if after.opted_out or after.retention_days is not None:
                self._book.kept.set(f"p/{hashed.current}", Kept(privacy=after))

    # -- maintenance

    def maintain(self) -> int:
        """Finish deletions, apply retention and add up finished days; return how many days.

        The factory's maintenance calls this every five minutes, in one process at a time.
        """
        erasing.finish(self._book)
        keys = self._apply_retention()
        self._book.drop_old()
        before = self._clock.now_ms() - (self._retention_days + 2) * DAY_MS
        self._identities.forget(before, keys)
        return self._book.total_up()

    def _apply_retention(self) -> set[str]:
        """Delete what users wanted kept for less; return the keys that privacy needs."""
        keys, today = set(), self._today()
        for key, kept in list(self._book.kept.scan(prefix="p/")):
            if kept.privacy is None:
                continue
            keys.add(kept.privacy.key)
            if kept.privacy.retention_days is not None:
                before = today - timedelta(days=kept.privacy.retention_days) + ONE_DAY
                erasing.erase_before(self._book, [str(key)[2:]], before)
        erasing.finish(self._book)
        return keys

    def _today(self) -> date:
        return self._book.calendar.day(self._clock.now_ms())
