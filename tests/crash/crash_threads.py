"""Four threads set in one state store until they are killed, each saying what was acknowledged.

Run by test_crash_threads.py. A line "THREAD N" is printed after set() has returned, never before.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading

import dsfactory as ds

THREADS = 4


def main(root: str) -> None:
    """Set numbers in every thread."""
    factory = ds.DataStoreFactory(root, maintenance="manual")
    store = factory.create_state_store("crashing")

    def work(thread: int) -> None:
        for number in itertools.count():
            store.set(f"{thread}:{number}", [thread, number])
            os.write(1, f"{thread} {number}\n".encode())  # one write(2): whole or not at all

    for thread in range(THREADS):
        threading.Thread(target=work, args=(thread,), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
