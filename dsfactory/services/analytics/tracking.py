"""How one event changes what is kept of its day; no clock and no store here."""

from __future__ import annotations

import re
from types import TracebackType

from dsfactory.services.analytics.records import Timing, Usage
from dsfactory.services.analytics.sketch import bucket

SESSION_MS = 30 * 60_000
"""Who was idle for so long begins another session."""

MOST_NAMES = 200
"""Different names that a user's day has; what comes beyond is counted as OTHERS."""
OTHERS = "(others)"

# What differs between two occurrences of the same error: numbers, hex, what is in quotes.
_VARYING = re.compile(r"""'[^']*'|"[^"]*"|\b0x[0-9a-f]+\b|\b[0-9a-f]{8,}\b|\d+""", re.IGNORECASE)


def touch(usage: Usage, at: int) -> None:
    """Count activity at *at*: part of the session, or the beginning of one.

    A clock that was set back begins no session and adds no time.
    """
    gap = None if usage.last_at is None else at - usage.last_at
    if gap is None or gap >= SESSION_MS:
        usage.sessions += 1
    elif gap > 0:
        usage.active_ms += gap
    usage.last_at = at


def count(names: dict[str, int], name: str, by: int = 1) -> None:
    """Count *name* among at most MOST_NAMES."""
    if name not in names and len(names) >= MOST_NAMES:
        name = OTHERS
    names[name] = names.get(name, 0) + by


def add_timing(timing: Timing, milliseconds: float) -> None:
    """Count one duration."""
    timing.count += 1
    timing.total_ms += milliseconds
    timing.longest_ms = max(timing.longest_ms, milliseconds)
    number = bucket(milliseconds)
    timing.buckets[number] = timing.buckets.get(number, 0) + 1


def traits_of(error: BaseException | str) -> tuple[str, str, str]:
    """Return an error's kind, its place, and what its fingerprint is made of.

    The message of an exception is not looked at; of a text, what varies is left out.
    """
    if isinstance(error, str):
        return "", "", _VARYING.sub("?", error)
    kind = type(error).__qualname__
    where = _innermost(error.__traceback__)
    return kind, where, f"{kind} {where}"


def _innermost(trace: TracebackType | None) -> str:
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace.tb_frame
    return f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}"
