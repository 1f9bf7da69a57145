"""Sets: all stores at one moment."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from spine_samples import content, filled

import dsfactory as ds
from dsfactory.backup.litter import LITTER_AGE_MS


def test_one_moment(factory: ds.DataStoreFactory) -> None:
    """What was committed to one store before another is never missing from the set."""
    first: Any = factory.create_state_store("a", synchronous="NORMAL", max_backups=50)
    second: Any = factory.create_state_store("b", synchronous="NORMAL", max_backups=50)
    first["n"] = second["n"] = 0
    stop = threading.Event()

    def write() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            first["n"] = n
            second["n"] = n

    thread = threading.Thread(target=write)
    thread.start()
    try:
        sets = [factory.backup(force=True) for _ in range(5)]
    finally:
        stop.set()
        thread.join()
    for made in sets:
        assert [backup.store for backup in made] == ["a", "b"]
        assert made.failures == {}
        factory.restore_set(made.id)
        one, other = factory.get_store("a")["n"], factory.get_store("b")["n"]
        assert one - other in (0, 1)


def test_restored_together(factory: ds.DataStoreFactory) -> None:
    """A set brings back every store, also one that did not change since its own backup."""
    still, moving = filled(factory, "still"), filled(factory, "moving")
    alone = still.backup()
    made = factory.backup()
    assert alone.id in {backup.id for backup in made}
    before = content(still), content(moving)
    moving["x"] = still["x"] = 1
    assert factory.restore_set(made.id, dry_run=True) == []
    assert moving["x"] == 1
    reports = factory.restore_set(made.id)
    assert {report.store for report in reports} == {"still", "moving"}
    assert (content(factory.get_store("still")), content(factory.get_store("moving"))) == before


def test_one_cannot_be_copied(factory: ds.DataStoreFactory) -> None:
    """A store that cannot be copied is named, and hinders no other."""
    filled(factory, "well")
    sick = filled(factory, "sick")
    path = sick.path
    sick.close()
    path.write_bytes(b"garbage!" * 1000)
    made = factory.backup()
    assert [backup.store for backup in made.backups] == ["well"]
    assert set(made.failures) == {"sick"}
    factory.unregister_store("sick", delete_files=True)


def test_all_or_none(factory: ds.DataStoreFactory) -> None:
    """No store is touched when one backup of the set cannot be restored."""
    one, two = filled(factory, "one"), filled(factory, "two")
    made = factory.backup()
    one["x"] = two["x"] = 1
    for file in (factory.root / "backups" / "two").glob("*.zst"):
        file.unlink()
    with pytest.raises(ds.BackupAbsentError):
        factory.restore_set(made.id)
    assert one["x"] == two["x"] == 1


def test_unknown_set(factory: ds.DataStoreFactory) -> None:
    """A set that is not there is said not to be there."""
    with pytest.raises(ds.BackupAbsentError, match="set"):
        factory.restore_set("20261122T101500Z-4f2a9c1b")


def test_listed(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Sets are listed by their ids, the oldest first."""
    filled(factory)
    ids = []
    for _ in range(3):
        clock.advance(1000)
        ids.append(factory.backup().id)
    assert factory.backup_sets() == ids


def test_forgotten_with_its_backups(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A set of which no backup is left is forgotten by a rescan, once it is a day old."""
    store = filled(factory, max_backups=1)
    made = factory.backup()
    clock.advance(1000)
    store["n"] = 1
    store.backup()
    assert factory.backup_sets() == [made.id]
    assert factory.rescan_backups().removed == ()
    clock.advance(LITTER_AGE_MS)
    assert factory.rescan_backups().removed == (f"_sets/{made.id}.json",)
    assert factory.backup_sets() == []
