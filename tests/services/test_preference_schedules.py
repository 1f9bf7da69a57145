"""Schedules against a model that looks at the clock on the wall every quarter of an hour."""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preference_samples import Preferences

import dsfactory as ds
from dsfactory.clock import END_OF_TIME
from dsfactory.services.preferences import (
    Cron,
    Daily,
    Monthly,
    Schedule,
    UserPreferenceManager,
    Weekly,
)
from dsfactory.services.preferences.schedules import WEEKDAYS, as_row, from_row, next_firing
from dsfactory.services.preferences.zones import as_ms, zone_named

# Gaps and folds of an hour and of half an hour, at night and at midnight, north and south; a zone
# that skipped a whole day; one without any.
ZONES = {
    "Europe/Berlin": 2026,
    "America/New_York": 2026,
    "America/Havana": 2026,
    "Australia/Lord_Howe": 2026,
    "America/Sao_Paulo": 2018,
    "Pacific/Apia": 2011,
    "Asia/Kolkata": 2026,
}
QUARTER = timedelta(minutes=15)
Wanted = Callable[[datetime], bool]

many = settings(deadline=None, derandomize=True, max_examples=40)


@lru_cache
def quarters(name: str) -> list[tuple[int, datetime]]:
    """Every quarter of an hour from the year's beginning for 14 months: instant and wall clock."""
    zone = ZoneInfo(name)
    start = datetime(ZONES[name], 1, 1, tzinfo=UTC)
    moments = (start + n * QUARTER for n in range(4 * 24 * 425))
    return [(as_ms(m), m.astimezone(zone).replace(tzinfo=None)) for m in moments]


@lru_cache
def reached(name: str) -> list[tuple[int, datetime]]:
    """Each time of day, with the instant when the clock first shows it or has jumped over it."""
    found, highest = [], quarters(name)[0][1]
    for at, wall in quarters(name)[1:]:
        while highest < wall:
            highest += QUARTER
            found.append((at, highest))
    return found


def once(name: str, wanted: Wanted) -> list[int]:
    """When something fires whose times of day fire once."""
    return sorted({at for at, wall in reached(name) if wanted(wall)})


def elapsed(name: str, wanted: Wanted) -> list[int]:
    """When something fires that counts elapsed time."""
    return [at for at, wall in quarters(name)[1:] if wanted(wall)]


def compare(schedule: Schedule, name: str, expected: list[int], begin: int, most: int) -> None:
    """The schedule's firings from a quarter *begin* on are those that are expected."""
    after, last = quarters(name)[begin][0], quarters(name)[-200][0]
    wanted = [at for at in expected[bisect_right(expected, after) :] if at < last][:most]
    zone, found = zone_named(name), []
    for _ in wanted:
        following = next_firing(schedule, zone, after)
        assert following is not None
        found.append(after := following)
    assert found == wanted


def times() -> st.SearchStrategy[tuple[int, int]]:
    """Hours and minutes, mostly of the night, when clocks are turned."""
    hours = st.integers(0, 3) | st.integers(0, 23)
    return st.tuples(hours, st.sampled_from([0, 15, 30, 45]))


names = st.sampled_from(sorted(ZONES))
begins = st.integers(0, 4 * 24 * 360)


@many
@given(names, times(), begins)
def test_daily_schedule_over_a_year(name: str, at: tuple[int, int], begin: int) -> None:
    """Every day once, at its time: the first of two, the end of a gap."""
    expected = once(name, lambda w: (w.hour, w.minute) == at)
    compare(Daily(f"{at[0]:02d}:{at[1]:02d}"), name, expected, begin, 366)


@many
@given(names, st.integers(0, 6), times(), begins)
def test_weekly_schedule_over_a_year(name: str, day: int, at: tuple[int, int], begin: int) -> None:
    """Every week once, on its day."""
    expected = once(name, lambda w: w.weekday() == day and (w.hour, w.minute) == at)
    compare(Weekly(WEEKDAYS[day], f"{at[0]:02d}:{at[1]:02d}"), name, expected, begin, 60)


@many
@given(names, st.integers(1, 31), times(), begins)
def test_monthly_schedule_over_a_year(name: str, day: int, at: tuple[int, int], begin: int) -> None:
    """Every calendar month once: the last day stands in for one that the month has not."""

    def wanted(wall: datetime) -> bool:
        last = monthrange(wall.year, wall.month)[1]
        return wall.day == min(day, last) and (wall.hour, wall.minute) == at

    compare(Monthly(day, f"{at[0]:02d}:{at[1]:02d}"), name, once(name, wanted), begin, 15)


@st.composite
def crons(draw: st.DrawFn) -> tuple[str, Wanted, bool]:
    """A cron expression, what it means, and whether it counts elapsed time."""
    minutes = draw(st.sets(st.sampled_from([0, 15, 30, 45]), min_size=1))
    hours = draw(st.none() | st.sets(st.integers(0, 5), min_size=1, max_size=4))
    days = draw(st.none() | st.none() | st.sets(st.integers(1, 31), min_size=1, max_size=4))
    months = draw(st.none() | st.none() | st.sets(st.integers(1, 12), min_size=6))
    weekdays = draw(st.none() | st.none() | st.sets(st.integers(0, 6), min_size=1, max_size=3))

    def text(values: set[int] | None) -> str:
        return "*" if values is None else ",".join(map(str, sorted(values)))

    def wanted(wall: datetime) -> bool:
        by_day = days is None or wall.day in days
        by_weekday = weekdays is None or wall.isoweekday() % 7 in weekdays
        either = by_day or by_weekday if days and weekdays else by_day and by_weekday
        in_time = wall.minute in minutes and (hours is None or wall.hour in hours)
        return in_time and either and (months is None or wall.month in months)

    fields = (minutes, hours, days, months, weekdays)
    return " ".join(map(text, fields)), wanted, hours is None


@many
@given(names, crons(), begins)
def test_cron_schedule_over_a_year(name: str, cron: tuple[str, Wanted, bool], begin: int) -> None:
    """A restricted hour fires once a time of day; with every hour, elapsed time counts."""
    text, wanted, by_elapsed = cron
    expected = (elapsed if by_elapsed else once)(name, wanted)
    # Right before the clocks are turned, as well as anywhere.
    walls = [wall for _, wall in quarters(name)]
    turns = [n for n, (a, b) in enumerate(pairwise(walls)) if b - a != QUARTER]
    for start in (begin, *(max(turn - 60, 0) for turn in turns)):
        compare(Cron(text), name, expected, start, 40)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2027-01-31T08:59", "2027-01-31T09:00"),
        ("2027-01-31T09:00", "2027-02-28T09:00"),
        ("2028-02-01T00:00", "2028-02-29T09:00"),
        ("2027-03-31T09:00", "2027-04-30T09:00"),
    ],
)
def test_monthly_on_the_31st(after: str, expected: str) -> None:
    """The 31st is the last day of every month, also of February and of a leap year."""
    start = as_ms(datetime.fromisoformat(after).replace(tzinfo=UTC))
    found = next_firing(Monthly(31, "09:00"), ZoneInfo("UTC"), start)
    assert found == as_ms(datetime.fromisoformat(expected).replace(tzinfo=UTC))


def test_covered_time_of_day_does_not_fire_again() -> None:
    """What fired at nine in Berlin does not fire at nine in New York on the same day."""
    covered = datetime(2026, 7, 1, 9, 0)
    after = as_ms(datetime(2026, 7, 1, 7, 0, tzinfo=UTC))
    found = next_firing(Daily("09:00"), ZoneInfo("America/New_York"), after, covered)
    assert found == as_ms(datetime(2026, 7, 2, 13, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Daily("9:00"),
        lambda: Daily("24:00"),
        lambda: Daily("09:00:00"),
        lambda: Daily("\u0660\u0669:\u0660\u0660"),
        lambda: Daily(9),
        lambda: Weekly("someday", "09:00"),
        lambda: Weekly(1, "09:00"),
        lambda: Monthly(0, "09:00"),
        lambda: Monthly(32, "09:00"),
        lambda: Monthly(True, "09:00"),
        lambda: Monthly("31", "09:00"),
        lambda: Cron("* * * *"),
        lambda: Cron("* * * * * *"),
        lambda: Cron("61 * * * *"),
        lambda: Cron("0 0 30 2 *"),
        lambda: Cron("0 0 31 4,6,9,11 *"),
        lambda: Cron("@daily"),
        lambda: Cron("* * * * " + "1," * 200 + "1"),
        lambda: Cron(5),
        lambda: zone_named("Europe/Nowhere"),
        lambda: zone_named("../../etc/passwd"),
        lambda: zone_named("Europe"),
        lambda: zone_named(""),
        lambda: zone_named(None),
    ],
)
def test_bad_schedules(make: Callable[[], object]) -> None:
    """A schedule that cannot be is refused when it is made, by field, type and rule."""
    with pytest.raises(ds.PreferenceError) as caught:
        make()
    assert {"field", "type", "rule"} <= set(caught.value.facts)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.text("0123456789*/,-L#W MONJAN?", max_size=30) | st.text(max_size=30))
def test_any_text_as_cron_expression(text: str) -> None:
    """Whatever the text, it is a schedule that fires or a PreferenceError."""
    try:
        schedule = Cron(text)
    except ds.PreferenceError:
        return
    assert next_firing(schedule, ZoneInfo("UTC"), 1_700_000_000_000) is not None


@pytest.mark.parametrize(
    "schedule", [Daily("09:00"), Weekly("Friday", "09:00"), Monthly(31, "09:00"), Cron("0 9 * * 1")]
)
def test_schedules_as_rows(schedule: Schedule) -> None:
    """What is stored reads back equal."""
    assert from_row(as_row(schedule)) == schedule


@pytest.mark.parametrize(
    "schedule",
    [
        *(Daily("23:30"), Weekly("friday", "23:30"), Monthly(31, "23:30")),
        *(Cron("30 23 * * *"), Cron("*/5 * * * *"), Cron("0 0 29 2 *")),
    ],
    ids=str,
)
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "UTC", "America/New_York"])
def test_end_of_time(factory: ds.DataStoreFactory, schedule: Schedule, zone: str) -> None:
    """In its last day the calendar ends for every zone, and with it the schedules."""
    manager = UserPreferenceManager(factory, Preferences, timezone=zone)
    scheduled = manager.schedule("ada", "report", schedule)
    assert scheduled.next_at is not None
    for early_ms in (16 * 3_600_000, 3_600_000, 0):
        now = END_OF_TIME - early_ms
        manager.run_due(lambda _firing: None, now=now)
        (left,) = manager.scheduled("ada")
        assert left.next_at is None or now < left.next_at <= END_OF_TIME
    assert left.next_at is None
