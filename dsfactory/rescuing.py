"""From a store's name to its restored file: which backup, in whose stead, and who is told."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dsfactory.clock import Clock
from dsfactory.errors import (
    BackupAbsentError,
    BackupDamagedError,
    BackupError,
    BusyError,
    DataStoreError,
    OptionError,
)
from dsfactory.model import Backup, StoreRecord
from dsfactory.places import QUARANTINE, STORES
from dsfactory.registry import Registry
from dsfactory.shelf import Shelf

if TYPE_CHECKING:
    from dsfactory.backup.manifest import Manifest
    from dsfactory.backup.moments.stretches import Way
    from dsfactory.backup.restoring import Course, RestoreReport
    from dsfactory.backup.snapshot import Subject
    from dsfactory.backup.vault import Vault
    from dsfactory.engine.copying import Progress


class Rescue:
    """Restores the stores of one factory."""

    def __init__(
        self,
        root: Path,
        registry: Registry,
        shelf: Shelf,
        clock: Clock,
        vault: Callable[[], Vault],
    ) -> None:
        """*vault* says where backups are kept; it is asked when one is needed."""
        self._root = root
        self._registry = registry
        self._shelf = shelf
        self._now = clock.now_ms
        self._vault = vault

    def restore(
        self,
        name: str,
        backup_id: str,
        *,
        at: int | None,
        to: Path | None,
        dry_run: bool,
        force: bool,
        progress: Progress | None,
    ) -> RestoreReport:
        """Restore one store, in place or beside."""
        from dsfactory.backup.restoring import restore_to
        from dsfactory.backup.verifying import is_removed

        self._shelf.refuse_inside_transaction()
        while True:
            course = self._course(name, backup_id, at)
            course = course._replace(dry_run=dry_run, force=force, progress=progress)
            try:
                if to is not None:
                    return restore_to(self._vault(), course, to)
                return self._in_place(course)
            except BackupAbsentError:
                # Pruned before it was held: then another is the latest.
                if backup_id != "latest" or not is_removed(self._vault(), course.backup):
                    raise

    def _course(self, name: str, backup_id: str, at: int | None) -> Course:
        """Return what to restore: a backup, and what brings it up to the moment *at*."""
        from dsfactory.backup.moments.recovery import replay_of
        from dsfactory.backup.restoring import Course

        way = self._way_back(name, at) if at is not None and backup_id == "latest" else None
        if way is None:
            # Without a journal it is the backup from before that moment, and the report says so.
            return Course(self._chosen(name, backup_id, at))
        try:
            base = self._registry.catalog.require(way.base.id)
        except BackupAbsentError:
            return self._course(name, backup_id, at)  # pruned since: there is another way, or none
        return Course(base, at, replay_of(self._vault(), way))

    def restore_set(self, set_id: str, *, dry_run: bool, force: bool) -> list[RestoreReport]:
        """Restore every store of a set."""
        from dsfactory.backup.restoring import Course
        from dsfactory.backup.sets import members

        self._shelf.refuse_inside_transaction()
        require = self._registry.catalog.require
        chosen = [require(backup_id) for backup_id in members(self._vault(), set_id).values()]
        for backup in chosen:
            self._in_place(Course(backup, dry_run=True, force=force))
        if dry_run:
            return []
        return [self._in_place(Course(backup, force=force)) for backup in chosen]

    def _way_back(self, name: str, at: int) -> Way | None:
        from dsfactory.backup.moments.recovery import way_back

        subject = self._subject(name)
        return None if subject is None else way_back(self._vault(), subject, at)

    def restorable(self, name: str) -> list[tuple[int, int]]:
        """Return the moments that a store can be restored to."""
        from dsfactory.backup.moments.recovery import known_of
        from dsfactory.backup.moments.stretches import stretches

        subject = self._subject(name)
        found = [] if subject is None else stretches(known_of(self._vault(), subject))
        return [(one.from_ms, one.to_ms) for one in found]

    def _subject(self, name: str) -> Subject | None:
        """Return a store, as its newest backup has it when it is not registered any more."""
        from dsfactory.backup.snapshot import Subject

        record = self._registry.named(name)
        if record is None:
            vault = self._vault()
            backups = self._registry.catalog.backups(name)
            whole = [b for b in backups if b.damaged_at is None and b.place == vault.mark]
            if not whole:
                return None
            record = self._as_backed_up(vault.manifest(whole[-1]))
        return Subject(record)

    def _chosen(self, name: str, backup_id: str, at: int | None) -> Backup:
        from dsfactory.backup.restoring import newest

        if backup_id != "latest":
            backup = self._registry.catalog.require(backup_id)
            if backup.store != name:
                raise OptionError(
                    f"Backup {backup_id} is of store {backup.store!r}, not of {name!r}.",
                    option="backup",
                )
            return backup
        backups = self._registry.catalog.backups(name)
        if at is not None:
            backups = [backup for backup in backups if backup.created_at <= at]
        return newest(backups, name, self._vault().mark)

    def _in_place(self, course: Course) -> RestoreReport:
        from dsfactory.backup.restoring import restore_in_place
        from dsfactory.backup.snapshot import Subject
        from dsfactory.backup.taking import ship_journal

        name = course.backup.store
        manifest = self._vault().manifest(course.backup)
        record = self._registry.named(name)
        if record is None:
            record = self._as_backed_up(manifest)
        course = course._replace(close=lambda: self._close(name))
        with contextlib.suppress(DataStoreError):  # of a damaged file nothing can be had
            ship_journal(self._vault(), Subject(record))
        report = restore_in_place(self._vault(), course, record, self._root / QUARANTINE)
        if not course.dry_run:
            self._registry.restored(self._as_backed_up(manifest))
            what = f"backup {course.backup.id} of {course.backup.reason}"
            self._registry.catalog.record(name, "restored", what)
        return report

    def _close(self, name: str) -> None:
        held = self._shelf.opened(name)
        if held is not None:
            held.close()

    def mend(self, record: StoreRecord, damage: DataStoreError) -> None:
        """Put the newest backup that restores in the stead of a damaged file.

        With point-in-time recovery it is brought up to the last moment that was shipped. Raises
        *damage* when the store's ``on_corruption`` is "raise", when another process has the file
        open, or when there is no such backup; the file is then where it was.
        """
        from dsfactory.backup.restoring import somebody_elses

        if record.options.on_corruption != "restore" or somebody_elses(record):
            raise damage
        for course in self._courses(record):
            try:
                report = self._mended_by(course, record)
            except (BackupError, BusyError):
                break  # out of reach, encrypted, or the file is in use: nothing was learnt of it
            if report is not None:
                self._tell(record.name, damage, report)
                return
        raise damage

    def _mended_by(self, course: Course, record: StoreRecord) -> RestoreReport | None:
        """Restore over a damaged file; None when the backup turns out to be of no use."""
        from dsfactory.backup.restoring import restore_in_place
        from dsfactory.backup.verifying import note_damaged

        try:
            return restore_in_place(self._vault(), course, record, self._root / QUARANTINE)
        except (BackupDamagedError, BackupAbsentError):
            # With a replay it may be the journal that is damaged: the backup itself comes next.
            if course.replay is None:
                note_damaged(self._vault(), course.backup)
            return None

    def _courses(self, record: StoreRecord) -> list[Course]:
        """Return what may bring a damaged store back, the best first."""
        from dsfactory.backup.restoring import Course, candidates

        backups = candidates(self._registry.catalog.backups(record.name), self._vault().mark)
        return [*self._replays(record), *map(Course, backups)]

    def _replays(self, record: StoreRecord) -> list[Course]:
        """Return the ways to the last moments that were shipped; none without a useful journal."""
        from dsfactory.backup.moments.recovery import replay_of
        from dsfactory.backup.restoring import Course

        if record.options.pitr is None:
            return []
        found = []
        with contextlib.suppress(BackupError):  # then backups alone have to do
            for _, until in reversed(self.restorable(record.name)):
                way = self._way_back(record.name, until)
                if way is not None:
                    base = self._registry.catalog.require(way.base.id)
                    found.append(Course(base, until, replay_of(self._vault(), way)))
        return found

    def _tell(self, name: str, damage: DataStoreError, report: RestoreReport) -> None:
        """Record that a damaged file was replaced, and warn whoever reads logs."""
        import logging

        detail = (
            f"{damage} Backup {report.backup.id} took its place; it was put aside in "
            f"{report.quarantined}."
        )
        self._registry.catalog.record(name, "quarantined", detail)
        logging.getLogger("dsfactory.backup").warning("store %s was damaged: %s", name, detail)

    def _as_backed_up(self, manifest: Manifest) -> StoreRecord:
        origin = manifest.origin
        return StoreRecord(
            id=origin.id,
            name=origin.name,
            kind=origin.kind,
            path=self._root / STORES / f"{origin.name}.db",
            options=origin.options,
            schema=origin.schema,
            revision=origin.revision,
            created_at=origin.created_at,
            accessed_at=self._now(),
            backup_at=None,
            health_at=None,
            health=None,
        )
