"""A copy of a store at one moment, examined before anybody relies on it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dsfactory.backup.manifest import Image, Origin
from dsfactory.backup.meanwhile import Meanwhile
from dsfactory.backup.places.place import CHUNK_BYTES
from dsfactory.engine import Connection, Settings, damage, identity
from dsfactory.engine.copying import looked_into
from dsfactory.engine.counting import row_counts
from dsfactory.engine.swapping import RETIRED
from dsfactory.errors import BusyError, CorruptError, ForeignFileError
from dsfactory.model import StoreRecord
from dsfactory.options import RECORDABLE
from dsfactory.profiles import PROFILES, contents, invariants
from dsfactory.stores import journal, settings_of

UNVERIFIED = "PRAGMA checksum_verification=0"
"""Known to the VFS of page checksums alone; without it this does nothing."""


class Subject(NamedTuple):
    """A store that is copied."""

    record: StoreRecord

    @property
    def name(self) -> str:
        """The store's name."""
        return self.record.name

    @property
    def path(self) -> Path:
        """The store's file."""
        return self.record.path

    @property
    def settings(self) -> Settings:
        """How connections to it are opened."""
        return settings_of(self.record.options)


class Snapshot(NamedTuple):
    """A finished copy: what it is, and what is wrong with the store's bookkeeping in it."""

    origin: Origin
    image: Image
    flaws: tuple[str, ...]


class Examination:
    """A copy that other threads hash and examine while this one already keeps it."""

    def __init__(self, subject: Subject, image: Path) -> None:
        self._record = subject.record
        self._size = image.stat().st_size
        self._hash = Meanwhile(lambda: sha256_of(image), "dsfactory-hash")
        self._findings = Meanwhile(lambda: self._examined(subject, image), "dsfactory-examine")

    def _examined(self, subject: Subject, image: Path) -> Findings:
        self._hash.wait()  # one of them at a time: the application wants to go on as well
        return examined(image, subject.settings, subject.record)

    def sha256(self) -> str:
        """Return the hash of the copy; it is ready long before the rest."""
        return self._hash.result()

    def result(self) -> Snapshot:
        """Return what was found; raise CorruptError when the copy is not sound.

        The store is damaged then, and earlier backups are what there is.
        """
        found = self._findings.result()
        image = Image(self._size, self.sha256(), found.rows, found.journal)
        return Snapshot(_origin(self._record, found.revision), image, found.flaws)

    def wait(self) -> None:
        """Wait until nobody reads the copy any more."""
        self._hash.wait()
        self._findings.wait()


@contextlib.contextmanager
def examination(subject: Subject, image: Path) -> Iterator[Examination]:
    """Begin to examine the copy *image*, which has to stay as it is until this ends."""
    begun = Examination(subject, image)
    try:
        yield begun
    finally:
        begun.wait()


class Findings(NamedTuple):
    """What an examination of a copy found; an unsound one raises instead."""

    revision: int
    rows: dict[str, int]
    flaws: tuple[str, ...]
    journal: str | None


def examined(image: Path, settings: Settings, record: StoreRecord) -> Findings:
    """Return what is in a copy; raise CorruptError when SQLite finds it damaged."""
    with looked_into(image, settings) as connection:
        found = damage(connection, image)
        if found:
            raise CorruptError(
                f"Store {record.name!r} is damaged: {found[0].rstrip('.')}. No backup was made "
                "of it, and none was removed. Restore one.",
                store=record.name,
            )
        # Every page was verified just now; the invariants read most of them three times more.
        connection.execute(UNVERIFIED)
        revision = _revision(connection, record)
        rows = row_counts(connection)
        # An older revision has other columns; its upgrade asks after the invariants.
        at_head = revision == PROFILES[record.kind].revision
        tables = contents(record.kind, record.options.features)
        flaws = _flaws(connection, tables) if at_head else ()
        # In a metrics store a table of the same name holds samples.
        recordable = record.kind in RECORDABLE
        position = journal.position(journal.Plain(connection)) if recordable else None
    return Findings(revision, rows, flaws, None if position is None else str(position))


def _revision(connection: Connection, record: StoreRecord) -> int:
    """Return the schema's revision in a copy, which has to be one of the store."""
    found = identity(connection)
    if found.application_id == RETIRED:
        raise BusyError(
            f"Store {record.name!r} was being restored; what was copied is the file from before. "
            "Try again.",
            store=record.name,
        )
    if found.application_id != PROFILES[record.kind].application_id:
        raise ForeignFileError(
            f"{record.path} is a database of another application. Move it away, and restore a "
            "backup.",
            path=str(record.path),
        )
    return found.revision


def _flaws(connection: Connection, features: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        f"{invariant.name}: {detail}"
        for invariant in invariants(features)
        for (detail,) in connection.execute(invariant.sql).fetchall()
    )


def _origin(record: StoreRecord, revision: int) -> Origin:
    return Origin(
        name=record.name,
        id=record.id,
        kind=record.kind,
        options=record.options,
        schema=record.schema,
        created_at=record.created_at,
        revision=revision,
    )


def chunks_of(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file that nobody else uses, a megabyte at a time."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def sha256_of(path: Path) -> str:
    """Return the hash of a file that nobody else uses."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
