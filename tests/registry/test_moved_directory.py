"""A data directory that was moved or copied takes its stores along."""

from __future__ import annotations

import shutil
from pathlib import Path

import dsfactory as ds


def test_copied_directory_has_its_own_stores(tmp_path: Path) -> None:
    """A copy never writes to the files of the original."""
    with ds.DataStoreFactory(tmp_path / "one%_|", maintenance="manual") as original:
        original.create_state_store("s")["k"] = "original"
    shutil.copytree(tmp_path / "one%_|", tmp_path / "two")
    with ds.DataStoreFactory(tmp_path / "two", maintenance="manual") as copy:
        store = copy.get_store("s")
        store["k"] = "copy"
        assert store.path == (tmp_path / "two" / "stores" / "s.db").resolve()
        assert copy.perform_health_check().healthy
    with ds.DataStoreFactory(tmp_path / "one%_|", maintenance="manual") as original:
        assert original.get_store("s")["k"] == "original"


def test_moved_directory_opens(tmp_path: Path) -> None:
    """After a move, every store is found at its new place."""
    with ds.DataStoreFactory(tmp_path / "old", maintenance="manual") as factory:
        factory.create_cache_store("c")["k"] = 1
    (tmp_path / "old").rename(tmp_path / "new")
    with ds.DataStoreFactory(tmp_path / "new", maintenance="manual") as factory:
        assert factory.get_store("c")["k"] == 1
        assert factory.get_registered_store(tmp_path / "new" / "stores" / "c.db") is not None
