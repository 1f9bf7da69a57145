"""Reports: a period in numbers, beside the one before, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple

from dsfactory.services.analytics.book import Book
from dsfactory.services.analytics.records import Failure
from dsfactory.services.analytics.statistics import (
    Performance,
    UsageStatistics,
    failures,
    performance,
    usage_statistics,
)

PERIODS: Mapping[str, int] = {"daily": 1, "weekly": 7, "monthly": 30}
"""In days."""

TOP = 10
PEAKS = 3


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Something that crossed its threshold."""

    rule: str
    threshold: float
    actual: float
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """A period of whole days that have ended."""

    period: str
    summary: UsageStatistics
    before: UsageStatistics
    """The period of the same length before it."""
    top_commands: tuple[tuple[str, int, float], ...]
    """(command, times, share of all), at most ten."""
    unique_users: int
    trends: Mapping[str, float | None]
    """Change against the period before, as a share: 0.25 is a quarter more. None: from nothing."""
    peak_hours: tuple[tuple[int, int], ...]
    """(hour of the day, commands), at most three, the busiest first."""
    errors: tuple[Failure, ...]
    """The ten most frequent."""
    error_count: int
    performance: tuple[Performance, ...]
    """The ten slowest operations."""
    recommendations: tuple[Recommendation, ...]


class Rule(NamedTuple):
    """When *measure* reaches *threshold*, *text* is recommended; enough has to be known for it."""

    name: str
    threshold: float
    measure: Callable[[Report], float]
    text: str


ENOUGH_COMMANDS = 20
"""Of fewer commands no share is worth a recommendation."""


def _failed_share(report: Report) -> float:
    summary = report.summary
    return summary.failed / summary.commands if summary.commands >= ENOUGH_COMMANDS else 0.0


def _error_share(report: Report) -> float:
    commands = report.summary.commands
    return report.error_count / commands if commands >= ENOUGH_COMMANDS else 0.0


def _slowest(report: Report) -> float:
    return max((line.p95_ms for line in report.performance), default=0.0)


def _users_lost(report: Report) -> float:
    change = report.trends["unique_users"]
    return -change if change is not None and report.before.unique_users >= 5 else 0.0


def _peak_share(report: Report) -> float:
    commands = report.summary.commands
    return report.peak_hours[0][1] / commands if commands >= 5 * ENOUGH_COMMANDS else 0.0


def _commands_gained(report: Report) -> float:
    change = report.trends["commands"]
    return change if change is not None and report.before.commands >= ENOUGH_COMMANDS else 0.0


RULES = (
    Rule("failed-commands", 0.05, _failed_share, "Look at the commands that fail most."),
    Rule("errors", 0.05, _error_share, "Look at the most frequent errors."),
    Rule("slow", 5000.0, _slowest, "Make the slowest operation (p95, in ms) faster."),
    Rule("users-lost", 0.2, _users_lost, "Find out why users stay away."),
    Rule("growth", 0.5, _commands_gained, "Use grows fast: see whether limits and disks suffice."),
    Rule("peak", 0.25, _peak_share, "Keep maintenance and releases out of the busiest hour."),
)


def make_report(book: Book, period: str, until: date) -> Report:
    """Return the report of the *period* that ends where *until* begins."""
    length = timedelta(days=PERIODS[period])
    start = until - length
    summary = usage_statistics(book, start, until, None, ())
    before = usage_statistics(book, start - length, start, None, ())
    found = failures(book, start, until)
    count = sum(one.count for one in found)
    count_before = sum(one.count for one in failures(book, start - length, start))
    report = Report(
        period=period,
        summary=summary,
        before=before,
        top_commands=tuple(
            (name, times, times / summary.commands)
            for name, times in list(summary.by_command.items())[:TOP]
        ),
        unique_users=summary.unique_users,
        trends={
            "commands": _change(before.commands, summary.commands),
            "unique_users": _change(before.unique_users, summary.unique_users),
            "sessions": _change(before.sessions, summary.sessions),
            "errors": _change(count_before, count),
        },
        peak_hours=_peaks(summary),
        errors=tuple(found[:TOP]),
        error_count=count,
        performance=tuple(performance(book, start, until)[:TOP]),
        recommendations=(),
    )
    return _advised(report)


def _advised(report: Report) -> Report:
    advice = []
    for rule in RULES:
        actual = rule.measure(report)
        if actual >= rule.threshold:
            advice.append(Recommendation(rule.name, rule.threshold, actual, rule.text))
    return replace(report, recommendations=tuple(advice))


def _peaks(summary: UsageStatistics) -> tuple[tuple[int, int], ...]:
    busy = [(hour, times) for hour, times in enumerate(summary.by_hour) if times]
    return tuple(sorted(busy, key=lambda pair: (-pair[1], pair[0]))[:PEAKS])


def _change(before: int, after: int) -> float | None:
    if before:
        return after / before - 1
    return None if after else 0.0
