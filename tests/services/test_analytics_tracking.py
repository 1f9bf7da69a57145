"""What analytics counts, and what it refuses: days, sessions, errors, durations, clocks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

import dsfactory as ds
from dsfactory.services import AnalyticsManager

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = date(2026, 3, 2)
NOON = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp() * 1000)
NEXT = date(2026, 3, 3)

Make = Callable[..., AnalyticsManager]


@pytest.fixture
def clock() -> ds.ManualClock:
    """Noon of a Monday, UTC."""
    return ds.ManualClock(NOON)


@pytest.fixture
def make(factory: ds.DataStoreFactory) -> Make:
    """Make an analytics manager that is on."""
    return lambda **options: AnalyticsManager(factory, **{"enabled": True, **options})


def test_off_by_default_records_nothing(factory: ds.DataStoreFactory) -> None:
    """Unless it is enabled, nothing is recorded, not even a key."""
    off = AnalyticsManager(factory)
    assert not off.enabled
    assert not off.track_command("ada", "help")
    assert not off.track_engagement("ada")
    assert off.track_error("parse", ValueError()) is None
    assert not off.track_performance("load", 3)
    for record in factory.get_registered_stores():
        assert len(factory.get_store(record.name)) == 0


def test_commands_are_counted_by_user_scope_and_hour(make: Make, clock: ds.ManualClock) -> None:
    """A statistic of everything holds every scope; one of a scope only its own."""
    analytics = make()
    analytics.track_command("ada", "help", scope="red")
    analytics.track_command("ada", "save", scope="blue", failed=True)
    clock.advance(HOUR)
    analytics.track_command("bob", "help", scope="red")
    analytics.track_command(1, "help")
    analytics.track_command("1", "help")
    total = analytics.usage_statistics(DAY, NEXT)
    assert (total.unique_users, total.commands, total.failed) == (4, 5, 1)
    assert total.by_command == {"help": 4, "save": 1}
    assert total.failed_by_command == {"save": 1}
    assert (total.by_hour[12], total.by_hour[13], total.by_day) == (2, 3, {DAY: 5})
    red = analytics.usage_statistics(DAY, NEXT, "red")
    assert (red.unique_users, red.by_command) == (2, {"help": 2})
    assert analytics.usage_statistics(DAY, NEXT, "green").commands == 0


def test_sessions_end_after_thirty_minutes(make: Make, clock: ds.ManualClock) -> None:
    """Idle for 30 minutes is a new session; a little less is the same one."""
    analytics = make()
    analytics.track_engagement("ada")
    clock.advance(30 * MINUTE - 1)
    analytics.track_command("ada", "help")
    clock.advance(30 * MINUTE)
    analytics.track_engagement("ada", "vote")
    total = analytics.usage_statistics(DAY, NEXT)
    assert (total.sessions, total.active_ms) == (2, 30 * MINUTE - 1)
    assert total.average_session_ms == (30 * MINUTE - 1) / 2
    assert total.by_action == {"active": 1, "vote": 1}


def test_session_over_midnight_is_one(make: Make, clock: ds.ManualClock) -> None:
    """A session belongs to the day on which it began; its time to the day on which it passed."""
    analytics = make()
    clock.advance(12 * HOUR - 10 * MINUTE)
    analytics.track_engagement("ada")
    clock.advance(20 * MINUTE)
    analytics.track_engagement("ada")
    assert analytics.usage_statistics(DAY, NEXT).sessions == 1
    after = analytics.usage_statistics(NEXT, date(2026, 3, 4))
    assert (after.sessions, after.active_ms, after.unique_users) == (0, 20 * MINUTE, 1)


def test_clock_set_back_begins_no_session(make: Make, clock: ds.ManualClock) -> None:
    """A clock that jumps back adds neither a session nor time."""
    analytics = make()
    analytics.track_engagement("ada")
    clock.advance(-2 * HOUR)
    analytics.track_engagement("ada")
    clock.advance(5 * MINUTE)
    analytics.track_engagement("ada")
    total = analytics.usage_statistics(DAY, NEXT)
    assert (total.sessions, total.active_ms) == (1, 5 * MINUTE)


def test_days_are_of_the_time_zone(make: Make, clock: ds.ManualClock) -> None:
    """The day on which clocks go forward has 23 hours, and 24 hours later it is another day."""
    analytics = make(time_zone="Europe/Vienna")
    noon = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)  # 00:30 of the 29th in Vienna
    clock.advance(int(noon.timestamp() * 1000) - NOON)
    analytics.track_command("ada", "help")
    clock.advance(2 * HOUR)
    analytics.track_command("ada", "help")
    clock.advance(21 * HOUR)
    analytics.track_command("ada", "help")
    total = analytics.usage_statistics(date(2026, 3, 29), date(2026, 3, 31))
    assert total.by_day == {date(2026, 3, 29): 2, date(2026, 3, 30): 1}
    assert [hour for hour, times in enumerate(total.by_hour) if times] == [0, 3]


def fail(message: str) -> None:
    """Raise a ValueError."""
    raise ValueError(message)


def test_errors_are_counted_by_fingerprint(make: Make, factory: ds.DataStoreFactory) -> None:
    """The same fault is one line however its message differs, and no message is kept."""
    analytics = make()
    for message in ("ada is wrong", "bob is wrong"):
        with pytest.raises(ValueError) as caught:
            fail(message)
        analytics.track_error("parse", caught.value)
    assert analytics.track_error("net", "no answer from '10.0.0.1' in 30 s") == (
        analytics.track_error("net", "no answer from '10.0.0.2' in 41 s")
    )
    analytics.track_error("net", "refused")
    found = analytics.errors(DAY, NEXT)
    assert [(one.category, one.kind, one.count) for one in found] == [
        ("net", "", 2),
        ("parse", "ValueError", 2),
        ("net", "", 1),
    ]
    assert found[1].where.endswith("test_analytics_tracking.fail")
    assert b"is wrong" not in everything(factory.root)


def everything(root: Path) -> bytes:
    """The bytes of all files below a directory."""
    return b"\0".join(path.read_bytes() for path in root.rglob("*") if path.is_file())


def test_ids_are_kept_as_hashes(make: Make, factory: ds.DataStoreFactory) -> None:
    """No file holds who it was or where."""
    make().track_command("ada@example.org", "help", scope="room-of-ada")
    found = everything(factory.root)
    assert b"help" in found
    # Not "ada" alone: hashes and keys are kept as hexadecimal digits, which may spell that.
    for word in (b"ada@", b"example.org", b"room-of"):
        assert word not in found
    secrets = factory.get_store("analytics-secrets").path
    assert secrets.stat().st_mode & 0o777 == 0o600


def test_performance_is_within_one_percent(make: Make, clock: ds.ManualClock) -> None:
    """Quantiles of several days together are within 1 % of the true ones."""
    analytics = make()
    for n in range(1, 1001):
        analytics.track_performance("load", n / 10)
        if n == 500:
            clock.advance(24 * HOUR)
    analytics.track_performance("save", 0)
    load, save = analytics.performance(DAY, date(2026, 3, 4))
    assert (load.operation, load.count, load.longest_ms) == ("load", 1000, 100.0)
    assert load.p50_ms == pytest.approx(50, rel=0.011)
    assert load.p95_ms == pytest.approx(95, rel=0.011)
    assert load.average_ms == pytest.approx(50.05)
    assert (save.count, save.p99_ms) == (1, 0.0)


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("user", lambda a: a.track_command("", "help")),
        ("user", lambda a: a.track_command(True, "help")),
        ("user", lambda a: a.opt_out(1.5)),
        ("command", lambda a: a.track_command("ada", "secret\nword")),
        ("command", lambda a: a.track_command("ada", "c" * 65)),
        ("scope", lambda a: a.track_command("ada", "help", scope=3)),
        ("action", lambda a: a.track_engagement("ada", "a/b")),
        ("category", lambda a: a.track_error(None)),
        ("error", lambda a: a.track_error("parse", 3)),
        ("milliseconds", lambda a: a.track_performance("load", float("nan"))),
        ("milliseconds", lambda a: a.track_performance("load", -1)),
        ("end", lambda a: a.usage_statistics(DAY, DAY)),
        ("start", lambda a: a.usage_statistics(datetime(2026, 3, 2, tzinfo=UTC), NEXT)),
        ("period", lambda a: a.report("hourly")),
        ("days", lambda a: a.set_retention("ada", 91)),
    ],
)
@pytest.mark.parametrize("enabled", [True, False])
def test_bad_input_is_refused(
    make: Make, field: str, call: Callable[[Any], object], enabled: bool
) -> None:
    """A refusal names field, type and rule, never the value; also while analytics is off."""
    analytics = make(enabled=enabled)
    with pytest.raises(ds.AnalyticsError) as caught:
        call(analytics)
    assert caught.value.facts["field"] == field
    assert {"type", "rule"} <= set(caught.value.facts)
    assert "secret" not in str(caught.value)
    assert analytics.usage_statistics(DAY, NEXT).commands == 0


def test_unknown_time_zone_is_refused(make: Make) -> None:
    """A time zone has to be known, and the retention ten years at most."""
    with pytest.raises(ds.AnalyticsError, match="time_zone"):
        make(time_zone="Mars/Olympus")
    with pytest.raises(ds.AnalyticsError, match="retention"):
        make(retention="11y")


TRACKER = """
import os, signal, sys
import dsfactory as ds
from dsfactory.services import AnalyticsManager
factory = ds.DataStoreFactory(sys.argv[1], maintenance="manual")
analytics = AnalyticsManager(factory, enabled=True)
for n in range(int(sys.argv[2])):
    analytics.track_command(n % 5, "help")
    analytics.track_error("parse", "no such thing")
    analytics.track_performance("load", 2)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_processes_lose_nothing(tmp_path: Path) -> None:
    """What three processes have tracked is all there after each was killed."""
    root = tmp_path / "data"
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        analytics = AnalyticsManager(factory, enabled=True)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", TRACKER, str(root), "40"]
        running = [subprocess.Popen(command, env=environment) for _ in range(3)]
        assert [process.wait() for process in running] == [-9, -9, -9]
        span = date(2020, 1, 1), date(9000, 1, 1)
        total = analytics.usage_statistics(*span)
        assert (total.commands, total.unique_users) == (120, 5)
        assert [one.count for one in analytics.errors(*span)] == [120]
        assert [line.count for line in analytics.performance(*span)] == [120]
