"""HealthMonitor in a thread, and in processes that are killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

import dsfactory as ds
from dsfactory.services import HealthMonitor
from dsfactory.services.monitoring import Alert

WORKER = Path(__file__).with_name("health_monitor_worker.py")
PATIENCE_S = 20
DAY = 86_400_000


def killed_monitor(root: Path) -> list[str]:
    """Run the worker, kill it once its requests are counted, and return what it said."""
    command = [sys.executable, str(WORKER), str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line.strip())
            if said[-1].startswith("counted"):
                break
        process.kill()
        return [*said, *(line.strip() for line in process.stdout)]


def test_killed_monitor_leaves_what_it_saw(tmp_path: Path) -> None:
    """After kill -9: series go on at the same place, counts are whole, no alert is told twice."""
    root = tmp_path / "data"
    first, second = killed_monitor(root), killed_monitor(root)
    assert first.count("told memory") == 1
    assert second == ["counted 25"]
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        monitor = HealthMonitor(factory)
        assert monitor.place == "1"
        now = factory.clock.now_ms() + 1
        tracks = monitor.history(now - DAY, now, names=["requests", "memory_bytes"])
        assert sum(next(t for t in tracks if t.name == "requests").values) == 50
        assert {t.labels.get("process") for t in tracks} == {None, "1"}
        assert [alert.rule for alert in monitor.alerts()] == ["memory"]
        assert monitor.settings.cooldown == DAY
        assert factory.get_store("health").check() == []
        monitor.close()


def test_thread_takes_snapshots_until_stopped(tmp_path: Path) -> None:
    """start() takes the first snapshot at once, the next when the interval is over."""
    twice = threading.Semaphore(0)
    with ds.DataStoreFactory(tmp_path / "data", maintenance="manual") as factory:
        monitor = HealthMonitor(factory)
        monitor.configure(interval=1)

        def seen() -> bool:
            twice.release()
            return True

        monitor.add_probe("seen", seen)
        with monitor:
            assert monitor.start() is monitor
            assert twice.acquire(timeout=PATIENCE_S)
            assert twice.acquire(timeout=PATIENCE_S)
        assert "dsfactory-monitoring" not in {thread.name for thread in threading.enumerate()}
        with pytest.raises(ds.ClosedError):
            monitor.snapshot()
        assert HealthMonitor(factory).place == "1"


def test_thread_ends_with_its_factory(tmp_path: Path) -> None:
    """When the factory is closed, or the monitor forgotten, its thread ends by itself."""
    heard: list[Alert] = []
    for forgotten in (False, True):
        factory = ds.DataStoreFactory(tmp_path / "data", maintenance="manual")
        monitor = HealthMonitor(factory)
        monitor.configure(interval=60_000 if forgotten else 1)
        monitor.on_alert(heard.append)
        monitor.start()
        (thread,) = (t for t in threading.enumerate() if t.name == "dsfactory-monitoring")
        assert monitor.place == "1"  # those before are over
        if forgotten:
            del monitor
        factory.close()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert heard == []


def test_processes_count_together(tmp_path: Path) -> None:
    """Requests of a living and of a killed process are counted and sketched as one."""
    root = tmp_path / "data"
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        monitor = HealthMonitor(factory)
        for _ in range(10):
            monitor.observe(0.25)
        killed_monitor(root)
        found = monitor.current()
        assert (found.place, found.requests.count, found.requests.p95_s) == ("1", 35, 0.25)
        assert {alert.process for alert in found.alerts} == {"2"}
        monitor.configure(limits={"memory": None})
        assert monitor.snapshot().alerts == ()


def test_one_of_many_raises_an_alert(factory: ds.DataStoreFactory) -> None:
    """Of monitors that see the same thing at the same moment, one tells it."""
    monitors = [HealthMonitor(factory) for _ in range(3)]
    monitors[0].configure(limits={"disk": None})
    monitors[0].snapshot(check=True)
    monitors[0].configure(limits={"disk": 0})
    heard: list[Alert] = []
    seen = threading.Semaphore(0)

    def looked() -> bool:
        seen.release()
        return True

    for monitor in monitors:
        monitor.on_alert(heard.append)
        monitor.add_probe("looked", looked)
    threads = [threading.Thread(target=monitor.snapshot) for monitor in monitors]
    store = factory.get_store("health")
    with store.transaction():  # all of them come to where they would write
        store["held"] = True
        for thread in threads:
            thread.start()
        for _ in threads:
            assert seen.acquire(timeout=PATIENCE_S)
        for _ in range(300):
            store.stats()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert [alert.state for alert in heard if alert.rule == "disk"] == ["raised"]
