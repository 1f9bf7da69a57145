"""What callers hand over, checked; MonitoringError names the field, its type and the rule."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from dsfactory.clock import END_OF_TIME
from dsfactory.services.monitoring.settings import refused

F = TypeVar("F", bound=Callable[..., object])


def checked_period(start: object, end: object) -> tuple[int, int]:
    """Return both in milliseconds; *end* has to lie behind *start*."""
    begin, stop = _moment("start", start), _moment("end", end)
    if stop <= begin:
        raise refused("end", end, "a time after start")
    return begin, stop


def _moment(name: str, at: object) -> int:
    rule = "milliseconds since the epoch, or a datetime with a time zone"
    if isinstance(at, datetime) and at.tzinfo is not None:
        return int(at.timestamp() * 1000)
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at <= END_OF_TIME:
        raise refused(name, at, rule)
    return at


def checked_word(name: str, value: object) -> str:
    """Return a name of 1 to 128 printable characters, none of them ":" or "@"."""
    rule = 'printable text of 1 to 128 characters without ":" and "@"'
    if not isinstance(value, str) or not 0 < len(value) <= 128 or not value.isprintable():
        raise refused(name, value, rule)
    if set(value) & {":", "@"}:
        raise refused(name, value, rule)
    return value


def checked_callable(name: str, value: F) -> F:
    """Return what can be called."""
    if not callable(value):
        raise refused(name, value, "something that can be called")
    return value
