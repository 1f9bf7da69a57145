"""One at a time: while somebody holds the lease, nobody else maintains the directory."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path

import maintenance_samples as samples
import pytest
from maintenance_samples import OwnHost

import dsfactory as ds
from dsfactory.maintenance import Maintainer
from dsfactory.maintenance.maintainer import LEASE_MS

Opener = Callable[..., ds.DataStoreFactory]
NOT_RUN = ds.MaintenanceReport(ran=False)


@pytest.fixture
def host(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> Iterator[OwnHost]:
    """What a Maintainer of the test's own needs."""
    host = OwnHost(factory, clock)
    yield host
    host.close()


def test_second_factory(opened: Opener, clock: ds.ManualClock) -> None:
    """While one factory holds the lease, another's round does nothing and says so."""
    first, second = opened(), opened()
    store = first.create_state_store("x")
    assert first.maintain().ran
    store.set("a", 1, ttl=1000)
    clock.advance(1000)
    assert second.maintain() == NOT_RUN
    assert store.stats().expired_entries == 1
    assert first.maintain().expired == 1


def test_renewed_by_every_round(opened: Opener, clock: ds.ManualClock) -> None:
    """Whoever maintains regularly keeps the lease."""
    first, second = opened(), opened()
    for _ in range(3):
        assert first.maintain().ran
        clock.advance(LEASE_MS - 1)
        assert second.maintain() == NOT_RUN


def test_taken_over(opened: Opener, clock: ds.ManualClock) -> None:
    """A holder that stopped is replaced when its lease runs out; then it is the one to wait."""
    first, second = opened(), opened()
    assert first.maintain().ran
    clock.advance(LEASE_MS)
    assert second.maintain().ran
    assert first.maintain() == NOT_RUN


def test_released_at_close(opened: Opener) -> None:
    """A factory that is closed lets another take over at once."""
    first, second = opened(), opened()
    assert first.maintain().ran
    first.close()
    assert second.maintain().ran


def test_closing_a_waiter(opened: Opener) -> None:
    """A factory without the lease gives back nothing when it is closed."""
    first, second, third = opened(), opened(), opened()
    assert first.maintain().ran
    second.close()
    assert third.maintain() == NOT_RUN


def test_another_process(opened: Opener, tmp_path: Path) -> None:
    """A process that holds the lease keeps this one out for as long as it lives."""
    here, there = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=samples.hold_the_lease, args=(str(tmp_path / "data"), there))
    process.start()
    try:
        assert here.poll(samples.PATIENCE_S)
        assert here.recv() is True
        factory = opened(clock=ds.SystemClock())
        assert factory.maintain() == NOT_RUN
    finally:
        here.send("close")
        process.join(samples.PATIENCE_S)
    assert process.exitcode == 0
    assert factory.maintain().ran


def test_lost_in_the_middle(host: OwnHost, factory: ds.DataStoreFactory) -> None:
    """A round whose lease was taken over meanwhile goes on to no further store."""
    for name in ("a", "b"):
        factory.create_state_store(name)
    maintainer, other = Maintainer(host, lambda: 0), Maintainer(host, lambda: 0)
    operations = samples.Operations()
    factory.get_store("b").add_monitoring_hook(operations)

    def take_over() -> None:
        host.drop_lease("maintenance", maintainer.owner)
        assert host.take_lease("maintenance", other.owner, LEASE_MS)

    factory.get_store("a").add_monitoring_hook(samples.on("expire", take_over))
    assert maintainer.run().ran
    assert not operations.counts


def test_renewed_before_each_store(host: OwnHost, factory: ds.DataStoreFactory) -> None:
    """The lease is renewed for each store, so that a long round does not outlive it."""
    for name in ("a", "b", "c"):
        factory.create_state_store(name)
    maintainer = Maintainer(host, lambda: 0)
    maintainer.run()
    assert host.leases == [maintainer.owner] * 4


def test_stopped_in_the_middle(host: OwnHost, factory: ds.DataStoreFactory) -> None:
    """A round that is told to stop begins no further store."""
    for name in ("a", "b"):
        factory.create_state_store(name)
    told: list[bool] = []
    operations = samples.Operations()
    factory.get_store("a").add_monitoring_hook(samples.on("expire", lambda: told.append(True)))
    factory.get_store("b").add_monitoring_hook(operations)
    Maintainer(host, lambda: 0).run(stopping=lambda: bool(told))
    assert told
    assert not operations.counts


def test_stopped_within_a_store(
    host: OwnHost, factory: ds.DataStoreFactory, clock: ds.ManualClock
) -> None:
    """A round that is told to stop does not sweep a large store to its end first."""
    store = factory.create_state_store("x")
    store.set_many(dict.fromkeys(range(10_000), "x"), ttl=1000)
    clock.advance(1000)
    asked: list[bool] = []

    def stopping() -> bool:
        asked.append(True)
        return len(asked) > 1

    Maintainer(host, lambda: 0).run(stopping=stopping)
    assert store.stats().expired_entries > 0


def test_owners_differ(host: OwnHost) -> None:
    """Two maintainers of one process are two owners."""
    assert Maintainer(host, lambda: 0).owner != Maintainer(host, lambda: 0).owner
