"""Hosts for a Maintainer without a factory's thread, and hooks that tell of what it does."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import dsfactory as ds
from dsfactory.registry import Registry

PATIENCE_S = 20
"""How long anything may take before a test calls it stuck."""

THREAD = "dsfactory-maintenance"


class OwnHost:
    """Lends a factory's stores to a Maintainer of the test's own."""

    def __init__(self, factory: ds.DataStoreFactory, clock: ds.Clock) -> None:
        self.factory = factory
        self.registry = Registry(factory.root / "metadata.db", clock)
        self.leases: list[str] = []

    def names(self) -> list[str]:
        return [record.name for record in self.factory.get_registered_stores()]

    @contextlib.contextmanager
    def borrowed(self, name: str) -> Iterator[ds.DataStore[Any]]:
        yield self.factory.get_store(name)

    def take_lease(self, name: str, owner: str, duration_ms: int) -> bool:
        self.leases.append(owner)
        return self.registry.take_lease(name, owner, duration_ms)

    def drop_lease(self, name: str, owner: str) -> None:
        self.registry.drop_lease(name, owner)

    def keep_backups(self) -> tuple[int, list[str]]:
        return 0, []

    def tidy_directory(self) -> None:
        """Nothing lies about."""

    def close(self) -> None:
        self.registry.close()


class Operations:
    """A monitoring hook that counts operations and can be waited for."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._changed = threading.Condition()

    def __call__(self, event: ds.OperationEvent) -> None:
        with self._changed:
            self.counts[event.operation] += 1
            self._changed.notify_all()

    def wait_for(self, operation: str, times: int = 1) -> bool:
        """Wait until *operation* was seen *times* times; return whether it was in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.counts[operation] >= times, PATIENCE_S)


def maintenance_threads() -> set[threading.Thread]:
    """The maintenance threads of this process."""
    return {thread for thread in threading.enumerate() if thread.name == THREAD}


def on(operation: str, act: Callable[[], object]) -> Callable[[ds.OperationEvent], None]:
    """A monitoring hook that acts once, after *operation*."""
    todo = [act]

    def hook(event: ds.OperationEvent) -> None:
        if event.operation == operation and todo:
            todo.pop()()

    return hook


def hold_the_lease(root: str, channel: Any) -> None:
    """In another process: do a round, and keep the lease until told to close."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        channel.send(factory.maintain().ran)
        channel.recv()
