"""The copies that upgrades make become backups."""

from __future__ import annotations

from pathlib import Path

import pytest
from spine_samples import content, filled

import dsfactory as ds


@pytest.fixture
def behind(factory: ds.DataStoreFactory) -> dict[object, object]:
    """A store at its base revision; what it holds."""
    store = filled(factory)
    held = content(store)
    store.close()
    factory.upgrade("sessions", to="state_0001", down=True)
    return held


def test_upgrade_leaves_a_backup(
    factory: ds.DataStoreFactory, behind: dict[object, object]
) -> None:
    """The copy from before an upgrade is among the backups, and its report says where."""
    (report,) = factory.upgrade("sessions")
    assert report.snapshot is not None
    assert report.snapshot.is_file()
    kept = [backup for backup in factory.backups() if backup.reason == "before-upgrade"]
    assert [backup.revision for backup in kept][-1] == 1
    assert str(kept[-1].id) in report.snapshot.name
    factory.get_store("sessions")["more"] = 1
    factory.restore("sessions", kept[-1].id)
    assert content(factory.get_store("sessions")) == behind


def test_upgrade_at_opening(factory: ds.DataStoreFactory, behind: dict[object, object]) -> None:
    """What opening a store upgraded becomes a backup with the next maintenance."""
    assert content(factory.get_store("sessions")) == behind
    folder = factory.root / "backups" / "before-upgrade"
    assert len(list(folder.glob("*.db"))) == 1
    before = len(factory.backups())
    factory.maintain()
    assert len(factory.backups()) == before + 1
    assert list(folder.glob("*.db")) == []


def test_killed_in_between(factory: ds.DataStoreFactory, behind: dict[object, object]) -> None:
    """A copy that is a backup already is deleted, and is not made one twice."""
    factory.get_store("sessions").close()
    (copy,) = (factory.root / "backups" / "before-upgrade").glob("*.db")
    image, moment = copy.read_bytes(), copy.stat()
    factory.maintain()
    again = Path(copy)
    again.write_bytes(image)
    import os

    os.utime(again, ns=(moment.st_atime_ns, moment.st_mtime_ns))
    before = factory.backups()
    factory.maintain()
    assert not again.exists()
    assert [b.id for b in factory.backups()] == [b.id for b in before]


def test_others_copies_stay(factory: ds.DataStoreFactory, behind: dict[object, object]) -> None:
    """Copies of the registry and files with other names are left alone."""
    folder = factory.root / "backups" / "before-upgrade"
    for name in ("registry-registry_0001-000001.db", "sessions-notes-1.db", "notes.txt"):
        (folder / name).write_text("kept")
    factory.upgrade("sessions")
    factory.maintain()
    assert {path.name for path in folder.iterdir()} == {
        "registry-registry_0001-000001.db",
        "sessions-notes-1.db",
        "notes.txt",
    }


def test_damaged_copy(factory: ds.DataStoreFactory, behind: dict[object, object]) -> None:
    """A copy that is no backup stays, is reported, and hinders neither upgrades nor backups."""
    folder = factory.root / "backups" / "before-upgrade"
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / "sessions-base-000001.db"
    copy.write_bytes(b"garbage!" * 1000)
    other = factory.create_state_store("other", backup_every="1h")
    other["key"] = 1
    (report,) = factory.upgrade("sessions")
    assert (report.error, content(factory.get_store("sessions"))) == (None, behind)
    assert report.snapshot is not None
    done = factory.maintain()
    assert [line.split(":")[0] for line in done.failures] == ["sessions"]
    assert [backup.reason for backup in factory.backups("other")] == ["scheduled"]
    assert copy.exists()
