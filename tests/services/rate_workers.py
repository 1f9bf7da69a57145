"""What other processes do in the tests of test_rate_limiter_processes.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import dsfactory as ds
from dsfactory.services import RateLimiter

KEYS = ("global", "user:1", "user:2")


def take_until_refused(root: Path, algorithm: str) -> None:
    """Ask for permits of each key until it has refused 20 times; write down how many there were."""
    with ds.DataStoreFactory(root, maintenance="manual", clock=ds.ManualClock()) as factory:
        limiter = RateLimiter(factory, name=algorithm)
        admitted = dict.fromkeys(KEYS, 0)
        refused = dict.fromkeys(KEYS, 0)
        while any(count < 20 for count in refused.values()):
            for cost, key in enumerate(KEYS, 1):
                decision = limiter.check_and_increment(key, cost)
                admitted[key] += cost if decision.allowed else 0
                refused[key] += not decision.allowed
        counts = factory.create_state_store("counts")
        for key, count in admitted.items():
            counts.increment(f"{algorithm} {key}", count)


def main(root: str) -> None:
    """Take permits until killed, and say each when it was acknowledged."""
    factory = ds.DataStoreFactory(root, maintenance="manual")
    limiter = RateLimiter(factory, per_day=10**9, allow_uneven=True)
    while limiter.check_and_increment().allowed:
        os.write(1, b"\n")  # one write(2): whole or not at all


if __name__ == "__main__":
    main(sys.argv[1])
