"""HealthMonitor: thresholds, cooldown and hysteresis, settings, and what it mends by itself."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from health_monitor_tools import quiet_monitor
from hypothesis import given
from hypothesis import strategies as st

import dsfactory as ds
from dsfactory.services import HealthMonitor
from dsfactory.services.monitoring import Alert, Settings, Snapshot, judging
from dsfactory.services.monitoring.readings import ProcessReading, StoreReading
from dsfactory.services.monitoring.requests import NOTHING

MINUTE, DAY = 60_000, 86_400_000


@pytest.fixture
def monitor(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> Iterator[HealthMonitor]:
    """A monitor that takes snapshots only when told to."""
    made = quiet_monitor(factory)
    clock.advance(1000)
    yield made
    made.close()


@pytest.fixture
def told(monitor: HealthMonitor) -> list[Alert]:
    """The alerts that its hook is told of."""
    heard: list[Alert] = []
    monitor.on_alert(heard.append)
    return heard


def with_memory(used: int, at: int) -> Snapshot:
    """A snapshot of a process that has so much memory."""
    process = ProcessReading(None, used, 1, 1.0, 0.5, 1)
    return Snapshot(at, "1", process, NOTHING, (), (), ())


def judged(
    course: list[tuple[int, int]], settings: Settings | None = None
) -> list[tuple[int, str]]:
    """Judge (minute, megabytes) one after the other; return (minute, state) of what is told."""
    kept, said = judging.Kept(), []
    for minute, megabytes in course:
        snapshot = with_memory(megabytes * 1_000_000, minute * MINUTE)
        verdict = judging.judge(kept, snapshot, settings or Settings(), ["1"])
        kept = judging.from_record(judging.to_record(verdict.kept))
        said += [(minute, alert.state) for alert in verdict.news]
    return said


def test_alert_is_told_once_and_cleared() -> None:
    """Over the limit is told once, at the limit never, and that it is over when well below."""
    assert judged([(1, 500)]) == []
    assert judged([(1, 501), (2, 600), (90, 600)]) == [(1, "raised")]
    assert judged([(1, 501), (2, 460), (3, 450), (4, 450)]) == [(1, "raised"), (3, "cleared")]


def test_alert_that_comes_back_waits_for_its_cooldown() -> None:
    """Within five minutes the same alert is not told again; if it still stands then, it is."""
    flapping = [(1, 600), (2, 100), (3, 600), (4, 100), (5, 600)]
    assert judged(flapping) == [(1, "raised"), (2, "cleared")]
    assert judged([*flapping, (6, 600)])[2:] == [(6, "raised")]
    assert judged([*flapping, (7, 100), (8, 600)])[2:] == [(8, "raised")]


def test_rule_that_is_off_tells_nothing() -> None:
    """A limit of None is not judged; switching it off clears what stands."""
    off = Settings().changed({"limits": {"memory": None}})
    assert judged([(1, 600)], off) == []


def test_alert_of_a_dead_process_goes() -> None:
    """What stood for a process that is gone is cleared by another; that of a living one stays."""
    first = judging.judge(judging.Kept(), with_memory(10**9, 1), Settings(), ["1"]).kept
    other = dataclasses.replace(with_memory(1, 2), place="2")
    assert judging.judge(first, other, Settings(), ["1", "2"]).news == ()
    (news,) = judging.judge(first, other, Settings(), ["2"]).news
    assert (news.state, news.process) == ("cleared", "1")


def test_alert_stands_while_nobody_can_ask(
    factory: ds.DataStoreFactory, monitor: HealthMonitor
) -> None:
    """A store that cannot be read, or a registry that cannot, is no reason to clear an alert."""
    factory.create_state_store("x")["a"] = 1
    found = monitor.current()
    x = next(store for store in found.stores if store.name == "x")
    blind = dataclasses.replace(x, file_bytes=None, wal_bytes=None, free_bytes=None)

    def seen(minute: int, *stores: StoreReading) -> Snapshot:
        return dataclasses.replace(found, at=minute * MINUTE, stores=stores)

    kept, said = judging.Kept(), []
    for snapshot in (
        seen(1, dataclasses.replace(x, wal_bytes=2**40, health="damaged")),
        seen(2, dataclasses.replace(blind, health="damaged")),
        seen(3),
        seen(4, dataclasses.replace(x, wal_bytes=0, health="damaged")),
        seen(5, dataclasses.replace(x, wal_bytes=0)),
    ):
        verdict = judging.judge(kept, snapshot, Settings(), ["1"])
        kept = verdict.kept
        said += [(snapshot.at // MINUTE, alert.rule, alert.state) for alert in verdict.news]
    assert sorted(said) == [
        (1, "unhealthy", "raised"),
        (1, "wal", "raised"),
        (4, "wal", "cleared"),
        (5, "unhealthy", "cleared"),
    ]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(300, 700)), max_size=40))
def test_alerts_alternate_and_keep_their_distance(steps: list[tuple[int, int]]) -> None:
    """Whatever happens: raised and cleared take turns, and raisings are five minutes apart."""
    minute, course = 0, []
    for passed, megabytes in steps:
        minute += passed
        course.append((minute, megabytes))
    said = judged(course)
    assert [state for _, state in said] == ["raised", "cleared"] * (len(said) // 2) + ["raised"] * (
        len(said) % 2
    )
    raised = [at for at, state in said if state == "raised"]
    assert all(later - at >= 5 for at, later in itertools.pairwise(raised))


def test_every_limit_raises_its_alert(
    factory: ds.DataStoreFactory,
    monitor: HealthMonitor,
    told: list[Alert],
    clock: ds.ManualClock,
) -> None:
    """Each rule is raised by what it is about, names the store, and shows value and limit."""
    users = factory.create_state_store("users", backup_every="1h")
    users["a"] = 1
    users.get("a")
    for _ in range(20):
        monitor.observe(6.0, failed=True)
    clock.advance(2 * 3_600_000 + 1)
    for _ in range(20):
        monitor.observe(6.0, failed=True)
    monitor.add_probe("queue", lambda: False)
    low = {"memory": 1, "disk": 0, "save": 0, "load": 0, "wal": 1}
    monitor.configure(limits=low, healing={"checkpoint": False})
    snapshot = monitor.snapshot()
    found = {(alert.rule, alert.subject) for alert in told}
    assert found >= {
        *(("memory", ""), ("disk", ""), ("errors", ""), ("p95", ""), ("probe", "queue")),
        *(("save", "users"), ("load", "users"), ("wal", "users"), ("backup", "users")),
    }
    assert set(told) == set(snapshot.alerts)
    assert all(alert.value > alert.limit and alert.state == "raised" for alert in told)
    assert set(monitor.alerts()) == set(told)
    before = len(told)
    monitor.snapshot()
    assert {(alert.rule, alert.state) for alert in told[before:]} == {
        *(("save", "cleared"), ("load", "cleared")),  # users was not used meanwhile
    }


def test_errors_of_a_store_are_those_of_disk_and_lock(
    factory: ds.DataStoreFactory, monitor: HealthMonitor, told: list[Alert]
) -> None:
    """A lock that stays taken is a store's error; missing keys and refused values are not."""
    users = factory.create_state_store("users", int, busy_timeout_ms=0, max_retries=0)
    for _ in range(30):
        with pytest.raises(ds.KeyAbsentError):
            users["nobody"]
        with pytest.raises(ds.ValueRefusedError):
            users["eve"] = "no int"  # type: ignore[assignment]
    monitor.snapshot()
    assert told == []
    rival = apsw.Connection(str(users.path))
    rival.execute("BEGIN IMMEDIATE")
    for _ in range(20):
        with pytest.raises(ds.BusyError):
            users["eve"] = 1
    rival.close()
    monitor.snapshot()
    assert [(alert.rule, alert.subject, alert.value) for alert in told] == [
        ("store_errors", "users", 1.0)
    ]


def test_few_requests_raise_no_rate(monitor: HealthMonitor, told: list[Alert]) -> None:
    """One failure of one request is no error rate; with twenty it is."""
    monitor.observe(9.0, failed=True)
    monitor.snapshot()
    assert told == []
    monitor.configure(least=1)
    monitor.snapshot()
    assert {alert.rule for alert in told} == {"errors", "p95"}


def test_settings_are_kept_and_shared(factory: ds.DataStoreFactory, monitor: HealthMonitor) -> None:
    """What was configured holds for every monitor of the store, and only that is changed."""
    chosen = monitor.configure(interval="5s", limits={"p95": None}, healing={"sweep": False})
    with HealthMonitor(factory) as other:
        assert other.settings == monitor.settings == chosen
        other.configure(limits={"memory": 7})
    assert (chosen.interval, chosen.limits["p95"], chosen.healing["sweep"]) == (5000, None, False)
    assert monitor.settings.limits["memory"] == 7
    assert monitor.settings.limits["p95"] is None
    assert Settings().limits == {
        **{"memory": 500e6, "errors": 0.05, "p95": 5.0, "disk": 0.85, "store_errors": 0.05},
        **{"save": 1.0, "load": 0.5, "backup": 2.0, "wal": 64 * 1024 * 1024},
        **{"expired": 10_000, "free": 0.5, "unhealthy": 0, "failed": 0, "probe": 0},
    }


def test_two_monitors_tell_an_alert_once(
    factory: ds.DataStoreFactory, monitor: HealthMonitor, told: list[Alert]
) -> None:
    """What all see is told by one of them; what is about a process, by that one."""
    monitor.configure(limits={"disk": 0, "memory": 1})
    other = HealthMonitor(factory)
    other.on_alert(told.append)
    for _ in range(2):
        monitor.snapshot()
        other.snapshot()
    assert [(alert.rule, alert.process) for alert in told] == [
        *(("memory", "1"), ("disk", None), ("memory", "2")),
    ]
    other.close()
    assert HealthMonitor(factory).place == "2"


def test_hook_that_fails_hinders_no_other(
    monitor: HealthMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    """What a hook raises is logged; the others are told; a hook that was ended is not."""
    heard: list[Alert] = []

    def breaks(_alert: Alert) -> None:
        raise ConnectionError

    monitor.on_alert(breaks)
    monitor.on_alert(heard.append)
    monitor.on_alert(heard.append)()
    monitor.configure(limits={"memory": 1})
    with caplog.at_level(logging.ERROR):
        monitor.snapshot()
    assert [alert.rule for alert in heard] == ["memory"]
    assert "memory" in caplog.text


# -- healing


def test_log_is_checkpointed(
    factory: ds.DataStoreFactory,
    monitor: HealthMonitor,
    clock: ds.ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A long log is copied back, once in a cooldown, and that is kept and logged."""
    users = factory.create_state_store("users")
    users["a"] = "x" * 10_000
    monitor.configure(limits={"wal": 1})
    with caplog.at_level(logging.INFO):
        monitor.snapshot()
    assert users.stats().wal_bytes == 0
    done = [event for event in monitor.actions() if event.store == "users"]
    assert [(event.what, event.at) for event in done] == [("checkpoint", clock.now_ms())]
    assert "checkpoint of store users" in caplog.text
    users["b"] = 1
    monitor.snapshot()
    assert users.stats().wal_bytes > 0
    clock.advance(5 * MINUTE)
    monitor.snapshot()
    assert users.stats().wal_bytes == 0


def test_expired_entries_are_swept_unless_switched_off(
    factory: ds.DataStoreFactory, monitor: HealthMonitor, clock: ds.ManualClock
) -> None:
    """Too many expired entries are swept; an action that is switched off does nothing."""
    users = factory.create_state_store("users")
    users.set_many([(n, n) for n in range(50)], ttl="1s")
    clock.advance(MINUTE)
    monitor.configure(limits={"expired": 40}, healing={"sweep": False})
    assert [alert.rule for alert in monitor.snapshot().alerts] == ["expired"]
    assert (users.stats().expired_entries, monitor.actions()) == (50, [])
    monitor.configure(healing={"sweep": True})
    monitor.snapshot()
    assert users.stats().expired_entries == 0
    assert [event.detail for event in monitor.actions()] == ["50 expired entries deleted"]
    assert monitor.snapshot().alerts == ()


def test_free_pages_are_given_back(factory: ds.DataStoreFactory, monitor: HealthMonitor) -> None:
    """A file that is half free pages becomes smaller."""
    users = factory.create_state_store("users", compression=False, synchronous="NORMAL")
    users.set_many([(n, "x" * 500_000) for n in range(40)])
    users.clear()
    before = users.stats()
    assert before.free_bytes > 16 * 1024 * 1024
    monitor.configure(healing={"checkpoint": False})
    monitor.snapshot()
    assert [event.what for event in monitor.actions()] == ["vacuum"]
    assert users.stats().free_bytes < before.free_bytes


@pytest.mark.parametrize("opener", [True, False])
def test_failed_store_is_opened_anew(
    factory: ds.DataStoreFactory, monitor: HealthMonitor, *, opener: bool
) -> None:
    """A handle that closed by itself is let go, and the application's opener is called."""
    users = factory.create_state_store("users", dict[str, int])
    users["a"] = {"n": 1}
    monitor.snapshot()
    users._database.close()  # as after a failed fsync
    if opener:
        monitor.opener("users", lambda: factory.create_state_store("users", dict[str, int]))
    snapshot = monitor.snapshot()
    assert [alert.rule for alert in snapshot.alerts] == ["failed"]
    assert any("closed" in line for line in snapshot.problems)
    opened = {store.name for store in factory.open_stores()}
    assert ("users" in opened) is opener
    assert [event.what for event in monitor.actions()] == ["reopen"]
    assert factory.create_state_store("users", dict[str, int])["a"] == {"n": 1}
    assert monitor.snapshot().healthy


def test_action_that_fails_is_kept(
    factory: ds.DataStoreFactory, monitor: HealthMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    """An action that fails is logged and kept, and monitoring goes on."""
    users = factory.create_state_store("users")
    users._database.close()

    def breaks() -> Any:
        raise ConnectionError

    monitor.opener("users", breaks)
    with caplog.at_level(logging.CRITICAL):
        monitor.snapshot()
    assert [(event.what, event.detail) for event in monitor.actions()] == [
        ("reopen failed", "ConnectionError")
    ]


def test_store_that_takes_nothing_silences_no_alert(tmp_path: Path) -> None:
    """What cannot be recorded is told once all the same, and the monitor says so of itself."""
    heard: list[Alert] = []
    with ds.DataStoreFactory(tmp_path / "data", maintenance="manual") as factory:
        options = {"ttl": "24h", "rollups": (("1h", "30d"),)}
        factory.create_metrics_store("health", busy_timeout_ms=10, max_retries=0, **options)
        monitor = quiet_monitor(factory)
        monitor.snapshot()
        monitor.configure(limits={"memory": 1})
        monitor.on_alert(heard.append)
        rival = apsw.Connection(str(factory.get_store("health").path))
        rival.execute("BEGIN IMMEDIATE")
        monitor.snapshot()
        monitor.snapshot()
        rival.close()
        assert [alert.rule for alert in heard] == ["memory", "probe"]
        assert heard[1].subject == "monitor"
        assert monitor.snapshot().alerts
