"""Opening an SQLite file well, and making a new one that is whole from its first moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from dsfactory.engine import checksums, files, forks, pragmas
from dsfactory.engine.translate import translated
from dsfactory.errors import DataStoreError, UnfitEnvironmentError

OLDEST_SQLITE = (3, 51, 3)
Row = tuple[Any, ...]


def require_sqlite(version: str) -> None:
    """Refuse an SQLite that loses commits when checkpoints and writes race (the WAL-reset bug)."""
    if tuple(map(int, version.split("."))) < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise UnfitEnvironmentError(
            f"SQLite {version} can lose commits; needed: {oldest} or later. Upgrade apsw.",
            version=version,
        )


SQLITE_VERSION: str = apsw.sqlite_lib_version()

require_sqlite(SQLITE_VERSION)


class Settings(NamedTuple):
    """What the connections of one store have in common."""

    synchronous: str = "FULL"
    page_checksums: bool = False
    busy_timeout_ms: int = 5000
    max_wal_bytes: int | None = None
    """How far the log may grow while a reader keeps it from being cut."""


class Identity(NamedTuple):
    """What a file says of itself in its header."""

    application_id: int
    revision: int


def open_connection(path: Path, settings: Settings, *, write: bool = False) -> apsw.Connection:
    """Open an existing database with every pragma; it is never created by opening.

    Raises FileMissingError, ForeignFileError, ReadOnlyError, CorruptError, BusyError or, in a
    forked child that inherited a connection to the file, ForkedError.
    """
    status = files.require_file(path)
    forks.refuse_inherited(path, status)
    files.free_side_files(path)
    vfs = checksums.vfs() if settings.page_checksums else None
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
        try:
            forks.opened(connection, status)
            _set_up(connection, settings, write=write)
        except BaseException:
            connection.close()
            raise
    except apsw.Error as error:
        raise translated(error, path) from error
    return connection


def _set_up(connection: apsw.Connection, settings: Settings, *, write: bool) -> None:
    connection.set_busy_timeout(settings.busy_timeout_ms)
    switches = pragmas.SWITCHES if write else (*pragmas.SWITCHES, *pragmas.READER_SWITCHES)
    for switch in switches:
        connection.config(switch.option, switch.on)
    role = pragmas.WRITER if write else pragmas.READER
    for pragma in (*pragmas.EVERYWHERE, *role):
        connection.pragma(pragma.name, pragma.value)
    if write:
        connection.pragma("synchronous", settings.synchronous)


def identity(connection: apsw.Connection) -> Identity:
    """Return what the file of *connection* says that it is."""
    return Identity(
        connection.pragma("application_id"),
        connection.pragma("user_version"),
    )


def identity_of(path: Path, settings: Settings) -> Identity | None:
    """Return what the file at *path* says that it is; None when it cannot even be asked."""
    try:
        connection = open_connection(path, settings)
        try:
            return identity(connection)
        finally:
            connection.close(True)
    except (DataStoreError, apsw.Error):
        return None


def create_database(
    path: Path,
    statements: Iterable[tuple[str, Row]],
    who: Identity,
    *,
    page_checksums: bool = False,
    page_bytes: int | None = None,
    finish: Callable[[apsw.Connection], None] | None = None,
) -> None:
    """Make the database *path* from *statements*, private and complete, unless it exists.

    *page_bytes* is SQLite's page size where the usual one is not wanted. *finish* may add to it on
    the connection, in the same transaction. Killed at any moment, the
    file is there as a whole or not at all. Raises FileMissingError where a file was lost whose
    log is still there.
    """
    files.refuse_lost_file(path)
    try:
        with files.created_at_once(path) as scratch:
            _build(
                scratch,
                statements,
                who,
                finish,
                page_checksums=page_checksums,
                page_bytes=page_bytes,
            )
    except DataStoreError:
        raise  # of *finish*; some of them are OSErrors too
    except apsw.Error as error:
        raise translated(error, path) from error
    except OSError as error:
        raise files.unmakeable(error, path) from error


def _build(
    scratch: Path,
    statements: Iterable[tuple[str, Row]],
    who: Identity,
    finish: Callable[[apsw.Connection], None] | None,
    *,
    page_checksums: bool,
    page_bytes: int | None,
) -> None:
    vfs = checksums.vfs() if page_checksums else None
    connection = apsw.Connection(str(scratch), vfs=vfs)
    try:
        if page_checksums:
            checksums.reserve(connection)
        if page_bytes is not None:
            connection.pragma("page_size", page_bytes)
        for pragma in pragmas.AT_CREATION:
            if pragma.name != "page_size" or page_bytes is None:
                connection.pragma(pragma.name, pragma.value)
        # The finished file is synced once, when it gets its name.
        connection.pragma("synchronous", "off")
        connection.pragma("application_id", who.application_id)
        connection.execute("BEGIN IMMEDIATE")
        for sql, parameters in statements:
            connection.execute(sql, parameters)
        connection.pragma("user_version", who.revision)
        if finish is not None:
            finish(connection)
        connection.execute("COMMIT")
        connection.pragma("journal_mode", "wal")
    finally:
        connection.close()


def damage(connection: apsw.Connection, path: Path) -> list[str]:
    """Return what SQLite's quick_check finds wrong in the file; nothing when it is sound.

    Reads every page, so that page checksums are verified as well.
    """
    try:
        found = [str(row[0]) for row in connection.execute("PRAGMA quick_check")]
    except apsw.Error as error:
        return [str(translated(error, path))]
    return [] if found == ["ok"] else found


def without_triggers(connection: apsw.Connection) -> None:
    """Let *connection* write rows as they were, which were changed by triggers already.

    For copies that nobody else uses: what is written is not synced either.
    """
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 0)
    connection.pragma("synchronous", "off")


def require_write_lock(connection: apsw.Connection, path: Path) -> None:
    """Take the write lock and give it back, changing nothing; raise what hinders a writer."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except apsw.Error as error:
        raise translated(error, path) from error
