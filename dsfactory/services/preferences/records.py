"""What the manager hands out: frozen values. Times are milliseconds since the epoch, UTC."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dsfactory.services.preferences.schedules import Schedule


@dataclass(frozen=True, slots=True)
class Alias:
    """A short name of a user's own for a command."""

    name: str
    command: str
    created_at: int


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One command that a user gave."""

    text: str
    """As the user typed it."""
    command: str
    """With its alias resolved."""
    at: int
    ok: bool


@dataclass(frozen=True, slots=True)
class ScheduledCommand:
    """A command that runs by itself."""

    user: str
    id: str
    command: str
    schedule: Schedule
    created_at: int
    next_at: int | None
    """The next firing, or the one that runs or is overdue; None when there is none any more."""
    last_at: int | None
    """When it last ran, whether well or not."""
    runs: int
    failures: int
    last_error: str | None
    """The type of the error that the last run raised; None when it went well."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One time that a scheduled command is to run."""

    user: str
    id: str
    command: str
    scheduled_at: int
    attempt: int
    """1 unless whoever ran it before died, or let the lease end."""
    token: str = ""
    """Who holds the lease; empty in what due() returns."""

    @property
    def key(self) -> str:
        """The same for every attempt at this firing: for executors that must act only once."""
        return f"{self.id}@{self.scheduled_at}"


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one run_due() did."""

    succeeded: tuple[Firing, ...] = ()
    failed: tuple[Firing, ...] = ()
    """The executor raised; each counts as run and comes again at its next time."""
    lost: tuple[Firing, ...] = ()
    """Took longer than the lease, or was unscheduled meanwhile: nothing of it was recorded."""


@dataclass(frozen=True, slots=True)
class BulkItem:
    """One command of a bulk operation."""

    user: str
    id: str
    index: int
    command: str


@dataclass(frozen=True, slots=True)
class BulkFailure:
    """A command of a bulk operation whose executor raised."""

    index: int
    command: str
    error: str
    """The type of the error."""


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """How far a bulk operation is."""

    user: str
    id: str
    name: str
    state: str
    """"waiting", "running", "done" or "cancelled"; whoever runs it may have died."""
    total: int
    done: int
    """Commands that were tried, those that failed included."""
    failed: int
    started_at: int
    updated_at: int

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in ("done", "cancelled")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Something that the user may want to type."""

    text: str
    source: str
    """"alias", "recent" or "available"."""


@dataclass(frozen=True, slots=True)
class UserStatistics:
    """One user in numbers."""

    user: str
    preferences: Mapping[str, int]
    """How many preferences were chosen, by scope."""
    aliases: int
    alias_uses: Mapping[str, int]
    commands: int
    """All that were ever recorded, those trimmed from the history included."""
    failed_commands: int
    kept: int
    """Entries that the history holds."""
    top_commands: tuple[tuple[str, int], ...]
    """First words with their counts, the most frequent first."""
    first_at: int | None
    last_at: int | None
    scheduled: int
    runs: int
    run_failures: int
    next_at: int | None
    unfinished_bulks: int


@dataclass(frozen=True, slots=True)
class Totals:
    """All users in numbers."""

    users: int
    scopes: int
    aliases: int
    commands: int
    scheduled: int
    overdue: int
    runs: int
    run_failures: int
    unfinished_bulks: int


Executor = Callable[[Firing], object]
"""Runs a scheduled command; what it returns is ignored, what it raises counts as a failure."""

BulkExecutor = Callable[[BulkItem], object]
"""Runs one command of a bulk operation, likewise."""
