"""Days of one time zone: from midnight to midnight, 23 to 25 hours where clocks change."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dsfactory.services.analytics.rules import refused

DAY_MS = 86_400_000
ONE_DAY = timedelta(days=1)


class Calendar:
    """Turns moments (milliseconds since the epoch) into days and hours, and back."""

    def __init__(self, time_zone: str) -> None:
        try:
            self._zone = ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError, TypeError) as error:
            raise refused("time_zone", time_zone, "a name such as Europe/Vienna") from error

    def day(self, at: int) -> date:
        """Return the day that *at* is in."""
        return self._local(at).date()

    def hour(self, at: int) -> int:
        """Return the hour of the day, 0 to 23; one that a change of clocks repeats is one."""
        return self._local(at).hour

    def end(self, day: date) -> int:
        """Return when the day after *day* begins."""
        midnight = datetime.combine(day + ONE_DAY, time.min, tzinfo=self._zone)
        return int(midnight.timestamp() * 1000)

    def _local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at / 1000, self._zone)
