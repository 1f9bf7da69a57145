"""Whether a backup restores: read back, restored to a scratch place, examined, decoded."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dsfactory.backup.full import damaged
from dsfactory.backup.manifest import Manifest
from dsfactory.backup.meanwhile import Meanwhile
from dsfactory.backup.snapshot import sha256_of
from dsfactory.backup.vault import Vault
from dsfactory.clock import ManualClock, ticks_ns
from dsfactory.codecs import codec_for
from dsfactory.engine.copying import looked_into, require_sound
from dsfactory.engine.counting import row_counts, unsound
from dsfactory.engine.files import remove_database
from dsfactory.errors import (
    BackupAbsentError,
    BackupDamagedError,
    BackupPlaceError,
    BackupSealedError,
    CorruptError,
    FileRefusedError,
)
from dsfactory.model import Backup
from dsfactory.profiles import PROFILES
from dsfactory.stores import CLASSES, StoreParts, settings_of


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What verifying one backup found."""

    backup: Backup
    deep: bool
    """Whether it was restored and every value decoded, or only read back and compared."""
    problem: str | None
    """What is wrong; None when the backup is whole, and when it was not looked at."""
    took_ms: int
    removed: bool = False
    """Whether its store's rules had it removed meanwhile: nothing is known of it."""
    elsewhere: bool = False
    """Whether it is kept in another place than backups are now: it was not looked at."""


def verify(vault: Vault, backup: Backup, *, deep: bool) -> VerifyReport:
    """Verify one backup, and note the result in the catalog and, when *deep*, in its manifest.

    One that is kept elsewhere, or cannot be opened here, has a problem, and nothing is noted
    against it. Raises BackupPlaceError when the place is out of reach.
    """
    begun = ticks_ns()
    try:
        vault.require_here(backup)
    except BackupPlaceError as error:
        return VerifyReport(backup, deep, str(error), 0, elsewhere=True)
    problem, removed = None, False
    try:
        _verify(vault, backup, deep=deep)
    except (BackupDamagedError, BackupAbsentError) as error:
        removed = is_removed(vault, backup)
        problem = None if removed else str(error)
        if not removed:
            note_damaged(vault, backup)
    except BackupSealedError as error:
        problem = str(error)
    took_ms = (ticks_ns() - begun) // 1_000_000
    return VerifyReport(backup, deep, problem, took_ms, removed)


def verify_each(vault: Vault, backups: Iterable[Backup], *, deep: bool) -> list[VerifyReport]:
    """Verify several backups; pass over those that are kept elsewhere, which is no problem."""
    return [
        verify(vault, backup, deep=deep)
        if backup.place == vault.mark
        else VerifyReport(backup, deep, None, 0, elsewhere=True)
        for backup in backups
    ]


def _verify(vault: Vault, backup: Backup, *, deep: bool) -> None:
    manifest = vault.manifest(backup)
    vault.container(manifest.payload.container).confirm(manifest, vault.place)
    if deep:
        with restored(vault, manifest) as image:
            require_restorable(manifest, image)
        vault.catalog.verified(backup, vault.now_ms())
        with contextlib.suppress(BackupPlaceError):  # full, or never to be written again
            vault.amend(backup)


def is_removed(vault: Vault, backup: Backup) -> bool:
    """Whether the catalog has it no more: its store's rules had it removed."""
    try:
        vault.catalog.require(backup.id)
    except BackupAbsentError:
        return True
    return False


def note_damaged(vault: Vault, backup: Backup) -> None:
    """Mark a backup that could not be read, unless its place has nothing at all of the store.

    Then a disk is not mounted. Raises BackupPlaceError when the place is out of reach.
    """
    if any(True for _ in vault.place.found(backup.store)):
        vault.catalog.damaged(backup.id, vault.now_ms())


def sampled(backups: Sequence[Backup], share: float) -> list[Backup]:
    """Return a random *share* (0 to 1) of *backups*, at least one; those longest unverified first.

    So that small samples reach every backup in the end.
    """
    count = min(len(backups), max(1, round(len(backups) * share)))
    shuffled = random.sample(list(backups), len(backups))
    return sorted(shuffled, key=lambda backup: backup.verified_at or 0)[:count]


@contextlib.contextmanager
def restored(vault: Vault, manifest: Manifest) -> Iterator[Path]:
    """Yield the database file of a backup in a scratch place; it is deleted afterwards."""
    image = vault.workshop.scratch(manifest.origin.name)
    try:
        vault.container(manifest.payload.container).bring_back(manifest, vault.place, image)
        yield image
    finally:
        remove_database(image)


def require_whole(manifest: Manifest, image: Path) -> None:
    """Raise BackupDamagedError unless the file that came back is what was copied, and sound.

    Its hash is compared with the manifest's, and quick_check asked.
    """
    with _hashed_meanwhile(manifest, image):
        try:
            require_sound(image, settings_of(manifest.origin.options))
        except CorruptError as error:
            raise damaged(manifest, str(error)) from error


@contextlib.contextmanager
def _hashed_meanwhile(manifest: Manifest, image: Path) -> Iterator[None]:
    """Compare the hash of the file that came back, in another thread."""
    digest = Meanwhile(lambda: sha256_of(image), "dsfactory-hash")
    try:
        yield
    finally:
        # Of a file with other bytes it is of no use what else is wrong with it.
        if digest.result() != manifest.image.sha256:
            raise damaged(manifest, "its content is not what was written")


def require_restorable(manifest: Manifest, image: Path) -> None:
    """Raise BackupDamagedError unless the file that came back is a store of ours, to every value.

    Compares its hash, asks for integrity_check, foreign keys, row counts and every invariant, and
    decodes every value and sample.
    """
    options = manifest.origin.options
    with _hashed_meanwhile(manifest, image):
        try:
            with looked_into(image, settings_of(options)) as connection:
                found = unsound(connection)
                rows = row_counts(connection)
        except CorruptError as error:
            raise damaged(manifest, str(error)) from error
    if rows != manifest.image.rows:
        found.append("the tables do not have the rows that they had")
    if manifest.origin.revision == PROFILES[manifest.origin.kind].revision:
        try:
            found += _violations(manifest, image)
        except FileRefusedError as error:
            raise damaged(manifest, str(error)) from error
    if found:
        raise damaged(manifest, found[0])


def _violations(manifest: Manifest, image: Path) -> list[str]:
    """Return what the store's own check finds in the restored file and did not find before."""
    origin = manifest.origin
    # The application's folder may be elsewhere; nothing may be written behind or recorded.
    options = origin.options._replace(pitr=None, write_behind=None, migrations=None)
    profile = PROFILES[origin.kind]
    store = CLASSES[origin.kind](
        StoreParts(
            id=origin.id,
            name=origin.name,
            kind=origin.kind,
            path=image,
            options=options,
            codec=codec_for(options.codec),
            clock=ManualClock(manifest.created_at),
            revision=profile.revision,
            application_id=profile.application_id,
        )
    )
    try:
        return [str(found) for found in store.check() if str(found) not in manifest.flaws]
    finally:
        store.close()
