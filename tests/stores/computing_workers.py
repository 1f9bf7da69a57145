"""What other processes do in the tests of test_get_or_set_processes.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import dsfactory as ds

KEYS = 30


def opened(root: Path) -> ds.DataStoreFactory:
    """A factory of this process for the test's directory."""
    return ds.DataStoreFactory(root, maintenance="manual")


def note(root: Path, key: object) -> None:
    """Add a line to the record of computations; appending a line is atomic."""
    with (root / "computed").open("a") as record:
        record.write(f"{key}\n")


def ask_for_all(root: Path, barrier: Any) -> None:
    """Ask for each key when all processes do, and count the computations."""
    with opened(root) as factory:
        store = factory.create_cache_store("shared")
        for key in range(KEYS):

            def compute(key: int = key) -> int:
                note(root, key)
                return sum(range(100_000)) + key

            barrier.wait(60)
            assert store.get_or_set(key, compute) == sum(range(100_000)) + key


def compute_until_killed(root: Path) -> None:
    """Begin to compute, say so, and never end."""
    with opened(root) as factory:
        store = factory.create_cache_store("shared")

        def compute() -> str:
            note(root, "killed")
            sys.stdout.write("computing\n")
            sys.stdout.flush()
            return sys.stdin.read()

        store.get_or_set("k", compute, lease="1h")


if __name__ == "__main__":
    compute_until_killed(Path(sys.argv[1]))
