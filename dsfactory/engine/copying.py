"""Copying a database while others write to it, with SQLite's online backup API.

Stepping while others commit starts over at every commit and may never finish. So the source is a
connection of its own that first pins a read snapshot: no restarts at any write rate, at the price
that the WAL cannot be reset while the copy runs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw

from dsfactory.engine import checksums
from dsfactory.engine.connection import Settings, damage, open_connection
from dsfactory.engine.translate import translated
from dsfactory.errors import CorruptError

STEP_PAGES = 1000
"""4 MB between two reports of progress."""

Progress = Callable[[int, int], None]
"""Told (pages done, pages in all)."""


def copy_online(
    path: Path, settings: Settings, target: Path, progress: Progress | None = None
) -> None:
    """Write the database at *path*, as it is at this moment, into the empty file *target*.

    The copy passed quick_check (and page checksums) or CorruptError is raised; it is not synced.
    """
    source = open_connection(path, settings)
    try:
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # pins the snapshot
        _copy(source, settings, target, progress)
    except apsw.FullError as error:
        raise translated(error, target) from error
    except apsw.Error as error:
        raise translated(error, path) from error
    finally:
        source.close(True)


def _copy(
    source: apsw.Connection, settings: Settings, target: Path, progress: Progress | None
) -> None:
    copy = apsw.Connection(str(target), vfs=checksums.vfs() if settings.page_checksums else None)
    try:
        copy.pragma("synchronous", "off")
        with copy.backup("main", source, "main") as backup:
            _step(backup, progress)
        found = damage(copy, target)
        if found:
            raise CorruptError(f"The copy of a database is not sound: {found[0]}.")
    finally:
        copy.close(True)


def _step(backup: apsw.Backup, progress: Progress | None) -> None:
    while not backup.done:
        backup.step(STEP_PAGES)
        if progress is not None:
            progress(backup.page_count - backup.remaining, backup.page_count)
