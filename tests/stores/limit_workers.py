"""What other processes do in test_limits.py."""

from __future__ import annotations

from pathlib import Path

import dsfactory as ds


def write_beyond_limits(root: Path, worker: int, policy: str) -> None:
    """Write more than fits, of changing sizes, and read now and then."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        store = factory.get_store(policy)
        for turn in range(150):
            store[f"{worker} {turn % 40}"] = "v" * (turn % 30)
            store.get(f"{worker} {turn * 7 % 40}")
