"""Writes to a state store for as long as it lives, and says so after each acknowledged step.

Run by test_crash_kill.py. A line is printed after the store has returned, never before:
"single N" for one key, "pair N" for two keys of one transaction, "batch N" for three.
"""

from __future__ import annotations

import itertools
import os
import sys

import dsfactory as ds


def main(root: str, first: int) -> None:
    """Write steps from *first* on, until killed."""
    factory = ds.DataStoreFactory(root, maintenance="manual")
    # Small, so that values are compressed and evictions of WAL pages happen too.
    store = factory.create_state_store("crashing", compression_threshold=200)
    for number in itertools.count(first):
        name = ("single", "pair", "batch")[number % 3]
        filling = f"{number}:" * 200
        if name == "single":
            store[f"single-{number}"] = [number, filling]
        elif name == "pair":
            with store.transaction():
                store[f"pair-{number}-a"] = [number, filling]
                store[f"pair-{number}-b"] = [number, filling]
                store.increment("pairs")
        else:
            batch = store.batch().delete(f"single-{number - 8}")
            for letter in "abc":
                batch.set(f"batch-{number}-{letter}", [number, filling])
            batch.commit()
        # One write(2): the line is in the pipe as a whole, or not at all.
        os.write(1, f"{name} {number}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
