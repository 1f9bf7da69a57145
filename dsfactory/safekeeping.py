"""The factory's backups: the public methods, and what they hand to the room that does the work."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, overload

from dsfactory.durations import Duration, duration_ms
from dsfactory.errors import DataStoreError, OptionError, OptionTypeError
from dsfactory.keys import checked_name
from dsfactory.model import Backup, Event, StoreRecord
from dsfactory.registry import Registry
from dsfactory.safe import Safe

if TYPE_CHECKING:
    from dsfactory.backup.rescan import RescanReport
    from dsfactory.backup.restoring import RestoreReport
    from dsfactory.backup.retention.pruning import PruneReport
    from dsfactory.backup.schedule import DueReport
    from dsfactory.backup.sets import BackupSet
    from dsfactory.backup.verifying import VerifyReport
    from dsfactory.engine.copying import Progress


class SafekeepingFactory:
    """The part of the factory that keeps backups."""

    _safe: Safe
    _registry: Registry

    def _require_open(self) -> None:
        raise NotImplementedError

    @overload
    def backup(
        self,
        name: str,
        *,
        reason: str = ...,
        tags: Iterable[str] = ...,
        force: bool = ...,
        progress: Progress | None = ...,
    ) -> Backup: ...
    @overload
    def backup(
        self,
        name: None = None,
        *,
        reason: str = ...,
        tags: Iterable[str] = ...,
        force: bool = ...,
        progress: Progress | None = ...,
    ) -> BackupSet: ...
    def backup(
        self,
        name: str | None = None,
        *,
        reason: str = "manual",
        tags: Iterable[str] = (),
        force: bool = False,
        progress: Progress | None = None,
    ) -> Backup | BackupSet:
        """Copy one store, or all of them at one moment, while everybody goes on writing.

        The copy is examined, kept on disk and read back before it counts. Nothing changed since
        the newest backup: that one is returned, with ``unchanged_at`` set, unless *force* or new
        *tags* ask for another. *progress* is told (pages done, pages in all), then (bytes done,
        bytes in all) of the compression; what it raises breaks the backup off. Afterwards the
        store's rules are applied: see prune().

        Without *name*: a BackupSet; a store that cannot be copied is named in its ``failures``.
        Raises CorruptError for a damaged store, BackupPlaceError when nothing can be kept, and
        TransactionError inside of a transaction.
        """
        from dsfactory.backup.taking import Wish

        self._require_open()
        wish = Wish(_reason(reason), _tags(tags), force, None, progress)
        if name is None:
            return self._safe.take_all(wish)
        return self._safe.take(checked_name(name), wish)

    def backups(self, name: str | None = None) -> list[Backup]:
        """Return the backups of one store, or of all by store; the oldest first.

        Those of a store that is not registered any more are there as well.
        """
        self._require_open()
        return self._registry.catalog.backups(None if name is None else checked_name(name))

    def restore(
        self,
        name: str,
        backup: str = "latest",
        *,
        at: int | datetime | None = None,
        to: str | os.PathLike[str] | None = None,
        dry_run: bool = False,
        force: bool = False,
        progress: Progress | None = None,
    ) -> RestoreReport:
        """Bring a store back to a backup, or beside it to the file *to*.

        *backup* is an id or "latest". With *at* (milliseconds or a datetime) the log that ``pitr``
        keeps brings the store to that moment, to the commit; where there is no log it is the
        newest backup from before, and the report's ``at`` is None.

        In place: the copy is brought back beside the live file and verified, what is there is
        backed up (reason "before-restore") or, when it is damaged, put aside under
        ``quarantine``, and the file is swapped. Handles of the store in this process are closed:
        open it again. Nobody else may have it open: BusyError. A store that is not registered is
        registered again as the backup has it.

        With *dry_run* everything but the swap is done. *force* overwrites the file *to*, and
        makes a store that was made differently since into what the backup holds.
        Raises BackupAbsentError, BackupDamagedError, RestoreRefusedError; the store is then as it
        was.
        """
        self._require_open()
        return self._safe.rescue.restore(
            checked_name(name),
            backup,
            at=None if at is None else _moment(at),
            to=None if to is None else Path(to).absolute(),
            dry_run=dry_run,
            force=force,
            progress=progress,
        )

    def backup_sets(self) -> list[str]:
        """Return the ids of the sets that are kept, the oldest first."""
        from dsfactory.backup.sets import set_ids

        self._require_open()
        return set_ids(self._safe.vault)

    def restorable(self, name: str) -> list[tuple[int, int]]:
        """Return the moments to which restore() with *at* brings a store of the option ``pitr``.

        Stretches (from, to), both included, in milliseconds since the epoch, the newest last; none
        without a journal. The newest reaches back as far as promised, as soon as that long ago it
        was switched on, an upgrade was made, or a backup was restored.
        """
        self._require_open()
        return self._safe.rescue.restorable(checked_name(name))

    def restore_set(
        self, set_id: str, *, dry_run: bool = False, force: bool = False
    ) -> list[RestoreReport]:
        """Bring every store of a set back to the one moment at which it was taken.

        All backups are verified before the first store is touched. One that another process has
        open ends it there with BusyError: what came before is restored, and can be again.
        """
        self._require_open()
        return self._safe.rescue.restore_set(set_id, dry_run=dry_run, force=force)

    def verify(
        self,
        name: str | None = None,
        *,
        backup: str | None = None,
        sample: float | None = None,
        deep: bool = True,
    ) -> list[VerifyReport]:
        """Verify backups of one store or of all, or one by its id; return a report each.

        *deep* restores each to a scratch place, asks integrity_check, foreign keys and row
        counts, and decodes every value; else it is read back and compared. *sample* (0 to 1)
        verifies a share of them, those first that were verified longest ago. What is found stands
        in the catalog: a damaged backup is never a reason to remove another. One that is kept in
        another place than backups are now is passed over, its report's ``elsewhere`` is True;
        asked for by its id it has a problem.
        """
        self._require_open()
        return self._safe.verify(name, backup, sample, deep=deep)

    def prune(self, name: str | None = None, *, dry_run: bool = False) -> list[PruneReport]:
        """Remove the backups of one store, or of all, that their options do not keep.

        The options are max_backups, backup_retention, backup_max_bytes and backup_keep; what each
        means, and what is never removed, says `dsfactory.backup.plan_retention`. Also finishes
        what a killed process had begun to remove. With *dry_run* nothing is changed: the plans
        say what would be, and why. What could not be deleted stands in ``failures``, is no backup
        any more, and is tried again the next time.
        """
        self._require_open()
        return self._safe.prune(name, dry_run=dry_run)

    def run_due_backups(
        self, *, early: Duration | None = None, retry: Duration | None = None
    ) -> list[DueReport]:
        """Take every backup that is due by its store's ``backup_every``, and prune after each.

        Due is what is as old as that, counted from the last backup, or from when the store was
        last found to be the same as it. *early*: also what becomes due within that time, for
        something like cron, which does not start to the millisecond. *retry*: leave alone what
        failed less than that time ago.

        One report for each, the longest overdue first. A store that could not be copied has its
        ``error`` there and among `events`, and hinders no other.
        """
        self._require_open()
        return self._safe.run_due(
            early_ms=0 if early is None else duration_ms(early, "early"),
            retry_ms=0 if retry is None else duration_ms(retry, "retry"),
        )

    def pin_backup(self, backup_id: str, *, pinned: bool = True) -> Backup:
        """Keep a backup whatever the rules say, or no longer; BackupAbsentError when unknown."""
        self._require_open()
        return self._safe.vault.pin(self._registry.catalog.require(backup_id), pinned=pinned)

    def rescan_backups(self, *, tidy: bool = True) -> RescanReport:
        """Make the catalog anew from the manifests that are kept.

        With *tidy* the files of backups that were never finished are removed.
        """
        from dsfactory.backup.rescan import rescan

        self._require_open()
        return rescan(self._safe.vault, tidy=tidy)

    def events(self, since: int = 0) -> list[Event]:
        """Return what happened to stores at or after *since*: damage, restores; the oldest first.

        Milliseconds since the epoch. The newest thousand are kept.
        """
        self._require_open()
        return self._registry.catalog.events(since)


class Hands:
    """What stores may ask of the factory that has them."""

    def __init__(self, factory: SafekeepingFactory) -> None:
        self._factory = factory

    def backup(self, name: str, reason: str, tags: Iterable[str]) -> Backup:
        """Take a backup of a store."""
        return self._factory.backup(name, reason=reason, tags=tags)

    def mend(self, record: StoreRecord, damage: DataStoreError) -> None:
        """Put a backup in the stead of a damaged file, or raise *damage*."""
        self._factory._safe.rescue.mend(record, damage)


def _reason(reason: str) -> str:
    if not isinstance(reason, str):
        raise OptionTypeError("reason has to be a text.", option="reason")
    if not 0 < len(reason) <= 64 or not reason.isprintable():
        raise OptionError("reason has to be printable text of 1 to 64 characters.", option="reason")
    return reason


def _tags(tags: Iterable[str]) -> tuple[str, ...]:
    if isinstance(tags, (str, bytes)):
        raise OptionTypeError("tags has to be several texts, such as tags=('a', 'b').")
    chosen = tuple(dict.fromkeys(tags))
    for tag in chosen:
        if not isinstance(tag, str) or not 0 < len(tag) <= 128 or not tag.isprintable():
            raise OptionError("A tag has to be printable text of 1 to 128 characters.")
    return chosen


def _moment(at: int | datetime) -> int:
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise OptionError("at needs a time zone, such as datetime.UTC.", option="at")
        return int(at.timestamp() * 1000)
    if isinstance(at, bool) or not isinstance(at, int):
        raise OptionTypeError("at has to be milliseconds since the epoch or a datetime.")
    return at
