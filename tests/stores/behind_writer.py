"""Sets numbers behind, and says so; flushes now and then, and says so afterwards.

Run by test_write_behind.py: "kill" goes on until it is killed, "exit" ends after 400 sets.
"""

from __future__ import annotations

import itertools
import os
import sys

import dsfactory as ds


def main(root: str, how: str) -> None:
    """Set 1, 2, 3 and so on."""
    factory = ds.DataStoreFactory(root, maintenance="manual")
    store = factory.create_cache_store("behind", write_behind="3ms", max_entries=None)
    for number in itertools.count(1) if how == "kill" else range(1, 401):
        store[number] = f"{number}:" * 20
        os.write(1, f"set {number}\n".encode())
        if number % 97 == 0:
            store.flush()
            os.write(1, f"flushed {number}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
