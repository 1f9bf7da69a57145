"""Scheduled commands: what is due, leases, restarts, clocks and zones that change."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from services.preference_samples import LEASE_MS, START, Manager, opened

import dsfactory as ds
from dsfactory.services.preferences import Cron, Daily, Firing, Monthly, Weekly

HOUR, DAY = 3_600_000, 86_400_000


@pytest.fixture
def manager(factory: ds.DataStoreFactory) -> Manager:
    """A manager whose clock is the test's, at 22:13:20 UTC on a Tuesday."""
    return opened(factory)


def at(text: str, zone: str = "UTC") -> int:
    """Milliseconds of a wall-clock time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def test_first_firing_is_later_than_now(manager: Manager, clock: ds.ManualClock) -> None:
    """Each kind of schedule has its next time, in the user's zone; the soonest is listed first."""
    manager.set_timezone("ada", "Asia/Kolkata")
    manager.schedule("ada", "monthly", Monthly(31, "09:00"))
    manager.schedule("ada", "weekly", Weekly("monday", "09:00"))
    manager.schedule("ada", "cron", Cron("*/15 * * * *"))
    manager.schedule("ada", "daily", Daily("09:00"))
    zone = "Asia/Kolkata"
    assert [(s.command, s.next_at) for s in manager.scheduled("ada")] == [
        ("cron", at("2023-11-15T03:45", zone)),
        ("daily", at("2023-11-15T09:00", zone)),
        ("weekly", at("2023-11-20T09:00", zone)),
        ("monthly", at("2023-11-30T09:00", zone)),
    ]


def test_due_runs_each_once(manager: Manager, clock: ds.ManualClock) -> None:
    """Nothing before its time, once at its time, nothing after; the next is planned."""
    scheduled = manager.schedule("ada", "report", Daily("23:00"))
    ran: list[Firing] = []
    assert manager.run_due(ran.append).succeeded == ()
    clock.advance(at("2023-11-14T23:00") - START)
    (due,) = manager.due()
    assert (due.scheduled_at, due.attempt, due.token) == (scheduled.next_at, 1, "")
    report = manager.run_due(ran.append)
    assert report.succeeded == tuple(ran)
    assert [firing.command for firing in ran] == ["report"]
    assert manager.run_due(ran.append).succeeded == ()
    (after,) = manager.scheduled("ada")
    assert (after.next_at, after.runs, after.failures) == (at("2023-11-15T23:00"), 1, 0)


def test_time_may_be_given(manager: Manager) -> None:
    """due() and run_due() take milliseconds or a datetime with a zone, not one without."""
    manager.schedule("ada", "report", Daily("23:00"))
    later = datetime(2023, 11, 15, 4, 30, tzinfo=ZoneInfo("Asia/Kolkata"))
    assert len(manager.due(later)) == len(manager.due(at("2023-11-14T23:00"))) == 1
    assert manager.due(at("2023-11-14T23:00") - 1) == []
    with pytest.raises(ds.PreferenceError):
        manager.due(datetime(2023, 11, 15))
    assert len(manager.run_due(print, now=later).succeeded) == 1


def test_overdue_runs_once_after_a_restart(tmp_path: Path, clock: ds.ManualClock) -> None:
    """However many times went by while nobody ran, there is one firing, then the next in time."""
    with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=clock) as factory:
        opened(factory).schedule("ada", "often", Cron("*/5 * * * *"))
        opened(factory).schedule("ada", "daily", Daily("09:00"))
    clock.advance(10 * DAY)
    with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=clock) as factory:
        manager = opened(factory)
        assert [f.command for f in manager.run_due(print).succeeded] == ["often", "daily"]
        assert manager.due() == []
        often, daily = manager.scheduled("ada")
        assert (often.runs, often.next_at) == (1, at("2023-11-24T22:15"))
        assert (daily.runs, daily.next_at) == (1, at("2023-11-25T09:00"))


def test_failure_is_counted_and_others_run(manager: Manager, clock: ds.ManualClock) -> None:
    """What raises has run; it comes again at its next time, not at once."""
    manager.schedule("ada", "bad", Daily("23:00"))
    manager.schedule("bob", "good", Daily("23:00"))
    clock.advance(HOUR)

    def execute(firing: Firing) -> None:
        if firing.command == "bad":
            raise LookupError("secret")

    report = manager.run_due(execute)
    assert [f.command for f in report.failed] == ["bad"]
    assert [f.command for f in report.succeeded] == ["good"]
    (bad,) = manager.scheduled("ada")
    assert (bad.runs, bad.failures, bad.last_error) == (1, 1, "LookupError")
    clock.advance(DAY)
    manager.run_due(lambda _f: None)
    (bad,) = manager.scheduled("ada")
    assert (bad.runs, bad.failures, bad.last_error) == (2, 1, None)


def test_interrupt_gives_the_lease_back(manager: Manager, clock: ds.ManualClock) -> None:
    """Whoever is interrupted leaves the firing to be run at once."""
    manager.schedule("ada", "report", Daily("23:00"))
    clock.advance(HOUR)

    def interrupted(_firing: Firing) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        manager.run_due(interrupted)
    (again,) = manager.due()
    assert again.attempt == 2
    assert manager.run_due(lambda _f: None).succeeded[0].key == again.key


def test_lease_keeps_others_away(manager: Manager, clock: ds.ManualClock) -> None:
    """While one runs, nobody else finds it due; renewed, the lease lasts on."""
    manager.schedule("ada", "report", Daily("23:00"))
    clock.advance(HOUR)
    others: list[Firing] = []

    def long(firing: Firing) -> None:
        clock.advance(LEASE_MS - 1)
        assert manager.due() == []
        assert manager.renew(firing)
        clock.advance(LEASE_MS - 1)
        assert manager.run_due(others.append).succeeded == ()

    assert len(manager.run_due(long).succeeded) == 1
    assert others == []


def test_lease_that_ended_is_lost(manager: Manager, clock: ds.ManualClock) -> None:
    """Who outlives the lease does not record a run that somebody else has made."""
    manager.schedule("ada", "report", Daily("23:00"))
    clock.advance(HOUR)
    second: list[Firing] = []

    def too_long(firing: Firing) -> None:
        clock.advance(LEASE_MS + 1)
        assert len(manager.run_due(second.append).succeeded) == 1
        assert not manager.renew(firing)

    report = manager.run_due(too_long)
    assert report.succeeded == report.failed == ()
    assert report.lost[0].key == second[0].key
    assert (report.lost[0].attempt, second[0].attempt) == (1, 2)
    assert manager.scheduled("ada")[0].runs == 1


def test_unscheduled_while_it_runs(manager: Manager, clock: ds.ManualClock) -> None:
    """It runs to its end, is not recorded and does not come again."""
    scheduled = manager.schedule("ada", "report", Daily("23:00"))
    clock.advance(HOUR)
    report = manager.run_due(lambda f: manager.unschedule(f.user, f.id))
    assert len(report.lost) == 1
    clock.advance(2 * DAY)
    assert manager.due() == []
    assert not manager.unschedule("ada", scheduled.id)


def test_clock_set_back_fires_nothing_twice(manager: Manager, clock: ds.ManualClock) -> None:
    """The time of day that fired does not come again, by whatever amount the clock is set back."""
    manager.schedule("ada", "daily", Daily("23:00"))
    manager.schedule("ada", "often", Cron("* * * * *"))
    clock.advance(HOUR)
    assert len(manager.run_due(lambda _f: None).succeeded) == 2
    clock.advance(-2 * HOUR)
    manager.set_timezone("ada", "UTC")
    for _ in range(12):  # until the clock is where it was
        assert manager.run_due(lambda _f: None).succeeded == ()
        clock.advance(HOUR // 6)
    clock.advance(HOUR)
    assert [f.command for f in manager.run_due(lambda _f: None).succeeded] == ["often"]


def test_zone_change_fires_nothing_twice(manager: Manager, clock: ds.ManualClock) -> None:
    """Going west after it fired: the same time of day of the same date is not run again."""
    manager.set_timezone("ada", "Europe/Berlin")
    manager.schedule("ada", "report", Daily("09:00"))
    clock.advance(at("2023-11-15T09:00", "Europe/Berlin") - START)
    assert len(manager.run_due(lambda _f: None).succeeded) == 1
    manager.set_timezone("ada", "America/New_York")
    assert manager.timezone("ada") == "America/New_York"
    assert manager.scheduled("ada")[0].next_at == at("2023-11-16T09:00", "America/New_York")


def test_zone_change_keeps_what_is_overdue(manager: Manager, clock: ds.ManualClock) -> None:
    """What should have run by now runs; what is to come moves to the new clocks."""
    manager.schedule("ada", "due", Daily("23:00"))
    manager.schedule("ada", "later", Daily("09:00"))
    clock.advance(HOUR)
    manager.set_timezone("ada", "Asia/Tokyo")
    due, later = manager.scheduled("ada")
    assert (due.command, due.next_at) == ("due", at("2023-11-14T23:00"))
    assert later.next_at == at("2023-11-15T09:00", "Asia/Tokyo")
    assert [f.command for f in manager.run_due(print).succeeded] == ["due"]


def test_daily_firing_over_clock_changes(manager: Manager, clock: ds.ManualClock) -> None:
    """Asked every quarter of an hour, a daily command runs once each day of a year with DST."""
    manager.set_timezone("ada", "Europe/Berlin")
    ran: list[datetime] = []
    start = at("2026-03-28T00:00", "Europe/Berlin")
    clock.advance(start - START)
    manager.schedule("ada", "report", Daily("02:30"))
    for day in ("2026-03-28T00:00", "2026-10-24T00:00"):
        manager.run_due(lambda _f: None, now=at(day, "Europe/Berlin"))
        ran.clear()
        for quarter in range(1, 4 * 72):
            now = at(day, "Europe/Berlin") + quarter * HOUR // 4
            fired = manager.run_due(lambda _f: None, now=now).succeeded
            ran.extend(datetime.fromtimestamp(f.scheduled_at / 1000, UTC) for f in fired)
        assert [moment.day for moment in ran] == [int(day[8:10]) + n for n in range(3)]


def test_limit_takes_the_longest_overdue(manager: Manager, clock: ds.ManualClock) -> None:
    """A limit runs the oldest first and leaves the rest due."""
    for hour in (3, 1, 2):
        manager.schedule("ada", f"at {hour}", Daily(f"0{hour}:00"))
    clock.advance(DAY // 2)
    assert [f.command for f in manager.due(limit=2)] == ["at 1", "at 2"]
    assert [f.command for f in manager.run_due(print, limit=2).succeeded] == ["at 1", "at 2"]
    assert [f.command for f in manager.due()] == ["at 3"]


def test_scheduled_commands_are_limited(manager: Manager) -> None:
    """Fifty of one user."""
    for _ in range(50):
        manager.schedule("ada", "report", Daily("09:00"))
    with pytest.raises(ds.PreferenceError, match="50"):
        manager.schedule("ada", "report", Daily("09:00"))
    manager.schedule("bob", "report", Daily("09:00"))


def test_index_row_that_points_at_nothing(
    factory: ds.DataStoreFactory, manager: Manager, clock: ds.ManualClock
) -> None:
    """Somebody else deleted the command from the file: nothing fires, nothing hangs."""
    scheduled = manager.schedule("ada", "report", Daily("23:00"))
    factory.get_store(manager.store_name).delete(f"scheduled/ada/{scheduled.id}")
    clock.advance(HOUR)
    assert manager.due() == []
    assert manager.run_due(print).succeeded == ()


def test_asking_when_nothing_is_due_writes_nothing(
    factory: ds.DataStoreFactory, manager: Manager
) -> None:
    """A poll without work takes no write lock."""
    manager.schedule("ada", "report", Daily("23:00"))
    store = factory.get_store(manager.store_name)
    store.reset_metrics()
    manager.run_due(print)
    assert store.get_metrics().bytes_written == 0
