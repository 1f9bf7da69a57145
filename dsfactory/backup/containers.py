"""How a database file is kept in a place, and how it comes back."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from dsfactory.backup.manifest import Manifest, Payload
from dsfactory.backup.places.place import Place
from dsfactory.engine.copying import Progress


class Order(NamedTuple):
    """What is to be kept."""

    store: str
    id: str
    image: Path
    """The copied database; closed, complete, nobody else's."""
    compress: bool
    progress: Progress | None = None


class Container(Protocol):
    """One way of keeping database files; containers are rows in CONTAINERS."""

    def keep(self, order: Order, place: Place) -> Payload:
        """Keep the image durably; nothing of it counts before its manifest is written."""
        ...

    def confirm(self, manifest: Manifest, place: Place) -> None:
        """Read back what was kept and compare it with the manifest, writing nothing.

        Raises BackupAbsentError or BackupDamagedError.
        """
        ...

    def bring_back(
        self, manifest: Manifest, place: Place, target: Path, progress: Progress | None = None
    ) -> None:
        """Write the image into the empty file *target*; it is neither synced nor hashed.

        Raises BackupAbsentError or BackupDamagedError; never writes more than the manifest's size.
        *progress* is told (bytes written, bytes in all). Who asked compares the hash:
        `require_whole` does, while it checks the database.
        """
        ...

    def drop(self, manifest: Manifest, place: Place) -> None:
        """Remove what only this backup needs; again does nothing."""
        ...

    def drop_lost(self, store: str, backup_id: str, place: Place) -> None:
        """Do what `drop` does for a backup whose manifest is gone; again does nothing."""
        ...
