"""maintenance="auto": a thread that works on its own, ends promptly and survives failures."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from maintenance_samples import PATIENCE_S, Operations, OwnHost, maintenance_threads, on

import dsfactory as ds
from dsfactory.maintenance import Maintainer, MaintenanceThread
from dsfactory.maintenance.tasks import MINUTE_MS, TASKS

Opener = Callable[..., ds.DataStoreFactory]
SOON = 5
"""An interval in milliseconds that no test has to wait for."""


class FailingHost(OwnHost):
    """A host whose first round fails in a way that nobody foresaw."""

    def __init__(self, factory: ds.DataStoreFactory, clock: ds.Clock) -> None:
        super().__init__(factory, clock)
        self.asked = 0
        self.again = threading.Event()

    def names(self) -> list[str]:
        self.asked += 1
        if self.asked == 1:
            raise RuntimeError("nobody foresaw this")
        self.again.set()
        return []


@pytest.fixture
def host(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> Iterator[OwnHost]:
    """What a Maintainer of the test's own needs."""
    host = OwnHost(factory, clock)
    yield host
    host.close()


@pytest.fixture
def failing(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> Iterator[FailingHost]:
    """A host whose first round fails."""
    host = FailingHost(factory, clock)
    yield host
    host.close()


def test_runs_by_itself(opened: Opener, clock: ds.ManualClock) -> None:
    """The thread sweeps without being asked, round after round."""
    store = opened(maintenance="auto", maintenance_interval=SOON).create_state_store("x")
    store.set("a", 1, ttl=1000)
    clock.advance(1000)
    operations = Operations()
    store.add_monitoring_hook(operations)
    assert operations.wait_for("expire", 3)
    assert store.stats().expired_entries == 0


def test_manual_has_no_thread(opened: Opener) -> None:
    """With maintenance="manual" nothing runs on its own."""
    before = maintenance_threads()
    opened(maintenance="manual")
    assert maintenance_threads() == before


def test_thread_is_daemon(opened: Opener) -> None:
    """The thread has a name and never keeps the interpreter alive."""
    before = maintenance_threads()
    opened(maintenance="auto")
    (thread,) = maintenance_threads() - before
    assert thread.daemon


@pytest.mark.parametrize("interval", [SOON, "1h"])
def test_stops_at_close(opened: Opener, interval: Any) -> None:
    """When close() has returned, the thread is gone, also from a long sleep."""
    before = maintenance_threads()
    factory = opened(maintenance="auto", maintenance_interval=interval)
    store = factory.create_state_store("x")
    store["a"] = 1
    assert len(maintenance_threads() - before) == 1
    factory.close()
    assert maintenance_threads() == before


def test_close_waits_for_the_store_in_hand(opened: Opener) -> None:
    """close() waits for what is done to the store in hand, and no further one is begun."""
    factory = opened(maintenance="auto", maintenance_interval=SOON)
    within, leave, closed = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        within.set()
        leave.wait(PATIENCE_S)

    first, second = factory.create_state_store("a"), factory.create_state_store("b")
    operations = Operations()
    second.add_monitoring_hook(operations)
    first.add_monitoring_hook(on("expire", hold))
    assert within.wait(PATIENCE_S)
    seen = operations.counts["expire"]
    closing = threading.Thread(target=lambda: (factory.close(), closed.set()))
    closing.start()
    assert not closed.wait(0.05)
    leave.set()
    closing.join(PATIENCE_S)
    assert closed.is_set()
    assert operations.counts["expire"] == seen


def test_closed_from_its_own_thread(opened: Opener) -> None:
    """A hook that closes the factory from within the thread gets no deadlock."""
    before = maintenance_threads()
    factory = opened(maintenance="auto", maintenance_interval=SOON)
    (thread,) = maintenance_threads() - before
    closed = threading.Event()
    store = factory.create_state_store("x")
    store.add_monitoring_hook(on("expire", lambda: (factory.close(), closed.set())))
    assert closed.wait(PATIENCE_S)
    thread.join(PATIENCE_S)
    assert factory.closed
    assert not thread.is_alive()


def test_longest_interval(opened: Opener) -> None:
    """An interval that is longer than any timer's is a long time, not the end of the thread."""
    before = maintenance_threads()
    opened(maintenance="auto", maintenance_interval="20000w")
    for thread in maintenance_threads() - before:
        thread.join(0.1)
    assert len(maintenance_threads() - before) == 1


def test_one_task_after_another(host: OwnHost, clock: ds.ManualClock) -> None:
    """In the thread's rounds a task runs when its time has come, and by the clock alone."""
    store = host.factory.create_state_store("x")
    maintainer = Maintainer(host, clock.now_ms)
    maintainer.run(everything=False)
    store["a"] = 1
    written = store.stats().wal_bytes
    clock.advance(5 * MINUTE_MS - 1)
    maintainer.run(everything=False)
    assert store.stats().wal_bytes >= written > 0
    clock.advance(1)
    maintainer.run(everything=False)
    assert store.stats().wal_bytes == 0


def test_learning_is_due_by_the_hour(host: OwnHost, clock: ds.ManualClock) -> None:
    """A store that has grown is learned from an hour after the last look."""
    store = host.factory.create_state_store("x")
    maintainer = Maintainer(host, clock.now_ms)
    maintainer.run(everything=False)
    store.set_many({n: {"user": f"user-{n:04}", "active": True} for n in range(200)})
    clock.advance(60 * MINUTE_MS - 1)
    assert maintainer.run(everything=False).dictionaries == 0
    clock.advance(1)
    assert maintainer.run(everything=False).dictionaries == 1


def test_everything_is_due_when_asked(host: OwnHost, clock: ds.ManualClock) -> None:
    """maintain() runs every task whenever it is called."""
    store = host.factory.create_state_store("x")
    maintainer = Maintainer(host, clock.now_ms)
    for _ in range(2):
        store["a"] = 1
        maintainer.run()
        assert store.stats().wal_bytes == 0


def test_due_with_the_clock_set_back(host: OwnHost, clock: ds.ManualClock) -> None:
    """A clock that was set back by a year does not stop maintenance for a year."""
    store = host.factory.create_state_store("x")
    operations = Operations()
    store.add_monitoring_hook(operations)
    maintainer = Maintainer(host, clock.now_ms)
    maintainer.run(everything=False)
    clock.advance(-365 * 24 * 60 * MINUTE_MS)
    store["a"] = 1
    for task in TASKS:
        clock.advance(task.every_ms)
        maintainer.run(everything=False)
    assert operations.counts["expire"] == 1 + len(TASKS)
    assert store.stats().wal_bytes == 0


def test_unforeseen_failure(
    failing: FailingHost, clock: ds.ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What nobody foresaw is logged with its traceback, and the next round comes."""
    maintainer = Maintainer(failing, clock.now_ms)
    with caplog.at_level(logging.ERROR, "dsfactory.maintenance"):
        thread = MaintenanceThread(maintainer, SOON)
        assert failing.again.wait(PATIENCE_S)
        assert thread.alive
        thread.stop()
    assert not thread.alive
    (logged,) = caplog.records
    assert logged.message == "a round of maintenance failed"
    assert "nobody foresaw this" in (logged.exc_text or "")


def test_unforeseen_failure_reaches_health(failing: FailingHost, clock: ds.ManualClock) -> None:
    """A round that ended early is a failure for the health check too, until one goes well."""
    maintainer = Maintainer(failing, clock.now_ms)
    with pytest.raises(RuntimeError):
        maintainer.run()
    assert maintainer.probe().ok is False
    maintainer.run()
    assert maintainer.probe().ok is True


def test_stop_twice(host: OwnHost, clock: ds.ManualClock) -> None:
    """A thread that has stopped can be told so again."""
    thread = MaintenanceThread(Maintainer(host, clock.now_ms), SOON)
    thread.stop()
    thread.stop()
    assert not thread.alive


def test_thread_of_a_forgotten_maintainer(host: OwnHost, clock: ds.ManualClock) -> None:
    """The thread ends by itself when nobody holds its maintainer any more."""
    before = maintenance_threads()
    maintainer = Maintainer(host, clock.now_ms)
    running = MaintenanceThread(maintainer, SOON)
    (thread,) = maintenance_threads() - before
    assert running.alive
    del maintainer
    thread.join(PATIENCE_S)
    assert not running.alive
