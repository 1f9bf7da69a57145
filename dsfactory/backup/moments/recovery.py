"""Point-in-time recovery, for those who keep and restore backups: see DESIGN.md."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from dsfactory.backup.manifest import Manifest
from dsfactory.backup.moments.replaying import replayed
from dsfactory.backup.moments.shipping import Shipped, held_by, ship
from dsfactory.backup.moments.stretches import (
    Base,
    Known,
    Way,
    base_due,
    idle_segments,
    needed_bases,
    way_to,
)
from dsfactory.backup.snapshot import Subject
from dsfactory.backup.taking import Wish, take
from dsfactory.backup.vault import Vault
from dsfactory.errors import BackupAbsentError, BackupDamagedError, DataStoreError
from dsfactory.model import Backup
from dsfactory.options import RECORDABLE
from dsfactory.stores import settings_of
from dsfactory.stores.journal import Held, Position

REASON = "point-in-time"
"""Of a backup that was taken for a journal to go on from."""


class Attended(NamedTuple):
    """What was done for a store whose changes are recorded."""

    shipped: Shipped
    base: Backup | None
    """The backup that was due, for the journal to go on from."""
    dropped: int
    """Segments that nobody needs any more."""


def attend(vault: Vault, subject: Subject) -> Attended | None:
    """Ship, take the backup that is due for the journal, drop what nobody needs.

    For maintenance, every minute; None for a store whose changes are not recorded. After a loss of
    the store's file, what was committed since the last time is lost.
    """
    if subject.record.kind not in RECORDABLE:
        return None
    folder = vault.journal(subject.name)
    shipped = ship(folder, subject, vault.now_ms)
    held = held_by(subject, vault.now_ms)
    promise_ms = subject.record.options.pitr
    if held is None or promise_ms is None:
        return None
    base = None
    if base_due(_lately(vault, subject.name, held), promise_ms):
        base = take(vault, subject, Wish(reason=REASON, force=True))
    # The manifests are read only when something happened: the place may be far away.
    dropped = _dropped(vault, subject.name, held, promise_ms) if base or shipped.rows else 0
    return Attended(shipped, base, dropped)


def _lately(vault: Vault, store: str, held: Held) -> Known:
    """Return what there is from the newest backup of this lineage on."""
    newest_first = reversed(vault.catalog.backups(store))
    own = (base for base in _bases(vault, newest_first) if base.position.lineage == held.lineage)
    newest = next(iter(own), None)
    segments = vault.journal(store).segments()
    return Known(store, [newest] if newest else [], segments, held, vault.now_ms())


def _dropped(vault: Vault, store: str, held: Held, promise_ms: int) -> int:
    idle = idle_segments(known(vault, store, held), promise_ms)
    for segment in idle:
        vault.journal(store).delete(segment)
    return len(idle)


def known(vault: Vault, store: str, held: Held | None) -> Known:
    """Return what there is of a store's past; *held* is what the store itself has of it."""
    return Known(
        store=store,
        bases=list(_bases(vault, vault.catalog.backups(store))),
        segments=vault.journal(store).segments(),
        held=held,
        now=vault.now_ms(),
    )


def known_of(vault: Vault, subject: Subject) -> Known:
    """Return what there is of a store's past, its file included unless that is lost or damaged."""
    try:
        held = held_by(subject, vault.now_ms)
    except DataStoreError:
        held = None
    return known(vault, subject.name, held)


def way_back(vault: Vault, subject: Subject, at: int) -> Way | None:
    """Return how to restore the state after the last commit at or before *at*.

    What the store still has is shipped before, if it can be read. None for a store of whose changes
    nothing was ever kept. Raises RestoreRefusedError, which says what can be restored.
    """
    # Of a file that is lost or damaged, what was shipped is what there is.
    with contextlib.suppress(DataStoreError):
        ship(vault.journal(subject.name), subject, vault.now_ms)
    past = known_of(vault, subject)
    return way_to(past, at) if past.bases else None


def replay_of(vault: Vault, way: Way) -> Callable[[Manifest, Path, int], None]:
    """Return what brings the image of the backup ``way.base`` to a moment."""

    def replay(manifest: Manifest, image: Path, at: int) -> None:
        settings = settings_of(manifest.origin.options)
        replayed(image, settings, vault.journal(way.store), way, at)

    return replay


def with_needed(vault: Vault, store: str, backups: Iterable[Backup]) -> list[Backup]:
    """Return *backups* with ``followed`` set where a journal that is promised begins with it."""
    found = list(backups)
    promise_ms = _promise(vault, found)
    if promise_ms is None:
        return found
    past = Known(
        store, list(_bases(vault, found)), vault.journal(store).segments(), None, vault.now_ms()
    )
    needed = needed_bases(past, promise_ms)
    return [
        dataclasses.replace(backup, followed=True) if backup.id in needed else backup
        for backup in found
    ]


def _promise(vault: Vault, backups: Iterable[Backup]) -> int | None:
    """Return what the newest backup's store was promised; manifests know, registries get lost."""
    for backup in sorted(backups, key=lambda b: b.created_at, reverse=True):
        manifest = _manifest(vault, backup)
        if manifest is not None:
            return manifest.origin.options.pitr
    return None


def _bases(vault: Vault, backups: Iterable[Backup]) -> Iterator[Base]:
    for backup in backups:
        if backup.damaged_at is None and backup.place == vault.mark:
            manifest = _manifest(vault, backup)
            if manifest is not None and manifest.image.journal is not None:
                yield Base(backup.id, Position.parsed(manifest.image.journal))


def _manifest(vault: Vault, backup: Backup) -> Manifest | None:
    try:
        return vault.manifest(backup)
    except (BackupAbsentError, BackupDamagedError):
        return None  # it is of no use; verify and rescan say so
