"""Taking a backup: copy, examine, keep, confirm, and only then let it count."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import dsfactory
from dsfactory.backup.containers import Order
from dsfactory.backup.manifest import Manifest
from dsfactory.backup.moments.shipping import ship
from dsfactory.backup.snapshot import Examination, Subject, examination
from dsfactory.backup.vault import Vault, new_id
from dsfactory.clock import ticks_ns
from dsfactory.engine.connection import SQLITE_VERSION
from dsfactory.engine.copying import Moment, Progress, pinned
from dsfactory.engine.files import remove_database
from dsfactory.errors import (
    BackupAbsentError,
    BackupDamagedError,
    BackupPlaceError,
    CorruptError,
    DataStoreError,
)
from dsfactory.model import Backup
from dsfactory.options import RECORDABLE


class Wish(NamedTuple):
    """What the caller says of a backup."""

    reason: str = "manual"
    tags: tuple[str, ...] = ()
    force: bool = False
    """Also when nothing changed since the last one."""
    group: str | None = None
    progress: Progress | None = None


def take(vault: Vault, subject: Subject, wish: Wish) -> Backup:
    """Back up the store as it is now; return the backup, or the last one if nothing changed.

    Raises CorruptError when the store is damaged, BackupPlaceError when nothing can be kept.
    """
    ship_journal(vault, subject)
    now = vault.now_ms()
    with pinned(subject.path, subject.settings) as moment:
        return take_moment(vault, subject, moment, now, wish)


def ship_journal(vault: Vault, subject: Subject) -> None:
    """Move what was recorded of the store's changes to where the backup will be."""
    if subject.record.kind in RECORDABLE:
        with contextlib.suppress(CorruptError):  # the copy will say so better
            ship(vault.journal(subject.name), subject, vault.now_ms)


def take_moment(vault: Vault, subject: Subject, moment: Moment, now: int, wish: Wish) -> Backup:
    """Back up the store as it was at *moment*, which was at *now*."""
    with _scratch(vault, subject.name) as image:
        moment.copy_to(image, wish.progress)
        return take_image(vault, subject, image, now, wish)


def take_image(vault: Vault, subject: Subject, image: Path, now: int, wish: Wish) -> Backup:
    """Keep *image*, a copy of the store as it was at *now*, which nobody else uses."""
    begun = ticks_ns()
    with examination(subject, image) as copy:
        same = None if wish.force else _same(vault, subject.name, copy.sha256(), wish)
        if same is not None:
            return same
        manifest = _kept(vault, subject, (image, copy), now, wish)
    manifest = dataclasses.replace(manifest, took_ms=(ticks_ns() - begun) // 1_000_000)
    vault.write(manifest)
    backup = vault.entry(manifest)
    vault.catalog.add([backup])
    return backup


@contextlib.contextmanager
def _scratch(vault: Vault, store: str) -> Iterator[Path]:
    path = vault.workshop.scratch(store)
    try:
        yield path
    finally:
        remove_database(path)


def _same(vault: Vault, store: str, sha256: str, wish: Wish) -> Backup | None:
    """Return the newest backup of the store if it holds just this, and nothing is against it.

    That the store is still the same is noted with it.
    """
    kept = vault.catalog.backups(store)
    newest = kept[-1] if kept else None
    if newest is None or newest.sha256 != sha256 or newest.damaged_at is not None:
        return None
    if not set(wish.tags) <= set(newest.tags) or not _is_there(vault, newest):
        return None
    try:
        vault.catalog.unchanged(newest.id)
        return vault.catalog.require(newest.id)
    except BackupAbsentError:
        return None  # removed this very moment


def _is_there(vault: Vault, backup: Backup) -> bool:
    """Whether a backup has its files, here and in the size that they had: somebody may have
    cleared the place, or not mounted it. Whether they are whole is for `verify` to say.
    """
    try:
        payload = vault.manifest(backup).payload
    except (BackupAbsentError, BackupDamagedError, BackupPlaceError):
        return False
    sizes = {found.name: found.size_bytes for found in vault.place.found(backup.store)}
    shared = payload.sha256 is None
    return payload.file in sizes and (shared or sizes[payload.file] == payload.size_bytes)


def _kept(
    vault: Vault, subject: Subject, copy: tuple[Path, Examination], now: int, wish: Wish
) -> Manifest:
    """Keep the copy while it is examined, and read it back; nothing stays if it is unsound."""
    options = subject.record.options
    container = vault.container_for(options.backup_format)
    backup_id = new_id(vault.now_ms())  # what is younger than an hour or so is nobody's litter
    image, examined = copy
    try:
        payload = container.keep(
            Order(subject.name, backup_id, image, options.backup_compression, wish.progress),
            vault.place,
        )
        found = examined.result()
        manifest = Manifest(
            id=backup_id,
            origin=found.origin,
            image=found.image,
            payload=payload,
            created_at=now,
            took_ms=0,
            reason=wish.reason,
            release=dsfactory.__version__,
            sqlite=SQLITE_VERSION,
            tags=wish.tags,
            flaws=found.flaws,
            group=wish.group,
        )
        container.confirm(manifest, vault.place)
    except BaseException:
        # Why there is no backup is what people have to hear; rescan finds what stays.
        with contextlib.suppress(DataStoreError):
            container.drop_lost(subject.name, backup_id, vault.place)
        raise
    return manifest
