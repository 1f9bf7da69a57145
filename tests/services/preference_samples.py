"""What the tests of UserPreferenceManager share with the processes that they start."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

import dsfactory as ds
from dsfactory.services import UserPreferenceManager
from dsfactory.services.preferences import BulkItem, Firing

LEASE_MS = 60_000
START = 1_700_000_000_000


@dataclass
class Preferences:
    """What a user may choose."""

    theme: Literal["light", "dark"] = "light"
    volume: Annotated[int, Meta(ge=0, le=10)] = 5
    quiet: bool = False
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.quiet and self.volume:
            raise ValueError("quiet means volume 0")


Manager = UserPreferenceManager[Preferences]


def opened(factory: ds.DataStoreFactory) -> Manager:
    """The manager that all processes of a test share."""
    return UserPreferenceManager(
        factory,
        Preferences,
        available=["help", "status all", "report"],
        reserved=["admin"],
        lease=LEASE_MS,
    )


def main(root: str, now: int, what: str, user: str, id_: str) -> None:
    """Run what is due, or a bulk operation, at the time *now*; say each line, wait to be told.

    "die" kills the process in the middle of a command, before anything of it is recorded.
    """

    def say(task: Firing | BulkItem) -> None:
        number = task.index if isinstance(task, BulkItem) else task.attempt
        sys.stdout.write(f"{task.command} {number}\n")
        sys.stdout.flush()
        if sys.stdin.readline().strip() == "die":
            os.kill(os.getpid(), signal.SIGKILL)

    clock = ds.ManualClock(now)
    with ds.DataStoreFactory(Path(root), maintenance="manual", clock=clock) as factory:
        manager = opened(factory)
        if what == "due":
            report = manager.run_due(say)
            sys.stdout.write(f"ran {len(report.succeeded)} lost {len(report.lost)}\n")
        else:
            progress = manager.run_bulk(user, id_, say)
            sys.stdout.write(f"done {progress.done} failed {progress.failed}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
