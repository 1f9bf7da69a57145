"""What may be tracked and asked; refusals name the field, the value's type and the rule."""

from __future__ import annotations

import math
import re
from datetime import date, datetime

from dsfactory.errors import AnalyticsError

LONGEST_ID = 200
LONGEST_NAME = 64
LONGEST_MS = 1e9
"""Eleven days."""

NAME = re.compile(rf"[^\s/\x00-\x1f\x7f][^/\x00-\x1f\x7f]{{0,{LONGEST_NAME - 1}}}")


def refused(field: str, value: object, rule: str) -> AnalyticsError:
    """Return the error for a value that is not allowed; the message does not show it."""
    kind = type(value).__name__
    return AnalyticsError(
        f"{field} ({kind}) is refused; allowed: {rule}.", field=field, type=kind, rule=rule
    )


def checked_user(value: object) -> str | int:
    """Take who somebody is in the application: text or an int."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
        return value
    if isinstance(value, str) and 0 < len(value) <= LONGEST_ID:
        return value
    raise refused("user", value, f"a str of 1 to {LONGEST_ID} characters or an int of 64 bits")


def checked_scope(value: object) -> str | None:
    """Take where something happened: text, or None for nowhere in particular."""
    if value is None or (isinstance(value, str) and 0 < len(value) <= LONGEST_ID):
        return value
    raise refused("scope", value, f"None or a str of 1 to {LONGEST_ID} characters")


def checked_name(field: str, value: object) -> str:
    """Take the name of a command, action, operation or category."""
    if isinstance(value, str) and NAME.fullmatch(value):
        return value
    raise refused(
        field, value, f"one line of 1 to {LONGEST_NAME} characters, no slash, no space in front"
    )


def checked_ms(value: object) -> float:
    """Take a duration in milliseconds."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and math.isfinite(value) and 0 <= value <= LONGEST_MS:  # type: ignore[arg-type, operator]
        return float(value)  # type: ignore[arg-type]
    raise refused("milliseconds", value, f"a number from 0 to {LONGEST_MS:.0f}")


def checked_day(field: str, value: object) -> date:
    """Take a date, and no datetime: statistics are of whole days."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise refused(field, value, "a datetime.date")


def checked_days(field: str, value: object, most: int) -> int | None:
    """Take a number of days, or None."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
        return value
    raise refused(field, value, f"None or an int from 1 to {most}")
