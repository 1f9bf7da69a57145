"""Chores: what services and applications have maintenance do."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path

import pytest
from maintenance_samples import PATIENCE_S, OwnHost

import dsfactory as ds
from dsfactory.maintenance import maintainer
from dsfactory.maintenance.chores import Chores
from dsfactory.maintenance.maintainer import LEASE_MS


def test_chores_run_by_name(factory: ds.DataStoreFactory) -> None:
    """Every round by hand runs each once; the second of a name takes the place of the first."""
    ran: list[str] = []
    factory.add_maintenance("one", lambda: ran.append("old"))
    factory.add_maintenance("one", lambda: ran.append("one"))
    factory.add_maintenance("two", lambda: ran.append("two"))
    assert factory.maintain().chores == 2
    assert ran == ["one", "two"]


def test_failing_chore_is_reported(factory: ds.DataStoreFactory) -> None:
    """A failure is in the report and in health, and hinders no other chore."""
    ran: list[str] = []

    def fail() -> None:
        raise ds.BusyError("somebody is at it")

    factory.add_maintenance("sick", fail)
    factory.add_maintenance("wrong", lambda: ran[7])
    factory.add_maintenance("well", lambda: ran.append("well"))
    report = factory.maintain()
    assert report.failures == ("sick: somebody is at it", "wrong: IndexError")
    assert ran == ["well"]
    assert not factory.perform_health_check().healthy
    factory.add_maintenance("sick", lambda: None)
    factory.add_maintenance("wrong", lambda: None)
    assert factory.maintain().failures == ()


def test_chores_of_a_process_that_maintains_no_store(
    factory: ds.DataStoreFactory, tmp_path: Path, clock: ds.ManualClock
) -> None:
    """While another one maintains the stores, what is registered here is done here."""
    ran: list[str] = []
    factory.maintain()  # takes the lease
    with ds.DataStoreFactory(tmp_path / "data", maintenance="manual", clock=clock) as other:
        other.add_maintenance("mine", lambda: ran.append("mine"))
        report = other.maintain()
        assert (report.ran, report.chores, ran) == (False, 1, ["mine"])


class TellingHost(OwnHost):
    """Tells when a lease was taken or renewed."""

    def __init__(self, factory: ds.DataStoreFactory, clock: ds.Clock) -> None:
        super().__init__(factory, clock)
        self.taken = threading.Semaphore(0)

    def take_lease(self, name: str, owner: str, duration_ms: int) -> bool:
        got = super().take_lease(name, owner, duration_ms)
        self.taken.release()
        return got


def test_long_chore_is_done_once(
    factory: ds.DataStoreFactory, clock: ds.ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a chore runs, however long, nobody else begins the one of that name."""
    monkeypatch.setattr(maintainer, "RENEW_S", 0.001)
    host = TellingHost(factory, clock)
    begun_beside: list[int] = []

    def slow() -> None:
        for _ in range(3):
            clock.advance(LEASE_MS - 1000)
            while host.taken.acquire(blocking=False):
                pass
            for _ in range(2):  # the first may have asked for the time before it was advanced
                assert host.taken.acquire(timeout=PATIENCE_S)
            begun_beside.append(factory.maintain().chores)

    chores = Chores()
    chores.add("slow", slow, 0)
    factory.add_maintenance("slow", lambda: None)
    assert maintainer.Maintainer(host, clock.now_ms, chores).run().chores == 1
    assert begun_beside == [0, 0, 0]
    assert factory.maintain().chores == 1
    host.close()


def test_interval_has_to_be_a_duration(factory: ds.DataStoreFactory) -> None:
    """An interval of nothing is refused."""
    with pytest.raises(ds.OptionError):
        factory.add_maintenance("one", lambda: None, every=0)


class Service:
    """Holds its factory, which holds its chore."""

    def __init__(self, factory: ds.DataStoreFactory) -> None:
        self.factory = factory
        factory.add_maintenance("service", self.work)

    def work(self) -> None:
        """Do nothing."""


def test_chore_does_not_keep_a_factory_alive(tmp_path: Path) -> None:
    """A factory and a service that nobody holds are collected, though a thread maintains them."""
    service = Service(ds.DataStoreFactory(tmp_path / "data", maintenance_interval="1h"))
    gone = weakref.ref(service.factory)
    del service
    gc.collect()
    assert gone() is None
