"""Writes to a recorded store and says so, until it is killed."""

from __future__ import annotations

import itertools
import sys

import dsfactory as ds
from dsfactory.clock import pause


def main(root: str, first: int) -> None:
    """Set one counter after the other; say each once it is acknowledged."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        store = factory.create_state_store("s", int, pitr="24h")
        for n in itertools.count(first):
            with store.transaction():
                store["counter"] = n
                store[f"n-{n % 50}"] = n
            sys.stdout.write(f"{n}\n")
            sys.stdout.flush()
            pause(0.001)  # others want the write lock too


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
