"""Chores: what services and applications have maintenance do."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

import dsfactory as ds


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
