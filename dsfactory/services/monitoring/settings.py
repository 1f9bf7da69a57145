"""What a monitor goes by: its rules, their limits, and which actions may run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dsfactory.durations import duration_ms
from dsfactory.errors import MonitoringError, OptionError

MIB = 1024 * 1024
MOST_COUNTED = 1_000_000_000


class Rule(NamedTuple):
    """One thing that is judged, and from where on it is too much."""

    name: str
    limit: float
    said: str
    """The alert's words; {value} and {limit} are filled in."""


RULES: Mapping[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("memory", 500e6, "the process has {value:.0f} bytes of memory, over {limit:.0f}"),
        Rule("errors", 0.05, "{value:.1%} of the requests failed, over {limit:.1%}"),
        Rule("p95", 5.0, "one request in twenty took over {value:.3g} s, limit {limit:.3g}"),
        Rule("disk", 0.85, "the disk is {value:.1%} full, over {limit:.1%}: make room"),
        Rule("store_errors", 0.05, "{value:.1%} of the operations failed, over {limit:.1%}"),
        Rule("save", 1.0, "a write took {value:.3g} s, over {limit:.3g}"),
        Rule("load", 0.5, "a lookup took {value:.3g} s, over {limit:.3g}"),
        # As health counts: a backup that was due a whole interval ago is overdue.
        Rule("backup", 2.0, "no backup for {value:.1f} of its intervals: take one"),
        Rule("wal", 64.0 * MIB, "the log has {value:.0f} bytes, over {limit:.0f}"),
        Rule("expired", 10_000, "{value:.0f} expired entries wait to be swept, over {limit:.0f}"),
        Rule("free", 0.5, "{value:.1%} of the file is free pages, over {limit:.1%}"),
        Rule("unhealthy", 0.0, "the store is damaged or cannot be read"),
        Rule("failed", 0.0, "the handle closed by itself: open the store again and check it"),
        Rule("probe", 0.0, "the probe failed"),
    )
}

ACTIONS: Mapping[str, str] = {
    "checkpoint": "wal",
    "sweep": "expired",
    "vacuum": "free",
    "reopen": "failed",
}
"""The rule whose alert each self-healing action answers."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How often, from where on, and what may be done. Durations are milliseconds."""

    interval: int = 60_000
    """Between snapshots."""
    health_every: int = 3_600_000
    """Between health checks of all stores, which read every file whole."""
    window: int = 300_000
    """How far back error rate and latencies of requests look."""
    cooldown: int = 300_000
    """As long the same alert is not told again, nor the same action run on the same store."""
    clear_at: float = 0.9
    """An alert clears when the value is at most this part of the limit."""
    least: int = 20
    """With fewer requests or operations no rate and no percentile is judged."""
    limits: Mapping[str, float | None] = field(
        default_factory=lambda: {rule.name: rule.limit for rule in RULES.values()}
    )
    """By rule; None: not judged."""
    healing: Mapping[str, bool] = field(default_factory=lambda: dict.fromkeys(ACTIONS, True))
    """By action: whether it may run."""

    def changed(self, changes: Mapping[str, object]) -> Settings:
        """Return these settings with *changes*; MonitoringError names what is not allowed."""
        for name in changes:
            if name not in _CHECKS:
                raise refused("settings", name, f"one of {', '.join(_CHECKS)}")
        checked = {name: _CHECKS[name](name, value) for name, value in changes.items()}
        for name in {"limits", "healing"} & set(checked):
            checked[name] = {**getattr(self, name), **checked[name]}
        return dataclasses.replace(self, **checked)


def from_record(record: Mapping[str, Any]) -> Settings:
    """Return the settings that were kept; what other releases know beside is passed over."""
    known = {name: value for name, value in record.items() if name in Settings.__slots__}
    for name, table in (("limits", RULES), ("healing", ACTIONS)):
        kept = known.get(name, {})
        known[name] = {row: value for row, value in kept.items() if row in table}
    return Settings().changed(known)


def refused(name: str, value: object, rule: str) -> MonitoringError:
    """Return the error for a field that is not as *rule* says; it tells no value."""
    kind = type(value).__name__
    return MonitoringError(
        f"{name} ({kind}) is refused; allowed: {rule}.", field=name, type=kind, rule=rule
    )


def checked_duration(name: str, value: object) -> int:
    """Return a duration in milliseconds."""
    try:
        return duration_ms(value, name)
    except OptionError as error:
        raise refused(name, value, 'a duration above 0, such as "60s" or "1h"') from error


def _number(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise refused(name, value, f"a number from {low:g} to {high:g}")
    return float(value)


def _count(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_COUNTED:
        raise refused(name, value, f"a whole number from 1 to {MOST_COUNTED}")
    return value


def _limits(name: str, value: object) -> dict[str, float | None]:
    chosen = _mapping(name, value, RULES)
    top = math.nextafter(math.inf, 0)
    return {
        rule: None if limit is None else _number(f"limits.{rule}", limit, 0.0, top)
        for rule, limit in chosen.items()
    }


def _healing(name: str, value: object) -> dict[str, bool]:
    chosen = _mapping(name, value, ACTIONS)
    for action, allowed in chosen.items():
        if not isinstance(allowed, bool):
            raise refused(f"healing.{action}", allowed, "True or False")
    return chosen


def _mapping(name: str, value: object, table: Mapping[str, object]) -> dict[str, Any]:
    rule = f"a mapping by {', '.join(table)}"
    if not isinstance(value, Mapping) or not set(value) <= set(table):
        raise refused(name, value, rule)
    return dict(value)


_CHECKS: Mapping[str, Callable[[str, object], Any]] = {
    "interval": checked_duration,
    "health_every": checked_duration,
    "window": checked_duration,
    "cooldown": checked_duration,
    "clear_at": lambda name, value: _number(name, value, 0.0, 1.0),
    "least": _count,
    "limits": _limits,
    "healing": _healing,
}
"""What each setting has to be. Of limits and healing the rows that are not named stay."""
