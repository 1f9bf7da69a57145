"""After a fork, parent and child go on, each with connections and maintenance of its own."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from factory_traces import PATIENCE_S, create, in_child

import dsfactory as ds
from dsfactory.maintenance.maintainer import LEASE_MS

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")


def test_both_write(opened: Any) -> None:
    """Parent and child write to the same open store, and each sees what the other wrote."""
    factory = opened()
    store = create(factory, "state")
    store["before"] = 1

    def child() -> str:
        store["child"] = store["before"] + 1
        create(factory, "cache", "made-in-child")["a"] = 3
        return "fine"

    assert in_child(child) == "fine"
    store["parent"] = 4
    assert dict(store) == {"before": 1, "child": 2, "parent": 4}
    assert factory.get_store("made-in-child")["a"] == 3
    assert store.check() == []


def test_child_closes_for_itself(opened: Any) -> None:
    """A factory that the child closes stays open in the parent."""
    factory = opened()
    store = create(factory, "state")

    def child() -> str:
        factory.close()
        return str(factory.closed)

    assert in_child(child) == "True"
    store["a"] = 1
    assert factory.closed is False
    assert store["a"] == 1


def test_child_of_a_busy_factory(opened: Any) -> None:
    """A child is not stuck because a thread of the parent was making stores."""
    factory = opened()
    create(factory, "state")["a"] = 1
    stop = threading.Event()

    def keep_busy() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            create(factory, "cache", f"c{number % 5}").close()

    thread = threading.Thread(target=keep_busy)
    thread.start()
    try:
        said = [in_child(lambda: str(factory.get_store("x")["a"])) for _ in range(5)]
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert said == ["1"] * 5


def test_child_maintains_with_a_thread_of_its_own(opened: Any, clock: ds.ManualClock) -> None:
    """Maintenance that was automatic in the parent is so in the child."""
    store = create(opened(maintenance="auto", maintenance_interval=5), "state")
    store["a"] = 1

    def child() -> str:
        swept = threading.Event()
        store.add_monitoring_hook(
            lambda event: swept.set() if event.operation == "expire" else None
        )
        clock.advance(LEASE_MS + 1)  # whatever lease the parent had has run out here
        return str(swept.wait(PATIENCE_S))

    assert in_child(child) == "True"


@pytest.mark.parametrize("maintenance", ["manual", "auto"])
def test_lease_stays_the_parents(opened: Any, maintenance: str) -> None:
    """While the parent holds the lease, the child does no maintenance beside it."""
    factory = opened(maintenance=maintenance, maintenance_interval="1h")
    assert factory.maintain().ran
    assert in_child(lambda: str(factory.maintain().ran)) == "False"


def test_child_does_not_give_back_the_parents_lease(opened: Any) -> None:
    """A child that closes its copy of the factory leaves the parent's lease alone."""
    factory, other = opened(), opened()
    assert factory.maintain().ran

    def child() -> str:
        factory.close()
        return "closed"

    assert in_child(child) == "closed"
    assert other.maintain().ran is False


def test_fork_during_maintenance(opened: Any) -> None:
    """A child is not stuck because a thread of the parent was in the middle of a round."""
    factory = opened()
    within, leave = threading.Event(), threading.Event()

    def hold(event: ds.OperationEvent) -> None:
        if event.operation == "expire":
            within.set()
            leave.wait(PATIENCE_S)

    store = create(factory, "state")
    store.add_monitoring_hook(hold)
    thread = threading.Thread(target=factory.maintain)
    thread.start()
    try:
        assert within.wait(PATIENCE_S)
        said = in_child(lambda: f"maintained: {factory.maintain().ran}", patience_s=5)
    finally:
        leave.set()
        thread.join(PATIENCE_S)
    assert said == "maintained: False"
