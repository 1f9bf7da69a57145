"""Restoring: in place, beside, after damage, and what is refused."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from spine_samples import content, files_in, filled, flip, kept

import dsfactory as ds

HOLDER = """
import sys
import dsfactory as ds
with ds.DataStoreFactory(sys.argv[1], maintenance="manual") as factory:
    store = factory.get_store("sessions")
    store["key-1"]
    if len(sys.argv) > 2:
        store.update_with("key-1", lambda value: value)
    print("open", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def open_elsewhere(root: Path, *arguments: str) -> Iterator[None]:
    """Another process that has the store open meanwhile."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(root), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "open\n"
        yield
    finally:
        holder.stdin.close()
        holder.wait(30)
        holder.stdout.close()


def changed(store: Any) -> None:
    """Change, add and delete something."""
    store["key-1"] = "changed"
    store["new"] = 1
    del store["key-2"]


def test_in_place(factory: ds.DataStoreFactory) -> None:
    """The store is again what it was, and what it had become is a backup of its own."""
    store = filled(factory)
    before = content(store)
    backup = store.backup()
    changed(store)
    after = content(store)
    report = factory.restore("sessions")
    assert store.closed
    assert (report.store, report.backup.id, report.path) == ("sessions", backup.id, store.path)
    assert report.rows["entry"] == 50
    assert report.safety is not None
    assert report.safety.reason == "before-restore"
    assert content(factory.get_store("sessions")) == before
    factory.restore("sessions", report.safety.id)
    assert content(factory.get_store("sessions")) == after
    assert [event.what for event in factory.events()] == ["restored", "restored"]


def test_latest_is_not_the_safety_copy(factory: ds.DataStoreFactory) -> None:
    """Restoring the latest twice does not bring back what was restored from."""
    store = filled(factory)
    before = content(store)
    store.backup()
    changed(store)
    for _ in range(2):
        factory.restore("sessions")
        assert content(factory.get_store("sessions")) == before


def test_nothing_is_left_lying(factory: ds.DataStoreFactory) -> None:
    """Beside the restored file lies no log, journal or scratch file of the old one."""
    store = filled(factory)
    store.backup()
    changed(store)
    factory.restore("sessions")
    assert files_in(factory.root / "stores") == {"sessions.db"}


def test_older_one(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Every backup can be restored by its id."""
    store = filled(factory)
    first = store.backup()
    store["n"] = 1
    clock.advance(1)
    store.backup()
    factory.restore("sessions", first.id)
    assert "n" not in factory.get_store("sessions")


def test_moment_without_a_journal(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Where nothing records the changes it is the backup from before, and the report says so."""
    store = filled(factory)
    backup = store.backup()
    clock.advance(1000)
    store["n"] = 1
    clock.advance(1000)
    store.backup()
    report = factory.restore("sessions", at=clock.now_ms() - 500)
    assert (report.backup.id, report.at) == (backup.id, None)
    assert "n" not in factory.get_store("sessions")


def test_beside(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """Restoring to a file leaves the store alone, and never overwrites unless forced."""
    store = filled(factory)
    store.backup()
    changed(store)
    target = tmp_path / "copy.db"
    assert factory.restore("sessions", to=target).path == target
    assert store["key-1"] == "changed"
    assert target.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ds.RestoreRefusedError, match="exists"):
        factory.restore("sessions", to=target)
    factory.restore("sessions", to=target, force=True)
    assert files_in(tmp_path) & {"copy.db"}


def test_dry_run(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """A dry run does everything but the swap, in place and beside."""
    store = filled(factory)
    store.backup()
    changed(store)
    report = factory.restore("sessions", dry_run=True)
    assert report.dry_run
    assert report.safety is None
    assert store["key-1"] == "changed"
    factory.restore("sessions", to=tmp_path / "copy.db", dry_run=True)
    assert not (tmp_path / "copy.db").exists()
    assert len(factory.backups()) == 1


@pytest.mark.parametrize("how", ["header", "truncated", "emptied", "gone"])
def test_damaged_file(factory: ds.DataStoreFactory, how: str) -> None:
    """A file that cannot be copied is put aside as it was, and the store is restored."""
    store = filled(factory)
    before = content(store)
    store.backup()
    path = store.path
    store.close()
    if how == "header":
        path.write_bytes(b"garbage!" * 1000)
    elif how == "truncated":
        os.truncate(path, 5000)
    elif how == "emptied":
        os.truncate(path, 0)
    else:
        path.unlink()
    was = path.read_bytes() if path.exists() else None
    report = factory.restore("sessions")
    assert report.safety is None
    assert content(factory.get_store("sessions")) == before
    if was is None:
        assert report.quarantined is None
    else:
        assert report.quarantined is not None
        assert (report.quarantined / "sessions.db").read_bytes() == was


def test_log_of_a_lost_file(factory: ds.DataStoreFactory) -> None:
    """A log without its database is put aside: it must not be replayed into the restored file."""
    store = filled(factory)
    before = content(store)
    store.backup()
    path = store.path
    store.close()
    path.unlink()
    Path(f"{path}-wal").write_bytes(b"stale log")
    report = factory.restore("sessions")
    assert report.quarantined is not None
    assert (report.quarantined / "sessions.db-wal").read_bytes() == b"stale log"
    assert content(factory.get_store("sessions")) == before


def test_open_in_another_process(factory: ds.DataStoreFactory) -> None:
    """While another process has the store open, nothing is swapped; afterwards it works."""
    store = filled(factory)
    store.backup()
    changed(store)
    with (
        open_elsewhere(factory.root),
        pytest.raises(ds.BusyError, match="another process"),
    ):
        factory.restore("sessions")
    assert factory.get_store("sessions")["key-1"] == "changed"
    factory.restore("sessions")
    assert factory.get_store("sessions")["key-1"] != "changed"


def test_damaged_and_open_in_another_process(factory: ds.DataStoreFactory) -> None:
    """A damaged file that another process has open is not replaced under it."""
    store = filled(factory)
    store.backup()
    path = store.path
    store.close()
    with open_elsewhere(factory.root):
        os.truncate(path, 8192)
        with pytest.raises(ds.BusyError):
            factory.restore("sessions")
    factory.restore("sessions")


def test_open_in_another_factory(factory: ds.DataStoreFactory) -> None:
    """A store that another factory of this process has open is not swapped either."""
    filled(factory).backup()
    with ds.DataStoreFactory(factory.root, maintenance="manual") as other:
        other.get_store("sessions")["key-1"] = "changed"
        with pytest.raises(ds.BusyError, match="in this process"):
            factory.restore("sessions")
    factory.restore("sessions")


def test_forgotten_store(factory: ds.DataStoreFactory) -> None:
    """A store that was unregistered with its file is registered again as it was."""
    store = filled(factory, max_retries=7)
    before = content(store)
    record = factory.get_registered_store("sessions")
    store.backup()
    factory.unregister_store("sessions", delete_files=True)
    factory.restore("sessions")
    again = factory.get_registered_store("sessions")
    assert again is not None
    assert record is not None
    assert (again.id, again.kind, again.options) == (record.id, record.kind, record.options)
    assert content(factory.get_store("sessions")) == before


def test_store_made_differently(factory: ds.DataStoreFactory) -> None:
    """A backup of another kind under the same name is refused unless forced."""
    filled(factory).backup()
    factory.unregister_store("sessions", delete_files=True)
    factory.create_cache_store("sessions")["a"] = 1
    with pytest.raises(ds.RestoreRefusedError, match="kind cache now"):
        factory.restore("sessions")
    assert factory.get_store("sessions")["a"] == 1
    report = factory.restore("sessions", force=True)
    assert report.safety is not None
    store = factory.get_store("sessions")
    assert store.kind is ds.Kind.STATE
    assert len(store) == 50


@pytest.mark.parametrize("part", [".db.zst", ".json"])
@pytest.mark.parametrize("how", ["flip", "cut", "gone"])
def test_damaged_backup(factory: ds.DataStoreFactory, part: str, how: str) -> None:
    """A damaged backup is refused with an error that names it, and the store stays as it is."""
    store = filled(factory)
    backup = store.backup()
    changed(store)
    path = kept(factory, backup, part)
    if how == "flip":
        flip(path, path.stat().st_size // 2)
    elif how == "cut":
        os.truncate(path, path.stat().st_size // 2)
    else:
        path.unlink()
    with pytest.raises((ds.BackupDamagedError, ds.BackupAbsentError), match=backup.id):
        factory.restore("sessions")
    assert not store.closed
    assert store["key-1"] == "changed"
    assert files_in(factory.root / "stores") >= {"sessions.db"}
    assert not [name for name in files_in(factory.root) if "unfinished" in name]


def test_transaction(factory: ds.DataStoreFactory) -> None:
    """Inside of a transaction nothing is restored."""
    store = filled(factory)
    store.backup()
    with store.transaction(), pytest.raises(ds.TransactionError):
        factory.restore("sessions")


@pytest.mark.parametrize("backup", ["latest", "20261122T101500Z-4f2a9c1b"])
def test_no_backup(factory: ds.DataStoreFactory, backup: str) -> None:
    """Without a backup the error says what can be done."""
    filled(factory)
    with pytest.raises(ds.BackupAbsentError, match="rescan"):
        factory.restore("sessions", backup)


def test_of_another_store(factory: ds.DataStoreFactory) -> None:
    """A backup of one store is not restored into another."""
    filled(factory)
    other = filled(factory, "other").backup()
    with pytest.raises(ds.OptionError, match="other"):
        factory.restore("sessions", other.id)


def test_older_revision(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """A backup from before an upgrade is restored and upgraded when the store is opened."""
    store = filled(factory)
    before = content(store)
    store.close()
    factory.upgrade("sessions", to="-1", down=True)
    backup = factory.backup("sessions")
    factory.upgrade("sessions")
    changed(factory.get_store("sessions"))
    factory.restore("sessions", backup.id)
    assert content(factory.get_store("sessions")) == before
    assert factory.verify(backup=backup.id)[0].problem is None


def two_places(tmp_path: Path, elsewhere: str, **options: Any) -> Path:
    """A store with a backup in the factory's own directory and a newer one elsewhere; its file."""
    clock = ds.ManualClock()
    with ds.DataStoreFactory(tmp_path / "d", maintenance="manual", clock=clock) as here:
        store = filled(here, **options)
        store["n"] = "here"
        store.backup()
        clock.advance(1000)
    with ds.DataStoreFactory(
        tmp_path / "d", maintenance="manual", clock=clock, backup_target=elsewhere
    ) as there:
        store = there.get_store("sessions")
        store["n"] = "there"
        store.backup()
        path: Path = store.path
    return path


def test_latest_of_this_place(tmp_path: Path) -> None:
    """The latest is the latest that is kept here; where none is, the error says where one is."""
    elsewhere = str(tmp_path / "elsewhere")
    two_places(tmp_path, elsewhere)
    with ds.DataStoreFactory(tmp_path / "d", maintenance="manual") as here:
        here.restore("sessions", to=tmp_path / "copy.db")
        assert here.restorable("sessions") == []
        here.restore("sessions")
        assert here.get_store("sessions")["n"] == "here"
    with (
        ds.DataStoreFactory(
            tmp_path / "d", maintenance="manual", backup_target=str(tmp_path / "third")
        ) as third,
        pytest.raises(ds.BackupPlaceError, match=elsewhere),
    ):
        third.restore("sessions")


def test_held_by_two(factory: ds.DataStoreFactory, clock: ds.ManualClock, tmp_path: Path) -> None:
    """A restore that ends does not let prune have a backup that another one is reading."""
    filled(factory).backup()
    seen: list[bool] = []

    def another(done: int, total: int) -> None:
        if done == total:
            factory.restore("sessions", to=tmp_path / "inner.db")
            seen.append(factory.backups()[0].restoring)

    factory.restore("sessions", to=tmp_path / "outer.db", progress=another)
    assert seen == [True]
    clock.advance(2 * 3_600_000)
    assert not factory.backups()[0].restoring
    factory.restore("sessions", to=tmp_path / "alone.db")
    assert not factory.backups()[0].restoring


class TestOnCorruption:
    """A damaged file at opening."""

    def damaged(self, factory: ds.DataStoreFactory, **options: Any) -> Path:
        store = filled(factory, **options)
        store.backup()
        path: Path = store.path
        store.close()
        path.write_bytes(b"garbage!" * 1000)
        return path

    def test_raise(self, factory: ds.DataStoreFactory) -> None:
        """By default the error is raised and the file stays where it is."""
        path = self.damaged(factory)
        with pytest.raises(ds.FileRefusedError):
            factory.get_store("sessions")
        assert path.read_bytes() == b"garbage!" * 1000
        assert factory.events() == []
        factory.restore("sessions")

    def test_restore(self, factory: ds.DataStoreFactory) -> None:
        """Where the store says so, the newest backup takes its place, and the event is kept."""
        self.damaged(factory, on_corruption="restore")
        assert len(factory.get_store("sessions")) == 50
        (event,) = factory.events()
        assert (event.store, event.what) == ("sessions", "quarantined")
        assert (factory.root / "quarantine" / "sessions-0001" / "sessions.db").exists()

    def test_up_to_the_last_shipping(self, factory: ds.DataStoreFactory) -> None:
        """With point-in-time recovery nothing is lost that maintenance had shipped."""
        store = filled(factory, on_corruption="restore", pitr="24h")
        factory.maintain()
        store["later"] = "than any backup"
        factory.maintain()
        path = store.path
        store.close()
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        path.write_bytes(b"garbage!" * 1000)
        assert factory.get_store("sessions")["later"] == "than any backup"
        assert factory.events()[-1].what == "quarantined"

    def test_damaged_journal(self, factory: ds.DataStoreFactory) -> None:
        """A journal that cannot be read costs what it holds; the backup itself is not blamed."""
        store = filled(factory, on_corruption="restore", pitr="24h")
        factory.maintain()
        store["later"] = "than any backup"
        factory.maintain()
        path = store.path
        store.close()
        path.write_bytes(b"garbage!" * 1000)
        for segment in (factory.root / "backups" / "sessions").glob("log-*.seg"):
            flip(segment, segment.stat().st_size // 2)
        found = factory.get_store("sessions")
        assert (len(found), found.get("later")) == (50, None)
        assert [backup.id for backup in factory.backups() if backup.damaged_at] == []

    def test_newest_verified_first(
        self, factory: ds.DataStoreFactory, clock: ds.ManualClock
    ) -> None:
        """A verified backup is preferred to a newer one that nobody verified."""
        store = filled(factory, on_corruption="restore")
        store["n"] = 1
        store.backup()
        factory.verify("sessions")
        clock.advance(1000)
        store["n"] = 2
        store.backup()
        path = store.path
        store.close()
        path.write_bytes(b"garbage!" * 1000)
        assert factory.get_store("sessions")["n"] == 1

    def test_falls_back(self, factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
        """A backup that turns out to be damaged is passed over, and marked."""
        store = filled(factory, on_corruption="restore")
        store["n"] = 1
        store.backup()
        clock.advance(1000)
        store["n"] = 2
        newest = store.backup()
        flip(kept(factory, newest, ".db.zst"), 100)
        path = store.path
        store.close()
        path.write_bytes(b"garbage!" * 1000)
        assert factory.get_store("sessions")["n"] == 1
        assert [b.id for b in factory.backups() if b.damaged_at] == [newest.id]

    def test_disk_is_not_mounted(self, factory: ds.DataStoreFactory) -> None:
        """While nothing is where backups were, none is marked; when they are back, one is used."""
        self.damaged(factory, on_corruption="restore")
        folder, aside = factory.root / "backups", factory.root / "aside"
        folder.rename(aside)
        with pytest.raises(ds.FileRefusedError):
            factory.get_store("sessions")
        assert [backup.damaged_at for backup in factory.backups()] == [None]
        shutil.move(aside / "sessions", folder / "sessions")
        assert len(factory.get_store("sessions")) == 50

    def test_another_place(self, tmp_path: Path) -> None:
        """A newer backup that is kept elsewhere does not keep one that is here from being used."""
        elsewhere = str(tmp_path / "elsewhere")
        path = two_places(tmp_path, elsewhere, on_corruption="restore")
        path.write_bytes(b"garbage!" * 1000)
        with ds.DataStoreFactory(tmp_path / "d", maintenance="manual") as factory:
            assert factory.get_store("sessions")["n"] == "here"

    def test_no_backup(self, factory: ds.DataStoreFactory) -> None:
        """Without a backup the damage itself is raised."""
        store = filled(factory, on_corruption="restore")
        path = store.path
        store.close()
        path.write_bytes(b"garbage!" * 1000)
        with pytest.raises(ds.FileRefusedError):
            factory.get_store("sessions")
        factory.unregister_store("sessions", delete_files=True)

    def test_somebody_elses_file(self, factory: ds.DataStoreFactory) -> None:
        """A whole database of another application is not damage: it is never replaced."""
        path = self.damaged(factory, on_corruption="restore")
        path.unlink()
        import apsw

        connection = apsw.Connection(str(path))
        connection.execute("CREATE TABLE theirs (a)")
        connection.close()
        with pytest.raises(ds.ForeignFileError):
            factory.get_store("sessions")
        factory.unregister_store("sessions", delete_files=True)


def test_progress(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """Restoring tells how far it is, to its end."""
    filled(factory).backup()
    told: list[tuple[int, int]] = []
    factory.restore(
        "sessions", to=tmp_path / "copy.db", progress=lambda done, total: told.append((done, total))
    )
    size = (tmp_path / "copy.db").stat().st_size
    assert told[-1] == (size, size)


def test_full_disk(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """Restoring to a full disk is a typed error that leaves nothing there."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    filled(factory).backup()
    disk = tmp_path / "small"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        with pytest.raises(ds.DiskFullError):
            factory.restore("sessions", to=disk / "copy.db")
        assert files_in(disk) == set()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
