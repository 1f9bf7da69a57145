"""scrub(): what was deleted is in no byte of the file or its log any more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dsfactory as ds

Make = Callable[..., ds.DataStore[Any]]


def raw(store: ds.DataStore[Any]) -> bytes:
    """The bytes of a store's file and its log."""
    return store.path.read_bytes() + Path(f"{store.path}-wal").read_bytes()


@pytest.mark.parametrize("kind", ["cache", "custom", "metrics", "state"])
def test_scrub_leaves_nothing_deleted(make_store: Make, kind: str) -> None:
    """Free pages, gaps in pages and the log are clean; what lives is as it was."""
    store = make_store(kind, compression=False)
    if kind == "cache":
        store = make_store(kind, "other", max_entries=5000)
    store.set_many({n: f"deleted-{n}" * (1 + n % 40) for n in range(600)})
    store.set_many({n: f"kept-{n}" for n in range(0, 600, 7)})
    store.set("short", "deleted-soon", ttl="1h")
    store.delete_many([n for n in range(600) if n % 7])
    store.delete("short")
    store.maintain()
    assert b"deleted-" in raw(store)
    store.scrub()
    assert b"deleted-" not in raw(store)
    assert len(store) == 86
    assert store[7] == "kept-7"
    assert store.check() == []
    store[7] = "again"
    assert store[7] == "again"


def test_scrub_needs_its_turn(make_store: Make) -> None:
    """It is refused inside of a transaction, and while somebody reads an old state."""
    store = make_store("custom", busy_timeout_ms=50)
    store["a"] = 1
    with store.transaction(), pytest.raises(ds.TransactionError):
        store.scrub()
    with store._database.snapshot() as snapshot:
        snapshot.rows("SELECT count(*) FROM entry")
        store["b"] = 2
        with pytest.raises(ds.BusyError, match=r"emptied|reading"):
            store.scrub()
    store.scrub()
    assert dict(store) == {"a": 1, "b": 2}
