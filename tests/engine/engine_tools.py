"""What the tests of engine/ share: a small table, other processes, forked children, bad disks."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw
import pytest

from dsfactory.engine import (
    Connection,
    Database,
    Identity,
    Retry,
    Settings,
    create_database,
    damage,
    open_connection,
)

WATCHDOG_S = 60
"""A child that hangs is ended by its alarm, so that a deadlock fails one test and no more."""

NOBODY = 65534

TABLE = "CREATE TABLE thing (k INTEGER PRIMARY KEY, v ANY) STRICT"
ADD = "INSERT INTO thing (v) VALUES (?)"
ALL = "SELECT v FROM thing ORDER BY k"
COUNT = "SELECT count(*) FROM thing"

WHO = Identity(application_id=77, revision=3)


root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="needs files of another user, which only root can play",
)


def make_file(path: Path, *values: object, page_checksums: bool = False) -> Path:
    """Make a database that holds *values*."""
    rows = [(ADD, (value,)) for value in values]
    create_database(path, [(TABLE, ()), *rows], WHO, page_checksums=page_checksums)
    return path


def open_database(path: Path, **options: Any) -> Database:
    """Open *path* with a short patience, so that nothing in a test waits for long."""
    settings = options.pop("settings", Settings(busy_timeout_ms=50))
    retry = options.pop("retry", Retry(max_retries=0, delay_ms=1))
    return Database(path, settings, clock=lambda: 1_000, retry=retry, **options)


def add(database: Database, *values: object) -> None:
    """Write *values* in one transaction."""
    with database.write() as tx:
        for value in values:
            tx.run(ADD, (value,))


def values(database: Database) -> list[Any]:
    """Return all values in the order of writing."""
    return [value for (value,) in database.rows(ALL)]


def sound(path: Path, *, page_checksums: bool = False) -> bool:
    """Whether quick_check finds nothing wrong."""
    connection = open_connection(path, Settings(page_checksums=page_checksums))
    try:
        return damage(connection, path) == []
    finally:
        connection.close()


class Failure(Exception):
    """What a test raises to leave a block."""


@contextlib.contextmanager
def failing() -> Iterator[None]:
    """Expect that the block raises Failure, and that nothing swallows it."""
    with pytest.raises(Failure):
        yield


class Statements:
    """Every statement that the connections of a database ran: a *prepare* that listens."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, connection: Connection) -> None:
        connection.exec_trace = self._note

    def _note(self, _cursor: object, sql: str, _bindings: object) -> bool:
        self.seen.append(sql)
        return True


# -- other processes


@dataclass(frozen=True)
class Child:
    """A forked child at work."""

    pid: int
    reading: int

    def answer(self) -> Any:
        """Wait for the child's answer; an exception of the child is its type's name."""
        with os.fdopen(self.reading) as answers:
            text = answers.read()
        os.waitpid(self.pid, 0)
        assert text, "the child hung until its watchdog, or died"
        return json.loads(text)


def forked(work: Callable[[], Any]) -> Child:
    """Let a forked child do *work*; its result has to be plain JSON."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(WATCHDOG_S)
        try:
            answer = work()
        except BaseException as error:  # noqa: BLE001 -- the parent judges it
            answer = type(error).__name__
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    return Child(pid, reading)


def in_child(work: Callable[[], Any]) -> Any:
    """Return what *work* answers in a forked child."""
    return forked(work).answer()


def as_nobody(work: Callable[[], Any]) -> Any:
    """Return what *work* answers in a process that permissions bind, even in tests run by root."""

    def bound() -> Any:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        return work()

    return in_child(bound)


def error_of(work: Callable[[], object]) -> str:
    """Return the name of the error that *work* raises, "" when it raises none."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 -- the test judges it
        return type(error).__name__
    return ""


class Rival:
    """Another process that has the same file open, and does what it is told."""

    def __init__(self, path: Path) -> None:
        script = Path(__file__).with_name("rival_process.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def run(self, sql: str) -> Any:
        """Return the rows that *sql* gives there, or the name of the error; it never waits."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(sql.replace("\n", " ") + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    @property
    def shut_out(self) -> bool:
        """Whether somebody else holds the write lock now."""
        answer = self.run("BEGIN IMMEDIATE")
        if answer == []:
            assert self.run("ROLLBACK") == []
        return answer == "BusyError"

    def kill(self) -> None:
        """End it as a power cut would, in the middle of whatever it does."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()


def posix_locks(path: Path, pid: int) -> int:
    """Return how many POSIX locks the process *pid* holds on *path*, as the kernel sees it."""
    inode = f":{path.stat().st_ino}"
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return sum(1 for line in lines if line[4] == str(pid) and line[5].endswith(inode))


# -- bad disks


def fill(disk: Path) -> Path:
    """Write a file until the disk is full; delete it to make room again."""
    ballast = disk / "ballast"
    descriptor = os.open(ballast, os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(descriptor, bytes(4096))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(descriptor)
    return ballast


class BadDisk(apsw.VFS):
    """The machine's disk, but the files whose names end so cannot be synced, or written."""

    NAME = "bad-disk"

    def __init__(self) -> None:
        self.base = apsw.vfs_names()[0]
        super().__init__(self.NAME, base=self.base, makedefault=True)
        self.failing: tuple[str, ...] = ()
        self.refusing: tuple[str, ...] = ()
        self.written: list[str] = []

    def xOpen(  # noqa: N802 -- SQLite's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        """Open a file that notes its writes here."""
        return _BadFile(self, name, flags)


class _BadFile(apsw.VFSFile):
    def __init__(
        self, disk: BadDisk, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        super().__init__(disk.base, name, flags)
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 -- SQLite's name
        if self._name.endswith(self._disk.refusing or ("\0",)):
            raise apsw.exception_for(apsw.SQLITE_IOERR_WRITE)
        self._disk.written.append(self._name)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 -- SQLite's name
        if self._name.endswith(self._disk.failing or ("\0",)):
            raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)
        super().xSync(flags)
