"""When a command is to run: daily, weekly, monthly, or as a cron expression says. Pure.

Times are wall-clock times in the user's zone, to the minute. A time of day fires once: when
clocks are turned back, the first time they show it; when they skip it, the moment they are turned.
"""

from __future__ import annotations

import calendar
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from dsfactory.services.preferences.rules import refused
from dsfactory.services.preferences.zones import (
    as_ms,
    instant_of,
    moment_of,
    wall_of,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from cronsim import CronSim

WEEKDAYS = tuple(name.lower() for name in calendar.day_name)
_AT = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_DAY = timedelta(days=1)

LONGEST_EXPRESSION = 200
"""Characters; every minute of an hour listed one by one has 170."""


@dataclass(frozen=True, slots=True)
class Daily:
    """Every day at *at*, "HH:MM" on the user's clock."""

    every: ClassVar[str] = "daily"
    at: str

    def __post_init__(self) -> None:
        _time_of(self.at)

    def walls(self, start: datetime) -> Iterator[datetime]:
        """Iterate over the times of day from *start* on."""
        return _on_days(start, self.at, lambda _day: True)


@dataclass(frozen=True, slots=True)
class Weekly:
    """Every week on the day *on* ("monday") at *at*."""

    every: ClassVar[str] = "weekly"
    on: str
    at: str

    def __post_init__(self) -> None:
        if not isinstance(self.on, str) or self.on.lower() not in WEEKDAYS:
            raise refused("schedule.on", self.on, f"one of {', '.join(WEEKDAYS)}")
        object.__setattr__(self, "on", self.on.lower())
        _time_of(self.at)

    def walls(self, start: datetime) -> Iterator[datetime]:
        """Iterate over the times of day from *start* on."""
        wanted = WEEKDAYS.index(self.on)
        return _on_days(start, self.at, lambda day: day.weekday() == wanted)


@dataclass(frozen=True, slots=True)
class Monthly:
    """Every calendar month on its day *day* at *at*; a shorter month has its last day instead."""

    every: ClassVar[str] = "monthly"
    day: int
    at: str

    def __post_init__(self) -> None:
        if type(self.day) is not int or not 1 <= self.day <= 31:
            raise refused("schedule.day", self.day, "a whole number from 1 to 31")
        _time_of(self.at)

    def walls(self, start: datetime) -> Iterator[datetime]:
        """Iterate over the times of day from *start* on."""
        return _on_days(start, self.at, self._is_due)

    def _is_due(self, day: datetime) -> bool:
        return day.day == min(self.day, calendar.monthrange(day.year, day.month)[1])


@dataclass(frozen=True, slots=True)
class Cron:
    """As *expression* says: minute, hour, day of month, month, day of week.

    Names, ranges, lists, steps, "L" (last day) and "MON#2" (second Monday) are understood, as
    Debian's cron and cronsim do. Of two restricted day fields one has to match. Where every hour
    matches, elapsed time counts: an hour that comes twice has its minutes twice.
    """

    every: ClassVar[str] = "cron"
    expression: str

    def __post_init__(self) -> None:
        rule = "a cron expression of five fields that comes true within 50 years"
        text = self.expression
        if not isinstance(text, str) or not text.isascii() or len(text) > LONGEST_EXPRESSION:
            raise refused("schedule.expression", text, rule)
        if len(text.split()) != 5 or next(_matches(text, datetime(2000, 1, 1)), None) is None:
            raise refused("schedule.expression", text, rule)

    @property
    def elapsed(self) -> bool:
        """Whether every hour matches, so that no time of day is meant."""
        return len(_parsed(self.expression).hours) == 24

    def walls(self, start: datetime) -> Iterator[datetime]:
        """Iterate over the times of day from *start* on."""
        return _matches(self.expression, start - timedelta(seconds=1))

    def instants(self, after: int, zone: ZoneInfo) -> Iterator[int]:
        """Iterate over the moments after *after* whose wall clock matches."""
        minute, _hour, *days = self.expression.split()
        text = " ".join((minute, "*", *days))
        return (as_ms(local.astimezone(UTC)) for local in _matches(text, moment_of(after, zone)))


Schedule = Daily | Weekly | Monthly | Cron
"""When a command is to run."""

_KINDS: dict[str, type[Schedule]] = {kind.every: kind for kind in (Daily, Weekly, Monthly, Cron)}


def as_row(schedule: object) -> dict[str, Any]:
    """Return *schedule* as plain values; PreferenceError when it is none."""
    if not isinstance(schedule, Daily | Weekly | Monthly | Cron):
        raise refused("schedule", schedule, "Daily, Weekly, Monthly or Cron")
    return {"every": schedule.every, **dataclasses.asdict(schedule)}


def from_row(row: Mapping[str, Any]) -> Schedule:
    """Return the schedule that as_row() made *row* of."""
    fields = {name: value for name, value in row.items() if name != "every"}
    return _KINDS[row["every"]](**fields)


def next_firing(
    schedule: Schedule, zone: ZoneInfo, after: int, covered: datetime | None = None
) -> int | None:
    """Return the first firing later than *after*; None when the year 9999 has none any more.

    *covered* is a wall-clock time up to which the schedule has fired, in whatever zone the user
    was then: travelling west does not make a time of day fire again.
    """
    try:
        return _following(schedule, zone, after, covered)
    except OverflowError:  # on the user's clock, or on that of UTC
        return None


def _following(
    schedule: Schedule, zone: ZoneInfo, after: int, covered: datetime | None
) -> int | None:
    if isinstance(schedule, Cron) and schedule.elapsed:
        return next((at for at in schedule.instants(after, zone) if at > after), None)
    # What clocks have not shown until *after* is later than what they show then.
    start = wall_of(after, zone)
    if covered is not None:
        start = max(start, covered + timedelta(microseconds=1))
    for wall in schedule.walls(start):
        at = instant_of(wall, zone)
        if at > after:
            return at
    return None


def _time_of(at: object) -> time:
    match = _AT.fullmatch(at) if isinstance(at, str) else None
    if match is None:
        raise refused("schedule.at", at, 'a time of day as "HH:MM", from "00:00" to "23:59"')
    return time(int(match[1]), int(match[2]))


def _on_days(start: datetime, at: str, wanted: Callable[[datetime], bool]) -> Iterator[datetime]:
    day = datetime.combine(start, _time_of(at))
    while True:
        if day >= start and wanted(day):
            yield day
        try:
            day += _DAY
        except OverflowError:  # the year 9999 is the last one
            return


@lru_cache(64)
def _parsed(expression: str) -> CronSim:
    return _simulation(expression, datetime(2000, 1, 1))


def _matches(expression: str, after: datetime) -> Iterator[datetime]:
    """What matches after *after*: wall clocks when it has no zone, moments when it has one."""
    yield from _simulation(expression, after)


def _simulation(expression: str, after: datetime) -> CronSim:
    from cronsim import CronSim, CronSimError

    try:
        return CronSim(expression, after)
    except CronSimError as error:
        # Its text names a field ("Bad minute"), never what stood there.
        raise refused("schedule.expression", expression, f"a cron expression ({error})") from None
