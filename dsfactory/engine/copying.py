"""Copying a database while others write to it, with SQLite's online backup API.

Stepping while others commit starts over at every commit and may never finish. So the source is a
connection of its own that first pins a read snapshot: no restarts at any write rate, at the price
that the WAL cannot be reset while the copy runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

from dsfactory.clock import ticks_ns
from dsfactory.engine import checksums
from dsfactory.engine.connection import Settings, damage, open_connection
from dsfactory.engine.translate import translated
from dsfactory.errors import BusyError, CorruptError

STEP_PAGES = 1000
"""4 MB between two reports of progress."""

LONGEST_S = 3600
"""How long a copy may pin the WAL, which grows meanwhile."""

Progress = Callable[[int, int], None]
"""Told (pages done, pages in all); what it raises breaks the copy off."""


def copy_online(
    path: Path, settings: Settings, target: Path, progress: Progress | None = None
) -> None:
    """Write the database at *path*, as it is at this moment, into the empty file *target*.

    The copy passed quick_check (and page checksums) or CorruptError is raised; it is not synced.
    """
    with pinned(path, settings) as moment:
        moment.copy_to(target, progress)
    require_sound(target, settings)


class Moment:
    """A database as it was at one moment, whatever others commit; see pinned()."""

    def __init__(self, source: apsw.Connection, path: Path, settings: Settings) -> None:
        self._source = source
        self._path = path
        self._settings = settings

    def copy_to(
        self, target: Path, progress: Progress | None = None, longest_s: float = LONGEST_S
    ) -> None:
        """Write the database into the empty file *target*, neither synced nor examined.

        Raises BusyError after *longest_s*, because the WAL grows as long as this runs.
        """
        vfs = checksums.vfs() if self._settings.page_checksums else None
        copy = apsw.Connection(str(target), vfs=vfs)
        try:
            copy.pragma("synchronous", "off")
            if self._settings.page_checksums:
                # Only when its first page says so does the VFS write checksums: SQLite may write
                # other pages before, and a page from the source's log has none.
                checksums.reserve(copy)
                copy.pragma("user_version", 1)
            with copy.backup("main", self._source, "main") as backup:
                self._step(backup, progress, ticks_ns() + int(longest_s * 1e9))
        except apsw.FullError as error:
            raise translated(error, target) from error
        except apsw.Error as error:
            raise translated(error, self._path) from error
        finally:
            copy.close(True)

    def _step(self, backup: apsw.Backup, progress: Progress | None, deadline: int) -> None:
        while not backup.done:
            backup.step(STEP_PAGES)
            if progress is not None:
                progress(backup.page_count - backup.remaining, backup.page_count)
            if not backup.done and ticks_ns() > deadline:
                raise BusyError(
                    f"Copying {self._path} took too long and was broken off: while it runs, the "
                    "log of the store grows. Give it a faster disk, or more time.",
                    path=str(self._path),
                )


@contextlib.contextmanager
def pinned(path: Path, settings: Settings) -> Iterator[Moment]:
    """Hold on to the database at *path* as it is now, on a connection of its own."""
    source = open_connection(path, settings)
    try:
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # pins the snapshot
    except apsw.Error as error:
        source.close(True)
        raise translated(error, path) from error
    try:
        yield Moment(source, path, settings)
    finally:
        source.close(True)


@contextlib.contextmanager
def held_still(path: Path, settings: Settings) -> Iterator[None]:
    """Keep every process from committing to the database at *path*; BusyError when one does not
    let go in time.
    """
    connection = open_connection(path, settings, write=True)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    except apsw.Error as error:
        raise translated(error, path) from error
    finally:
        connection.close(True)


@contextlib.contextmanager
def looked_into(image: Path, settings: Settings) -> Iterator[apsw.Connection]:
    """Open a copy that nobody else uses, for reading; nothing appears beside it."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    vfs = checksums.vfs() if settings.page_checksums else None
    try:
        connection = apsw.Connection(f"{image.as_uri()}?immutable=1", flags=flags, vfs=vfs)
        try:
            yield connection
        finally:
            connection.close(True)
    except apsw.Error as error:
        raise translated(error, image) from error


def require_sound(image: Path, settings: Settings) -> None:
    """Raise CorruptError unless the copy passes quick_check, and page checksums if it has them."""
    with looked_into(image, settings) as connection:
        found = damage(connection, image)
    if found:
        raise CorruptError(f"The copy of a database is not sound: {found[0]}.")
