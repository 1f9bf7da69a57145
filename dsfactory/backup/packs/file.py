"""The pack of a store, opened: one SQLite file beside its manifests."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dsfactory.backup.packs.sql import HEADER, SCHEMA, WHO
from dsfactory.backup.places.place import DirectoryPlace, Place
from dsfactory.clock import SystemClock
from dsfactory.engine import Database, Settings, checksums, create_database
from dsfactory.engine.files import private_directory
from dsfactory.errors import (
    BackupAbsentError,
    BackupDamagedError,
    BackupError,
    BackupPlaceError,
    BusyError,
    DataStoreError,
    DiskFailedError,
    FileMissingError,
    ForeignFileError,
    LifecycleError,
    NewerSchemaError,
    OptionError,
    StorageError,
    UnfitEnvironmentError,
    UsageError,
)

FILE = "pack.db"

# Frames of a kilobyte leave 10 % of pages of 4 KiB empty, 5 % of these; larger ones save 2 % more
# and lose more chunks to a flipped bit.
_PAGE_BYTES = 8192

# Another process may be keeping its first backup of a large store.
_PATIENCE_MS = 60_000

# These say by themselves what is to be done, and none means that the pack is damaged.
_TOLD_ALREADY = (
    BackupError,
    BusyError,
    LifecycleError,
    NewerSchemaError,
    UnfitEnvironmentError,
    UsageError,
)


def pack_path(place: Place, file: str) -> Path:
    """Return where the pack *file* is; a pack is changed in place, which only a directory allows.

    Raises OptionError for any other place.
    """
    if not isinstance(place, DirectoryPlace):
        raise OptionError(
            f"Backup format 'pack' needs a directory, and {place.url} is none: a pack is changed "
            "in place. Use format 'full' there.",
            option="backup_format",
        )
    path = place.path(file)
    if path.is_symlink() or path.parent.is_symlink():
        raise BackupPlaceError(
            f"{path} is a link, or lies behind one: not a pack that we made. Move it away.",
            path=str(path),
        )
    return path


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Database]:
    """Open an existing pack; afterwards it is one file without a log, unless others use it."""
    settings = Settings(
        synchronous="FULL",
        page_checksums=checksums.available(),
        busy_timeout_ms=_PATIENCE_MS,
    )
    database = Database(path, settings, clock=SystemClock().now_ms)
    try:
        _require_pack(database)  # before a writer sets pragmas in somebody else's file
        yield database
        if os.access(path, os.W_OK):
            database.checkpoint()  # readers alone would leave the log's files behind
    finally:
        database.close()


@contextlib.contextmanager
def opened_for_reading(path: Path) -> Iterator[Database]:
    """Open an existing pack, also where nothing can be written: SQLite needs a file beside it.

    A pack on such a medium is copied to the system's directory for temporary files first.
    """
    if not path.exists() or os.access(path.parent, os.W_OK):
        with opened(path) as database:
            yield database
        return
    with tempfile.TemporaryDirectory(prefix="dsfactory-pack-") as scratch:
        for name in (path.name, f"{path.name}-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(path.with_name(name), Path(scratch, name))
        with opened(Path(scratch, path.name)) as database:
            yield database


def made(path: Path) -> Path:
    """Make the pack *path* unless it exists."""
    if not path.exists():
        private_directory(path.parent)
        create_database(
            path,
            [(sql, ()) for sql in SCHEMA],
            WHO,
            page_checksums=checksums.available(),
            page_bytes=_PAGE_BYTES,
        )
    return path


def _require_pack(database: Database) -> None:
    ((application_id, revision),) = database.rows(HEADER)
    if application_id != WHO.application_id:
        raise ForeignFileError(f"{database.path} is not a pack.", path=str(database.path))
    if revision > WHO.revision:
        raise NewerSchemaError(
            f"Pack {database.path} has revision {revision}; this release knows {WHO.revision}. Use "
            "the release that wrote it, or a newer one.",
            path=str(database.path),
        )


@contextlib.contextmanager
def blamed_on(path: Path, *, store: str, backup: str, done: str) -> Iterator[None]:
    """Raise what happens to a pack as an error of backups that names *store* and *backup*.

    *done* is what was to be done: "read", "written" or "dropped".
    """
    try:
        yield
    except _TOLD_ALREADY:
        raise
    except FileMissingError as error:
        raise _missing(path, store, backup) from error
    except StorageError as error:
        if done == "read" and isinstance(error, DiskFailedError):
            raise damaged_pack("its pack cannot be read", store, backup) from error
        raise BackupPlaceError(
            f"Backup {backup} of store {store!r} cannot be {done}: {error}",
            place=str(path.parent),
            backup=backup,
            store=store,
        ) from error
    except DataStoreError as error:
        # SQLite's own findings end with an advice that is meant for stores.
        why = "SQLite finds the file damaged" if "code" in error.facts else str(error)
        if done == "read":
            raise damaged_pack(why, store, backup) from error
        raise _unusable(path, why, store, backup) from error
    except OSError as error:
        raise BackupPlaceError.of(error, str(path.parent), done) from error


def _missing(path: Path, store: str, backup: str) -> BackupError:
    if path.exists():
        return damaged_pack("its pack was cut to nothing", store, backup)
    return BackupAbsentError(
        f"{path}, the pack that holds backup {backup} of store {store!r}, is not there. Put it "
        "back, or use another backup.",
        path=str(path),
        backup=backup,
        store=store,
    )


def _unusable(path: Path, why: str, store: str, backup: str) -> BackupDamagedError:
    return BackupDamagedError(
        f"Backup {backup} of store {store!r} was neither kept nor dropped in {path}: "
        f"{why.rstrip('.')}. Move that file away, and the next backup begins a new one; what is "
        "whole in it can be restored once it is put back.",
        path=str(path),
        backup=backup,
        store=store,
    )


def damaged_pack(why: str, store: str, backup: str) -> BackupDamagedError:
    """Return the error for a backup that its pack does not give back."""
    return BackupDamagedError(
        f"Backup {backup} of store {store!r} is damaged: {why.rstrip('.')}. Use another; "
        "`dsfactory backup verify --all` says which are whole.",
        backup=backup,
        store=store,
    )
