"""Where days and hours end when clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dsfactory as ds
from dsfactory.services.limits.boundaries import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    window_end,
    zone_of,
)


def ms(text: str) -> int:
    """A moment in UTC, in milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


DAYS = [
    # zone, moment, the day's end (both UTC), why
    ("UTC", "2024-03-10T12:00", "2024-03-11T00:00"),
    ("Europe/Berlin", "2024-03-31T00:30", "2024-03-31T22:00"),  # 23 hours: clocks forward
    ("Europe/Berlin", "2024-10-27T00:30", "2024-10-27T23:00"),  # 25 hours: clocks back
    ("Europe/Berlin", "2024-10-27T01:30", "2024-10-27T23:00"),  # the second 02:30 of that night
    ("America/New_York", "2024-03-10T06:59", "2024-03-11T04:00"),
    ("America/New_York", "2024-11-03T05:30", "2024-11-04T05:00"),
    ("Asia/Kolkata", "2024-06-01T18:29", "2024-06-01T18:30"),  # half an hour off
    ("Asia/Kathmandu", "2024-06-01T18:14", "2024-06-01T18:15"),
    ("Australia/Lord_Howe", "2024-04-06T14:30", "2024-04-07T13:30"),  # changes by half an hour
    ("America/Sao_Paulo", "2018-11-04T02:30", "2018-11-04T03:00"),  # midnight, as any
    ("America/Sao_Paulo", "2018-11-03T12:00", "2018-11-04T03:00"),  # 00:00 is leapt over
    ("America/Sao_Paulo", "2018-02-18T02:30", "2018-02-18T03:00"),  # 23:30 for the second time
    ("Africa/Cairo", "2024-04-25T12:00", "2024-04-25T22:00"),  # 00:00 is leapt over
    ("America/St_Johns", "2010-11-07T02:15", "2010-11-07T02:30"),  # back at 00:01 to 23:01
    ("America/St_Johns", "2010-11-07T02:45", "2010-11-08T03:30"),  # that day has begun before
    ("Pacific/Apia", "2011-12-29T12:00", "2011-12-30T10:00"),  # the 30th was left out
]


@pytest.mark.parametrize(("zone", "moment", "end"), DAYS)
def test_day_ends_at_local_midnight(zone: str, moment: str, end: str) -> None:
    """A day ends at the first local midnight to come, whatever the clocks do."""
    assert window_end(ms(moment), DAY_MS, zone_of(zone)) == ms(end)


@given(
    moment=st.integers(ms("2000-01-01"), ms("2037-01-01")),
    zone=st.sampled_from(sorted({row[0] for row in DAYS})),
    period=st.sampled_from([MINUTE_MS, HOUR_MS, DAY_MS]),
)
def test_windows_are_to_come_and_never_too_long(moment: int, zone: str, period: int) -> None:
    """Every window ends after now, and no later than its length and what clocks may be set back."""
    end = window_end(moment, period, zone_of(zone))
    longest = 25 * HOUR_MS if period == DAY_MS else period
    assert moment < end <= moment + longest
    # Asked once more inside of the window, the answer is the same.
    if period == DAY_MS:
        assert window_end((moment + end) // 2, period, zone_of(zone)) == end


@given(st.integers(ms("2000-01-01"), ms("2037-01-01")))
def test_day_is_a_local_date(moment: int) -> None:
    """In a zone that changes its clocks at night, a window's end is the next date's beginning."""
    zone = ZoneInfo("Europe/Berlin")
    end = datetime.fromtimestamp(window_end(moment, DAY_MS, zone) // 1000, zone)
    today = datetime.fromtimestamp(moment // 1000, zone).date()
    assert (end.date(), end.hour, end.minute) == (today + timedelta(days=1), 0, 0)


@pytest.mark.parametrize("name", ["Nowhere/City", "../etc/passwd", "", "/etc"])
def test_unknown_zone_is_refused(name: str) -> None:
    """A zone that this machine does not know is refused by name of the option."""
    with pytest.raises(ds.OptionError, match="timezone"):
        zone_of(name)
