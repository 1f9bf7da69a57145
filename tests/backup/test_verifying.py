"""Verifying: what each level finds, and what is noted of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import apsw
import pytest
from spine_samples import filled, flip, kept

import dsfactory as ds
from dsfactory.backup.places.place import DirectoryPlace
from dsfactory.backup.verifying import verify


def test_deep_is_noted(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A backup that passed a whole restore is marked in catalog, manifest and registry."""
    backup = filled(factory).backup()
    assert factory.backups()[0].verified_at is None
    clock.advance(1000)
    (report,) = factory.verify()
    assert (report.deep, report.problem) == (True, None)
    assert factory.backups()[0].verified_at == clock.now_ms()
    record = factory.get_registered_store("sessions")
    assert record is not None
    assert record.verified_at == clock.now_ms()
    assert f'"verified_at": {clock.now_ms()}' in kept(factory, backup, ".json").read_text()


def test_cheap_is_not_a_restore(factory: ds.DataStoreFactory) -> None:
    """Reading back alone does not count as a verified restore."""
    filled(factory).backup()
    (report,) = factory.verify(deep=False)
    assert report.problem is None
    assert factory.backups()[0].verified_at is None


@pytest.mark.parametrize("deep", [True, False])
def test_bit_flips(factory: ds.DataStoreFactory, deep: bool) -> None:
    """Both levels find a bit that turned, wherever it lies."""
    backup = filled(factory).backup()
    path = kept(factory, backup, ".db.zst")
    size = path.stat().st_size
    for at in {*range(0, 24), *range(24, size, size // 40), *range(size - 8, size)}:
        flip(path, at)
        (report,) = factory.verify(deep=deep)
        assert report.problem is not None, at
        assert backup.id in report.problem
        flip(path, at)
    assert factory.backups()[0].damaged_at is not None
    assert factory.verify()[0].problem is None
    assert factory.backups()[0].damaged_at is None


def test_store_that_was_damaged_already(factory: ds.DataStoreFactory) -> None:
    """A value that cannot be decoded is found by the deep level: the backup holds it as it was."""
    store = filled(factory, page_checksums=False)
    path = store.path
    store.close()
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE entry SET value = x'00ff' WHERE key = 'key-7'")
    connection.close()
    factory.backup("sessions")
    (cheap,) = factory.verify(deep=False)
    (deep,) = factory.verify()
    assert cheap.problem is None
    assert deep.problem is not None
    again = factory.get_store("sessions")
    del again["key-7"]


def test_sample_takes_turns(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A sample verifies first what was verified longest ago, so that all are reached."""
    store = filled(factory)
    for n in range(4):
        store["n"] = n
        clock.advance(1000)
        store.backup()
    seen: set[str] = set()
    for _ in range(4):
        clock.advance(1000)
        (report,) = factory.verify(sample=0.25)
        seen.add(report.backup.id)
    assert seen == {backup.id for backup in factory.backups()}


@pytest.mark.parametrize("sample", [0, -1, 1.1, float("nan")])
def test_refused_samples(factory: ds.DataStoreFactory, sample: float) -> None:
    """A share is more than nothing and at most everything."""
    with pytest.raises(ds.OptionError, match="sample"):
        factory.verify(sample=sample)


def test_kept_elsewhere(tmp_path: Path) -> None:
    """A backup of another place is passed over; asked for by its id it has a problem."""
    with ds.DataStoreFactory(tmp_path / "d", maintenance="manual") as here:
        backup = filled(here).backup()
    target = str(tmp_path / "elsewhere")
    with ds.DataStoreFactory(tmp_path / "d", maintenance="manual", backup_target=target) as there:
        (passed,) = there.verify()
        assert (passed.problem, passed.elsewhere) == (None, True)
        assert there.verify(sample=1) == []
        (asked,) = there.verify(backup=backup.id)
        assert asked.problem is not None
        assert "Set backup_target" in asked.problem
        assert there.backups() == [backup]
        there.backup("sessions", force=True)
        assert [r.elsewhere for r in there.verify("sessions")] == [True, False]
        with pytest.raises(ds.BackupPlaceError, match="not kept in"):
            there.restore("sessions", backup.id)


def test_disk_is_not_mounted(factory: ds.DataStoreFactory) -> None:
    """While nothing is where backups were, none is marked as damaged."""
    backup = filled(factory).backup()
    folder = factory.root / "backups" / "sessions"
    shutil.move(folder, factory.root / "aside")
    assert factory.verify(deep=False)[0].problem is not None
    shutil.move(factory.root / "aside", folder)
    assert factory.backups() == [backup]


class Full(DirectoryPlace):
    """A place with no room left."""

    def write(self, name: str, chunks: Iterable[bytes]) -> int:  # noqa: ARG002
        """Refuse."""
        raise ds.BackupPlaceError(f"no room for {name}")


def test_place_is_full(factory: ds.DataStoreFactory) -> None:
    """Where nothing can be written any more backups are verified; the catalog has the verdict."""
    backup = filled(factory).backup()
    vault = factory._safe.vault
    full = vault._replace(place=Full(vault.workshop.root))
    assert verify(full, backup, deep=True).problem is None
    assert factory.backups()[0].verified_at is not None


def test_bad_sector(factory: ds.DataStoreFactory) -> None:
    """A payload that the disk does not give back is damaged, and the others are verified."""
    bad, good = filled(factory, "bad").backup(), filled(factory, "good").backup()
    path = kept(factory, bad, ".db.zst")
    # There is nothing at offset 0 of a process: reading there is an I/O error.
    mount = ["mount", "--bind", f"/proc/{os.getpid()}/mem", str(path)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs root, and to be allowed to mount")
    try:
        reports = factory.verify(deep=False)
        with pytest.raises(ds.BackupDamagedError, match=bad.id):
            factory.restore("bad", bad.id)
    finally:
        subprocess.run(["umount", str(path)], check=True)
    assert [(r.backup.id, r.problem is None) for r in reports] == [(bad.id, False), (good.id, True)]
    assert factory.backups("bad")[0].damaged_at is not None
    assert factory.verify("bad")[0].problem is None


def test_nothing_is_left(factory: ds.DataStoreFactory) -> None:
    """Verifying leaves no scratch file, and changes neither the store nor its backup."""
    store = filled(factory)
    backup = store.backup()
    payload = kept(factory, backup, ".db.zst").read_bytes()
    factory.verify()
    assert kept(factory, backup, ".db.zst").read_bytes() == payload
    names = sorted(path.name for path in (factory.root / "backups" / "sessions").iterdir())
    assert names == [f"{backup.id}.db.zst", f"{backup.id}.json"]
    assert store["key-1"]["n"] == 1


class Counting(DirectoryPlace):
    """A place that counts how often files are opened."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened: Counter[str] = Counter()

    @contextlib.contextmanager
    def read(self, name: str) -> Iterator[BinaryIO]:
        """Open a file."""
        self.opened[name] += 1
        with super().read(name) as file:
            yield file


def test_read_once(factory: ds.DataStoreFactory) -> None:
    """Comparing a payload and looking into it reads it once: it may be far away."""
    backup = filled(factory).backup()
    vault = factory._safe.vault
    place = Counting(vault.workshop.root)
    assert verify(vault._replace(place=place), backup, deep=False).problem is None
    assert place.opened[f"sessions/{backup.id}.db.zst"] == 1
