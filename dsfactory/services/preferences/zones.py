"""Wall clocks: which instant a time of day is, in a zone that now and then turns its clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dsfactory.services.preferences.rules import refused

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)


def zone_named(name: object, field: str = "timezone") -> ZoneInfo:
    """Return the zone of the IANA database; PreferenceError when it has none of that name."""
    rule = 'a name of the IANA time zone database, such as "Europe/Berlin" or "UTC"'
    if not isinstance(name, str) or not name:
        raise refused(field, name, rule)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; a path outside; a directory
        raise refused(field, name, rule) from None


def as_ms(moment: datetime) -> int:
    """Return milliseconds since the epoch, rounded down."""
    return (moment - _EPOCH) // _MS


def wall_of(at: int, zone: ZoneInfo) -> datetime:
    """Return what a clock on the wall shows at *at* (milliseconds since the epoch).

    Where it is the year 10000 already, the last moment that datetime can name.
    """
    try:
        return moment_of(at, zone).replace(tzinfo=None)
    except OverflowError:
        return datetime.max


def moment_of(at: int, zone: ZoneInfo) -> datetime:
    """Return *at* (milliseconds since the epoch) as a datetime of *zone*."""
    return (_EPOCH + at * _MS).astimezone(zone)


def instant_of(wall: datetime, zone: ZoneInfo) -> int:
    """Return when clocks first show *wall*, in milliseconds since the epoch.

    Clocks that are turned back show it twice: the first time counts. Clocks that are turned
    forward may skip it: then it is the moment when they are turned.
    """
    early = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if early.astimezone(zone).replace(tzinfo=None) != wall:
        early = _turn(wall, zone)
    return as_ms(early)


def _turn(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which the skipped *wall* is jumped over: the offset says on which side."""
    # PEP 495: in a gap, fold=1 reads the clock with the offset behind it, so lands before it.
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    old = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
