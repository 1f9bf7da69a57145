"""Pruning: what the plan removes is gone, what it keeps restores, and nothing else is touched."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

import dsfactory as ds
from dsfactory.model import Backup

HOUR, DAY = 3_600_000, 86_400_000


def taken(factory: ds.DataStoreFactory, clock: ds.ManualClock, count: int) -> list[Backup]:
    """Backups of the state store "s", a day apart, made while many are allowed."""
    store = factory.create_state_store("s", max_backups=100, backup_retention="3650d")
    made = []
    for n in range(count):
        store["key"] = n
        made.append(store.backup())
        clock.advance(DAY)
    return made


def allow(factory: ds.DataStoreFactory, **rules: Any) -> None:
    """Give the store "s" other rules."""
    factory.get_store("s").close()
    factory.create_state_store("s", **rules)


def files(factory: ds.DataStoreFactory) -> set[str]:
    """The names of everything that is kept for the store "s"."""
    return {path.name for path in (factory.root / "backups" / "s").iterdir()}


def test_prune_removes_what_no_rule_keeps(
    factory: ds.DataStoreFactory, clock: ds.ManualClock
) -> None:
    """The oldest are gone from the catalog and the disk; the kept ones restore."""
    made = taken(factory, clock, 5)
    allow(factory, max_backups=2)
    (report,) = factory.prune("s")
    assert report.removed == tuple(b.id for b in made[:3])
    assert report.freed_bytes == sum(b.size_bytes for b in made[:3])
    assert factory.backups("s") == made[3:]
    assert {name.split(".")[0] for name in files(factory)} == {b.id for b in made[3:]}
    assert [r.problem for r in factory.verify("s")] == [None, None]


def test_prune_dry_run(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A dry run says what would be removed, and changes nothing."""
    made = taken(factory, clock, 3)
    allow(factory, max_backups=1)
    before = files(factory)
    (report,) = factory.prune("s", dry_run=True)
    assert report.dry_run
    assert [b.id for b in report.plan.remove] == [b.id for b in reversed(made[:2])]
    assert set(report.plan.because.values()) == {"more than max_backups"}
    assert (report.removed, report.freed_bytes) == ((), 0)
    assert files(factory) == before
    assert factory.backups("s") == made


def test_prune_all(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Without a name every registered store is pruned, each by its own rules."""
    taken(factory, clock, 3)
    allow(factory, max_backups=1)
    cache = factory.create_cache_store("c")
    cache["key"] = 1
    cache.backup()
    reports = {report.store: report for report in factory.prune()}
    assert {name: len(r.removed) for name, r in reports.items()} == {"c": 0, "s": 2}
    assert {b.store for b in factory.backups()} == {"c", "s"}


def test_prune_of_unknown_store(factory: ds.DataStoreFactory) -> None:
    """Without a registered store there are no rules."""
    with pytest.raises(ds.StoreAbsentError):
        factory.prune("nobody")


def test_prune_leaves_what_is_pinned(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A pinned backup outlives every rule, until it is unpinned."""
    made = taken(factory, clock, 3)
    factory.pin_backup(made[0].id)
    allow(factory, max_backups=1)
    factory.prune("s")
    assert [b.id for b in factory.backups("s")] == [made[0].id, made[2].id]
    factory.pin_backup(made[0].id, pinned=False)
    factory.prune("s")
    assert [b.id for b in factory.backups("s")] == [made[2].id]


def test_prune_with_a_damaged_newest(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A damaged backup takes no good one's place: the newest that is whole stays."""
    made = taken(factory, clock, 3)
    payload = next((factory.root / "backups" / "s").glob(f"{made[2].id}.db*"))
    payload.write_bytes(payload.read_bytes()[:-5])
    assert [r.problem is None for r in factory.verify("s", deep=False)] == [True, True, False]
    allow(factory, max_backups=1)
    (report,) = factory.prune("s")
    assert [b.id for b in factory.backups("s")] == [made[1].id, made[2].id]
    assert "damaged" in report.plan.warnings[0]


def test_prune_after_each_backup(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Backups rotate by themselves: no more than max_backups stay."""
    store = factory.create_state_store("s", max_backups=2)
    for n in range(4):
        store["key"] = n
        store.backup()
        clock.advance(HOUR)
    assert len(factory.backups("s")) == 2


def test_prune_packs(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """What is removed from a pack leaves the others restorable."""
    store = factory.create_state_store("s", backup_format="pack", max_backups=10)
    for n in range(4):
        store.set_many({f"key {i}": os.urandom(500).hex() for i in range(n * 50, n * 50 + 50)})
        store.backup()
        clock.advance(HOUR)
    before = (factory.root / "backups" / "s" / "pack.db").stat().st_size
    kept = factory.backups("s")[2:]
    allow(factory, max_backups=2)
    factory.prune("s")
    assert factory.backups("s") == kept
    assert [r.problem for r in factory.verify("s")] == [None, None]
    assert (factory.root / "backups" / "s" / "pack.db").stat().st_size <= before


def test_prune_of_a_manifest_that_is_gone(
    factory: ds.DataStoreFactory, clock: ds.ManualClock
) -> None:
    """Somebody deleted or damaged manifests: pruning still leaves nothing of those backups."""
    made = taken(factory, clock, 3)
    folder = factory.root / "backups" / "s"
    (folder / f"{made[0].id}.json").unlink()
    (folder / f"{made[1].id}.json").write_text("{}")
    allow(factory, max_backups=1)
    (report,) = factory.prune("s")
    assert len(report.removed) == 2
    assert {name.split(".")[0] for name in files(factory)} == {made[2].id}


def test_prune_where_nothing_can_be_deleted(
    factory: ds.DataStoreFactory, clock: ds.ManualClock
) -> None:
    """What cannot be deleted is reported, hinders no other, and goes the next time."""
    made = taken(factory, clock, 3)
    stuck = factory.root / "backups" / "s" / f"{made[0].id}.json"
    stuck.unlink()
    stuck.mkdir()  # a folder cannot be unlinked, not even by root
    allow(factory, max_backups=1)
    (report,) = factory.prune("s")
    assert report.removed == (made[1].id,)
    assert made[0].id in report.failures[0]
    assert factory.backups("s") == made[2:]
    stuck.rmdir()
    (again,) = factory.prune("s")
    assert again.removed == (made[0].id,)
    assert {name.split(".")[0] for name in files(factory)} == {made[2].id}


def test_prune_leaves_other_places_alone(tmp_path: Path, clock: ds.ManualClock) -> None:
    """Backups that are kept elsewhere neither count nor go when another target is pruned."""
    with ds.DataStoreFactory(tmp_path / "data", maintenance="manual", clock=clock) as factory:
        made = taken(factory, clock, 2)
    elsewhere = tmp_path / "elsewhere"
    with ds.DataStoreFactory(
        tmp_path / "data", maintenance="manual", clock=clock, backup_target=elsewhere
    ) as factory:
        store = factory.create_state_store("s", max_backups=1)
        for n in (10, 11):
            store["key"] = n
            store.backup()
            clock.advance(DAY)
        assert len(list((elsewhere / "s").glob("*.json"))) == 1
        assert [b.id for b in factory.backups("s")][:2] == [b.id for b in made]
        assert len(factory.backups("s")) == 3


def test_prune_of_a_store_that_is_gone(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Backups outlive the registration of their store: nothing prunes them by itself."""
    made = taken(factory, clock, 2)
    factory.unregister_store("s", delete_files=True)
    factory.prune()
    assert [b.id for b in factory.backups("s")] == [b.id for b in made]


def test_plan_is_the_one_that_was_shown(
    factory: ds.DataStoreFactory, clock: ds.ManualClock
) -> None:
    """The dry run's plan is what pruning then does."""
    taken(factory, clock, 6)
    allow(factory, backup_keep={"last": 1, "weekly": 2})
    (shown,) = factory.prune("s", dry_run=True)
    (done,) = factory.prune("s")
    assert dataclasses.replace(done, removed=(), freed_bytes=0, dry_run=True) == shown
    assert set(done.removed) == {b.id for b in shown.plan.remove}
