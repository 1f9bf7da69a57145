"""Backups that are pinned, pruned, verified, taken and rescanned at the same time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from spine_samples import files_in, filled, kept

import dsfactory as ds
from dsfactory.backup.places.place import DirectoryPlace
from dsfactory.backup.rescan import rescan
from dsfactory.backup.vault import Vault
from dsfactory.backup.verifying import verify


class Slow(DirectoryPlace):
    """A place in which something happens before a certain file is read for the first time."""

    def __init__(self, root: Path, suffix: str, happens: Callable[[], object]) -> None:
        super().__init__(root)
        self._suffix = suffix
        self._happens: list[Callable[[], object]] = [happens]

    @contextlib.contextmanager
    def read(self, name: str) -> Iterator[BinaryIO]:
        """Open a file; let others be faster."""
        with super().read(name) as file:
            if name.endswith(self._suffix) and self._happens:
                self._happens.pop()()
            yield file


def slow(factory: ds.DataStoreFactory, suffix: str, happens: Callable[[], object]) -> Vault:
    """The factory's vault, in which something *happens* while a file is read."""
    vault = factory._safe.vault
    assert isinstance(vault.place, DirectoryPlace)
    return vault._replace(place=Slow(vault.place.root, suffix, happens))


def changed_and_taken(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> ds.Backup:
    """Another backup of the store, which has another content by now."""
    clock.advance(1000)
    factory.get_store("sessions")["n"] = clock.now_ms()
    return factory.backup("sessions")


def test_pinned_while_verified(factory: ds.DataStoreFactory) -> None:
    """A pin that is set while the backup is verified stands in its manifest afterwards."""
    backup = filled(factory).backup()
    vault = slow(factory, ".zst", lambda: factory.pin_backup(backup.id))
    assert verify(vault, backup, deep=True).problem is None
    manifest = vault.manifest(backup)
    assert manifest.pinned
    assert manifest.verified_at is not None
    assert factory.backups()[0].pinned


def test_verified_while_pinned(factory: ds.DataStoreFactory) -> None:
    """A verdict that is noted while the backup is unpinned stands in its manifest afterwards."""
    backup = factory.pin_backup(filled(factory).backup().id)
    vault = slow(factory, ".json", factory.verify)
    assert not vault.pin(backup, pinned=False).pinned
    manifest = vault.manifest(backup)
    assert not manifest.pinned
    assert manifest.verified_at is not None


def test_pin_of_a_lost_catalog(factory: ds.DataStoreFactory) -> None:
    """Verifying leaves a pin alone of which only the manifest knows."""
    backup = filled(factory).backup()
    factory.pin_backup(backup.id)
    factory._registry.catalog.pin(backup.id, pinned=False)
    factory.verify()
    assert factory._safe.vault.manifest(backup).pinned


@pytest.mark.parametrize("suffix", [".json", ".zst"])
def test_pruned_while_verified(
    factory: ds.DataStoreFactory, clock: ds.ManualClock, suffix: str
) -> None:
    """What is pruned while it is verified stays away, and is not said to be damaged."""
    backup = filled(factory, max_backups=1).backup()
    report = verify(
        slow(factory, suffix, lambda: changed_and_taken(factory, clock)), backup, deep=True
    )
    assert (report.removed, report.problem) == (True, None)
    (left,) = factory.backups()
    assert files_in(factory.root / "backups") == {
        f"sessions/{left.id}.json",
        f"sessions/{left.id}.db.zst",
    }


def test_taken_while_rescanned(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A backup that is taken during a rescan is not forgotten by it."""
    first = filled(factory).backup()
    report = rescan(slow(factory, ".json", lambda: changed_and_taken(factory, clock)))
    assert report.forgotten == ()
    assert len(factory.backups()) == 2
    assert factory.backups()[0] == first


def test_pruned_while_rescanned(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A backup that is pruned during a rescan does not come back as an entry without files."""
    filled(factory, max_backups=1).backup()
    rescan(slow(factory, ".json", lambda: changed_and_taken(factory, clock)))
    assert len(factory.backups()) == 1
    assert factory.verify()[0].problem is None


def test_pinned_while_rescanned(factory: ds.DataStoreFactory) -> None:
    """A pin that is set during a rescan, after its manifest was read, is not lost."""
    one, two = (filled(factory, name).backup() for name in ("one", "two"))
    rescan(slow(factory, f"{two.id}.json", lambda: factory.pin_backup(one.id)))
    assert [backup.pinned for backup in factory.backups()] == [True, False]


def test_set_of_this_moment(factory: ds.DataStoreFactory) -> None:
    """A set that is taken during a rescan, with all its backups, is not taken for a leftover."""
    filled(factory).backup()
    rescan(slow(factory, ".json", lambda: factory.backup(force=True)))
    (set_id,) = factory.backup_sets()
    assert len(factory.restore_set(set_id)) == 1


def test_listed_while_pruned(tmp_path: Path) -> None:
    """A file that is deleted while its folder is listed is left out."""
    place = DirectoryPlace(tmp_path)
    for name in ("a", "b", "c"):
        place.write(f"s/{name}", [b"x"])
    listing = place.found("s")
    assert next(listing).name == "s/a"
    place.delete("s/b")
    assert [found.name for found in listing] == ["s/c"]


def test_removed_when_unchanged(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Files that somebody deleted are no reason not to take a backup of an unchanged store."""
    store = filled(factory)
    for suffix in (".db.zst", ".json"):
        backup = store.backup()
        kept(factory, backup, suffix).unlink()
        clock.advance(1000)
        assert store.backup().id != backup.id
    cut = store.backup()
    with kept(factory, cut, ".db.zst").open("r+b") as file:
        file.truncate(100)
    clock.advance(1000)
    assert store.backup().id != cut.id
    assert len(factory.restore("sessions").rows) > 0


@pytest.mark.parametrize("beside", [True, False])
def test_pruned_while_it_is_chosen(
    factory: ds.DataStoreFactory, clock: ds.ManualClock, tmp_path: Path, beside: bool
) -> None:
    """When the latest is pruned before a restore holds it, the restore takes the one after it."""
    first = filled(factory, max_backups=1).backup()
    taken: list[ds.Backup] = []
    factory._safe._vault = slow(
        factory, ".json", lambda: taken.append(changed_and_taken(factory, clock))
    )
    report = factory.restore("sessions", to=tmp_path / "copy.db" if beside else None)
    assert first.id not in {backup.id for backup in factory.backups()}
    assert [report.backup.id] == [backup.id for backup in taken]
