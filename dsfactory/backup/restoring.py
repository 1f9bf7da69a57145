"""Bringing a backup back: beside the live file, verified, and only then in its stead."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dsfactory.backup.manifest import Manifest
from dsfactory.backup.moments.replaying import without_journal
from dsfactory.backup.quarantine import quarantined
from dsfactory.backup.snapshot import Subject
from dsfactory.backup.taking import Wish, take_moment
from dsfactory.backup.vault import Vault
from dsfactory.backup.verifying import require_whole
from dsfactory.clock import ticks_ns
from dsfactory.engine.connection import identity_of
from dsfactory.engine.copying import Progress
from dsfactory.engine.files import replaced_at_once, unfinished
from dsfactory.engine.swapping import locked_unread, replace_damaged, sole
from dsfactory.errors import (
    BackupAbsentError,
    CorruptError,
    FileMissingError,
    ForeignFileError,
    RestoreRefusedError,
)
from dsfactory.model import Backup, StoreRecord
from dsfactory.options import STRUCTURAL
from dsfactory.profiles import PROFILES
from dsfactory.stores import settings_of

HOLD_MS = 3_600_000
"""How long prune leaves a backup alone at the most, when a restore of it began."""

PATIENCE_S = 5.0
"""How long a restore waits for other processes to close the store."""

BEFORE_RESTORE = "before-restore"

Replay = Callable[[Manifest, Path, int], None]
"""Brings the image of a backup up to a moment, by the log of what was committed since."""


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What a restore did, or with ``dry_run`` would have done."""

    store: str
    backup: Backup
    at: int | None
    """The moment that the journal brought the store to; None when it is as of the backup."""
    path: Path
    """Where the restored file is."""
    rows: Mapping[str, int]
    """Rows by table of the backup."""
    safety: Backup | None
    """The backup of what was there before; None when there was nothing that could be copied."""
    quarantined: Path | None
    """The directory in which a damaged file was put aside."""
    dry_run: bool
    took_ms: int


class Course(NamedTuple):
    """How a backup is to be restored."""

    backup: Backup
    at: int | None = None
    replay: Replay | None = None
    dry_run: bool = False
    force: bool = False
    progress: Progress | None = None
    close: Callable[[], None] = lambda: None
    """Closes what this process has open of the store, when the copy is ready."""


def newest(backups: list[Backup], store: str, mark: str) -> Backup:
    """Return the newest backup of a store that nothing is known against.

    Copies from before a restore count only when there is no other: restoring the latest twice
    must not bring back what was just restored from. Of another place than that of *mark* it is
    one only when none is here: who reads it says where it is. Raises BackupAbsentError when there
    is none.
    """
    whole = [backup for backup in backups if backup.damaged_at is None]
    whole = [backup for backup in whole if backup.reason != BEFORE_RESTORE] or whole
    if not whole:
        hurt = f"; damaged: {', '.join(b.id for b in backups[-3:])}" if backups else ""
        raise BackupAbsentError(
            f"Store {store!r} has no backup to restore{hurt}. `dsfactory backup rescan` finds "
            "what the catalog lost.",
            store=store,
        )
    return ([backup for backup in whole if backup.place == mark] or whole)[-1]


def candidates(backups: list[Backup], mark: str) -> list[Backup]:
    """Return what a damaged store may be replaced by, the best first.

    The newest verified one that the place of *mark* keeps, then older verified ones, then the
    others.
    """
    whole = [b for b in backups if b.damaged_at is None and b.place == mark]
    return sorted(whole, key=lambda b: (b.verified_at is not None, b.created_at), reverse=True)


def somebody_elses(record: StoreRecord) -> bool:
    """Whether the file is a whole database of another application, and not a damaged one."""
    found = identity_of(record.path, settings_of(record.options))
    return found is not None and found.application_id != PROFILES[record.kind].application_id


def restore_to(vault: Vault, course: Course, target: Path) -> RestoreReport:
    """Restore beside: the verified file becomes *target*, which must not exist unless forced."""
    begun = ticks_ns()
    if target.exists() and not (course.force or course.dry_run):
        raise RestoreRefusedError(
            f"{target} exists. Choose another path, or force it.", path=str(target)
        )
    manifest = vault.manifest(course.backup)
    with _held(vault, course.backup), replaced_at_once(target, keep=course.dry_run) as image:
        _brought_back(vault, manifest, course, image)
    return _report(course, manifest, target, begun)


def restore_in_place(
    vault: Vault, course: Course, record: StoreRecord, quarantine: Path
) -> RestoreReport:
    """Restore in the stead of the live file: bring back, verify, copy what is there, swap.

    Nobody may have the store open: BusyError otherwise. A file that cannot be copied any more is
    put aside under *quarantine*. Killed at any moment, the old file is there or the new one.
    """
    begun = ticks_ns()
    manifest = vault.manifest(course.backup)
    _require_alike(manifest, record, force=course.force)
    path = record.path
    with _held(vault, course.backup), unfinished(path) as image:
        _brought_back(vault, manifest, course, image)
        safety, aside = None, None
        if not course.dry_run:
            course.close()
            try:
                safety = _swapped(vault, Subject(record), image, course)
            except (CorruptError, ForeignFileError, FileMissingError):
                aside = _replaced(path, image, quarantine)
    return _report(course, manifest, path, begun, (safety, aside))


def _swapped(vault: Vault, subject: Subject, image: Path, course: Course) -> Backup:
    """Put *image* in the stead of a file that can be copied; return the copy."""
    wish = Wish(BEFORE_RESTORE, (), False, None, course.progress)
    with sole(subject.path, subject.settings, PATIENCE_S) as alone:
        safety = take_moment(vault, subject, alone.moment, vault.now_ms(), wish)
        alone.replace(image)
    return safety


def _replaced(path: Path, image: Path, quarantine: Path) -> Path | None:
    """Put *image* in the stead of a file that cannot be copied, or of none."""
    if not path.exists():
        aside = quarantined(path, quarantine)
        replace_damaged(path, image)
        return aside
    with locked_unread(path):
        aside = quarantined(path, quarantine)
        replace_damaged(path, image)
    return aside


def _held(vault: Vault, backup: Backup) -> contextlib.AbstractContextManager[None]:
    return vault.catalog.held(backup.id, vault.now_ms() + HOLD_MS)


def _brought_back(vault: Vault, manifest: Manifest, course: Course, image: Path) -> None:
    container = vault.container(manifest.payload.container)
    container.bring_back(manifest, vault.place, image, course.progress)
    require_whole(manifest, image)
    if course.at is not None and course.replay is not None:
        course.replay(manifest, image, course.at)
    elif manifest.image.journal is not None:
        without_journal(image, settings_of(manifest.origin.options))


def _require_alike(manifest: Manifest, record: StoreRecord, *, force: bool) -> None:
    """Refuse a backup of a store that was made differently: its file would not open."""
    there, kept = record.options, manifest.origin.options
    differing = [f"kind {record.kind} now"] if record.kind is not manifest.origin.kind else []
    differing += [
        f"{option}={getattr(there, option)!r} now, {getattr(kept, option)!r} in the backup"
        for option in sorted(STRUCTURAL)
        if getattr(there, option) != getattr(kept, option)
    ]
    if differing and not force:
        raise RestoreRefusedError(
            f"Store {record.name!r} is not the one that was backed up: {'; '.join(differing)}. "
            "Restore it beside with to=, or force it: the store becomes what the backup holds.",
            store=record.name,
        )


def _report(
    course: Course,
    manifest: Manifest,
    path: Path,
    begun: int,
    before: tuple[Backup | None, Path | None] = (None, None),
) -> RestoreReport:
    safety, aside = before
    return RestoreReport(
        store=manifest.origin.name,
        backup=course.backup,
        at=course.at,
        path=path,
        rows=manifest.image.rows,
        safety=safety,
        quarantined=aside,
        dry_run=course.dry_run,
        took_ms=(ticks_ns() - begun) // 1_000_000,
    )
