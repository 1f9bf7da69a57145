"""Where calendar windows end: minutes, hours and days as the clocks on the wall of a zone show."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from dsfactory.errors import OptionError, OptionTypeError, shown

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

ALLOWED = 'the name of a time zone, such as "UTC" or "Europe/Berlin"'
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@lru_cache(64)
def zone_of(name: str) -> tzinfo:
    """Return the time zone *name*; OptionError when this machine knows none of that name."""
    if not isinstance(name, str):
        raise OptionTypeError(
            f"Option timezone={shown(name)} is not allowed; allowed: {ALLOWED}.", option="timezone"
        )
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # hardly ever needed

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown, climbing out, a folder
        raise OptionError(
            f"Option timezone={shown(name)} is not allowed; allowed: {ALLOWED}.", option="timezone"
        ) from error


def window_end(now: int, period_ms: int, zone: tzinfo) -> int:
    """Return the first boundary after *now*, in milliseconds.

    A day ends at local midnight: it has 23 or 25 hours where the clocks change. Minutes and hours
    are as long as ever, and begin where the local clock shows a full one.
    """
    if zone is UTC:
        return now - now % period_ms + period_ms
    local = datetime.fromtimestamp(now // 1000, zone)
    if period_ms != DAY_MS:
        offset = (local.utcoffset() or timedelta()) // _MS
        return now - (now + offset) % period_ms + period_ms
    # Where clocks are set back over midnight, a date comes back after the next one has begun:
    # what counts is the first midnight that is still to come.
    following = local.date() + timedelta(days=1)
    end = _midnight(following, zone)
    return end if end > now else _midnight(following + timedelta(days=1), zone)


def _midnight(day: date, zone: tzinfo) -> int:
    """When *day* begins. A midnight that the clocks leap over is the moment of the leap."""
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (start.astimezone(UTC) - _EPOCH) // _MS
