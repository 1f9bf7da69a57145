"""What other processes do in the tests of test_store_processes.py."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path
from typing import Any

import dsfactory as ds


def open_state(root: Path) -> ds.DataStoreFactory:
    """A factory of this process for the test's directory."""
    return ds.DataStoreFactory(root, maintenance="manual")


def count_up(root: Path, turns: int) -> None:
    """Increment one number, and keep a list in which every turn is."""
    with open_state(root) as factory:
        store = factory.create_state_store("shared")
        for _ in range(turns):
            store.increment("n")
            store.update_with("moves", lambda old: [*old, 1], [])


def compare_and_set(root: Path, turns: int) -> None:
    """Count with if_version alone, reading again after each conflict."""
    with open_state(root) as factory:
        store = factory.create_state_store("shared")
        done = 0
        while done < turns:
            entry = store.entry("cas")
            version, value = (entry.version, entry.value) if entry else (0, 0)
            try:
                store.set("cas", value + 1, if_version=version)
            except ds.VersionConflictError:
                continue
            done += 1


def add_names(root: Path, names: int) -> None:
    """Try to be the first to add each name; count the successes."""
    with open_state(root) as factory:
        store = factory.create_state_store("shared")
        won = sum(store.add(f"name {number}", 1) for number in range(names))
        store.increment("won", won)


def write_until_killed(root: Path) -> None:
    """Set one key after the other, and say each when it was acknowledged."""
    with open_state(root) as factory:
        store = factory.create_state_store("shared")
        for number in count():
            store[number] = {"number": number, "text": "t" * (number % 50)}
            if number % 5 == 0:
                write_pair(store, number)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


def write_pair(store: ds.DataStore[Any], number: int) -> None:
    """Write two entries that are to be equal whenever the process is killed."""
    with store.transaction():
        store["pair a"] = number
        store["pair b"] = number


if __name__ == "__main__":
    write_until_killed(Path(sys.argv[1]))
