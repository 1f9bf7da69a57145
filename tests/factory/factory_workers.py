"""What other processes do in tests of factories. Imports no more than that needs."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import dsfactory as ds
from dsfactory.model import Kind
from dsfactory.options import combined, defaults
from dsfactory.registry import NewStore, Registry
from dsfactory.stores import FileIdentity, adopt_or_create

PATIENCE_S = 60


def create_at_once(root: str, worker: int, barrier: Any, answers: Any) -> None:
    """Make the same store as all others at the same moment, and write to it."""
    barrier.wait(PATIENCE_S)
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        store = factory.create_state_store("shared", max_retries=20)
        store[f"of-{worker}"] = worker
        record = factory.get_registered_store("shared")
        answers.put((worker, record.id if record else None, str(store.path)))


def raise_in_child(root: str, answers: Any) -> None:
    """Send back an error of ours as another process raised it."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        try:
            factory.get_store("absent")
        except ds.StoreAbsentError as error:
            answers.put(error)


def die_before_the_row(root: str, name: str) -> None:
    """Make the file of a store, and be killed before the registry knows of it."""
    path = Path(root) / "stores" / f"{name}.db"
    options = combined(defaults(Kind.STATE), {})
    who = FileIdentity("f" * 32, name, Kind.STATE, options.codec, options.features)

    def create(now: int) -> str:
        adopt_or_create(path, who, options, now)
        os.kill(os.getpid(), signal.SIGKILL)
        return "never"

    registry = Registry(Path(root) / "metadata.db", ds.SystemClock())
    registry.register(NewStore(name, Kind.STATE, path, options, None), create)


def die_holding_the_lease(root: str) -> None:
    """Do a round of maintenance, and be killed with the lease in hand."""
    factory = ds.DataStoreFactory(root, maintenance="manual")
    assert factory.maintain().ran
    os.kill(os.getpid(), signal.SIGKILL)


def die_with_open_stores(root: str) -> None:
    """Write something that stays in the WAL, and be killed."""
    factory = ds.DataStoreFactory(root, maintenance="manual")
    factory.create_state_store("x").set_many((n, "old") for n in range(50))
    os.kill(os.getpid(), signal.SIGKILL)
