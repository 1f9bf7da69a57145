"""From SQLite's result codes to the tree in errors.py: by code, never by message text."""

from __future__ import annotations

from pathlib import Path

import apsw

from dsfactory.errors import (
    BusyError,
    ClosedError,
    CorruptError,
    DataStoreError,
    DiskFailedError,
    DiskFullError,
    ForeignFileError,
    ReadOnlyError,
    StorageError,
    ValueTooLargeError,
)

# Failures after which the operating system may have dropped dirty pages and forgotten about it:
# trying again on the same handle could acknowledge what is not on disk.
FSYNC_FAILED = frozenset({apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC})

CLOSED = (apsw.ConnectionClosedError, apsw.CursorClosedError)

_Row = tuple[type[DataStoreError], str]

_BY_EXTENDED: dict[int, _Row] = {
    apsw.SQLITE_IOERR_DATA: (
        CorruptError,
        "A page of {path} does not match its checksum: it was damaged on disk, or changed by a "
        "program that writes no checksums. Restore a backup.",
    ),
    # What a full disk says when the WAL-index cannot grow.
    apsw.SQLITE_IOERR_SHMSIZE: (DiskFullError, "No space left for {path}. Free some space."),
    apsw.SQLITE_IOERR_CORRUPTFS: (CorruptError, "The file system under {path} is damaged."),
}

_BY_PRIMARY: dict[int, _Row] = {
    apsw.SQLITE_BUSY: (
        BusyError,
        "{path} stayed locked by another process. Try again, or raise busy_timeout_ms.",
    ),
    apsw.SQLITE_LOCKED: (
        BusyError,
        "{path} is locked by a statement of this process. Finish iterating, then try again.",
    ),
    apsw.SQLITE_PROTOCOL: (
        BusyError,
        "{path}: the locks kept changing under us. Try again.",
    ),
    apsw.SQLITE_FULL: (
        DiskFullError,
        "No space left for {path}; the transaction was rolled back. Free some space.",
    ),
    apsw.SQLITE_READONLY: (
        ReadOnlyError,
        "{path} cannot be written. Check the permissions of the file and of its directory.",
    ),
    apsw.SQLITE_PERM: (ReadOnlyError, "Access to {path} was denied. Check its permissions."),
    apsw.SQLITE_AUTH: (ReadOnlyError, "Access to {path} was denied. Check its permissions."),
    apsw.SQLITE_CANTOPEN: (
        StorageError,
        "{path} cannot be opened. Check that its directory is there and may be written.",
    ),
    apsw.SQLITE_IOERR: (
        DiskFailedError,
        "Reading or writing {path} failed. Check the disk, then check the store.",
    ),
    apsw.SQLITE_CORRUPT: (CorruptError, "{path} is damaged. Restore a backup."),
    apsw.SQLITE_NOTADB: (ForeignFileError, "{path} is not an SQLite database. Move it away."),
    apsw.SQLITE_TOOBIG: (
        ValueTooLargeError,
        "A value is larger than SQLite can hold in {path} (1,000,000,000 bytes).",
    ),
}


def translated(error: apsw.Error, path: Path) -> DataStoreError:
    """Return our error for *error*, which an operation on *path* raised."""
    if isinstance(error, CLOSED):
        return ClosedError(f"The store at {path} is closed. Open it again.", path=str(path))
    extended = getattr(error, "extendedresult", 0)
    primary = getattr(error, "result", 0)
    family, text = _BY_EXTENDED.get(extended) or _BY_PRIMARY.get(primary) or _unforeseen(error)
    return family(text.format(path=path), path=str(path), code=extended or primary)


def _unforeseen(error: apsw.Error) -> _Row:
    # SQLite's own texts quote names of tables, columns and constraints, never values.
    said = str(error).replace("{", "{{").replace("}", "}}")
    return DataStoreError, f"{{path}}: SQLite said {type(error).__name__}: {said}"


def fsync_failed(error: apsw.Error) -> bool:
    """Whether *error* means that written data may silently be lost."""
    return getattr(error, "extendedresult", 0) in FSYNC_FAILED
