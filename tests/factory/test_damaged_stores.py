"""Registered stores whose file is gone, cut or somebody else's: refused, never made anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import apsw
import pytest
from factory_traces import create, traces

import dsfactory as ds


def cut(size: int) -> Callable[[Path], None]:
    """Damage: only the first *size* bytes are left."""
    return lambda path: os.truncate(path, size)


def remove(path: Path) -> None:
    """Damage: the file is gone."""
    path.unlink()


def overwrite(path: Path) -> None:
    """Damage: other bytes of the same length."""
    path.write_bytes(b"\x5a" * path.stat().st_size)


def replace_by_directory(path: Path) -> None:
    """Damage: a directory in its place."""
    path.unlink()
    path.mkdir()


def replace_by_foreign(path: Path) -> None:
    """Damage: another application's database in its place."""
    path.unlink()
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
    connection.close()


def replace_by_other_kind(path: Path) -> None:
    """Damage: the file of a store of another kind in its place."""
    path.unlink()
    (path.parent / "other.db").rename(path)


DAMAGES: dict[str, tuple[Callable[[Path], None], type[ds.DataStoreError]]] = {
    "gone": (remove, ds.FileMissingError),
    "cut to nothing": (cut(0), ds.FileMissingError),
    "cut to a byte": (cut(1), ds.FileRefusedError),
    "cut inside the header": (cut(50), ds.CorruptError),
    "cut after the header": (cut(100), ds.CorruptError),
    "cut after a page": (cut(4096), ds.CorruptError),
    "cut after some pages": (cut(3 * 4096), ds.CorruptError),
    "overwritten": (overwrite, ds.ForeignFileError),
    "a directory": (replace_by_directory, ds.ForeignFileError),
    "another application's": (replace_by_foreign, ds.ForeignFileError),
    "another kind's": (replace_by_other_kind, ds.KindConflictError),
}


@pytest.fixture(params=DAMAGES)
def damaged(request: pytest.FixtureRequest, opened: Any, root: Path) -> type[ds.DataStoreError]:
    """A store "x" whose file was damaged while it was closed; the error that opening raises."""
    damage, error = DAMAGES[request.param]
    factory = opened()
    create(factory, "state").set_many(dict.fromkeys(range(50), "x" * 500))
    create(factory, "state", "well").set_many(dict.fromkeys(range(7), "y"))
    create(factory, "metrics", "other")
    factory.unregister_store("other")
    factory.close()
    damage(root / "stores" / "x.db")
    return error


def test_opening(opened: Any, root: Path, damaged: type[ds.DataStoreError]) -> None:
    """Opening raises the typed error, by get and by create, and nothing is made or changed."""
    file = root / "stores" / "x.db"
    before = file.read_bytes() if file.is_file() else None
    factory = opened()
    with pytest.raises(damaged, match=r"x\.db"):
        factory.get_store("x")
    with pytest.raises(damaged, match=r"x\.db"):
        factory.create_state_store("x")
    assert (file.read_bytes() if file.is_file() else None) == before
    assert "x" in traces(factory).stores


def test_others_go_on(opened: Any, damaged: type[ds.DataStoreError]) -> None:
    """A damaged store counts as empty in the statistics and keeps nobody from working."""
    factory = opened()
    stats = factory.get_registry_stats()
    assert (stats.total, stats.entries) == (2, 7)
    assert len(factory.get_store("well")) == 7
    assert factory.maintain().failures[0].startswith("x: ")


def test_health(opened: Any, root: Path, damaged: type[ds.DataStoreError]) -> None:
    """The health check reports the damaged store, what to do, and that the others are well."""
    file = root / "stores" / "x.db"
    before = file.read_bytes() if file.is_file() else None
    report = opened().perform_health_check()
    well, ill = sorted(report.stores, key=lambda store: store.name)
    assert (well.name, well.healthy, ill.healthy) == ("well", True, False)
    assert not report.healthy
    assert all(line.startswith("x: ") for line in report.problems)
    advice = ("restore a backup", "move it away", "open it as that")
    assert any(words in ill.problems[0].lower() for words in advice)
    assert (file.read_bytes() if file.is_file() else None) == before


def test_forgetting(opened: Any, damaged: type[ds.DataStoreError]) -> None:
    """A damaged store can be unregistered, and then nothing is wrong any more."""
    factory = opened()
    assert factory.unregister_store("x")
    assert factory.perform_health_check().healthy


class FailingFile(apsw.VFSFile):
    """A file whose fsync fails while *failing* holds anything."""

    failing: ClassVar[list[bool]] = []

    def xSync(self, flags: int) -> None:  # noqa: N802 -- SQLite's name
        if self.failing:
            raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)
        super().xSync(flags)


class FailingDisk(apsw.VFS):
    """A disk of such files."""

    name = "failing-fsync"

    def __init__(self, base: str) -> None:
        super().__init__(self.name, base)
        self.base = base

    def xOpen(self, name: Any, flags: Any) -> FailingFile:  # noqa: N802 -- SQLite's name
        return FailingFile(self.base, name, flags)


@pytest.mark.parametrize("closed_first", [True, False])
def test_reopened_after_the_disk_failed(opened: Any, closed_first: bool) -> None:
    """A store that closed itself after a failed fsync can be opened again by its name."""
    before = apsw.vfs_names()[0]
    disk = FailingDisk(before)
    apsw.set_default_vfs(disk.name)
    try:
        factory = opened()
        store = factory.create_custom_store("x")
        store["a"] = 1
        FailingFile.failing.append(True)
        with pytest.raises(ds.DiskFailedError):
            store["b"] = 2
        FailingFile.failing.clear()
        with pytest.raises(ds.DiskFailedError, match=r"closed after a failed fsync.*reopen"):
            store["b"] = 2
        if closed_first:
            store.close()
        assert factory.get_store("x")["a"] == 1
    finally:
        FailingFile.failing.clear()
        apsw.set_default_vfs(before)
        factory.close()
        disk.unregister()
