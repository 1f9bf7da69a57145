"""Another file in the stead of a database, while nobody has it open.

Whoever opened the old file before the swap would go on with it, unseen: so nobody may have it open
while it happens, and whoever was just about to lock it finds a file that is retired.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import apsw

from dsfactory.clock import pause, ticks_ns
from dsfactory.engine import forks
from dsfactory.engine.connection import Settings, open_connection
from dsfactory.engine.copying import Moment
from dsfactory.engine.files import SIDE_FILES, sync
from dsfactory.engine.translate import translated
from dsfactory.errors import BusyError

RETIRED = int.from_bytes(b"dsf-", "big")
"""The application_id of a file that another was put in the stead of."""

# sqlite3.c, os_unix.c: every lock on a database lies in these bytes of it.
_LOCK_FROM, _LOCK_BYTES = 0x40000000, 512

KEPT = ("", "-wal")
"""What of a damaged database something may still be got out of."""

# Needs that nobody else has the file open. In memory, because a journal of the old file must never
# lie beside the new one.
_LEAVE_WAL = "PRAGMA journal_mode=memory"
_OUT_OF_WAL = ("memory",)


class Sole:
    """A database that nobody else has open, and that nobody can open until this ends."""

    def __init__(self, connection: apsw.Connection, path: Path, settings: Settings) -> None:
        self._connection = connection
        self._path = path
        self.moment = Moment(connection, path, settings)
        """For a last copy."""

    def replace(self, new: Path) -> None:
        """Put the finished file *new* in the database's stead, durably."""
        sync(new)
        new.replace(self._path)
        sync(self._path.parent)
        self._connection.pragma("application_id", RETIRED)


@contextlib.contextmanager
def sole(path: Path, settings: Settings, patience_s: float) -> Iterator[Sole]:
    """Have the database at *path* alone; BusyError when others keep it open for *patience_s*."""
    _require_unused_here(path)
    connection = open_connection(path, settings, write=True)
    deadline = ticks_ns() + int(patience_s * 1e9)
    try:
        while not _alone(connection):
            if ticks_ns() > deadline:
                raise _in_use(path)
            pause(0.05)
        yield Sole(connection, path, settings)
    except apsw.Error as error:
        raise translated(error, path) from error
    finally:
        connection.close(True)


def _alone(connection: apsw.Connection) -> bool:
    """Try to be the only one who has the file open, and to stay it; the log is written back."""
    try:
        if connection.execute(_LEAVE_WAL).fetchall() != [_OUT_OF_WAL]:
            return False
        connection.execute("BEGIN EXCLUSIVE")
    except apsw.BusyError:
        return False
    if connection.execute("PRAGMA journal_mode").fetchall() == [_OUT_OF_WAL]:
        connection.pragma("locking_mode", "exclusive")  # the lock outlives the transaction
        connection.execute("COMMIT")  # in one, nothing can be copied
        return True
    connection.execute("ROLLBACK")  # somebody opened it in between and went back to a log
    return False


@contextlib.contextmanager
def locked_unread(path: Path) -> Iterator[None]:
    """Keep everybody from a file that SQLite itself cannot read; BusyError when it is in use.

    The file must not be opened meanwhile: closing it would end the lock.
    """
    _require_unused_here(path)
    try:
        import fcntl
    except ImportError:  # Windows: an open file cannot be replaced there anyway
        yield
        return
    descriptor = os.open(path, os.O_RDWR)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCK_BYTES, _LOCK_FROM)
        except OSError as error:
            raise _in_use(path) from error
        yield
    finally:
        os.close(descriptor)


def put_aside(path: Path, aside: Path) -> None:
    """Give the database and its log second names in the directory *aside*, durably."""
    for suffix in KEPT:
        source = Path(f"{path}{suffix}")
        if source.exists():
            _linked(source, aside / source.name)
    sync(aside)


def replace_damaged(path: Path, new: Path) -> None:
    """Put the finished file *new* in the stead of one that was put aside, or of none."""
    sync(new)
    for suffix in SIDE_FILES:
        # The log of the old file would be replayed into the new one.
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    sync(path.parent)
    new.replace(path)
    sync(path.parent)


def _linked(source: Path, name: Path) -> None:
    try:
        os.link(source, name)
    except OSError:  # a file system without hard links; nobody else has the file open
        import shutil

        shutil.copyfile(source, name)
        sync(name)


def _require_unused_here(path: Path) -> None:
    if path.exists() and forks.used_here(path):
        raise BusyError(
            f"{path} is open elsewhere in this process. Close the store there first.",
            path=str(path),
        )


def _in_use(path: Path) -> BusyError:
    return BusyError(
        f"{path} is open in another process. Close the store there, or stop that process, and "
        "try again.",
        path=str(path),
    )
