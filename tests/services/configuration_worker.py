"""A process of its own that changes a configuration, until it is killed."""

from __future__ import annotations

import os
import signal
import sys

import dsfactory as ds
from dsfactory.services.configuration import ApplicationSettings, ConfigurationManager


def main(root: str, how: str, count: int) -> None:
    """Save *count* times, telling each version; "die" ends between the commit and its audit."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        manager = ConfigurationManager(factory, ApplicationSettings, name="app")
        if how == "die":
            arm(factory)
        for number in range(count):
            version = manager.update(f"features.{how}{number}", True, who=how)
            print(version, flush=True)  # noqa: T201 - what the test waits for


def arm(factory: ds.DataStoreFactory) -> None:
    """Die at the first look at the history after a set was committed: the audit's."""
    done: list[str] = []

    def hook(event: ds.OperationEvent) -> None:
        if event.operation == "history" and "set" in done:
            os.kill(os.getpid(), signal.SIGKILL)
        done.append(event.operation)

    factory.get_store("app").add_monitoring_hook(hook)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
