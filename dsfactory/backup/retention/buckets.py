"""Hours, days, ISO weeks, months and years as numbers: equal ones are the same bucket.

A time zone's buckets are those of its wall clock, as in restic: the hour that a change of the
clocks repeats is one bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

HOUR_MS = 3_600_000
DAY_MS = 86_400_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()

# A day inside of what datetime can name, so that no time zone leads out of it.
_EARLIEST = (2 - _EPOCH_DAY) * DAY_MS
_LATEST = (date.max.toordinal() - 1 - _EPOCH_DAY) * DAY_MS
_MILLISECOND = timedelta(milliseconds=1)


def local_times(moments: Sequence[int], timezone: str) -> list[int]:
    """Return what the wall clock in *timezone* shows at *moments*, as if it were UTC.

    Milliseconds since the epoch. Moments that the calendar does not reach become its ends.
    """
    reached = [min(max(moment, _EARLIEST), _LATEST) for moment in moments]
    if timezone == "UTC":
        return reached
    from zoneinfo import ZoneInfo  # hardly ever needed

    zone = ZoneInfo(timezone)
    days = [moment // DAY_MS for moment in reached]
    of_day = {day: _offset_of_day(day, zone) for day in set(days)}
    offsets = (
        _offset(moment, zone) if (whole := of_day[day]) is None else whole
        for moment, day in zip(reached, days, strict=True)
    )
    return [moment + offset for moment, offset in zip(reached, offsets, strict=True)]


def _offset_of_day(day: int, zone: ZoneInfo) -> int | None:
    """Return the offset that a zone has for the whole of a UTC day; None when it changes.

    No zone ever changed and went back within four days.
    """
    begun, ended = (_offset(at * DAY_MS, zone) for at in (day, day + 1))
    return begun if begun == ended else None


def _offset(moment: int, zone: ZoneInfo) -> int:
    offset = (_EPOCH + timedelta(milliseconds=moment)).astimezone(zone).utcoffset()
    return 0 if offset is None else offset // _MILLISECOND


def _hours(local: Sequence[int]) -> list[int]:
    return [moment // HOUR_MS for moment in local]


def _days(local: Sequence[int]) -> list[int]:
    return [moment // DAY_MS for moment in local]


def _weeks(local: Sequence[int]) -> list[int]:
    # Weeks begin on Mondays (ISO 8601), and the epoch was a Thursday.
    return [(moment // DAY_MS + 3) // 7 for moment in local]


def _months(local: Sequence[int]) -> list[int]:
    days = _days(local)
    months = {day: _month(day) for day in set(days)}
    return [months[day] for day in days]


def _month(day: int) -> int:
    named = date.fromordinal(day + _EPOCH_DAY)
    return named.year * 12 + named.month - 1


def _years(local: Sequence[int]) -> list[int]:
    return [month // 12 for month in _months(local)]


def _each(local: Sequence[int]) -> list[int]:
    return list(range(len(local)))


BUCKETS: Mapping[str, Callable[[Sequence[int]], list[int]]] = {
    "last": _each,
    "hourly": _hours,
    "daily": _days,
    "weekly": _weeks,
    "monthly": _months,
    "yearly": _years,
}
"""By the name of the rule: the bucket of each local time."""
