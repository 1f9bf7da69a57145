"""What every step of keeping backups stands on: a place, the catalog, and the containers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from dsfactory.backup.containers import Container
from dsfactory.backup.manifest import LARGEST, Manifest, decoded, manifest_file
from dsfactory.backup.moments.segments import Folder
from dsfactory.backup.places.place import DirectoryPlace, Place
from dsfactory.errors import (
    BackupAbsentError,
    BackupDamagedError,
    BackupPlaceError,
    OptionError,
)
from dsfactory.model import Backup
from dsfactory.registry import Catalog

if TYPE_CHECKING:
    from dsfactory.backup.sealing.age import Opener, Seal


class Vault(NamedTuple):
    """Where one factory keeps its backups."""

    place: Place
    mark: str
    """How the catalog names the place: empty for the factory's own directory, else its URL."""
    workshop: DirectoryPlace
    """Where copies are made before they are kept: always on this machine."""
    catalog: Catalog
    containers: Mapping[str, Container]
    now_ms: Callable[[], int]
    sealed: bool = False
    """Whether backups have to be encrypted."""
    seal: Seal | None = None
    """Encrypts what is kept; None leaves it plain."""
    opener: Opener | None = None

    def journal(self, store: str) -> Folder:
        """Return where the journal of a store is kept: beside its backups."""
        return Folder(self.place, store, self.seal, self.opener)

    def container(self, name: str) -> Container:
        """Return the container of this name; one of a later release is refused."""
        try:
            return self.containers[name]
        except KeyError:
            known = ", ".join(self.containers)
            raise OptionError(
                f"Backup format {name!r} is not known; known: {known}.", option="backup_format"
            ) from None

    def container_for(self, wanted: str) -> Container:
        """Return the container in which new backups are kept; one that cannot is refused."""
        if self.sealed and wanted != "full":
            raise OptionError(
                f"Backup format {wanted!r} cannot be encrypted. Use the format 'full' where there "
                "are backup_recipients.",
                option="backup_format",
            )
        return self.container(wanted)

    def manifest(self, backup: Backup) -> Manifest:
        """Return the manifest of a backup.

        Raises BackupAbsentError or BackupDamagedError, and BackupPlaceError for one that is kept
        in another place.
        """
        self.require_here(backup)
        return self.read(manifest_file(backup.store, backup.id))

    def require_here(self, backup: Backup) -> None:
        """Raise BackupPlaceError for a backup that is kept in another place."""
        if backup.place != self.mark:
            there = backup.place or "the directory of backups beside the stores"
            raise BackupPlaceError(
                f"Backup {backup.id} of store {backup.store!r} is not kept in {self.place.url} but "
                f"in {there}. Set backup_target to that; if it was moved, run "
                "`dsfactory backup rescan`.",
                backup=backup.id,
                place=backup.place,
            )

    def read(self, name: str) -> Manifest:
        """Return the manifest that the file *name* holds."""
        with self.place.read(name) as file:
            stored = file.read(LARGEST + 1)
        if len(stored) > LARGEST:
            raise BackupDamagedError(
                f"Manifest {name} is larger than any of ours. Use another backup.", manifest=name
            )
        return decoded(stored, name)

    def write(self, manifest: Manifest) -> None:
        """Keep *manifest*: from now on the backup counts."""
        self.place.write(manifest.file, [manifest.encoded()])

    def entry(self, manifest: Manifest) -> Backup:
        """Return what the catalog says of a backup that is kept here."""
        return dataclasses.replace(manifest.backup, place=self.mark)

    def pin(self, backup: Backup, *, pinned: bool) -> Backup:
        """Let the backup be kept whatever the rules say, or no longer."""
        self.manifest(backup)
        self.catalog.pin(backup.id, pinned=pinned)  # now prune leaves it alone
        try:
            return self.amend(backup, unpinned=not pinned)  # and a rescan finds it as well
        except BaseException:
            self.catalog.pin(backup.id, pinned=backup.pinned)
            raise

    def amend(self, backup: Backup, *, unpinned: bool = False) -> Backup:
        """Add to the manifest of a backup what the catalog has learnt of it; return that.

        Others may do so at the same time: in the end it says what all of them noted. A pin goes
        only when it was *unpinned*: the catalog may have been lost. Raises BackupAbsentError when
        the backup is removed meanwhile; its manifest stays away.
        """
        manifest = self.manifest(backup)
        noted = self.catalog.require(backup.id)
        while True:
            amended = dataclasses.replace(
                manifest,
                pinned=noted.pinned or (manifest.pinned and not unpinned),
                verified_at=noted.verified_at or manifest.verified_at,
            )
            if amended == manifest:
                return noted
            self.write(amended)
            manifest = amended
            noted = self._still_kept(manifest)

    def _still_kept(self, manifest: Manifest) -> Backup:
        """Return what is noted of a backup; without it, the manifest goes that came too late."""
        try:
            return self.catalog.require(manifest.id)
        except BackupAbsentError:
            self.place.delete(manifest.file)
            raise


def new_id(now: int) -> str:
    """Return an id that sorts by the second of *now* and is nobody else's."""
    moment = datetime.fromtimestamp(now / 1000, tz=UTC)
    return f"{moment:%Y%m%dT%H%M%SZ}-{os.urandom(4).hex()}"


def moment_of(backup_id: str) -> int | None:
    """Return the milliseconds since the epoch that an id was made at; None if it is not ours."""
    try:
        moment = datetime.strptime(backup_id.split("-", maxsplit=1)[0], "%Y%m%dT%H%M%SZ")
    except ValueError:
        return None
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)
