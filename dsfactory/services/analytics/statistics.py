"""Numbers over whole days, put together from what was tracked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from dsfactory.services.analytics.book import Book, add_usage
from dsfactory.services.analytics.records import Failure, Timing, Usage
from dsfactory.services.analytics.sketch import quantile


@dataclass(frozen=True, slots=True)
class UsageStatistics:
    """Use from the beginning of *start* to the beginning of *end*."""

    start: date
    end: date
    scope: str | None
    unique_users: int
    """Who used it on several days is one; before and after a rotation of the key, two."""
    commands: int
    failed: int
    sessions: int
    active_ms: int
    by_command: Mapping[str, int]
    """Most used first, as in the others."""
    failed_by_command: Mapping[str, int]
    by_action: Mapping[str, int]
    by_hour: tuple[int, ...]
    """Commands in each of the 24 hours of the day, in the manager's time zone."""
    by_day: Mapping[date, int]
    """Commands of each day on which anything was used."""

    @property
    def average_session_ms(self) -> float:
        """Active time over sessions; 0.0 without any."""
        return self.active_ms / self.sessions if self.sessions else 0.0


@dataclass(frozen=True, slots=True)
class Performance:
    """How long an operation took. Quantiles are within 1 %."""

    operation: str
    count: int
    average_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float


def usage_statistics(
    book: Book, start: date, end: date, scope: str | None, hashes: tuple[str, ...]
) -> UsageStatistics:
    """Return the use of a scope by its hashes, or of everything."""
    total, by_day = Usage(), dict[date, int]()
    if scope is None:
        users = {user for _, day, user in book.user_keys() if start <= day < end}
        for day in sorted({day for _, day, _ in book.user_keys() if start <= day < end}):
            usage = book.day_totals(day).usage
            add_usage(total, usage)
            by_day[day] = sum(usage.commands.values())
    else:
        users = set()
        for day, user, tracked in book.entries("u", start, end):
            for usage in [u for name, u in (tracked.usage or {}).items() if name in hashes]:
                add_usage(total, usage)
                users.add(user)
                by_day[day] = by_day.get(day, 0) + sum(usage.commands.values())
    return UsageStatistics(
        start=start,
        end=end,
        scope=scope,
        unique_users=len(users),
        commands=sum(total.commands.values()),
        failed=sum(total.failed.values()),
        sessions=total.sessions,
        active_ms=total.active_ms,
        by_command=ranked(total.commands),
        failed_by_command=ranked(total.failed),
        by_action=ranked(total.actions),
        by_hour=tuple(total.hours),
        by_day=by_day,
    )


def failures(book: Book, start: date, end: date) -> list[Failure]:
    """Return the errors of some days, each once, the most frequent first."""
    found: dict[str, Failure] = {}
    for _, fingerprint, tracked in book.entries("e", start, end):
        one = tracked.failure
        if one is None:
            continue
        if fingerprint in found:
            one.count += found[fingerprint].count
            one.last_at = max(one.last_at, found[fingerprint].last_at)
        found[fingerprint] = one
    return sorted(found.values(), key=lambda one: (-one.count, one.category, one.fingerprint))


def performance(book: Book, start: date, end: date) -> list[Performance]:
    """Return the operations of some days, the slowest by p95 first."""
    found: dict[str, Timing] = {}
    for _, operation, tracked in book.entries("p", start, end):
        if tracked.timing is not None:
            _merge(found.setdefault(operation, Timing()), tracked.timing)
    lines = [
        Performance(
            operation=operation,
            count=timing.count,
            average_ms=timing.total_ms / timing.count,
            p50_ms=_quantile(timing, 0.5),
            p95_ms=_quantile(timing, 0.95),
            p99_ms=_quantile(timing, 0.99),
            longest_ms=timing.longest_ms,
        )
        for operation, timing in found.items()
    ]
    return sorted(lines, key=lambda line: (-line.p95_ms, line.operation))


def _quantile(timing: Timing, q: float) -> float:
    return min(quantile(timing.buckets, q), timing.longest_ms)


def _merge(total: Timing, timing: Timing) -> None:
    total.count += timing.count
    total.total_ms += timing.total_ms
    total.longest_ms = max(total.longest_ms, timing.longest_ms)
    for number, times in timing.buckets.items():
        total.buckets[number] = total.buckets.get(number, 0) + times


def ranked(names: Mapping[str, int]) -> dict[str, int]:
    """Return *names* with the most frequent first."""
    return dict(sorted(names.items(), key=lambda pair: (-pair[1], pair[0])))
