"""Durations as callers write them (30_000, timedelta(hours=1), "30d") in milliseconds."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache

from dsfactory.clock import END_OF_TIME
from dsfactory.errors import OptionError, OptionTypeError, shown

Duration = int | str | timedelta
"""``int`` milliseconds, a ``timedelta``, or text: "500ms", "90s", "15m", "12h", "30d", "2w", "2y"
(of 365 days)."""

ALLOWED = (
    "above 0 and not beyond the year 9999: int milliseconds, a timedelta, or text such as "
    '"500ms", "12h", "30d"'
)
_DAY = 86_400_000
_UNITS = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": _DAY,
    "w": 7 * _DAY,
    "y": 365 * _DAY,
}
_TEXT = re.compile(r"(\d{1,15})\s*(ms|s|m|h|d|w|y)", re.ASCII)


def duration_ms(value: object, option: str = "duration") -> int:
    """Return *value* in milliseconds.

    Zero, negative, non-finite and unreadable durations, and those longer than the calendar,
    raise OptionError (OptionTypeError for other types), naming *option*.
    """
    milliseconds = _milliseconds(value, option)
    if not 0 < milliseconds <= END_OF_TIME:
        raise OptionError(
            f"{option}={shown(value)} is out of range; allowed: {ALLOWED}.", option=option
        )
    return milliseconds


def _milliseconds(value: object, option: str) -> int:
    if isinstance(value, timedelta):
        # Rounded up: a timedelta of 100 us means "very short", not "never set".
        whole, rest = divmod(value, timedelta(milliseconds=1))
        return whole + bool(rest)
    if isinstance(value, str):
        milliseconds = _read(value)
        if milliseconds is None:
            raise OptionError(
                f"{option}={shown(value)} is no duration; allowed: {ALLOWED}.", option=option
            )
        return milliseconds
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise OptionTypeError(
        f"{option}={shown(value)} ({type(value).__name__}) is no duration; allowed: {ALLOWED}.",
        option=option,
    )


@lru_cache(64)  # the same few texts come with every call
def _read(text: str) -> int | None:
    match = _TEXT.fullmatch(text.strip())
    return None if match is None else int(match[1]) * _UNITS[match[2]]
