"""Commands that run by themselves: scheduled in the user's zone, claimed by a lease, run once.

A row for each scheduled command; an index row "due/<time>/<user>/<id>" for each that is to come.
A claim moves the index row to where the lease ends: due() needs to know nothing of leases.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dsfactory.services.preferences.book import Book, Moment, error_of, key_of, moment_ms, quoted
from dsfactory.services.preferences.records import Executor, Firing, RunReport, ScheduledCommand
from dsfactory.services.preferences.rules import checked_limit, checked_text, refused
from dsfactory.services.preferences.schedules import Schedule, as_row, from_row, next_firing
from dsfactory.services.preferences.zones import wall_of, zone_named

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

AREA = "scheduled"
DUE = "due/"
ZONE = "zone"

MAX_SCHEDULED = 50
"""Of one user: all of them are moved when the user's time zone changes."""

MOST_AT_ONCE = 100_000
"""Firings that one call may be asked for."""


@dataclass(frozen=True, slots=True)
class Job:
    """The row of a scheduled command."""

    command: str
    schedule: dict[str, Any]
    created_at: int
    next_at: int | None
    due_at: int | None
    """Where its index row stands: at next_at, or at the end of the lease."""
    covered: str | None = None
    """The wall-clock time up to which it has fired."""
    token: str | None = None
    attempts: int = 0
    last_at: int | None = None
    runs: int = 0
    failures: int = 0
    last_error: str | None = None


class Agenda(Book):
    """Scheduled commands by user, and the leases of those that run."""

    _timezone: str
    _lease_ms: int

    # -- the user's clock

    def timezone(self, user: str) -> str:
        """Return the name of the user's time zone; the manager's own when none was set."""
        return str(self._store.get(key_of(ZONE, user), self._timezone))

    def set_timezone(self, user: str, name: str) -> None:
        """Let the user's schedules go by the clocks of the zone *name*, from now on.

        What is overdue stays so. A time of day that has fired does not fire again because the
        user went west. Raises PreferenceError for a zone that does not exist.
        """
        key, zone = key_of(ZONE, user), zone_named(name)
        with self._store.transaction():
            self._store[key] = name
            now = self._now()
            for id_, job in self._jobs(user):
                if job.token is None and job.next_at is not None and job.next_at > now:
                    after = max(now, job.last_at or 0)
                    self._move(user, id_, job, self._following(job, after, zone))

    # -- scheduling

    def schedule(self, user: str, command: str, schedule: Schedule) -> ScheduledCommand:
        """Let *command* run as *schedule* says, in the user's time zone.

        *schedule* is Daily, Weekly, Monthly or Cron. It fires for the first time after now.
        """
        prefix, row = key_of(AREA, user), as_row(schedule)
        command = checked_text("command", command)
        id_ = secrets.token_hex(8)
        with self._store.transaction():
            if len(list(self._store.scan(prefix=prefix, limit=MAX_SCHEDULED))) >= MAX_SCHEDULED:
                raise refused("schedule", schedule, f"at most {MAX_SCHEDULED} of one user")
            now = self._now()
            job = Job(command, row, now, None, None)
            at = self._following(job, now, zone_named(self.timezone(user)))
            job = self._move(user, id_, job, at)
        return _shown(user, id_, job)

    def unschedule(self, user: str, id: str) -> bool:
        """Forget a scheduled command; return False when there was none.

        One that runs at the moment runs to its end.
        """
        key = key_of(AREA, user, quoted(str(id)))
        with self._store.transaction():
            row = self._store.pop(key, None)
            if row is not None and row["due_at"] is not None:
                self._store.delete(_due_key(row["due_at"], user, id))
        return row is not None

    def scheduled(self, user: str) -> list[ScheduledCommand]:
        """Return the user's scheduled commands, the next to fire first."""
        found = [_shown(user, id_, job) for id_, job in self._jobs(user)]
        return sorted(found, key=lambda s: (s.next_at is None, s.next_at or 0, s.id))

    # -- running

    def due(self, now: Moment | None = None, *, limit: int | None = None) -> list[Firing]:
        """Return what is to run at *now* (None: by the clock), the longest overdue first.

        What somebody runs under a lease is left out. A command comes at most once, however many
        of its times went by.
        """
        most = None if limit is None else checked_limit("limit", limit, MOST_AT_ONCE)
        bound = self._now() if now is None else moment_ms(now)
        found = []
        for _, (user, id_) in self._store.scan(prefix=DUE, end=_due_end(bound), limit=most):
            row = self._store.get(key_of(AREA, user, id_))
            if row is not None and row["next_at"] is not None:
                found.append(_firing(user, id_, Job(**row), row["attempts"] + 1, ""))
        return found

    def run_due(
        self, executor: Executor, *, now: Moment | None = None, limit: int | None = None
    ) -> RunReport:
        """Run what is due at *now* (None: by the clock), each at most once; return what happened.

        *executor* gets a Firing. What it raises is counted as a failure, and the command comes
        again at its next time. Each runs under a lease: no other process or thread runs the same
        firing until the lease ends; when its holder has died, the next run_due() after that runs
        it again, so an executor may see a firing twice (Firing.key stays the same), never none.
        KeyboardInterrupt and SystemExit give the lease back and end the run.
        """
        left = MOST_AT_ONCE if limit is None else checked_limit("limit", limit, MOST_AT_ONCE)
        bound = self._now() if now is None else moment_ms(now)
        done: dict[str, list[Firing]] = {"succeeded": [], "failed": [], "lost": []}
        while left and (firing := self._claim(bound, by_clock=now is None)) is not None:
            left -= 1
            done[self._run(executor, firing, bound)].append(firing)
        return RunReport(**{what: tuple(firings) for what, firings in done.items()})

    def renew(self, firing: Firing) -> bool:
        """Let the lease of a firing that runs begin anew, for executors that take long.

        False: it is no longer held, somebody else may run it; nothing changes.
        """
        with self._store.transaction():
            job = self._held(firing)
            if job is not None and job.due_at is not None:
                until = max(self._now() + self._lease_ms, job.due_at)
                self._write(firing.user, firing.id, job, replace(job, due_at=until))
        return job is not None

    def _run(self, executor: Executor, firing: Firing, bound: int) -> str:
        try:
            error = error_of(executor, firing, f"scheduled command {firing.id}")
        except BaseException:
            self._give_back(firing)
            raise
        if not self._settle(firing, error, bound):
            return "lost"
        return "succeeded" if error is None else "failed"

    def _claim(self, bound: int, *, by_clock: bool) -> Firing | None:
        if self._first_due(bound) is None:  # without a write lock: most calls find nothing
            return None
        with self._store.transaction():
            while (found := self._first_due(bound)) is not None:
                key, (user, id_) = found
                row = self._store.get(key_of(AREA, user, id_))
                if row is not None and _due_key(row["due_at"] or 0, user, id_) == key:
                    # Whoever says what time it is plays the clock for the lease as well.
                    now = max(bound, self._now()) if by_clock else bound
                    return self._lease(user, id_, Job(**row), now)
                self._store.delete(key)  # it points at nothing: somebody else edited the file
        return None

    def _lease(self, user: str, id_: str, job: Job, now: int) -> Firing:
        token, attempt = secrets.token_hex(8), job.attempts + 1
        until = now + self._lease_ms
        leased = replace(job, due_at=until, token=token, attempts=attempt)
        self._write(user, id_, job, leased)
        return _firing(user, id_, leased, attempt, token)

    def _first_due(self, bound: int) -> tuple[Any, Any] | None:
        return next(self._store.scan(prefix=DUE, end=_due_end(bound), limit=1), None)

    def _held(self, firing: Firing) -> Job | None:
        row = self._store.get(key_of(AREA, firing.user, firing.id))
        return Job(**row) if row is not None and row["token"] == firing.token else None

    def _give_back(self, firing: Firing) -> None:
        with self._store.transaction():
            job = self._held(firing)
            if job is not None:
                free = replace(job, token=None, due_at=job.next_at)
                self._write(firing.user, firing.id, job, free)

    def _settle(self, firing: Firing, error: str | None, bound: int) -> bool:
        """Record the run and plan the next; False when the lease is somebody else's."""
        with self._store.transaction():
            job = self._held(firing)
            if job is None:
                return False
            # All that went by until then is covered by this run. A clock that was set back does
            # not bring it again.
            after = max(bound, firing.scheduled_at)
            zone = zone_named(self.timezone(firing.user))
            ran = replace(
                job,
                covered=wall_of(after, zone).isoformat(),
                token=None,
                attempts=0,
                last_at=after,
                runs=job.runs + 1,
                failures=job.failures + (error is not None),
                last_error=error,
            )
            following = self._following(ran, after, zone)
            planned = replace(ran, next_at=following, due_at=following)
            self._write(firing.user, firing.id, job, planned)
        return True

    # -- rows

    def _following(self, job: Job, after: int, zone: ZoneInfo) -> int | None:
        covered = None if job.covered is None else datetime.fromisoformat(job.covered)
        return next_firing(from_row(job.schedule), zone, after, covered)

    def _move(self, user: str, id_: str, job: Job, at: int | None) -> Job:
        moved = replace(job, next_at=at, due_at=at)
        self._write(user, id_, job, moved)
        return moved

    def _write(self, user: str, id_: str, old: Job, new: Job) -> None:
        if old.due_at is not None:
            self._store.delete(_due_key(old.due_at, user, id_))
        if new.due_at is not None:
            self._store[_due_key(new.due_at, user, id_)] = [user, id_]
        self._store[key_of(AREA, user, id_)] = asdict(new)

    def _jobs(self, user: str) -> Iterator[tuple[str, Job]]:
        prefix = key_of(AREA, user)
        for key, row in self._store.scan(prefix=prefix):
            yield str(key).removeprefix(prefix), Job(**row)


def _due_key(at: int, user: str, id_: str) -> str:
    # 15 digits: all milliseconds until the year 9999, in the order of time.
    return f"{DUE}{at:015d}/{quoted(user)}/{id_}"


def _due_end(bound: int) -> str:
    return f"{DUE}{bound + 1:015d}"


def _shown(user: str, id_: str, job: Job) -> ScheduledCommand:
    return ScheduledCommand(
        user=user,
        id=id_,
        command=job.command,
        schedule=from_row(job.schedule),
        created_at=job.created_at,
        next_at=job.next_at,
        last_at=job.last_at,
        runs=job.runs,
        failures=job.failures,
        last_error=job.last_error,
    )


def _firing(user: str, id_: str, job: Job, attempt: int, token: str) -> Firing:
    return Firing(user, id_, job.command, job.next_at or 0, attempt=attempt, token=token)
