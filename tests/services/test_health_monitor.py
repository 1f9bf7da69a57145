"""HealthMonitor: what it sees, keeps and says."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
import os
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from health_monitor_tools import quiet_monitor

import dsfactory as ds
from dsfactory.services import HealthMonitor
from dsfactory.services.monitoring import Alert, Snapshot, StoreReading

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.fixture
def monitor(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> Iterator[HealthMonitor]:
    """A monitor that takes snapshots only when told to."""
    made = quiet_monitor(factory)
    clock.advance(1000)
    yield made
    made.close()


def reading(snapshot: Snapshot, name: str) -> StoreReading:
    """What a snapshot says of one store."""
    return next(store for store in snapshot.stores if store.name == name)


def test_snapshot_holds_process_and_stores(
    factory: ds.DataStoreFactory, monitor: HealthMonitor, clock: ds.ManualClock
) -> None:
    """A snapshot says how process, disk and every store stand."""
    users = factory.create_state_store("users", backup_every="1d")
    users["eve"] = {"age": 1}
    assert users["eve"] == {"age": 1}
    factory.backup("users")
    factory.verify("users")
    clock.advance(HOUR)
    snapshot = monitor.snapshot()
    assert snapshot.at == clock.now_ms()
    assert snapshot.healthy
    assert snapshot.problems == ()
    assert snapshot.process.memory_bytes > 1_000_000
    assert snapshot.process.uptime_s >= 0
    assert 0 < snapshot.process.disk_used < 1
    seen = reading(snapshot, "users")
    assert (seen.entries, seen.backup_age_ms, seen.verified_age_ms) == (1, HOUR, HOUR)
    assert (seen.health, seen.health_age_ms, seen.failed) == ("healthy", 0, False)
    assert seen.backups_late == HOUR / DAY
    assert seen.file_bytes == os.path.getsize(users.path)  # noqa: PTH202
    assert seen.wal_bytes == os.path.getsize(f"{users.path}-wal")  # noqa: PTH202
    assert seen.free_bytes == 0
    assert seen.operations is not None
    assert seen.operations.count == 2
    assert seen.operations.hit_ratio == 1
    assert seen.operations.save_s is not None
    assert seen.operations.load_s is not None
    assert monitor.snapshot().process.cpu_percent is not None


def test_operations_are_those_since_the_snapshot_before(
    factory: ds.DataStoreFactory, monitor: HealthMonitor
) -> None:
    """Operations are counted from snapshot to snapshot, anew after a reset, not by current()."""
    users = factory.create_state_store("users")
    users["a"] = 1
    monitor.snapshot()
    users["b"] = 2
    for look in (monitor.current, monitor.current, monitor.snapshot):
        done = reading(look(), "users").operations
        assert done is not None
        assert (done.count, done.load_s) == (1, None)
    users.reset_metrics()
    users["c"] = 3
    done = reading(monitor.snapshot(), "users").operations
    assert done is not None
    assert done.count == 1


def test_snapshots_move_no_counters(tmp_path: Path, clock: ds.ManualClock) -> None:
    """Neither counters nor accessed_at move, and a closed store stays closed."""
    root = tmp_path / "data"
    with ds.DataStoreFactory(root, maintenance="manual", clock=clock) as factory:
        factory.create_state_store("closed")["a"] = 1
    with ds.DataStoreFactory(root, maintenance="manual", clock=clock) as factory:
        users = factory.create_cache_store("users")
        users["a"] = 1
        users.get("a")
        users.get("b")
        monitor = quiet_monitor(factory)
        monitor.snapshot(check=True)
        before = (users.get_metrics(), users.stats(), _accessed(factory))
        clock.advance(DAY)
        assert reading(monitor.snapshot(check=True), "closed").entries == 1
        monitor.current()
        assert (users.get_metrics(), users.stats(), _accessed(factory)) == before
        assert [store.name for store in factory.open_stores()] == ["health", "users"]


def _accessed(factory: ds.DataStoreFactory) -> list[int]:
    return [record.accessed_at for record in factory.get_registered_stores()]


@pytest.mark.parametrize("how", ["overwritten", "gone", "cut", "inside"])
def test_damaged_store_is_never_healthy(tmp_path: Path, how: str) -> None:
    """A store damaged behind a good verdict is told of, alerted, and never called healthy."""
    root, told = tmp_path / "data", list[Alert]()
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        store = factory.create_state_store("users", compression=False)
        store["eve"] = "x" * 20_000
        path = store.path
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        monitor = quiet_monitor(factory)
        monitor.on_alert(told.append)
        assert monitor.snapshot().healthy
        if how == "gone":
            path.unlink()
        else:
            size = path.stat().st_size
            whole = path.read_bytes()
            broken = {"overwritten": b"\x5a" * size, "cut": b"", "inside": _flipped(whole)}
            path.write_bytes(broken[how])
        snapshot = monitor.snapshot(check=how == "inside")
        seen = reading(snapshot, "users")
        assert not seen.healthy
        assert not snapshot.healthy
        assert [alert.rule for alert in told] == ["unhealthy"]
        assert any("users" in line for line in snapshot.problems)
        assert not monitor.current().healthy
        (track,) = (
            t
            for t in monitor.history(1, 2 * snapshot.at, names=["healthy"])
            if t.labels["store"] == "users"
        )
        assert track.values[-1] == 0


def _flipped(whole: bytes) -> bytes:
    assert b"xxxx" in whole
    return whole.replace(b"xxxx", b"xxxy")


def test_requests_are_counted_with_their_percentiles(
    monitor: HealthMonitor, clock: ds.ManualClock
) -> None:
    """Requests of one millisecond are all counted, and percentiles are those of the window."""
    for hundredths in range(1, 11):
        monitor.observe(hundredths / 100, failed=hundredths > 8)
    found = monitor.current().requests
    assert (found.count, found.errors, found.error_rate) == (10, 2, 0.2)
    assert found.p50_s == pytest.approx(0.055)
    assert found.p99_s == pytest.approx(0.0991)
    clock.advance(5 * MINUTE + 1)
    found = monitor.current().requests
    assert (found.count, found.p95_s, found.error_rate) == (0, None, None)


def test_more_requests_than_lanes_are_counted(monitor: HealthMonitor) -> None:
    """Beyond what a millisecond holds, the percentiles are of a part, and the count is of all."""
    for _ in range(100):
        monitor.observe(1.0)
    found = monitor.current().requests
    assert (found.count, found.p50_s) == (100, 1.0)


def test_request_block_counts_its_error(monitor: HealthMonitor) -> None:
    """An exception inside of request() goes on to the caller and is one error."""

    @monitor.request()
    def handler() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        handler()
    with monitor.request():
        pass
    assert (monitor.current().requests.count, monitor.current().requests.errors) == (2, 1)


def test_request_lasts_as_long_as_its_coroutine(monitor: HealthMonitor) -> None:
    """A decorated coroutine function is a request from its call to its end, failures included."""
    under_way: list[int] = []

    @monitor.request()
    async def handler(number: int) -> int:
        await asyncio.sleep(0)
        under_way.append(monitor.current().requests.count)
        if number:
            raise LookupError
        return number

    async def main() -> list[int | BaseException]:
        return [*await asyncio.gather(*(handler(n) for n in range(2)), return_exceptions=True)]

    value, error = asyncio.run(main())
    assert (value, type(error), under_way) == (0, LookupError, [0, 1])
    assert (monitor.current().requests.count, monitor.current().requests.errors) == (2, 1)


def test_request_refuses_generators(monitor: HealthMonitor) -> None:
    """A generator has hardly begun when it is made, so its call is no request."""

    def numbers() -> Iterator[int]:
        yield 1

    async def later() -> AsyncIterator[int]:
        yield 1

    for generator in (numbers, later):
        with pytest.raises(ds.MonitoringError, match="no generator"):
            monitor.request()(generator)


def test_history_of_a_month_is_in_hours(
    factory: ds.DataStoreFactory, monitor: HealthMonitor, clock: ds.ManualClock
) -> None:
    """Minutes are kept for a day, hours for thirty; percentiles and counts of both are there."""
    started = clock.now_ms()
    for _ in range(4):
        monitor.observe(2.0, failed=True)
        monitor.snapshot()
        clock.advance(MINUTE)
    names = ["memory_bytes", "requests", "request_p95_s"]
    tracks = {t.name: t for t in monitor.history(started, clock.now_ms(), names=names)}
    assert len(tracks["memory_bytes"].values) == 4
    assert sum(tracks["requests"].values) == 4
    clock.advance(2 * DAY)
    monitor.snapshot()
    factory.maintain()
    clock.advance(5 * DAY)
    factory.maintain()
    tracks = {t.name: t for t in monitor.history(started - HOUR, clock.now_ms(), names=names)}
    assert len(tracks["memory_bytes"].values) in (2, 3)
    assert sum(tracks["requests"].values) == 4
    assert tracks["request_p95_s"].values[0] == pytest.approx(2.0, rel=0.01)
    clock.advance(31 * DAY)
    factory.maintain()
    assert monitor.history(started - HOUR, clock.now_ms()) == []


def test_export_is_read_back(monitor: HealthMonitor, clock: ds.ManualClock) -> None:
    """JSON holds current, alerts and series; CSV a line a point."""
    monitor.snapshot()
    document = json.loads(monitor.export("json"))
    assert document["current"]["place"] == "1"
    assert "memory_bytes" in {track["name"] for track in document["series"]}
    rows = list(csv.DictReader(io.StringIO(monitor.export("csv"))))
    assert {row["store"] for row in rows if row["name"] == "healthy"} == {"health"}
    assert {row["process"] for row in rows if row["name"] == "threads"} == {"1"}
    assert float(rows[0]["value"]) > 0


def test_no_value_is_in_an_export(factory: ds.DataStoreFactory, monitor: HealthMonitor) -> None:
    """What a store holds is in no snapshot, alert or export."""
    factory.create_state_store("users")["eve"] = "secret-value"
    assert "secret" not in repr(monitor.snapshot())
    assert "secret" not in monitor.export("json") + monitor.export("csv")


def test_regressions_against_a_baseline(monitor: HealthMonitor, clock: ds.ManualClock) -> None:
    """What is half as bad again as usual is told, the worst first; what is as usual is not."""
    for _ in range(30):
        monitor.observe(0.1)
        monitor.snapshot()
        clock.advance(MINUTE)
    kept = monitor.baseline()
    assert monitor.kept_baseline() == kept
    assert kept.levels["request_p95_s"].mean == pytest.approx(0.1)
    clock.advance(2 * HOUR)
    for _ in range(10):
        monitor.observe(0.4, failed=True)
    monitor.snapshot()
    worse = {found.name: found for found in monitor.regressions()}
    assert worse["request_p95_s"].ratio == pytest.approx(4)
    assert worse["error_rate"].ratio == float("inf")
    assert not {"disk_used", "healthy{health}", "threads"} & set(worse)
    assert "request_p95_s" not in {r.name for r in monitor.regressions(tolerance=5)}


def test_probes_of_the_application(
    monitor: HealthMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    """Probes answer with a truth or a Probe; what raises or says something else is a bad answer."""

    def breaks() -> bool:
        raise ConnectionError("password")

    answers: dict[str, Any] = {
        "yes": lambda: True,
        "no": lambda: False,
        "own": lambda: ds.Probe("x", ok=False, detail="queue of 12"),
        "breaks": breaks,
        "odd": lambda: 3,
    }
    for name, ask in answers.items():
        monitor.add_probe(name, ask)
    with caplog.at_level(logging.CRITICAL):
        snapshot = monitor.snapshot()
    found = {probe.name: (probe.ok, probe.detail) for probe in snapshot.probes}
    assert found["yes"] == (True, "well")
    assert found["own"] == (False, "queue of 12")
    assert found["breaks"] == (False, "raised ConnectionError")
    assert found["odd"] == (False, "answered int, not a bool or a Probe")
    assert {a.subject for a in snapshot.alerts} == {"no", "own", "breaks", "odd"}
    for name in answers:
        assert monitor.remove_probe(name)
    assert not monitor.remove_probe("yes")
    assert monitor.snapshot().healthy


def test_failed_store_of_its_own_is_opened_anew(
    factory: ds.DataStoreFactory, monitor: HealthMonitor
) -> None:
    """When its own handle was closed, as by a restore, the next snapshot opens the store anew."""
    monitor.snapshot()
    factory.get_store("health").close()
    assert monitor.snapshot().healthy
    monitor.observe(1.0)
    assert monitor.current().requests.count >= 1


def test_clock_that_goes_back(monitor: HealthMonitor, clock: ds.ManualClock) -> None:
    """Snapshots and requests go on from where time was; nothing is lost or counted twice."""
    monitor.observe(1.0)
    first = monitor.snapshot()
    clock.advance(-DAY)
    monitor.observe(1.0)
    second = monitor.snapshot()
    clock.advance(MINUTE)
    third = monitor.snapshot()
    assert first.at <= second.at < third.at
    assert third.requests.count == 2


def test_damaged_registry_is_a_finding(tmp_path: Path) -> None:
    """A registry that cannot be read is a bad answer, not an end of monitoring."""
    with ds.DataStoreFactory(tmp_path / "data", maintenance="manual") as factory:
        monitor = quiet_monitor(factory)
        monitor.snapshot()
        path = tmp_path / "data" / "metadata.db"
        Path(f"{path}-wal").unlink()
        path.write_bytes(b"\x5a" * path.stat().st_size)
        assert not monitor.snapshot(check=True).healthy


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda m: m.observe(-1), "seconds"),
        (lambda m: m.observe("1"), "seconds"),
        (lambda m: m.observe(float("nan")), "seconds"),
        (lambda m: m.configure(interval=0), "interval"),
        (lambda m: m.configure(cooldown="soon"), "cooldown"),
        (lambda m: m.configure(limits={"memory": -1}), "limits.memory"),
        (lambda m: m.configure(limits={"memory": True}), "limits.memory"),
        (lambda m: m.configure(limits={"memory": float("inf")}), "limits.memory"),
        (lambda m: m.configure(limits={"ram": 1}), "limits"),
        (lambda m: m.configure(healing={"sweep": 1}), "healing.sweep"),
        (lambda m: m.configure(clear_at=1.1), "clear_at"),
        (lambda m: m.configure(least=0), "least"),
        (lambda m: m.configure(colour="red"), "settings"),
        (lambda m: m.add_probe("a@b", bool), "name"),
        (lambda m: m.add_probe("a", 1), "ask"),
        (lambda m: m.on_alert(None), "hook"),
        (lambda m: m.history(2, 1), "end"),
        (lambda m: m.history("x", 1), "start"),
        (lambda m: m.history(0, 1, names=["ram"]), "names"),
        (lambda m: m.history(0, 1, step="x"), "step"),
        (lambda m: m.export("xml"), "format"),
        (lambda m: m.baseline(1, 2), "start"),
        (lambda m: m.regressions(), "baseline"),
    ],
)
def test_bad_input_is_refused(monitor: HealthMonitor, call: Any, field: str) -> None:
    """A refusal names the field, its type and the rule, and changes nothing."""
    before = monitor.settings
    with pytest.raises(ds.MonitoringError) as caught:
        call(monitor)
    assert caught.value.facts["field"] == field
    assert caught.value.facts["type"] in str(caught.value)
    assert caught.value.facts["rule"] in str(caught.value)
    assert monitor.settings == before


def test_child_makes_a_monitor_of_its_own(
    factory: ds.DataStoreFactory, monitor: HealthMonitor
) -> None:
    """After a fork the parent's monitor is refused in the child; another one takes a place."""
    here, there = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            try:
                monitor.observe(1.0)
            except ds.ForkedError:
                said = HealthMonitor(factory).place
            os.write(there, said.encode())
        finally:
            os._exit(0)
    os.close(there)
    with os.fdopen(here) as pipe:
        assert pipe.read() == "2"
    os.waitpid(child, 0)
