"""The guarded upgrade of one file: a proven copy first, then everything in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

from dsfactory.engine import Connection, open_connection
from dsfactory.engine.counting import row_counts
from dsfactory.engine.translate import translated
from dsfactory.errors import ReadOnlyError
from dsfactory.model import UpgradeReport
from dsfactory.upgrade import snapshots
from dsfactory.upgrade.attempt import NOTE_LINEAGE, Attempt
from dsfactory.upgrade.planning import Plans, Target, application_plan, can_note, planned

Progress = Callable[[int, int], None]
"""Told (rows written, rows there were) while steps run."""

PROGRESS_STEPS = 100_000
"""Instructions of SQLite's machine between two reports: some milliseconds."""

_READS = ("SELECT", "PRAGMA MAIN.", "PRAGMA TEMP.", "PRAGMA FOREIGN", "PRAGMA QUICK")


def pending(target: Target, to: str = "head") -> tuple[str, ...]:
    """Return the revisions that upgrade_file would run, without touching the file."""
    return _looked_at(target, to, down=False).steps


def upgrade_file(
    target: Target, *, to: str = "head", down: bool = False, progress: Progress | None = None
) -> UpgradeReport:
    """Bring the file to revision *to* and return what was done; nothing when it is there already.

    A verified copy is made first. All steps, the checks after them and the new revision are one
    transaction: killed or failed at any moment, the file is at the old revision or at the new.
    Raises UpgradeFailedError naming revision, statement and copy; LineageError; BusyError.
    """
    plans = _looked_at(target, to, down=down)
    if not plans.steps and plans.noted is None:
        return _report(target, plans, None)
    with _writing(target) as connection:
        # Somebody else may have done it while we waited for the lock.
        plans = planned(target, connection, to, down=down)
        if not plans.steps:
            _note(connection, plans)
            connection.execute("COMMIT")
            return _report(target, plans, None)
        snapshot = snapshots.taken(target, plans.ours.before)
        attempt = Attempt(target, connection, snapshot)
        with _told(connection, progress):
            attempt.execute(plans)
            attempt.commit()
    return _report(target, plans, snapshot)


def dry_run(target: Target, *, to: str = "head", down: bool = False) -> tuple[str, ...]:
    """Do the upgrade on a copy that is thrown away; return every statement that changed it.

    Raises what upgrade_file would raise.
    """
    statements: list[str] = []
    with snapshots.scratch_copy(target) as path:
        copy = target._replace(path=path)
        with _writing(copy) as connection:
            plans = planned(copy, connection, to, down=down)
            Attempt(copy, connection, None, statements.append).execute(plans)
    return tuple(s.strip() for s in statements if not s.lstrip().upper().startswith(_READS))


def install(target: Target, connection: Connection, seen: str) -> None:
    """Make the application's own tables in a new file, inside of the transaction that makes it.

    *seen* is the fingerprint of their migrations. Raises UpgradeFailedError or LineageError.
    """
    target.prepare(connection)
    plan = application_plan(target, connection)
    if plan.steps:
        Attempt(target, connection, None).run(plan)
    connection.execute(NOTE_LINEAGE, (seen,))


def _looked_at(target: Target, to: str, *, down: bool) -> Plans:
    connection = open_connection(target.path, target.settings)
    try:
        return planned(target, connection, to, down=down)
    except apsw.Error as error:
        raise translated(error, target.path) from error
    finally:
        connection.close(True)


@contextlib.contextmanager
def _writing(target: Target) -> Iterator[Connection]:
    connection = open_connection(target.path, target.settings, write=True)
    try:
        target.prepare(connection)
        connection.set_busy_timeout(target.patience_ms)
        # The index of a million rows is sorted in 85 MB of memory, or in 8 and an unlinked file of
        # the system's temporary directory: scripts/bench/upgrade.
        connection.pragma("temp_store", "file")
        # Rebuilding a parent table would delete its children; only outside of a transaction can
        # this be switched. foreign_key_check answers for it before the commit.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 0)
        if connection.readonly("main"):
            # BEGIN IMMEDIATE would begin to read.
            raise ReadOnlyError(
                f"{target.path} cannot be written. Check the permissions of the file and of its "
                "directory.",
                path=str(target.path),
            )
        connection.execute("BEGIN IMMEDIATE")
        yield connection
    except apsw.Error as error:
        raise translated(error, target.path) from error
    finally:
        connection.close(True)  # undoes whatever was not committed


def _note(connection: Connection, plans: Plans) -> None:
    if plans.noted is not None and can_note(connection):
        connection.execute(NOTE_LINEAGE, (plans.noted,))


@contextlib.contextmanager
def _told(connection: Connection, progress: Progress | None) -> Iterator[None]:
    if progress is None:
        yield
        return
    total = sum(row_counts(connection).values())
    written = 0

    # SQLite counts the changes of a statement when it ends; a rebuild is one long statement.
    def count(*_change: object) -> None:
        nonlocal written
        written += 1

    def report() -> bool:
        progress(min(written, total), total)
        return False

    connection.set_update_hook(count)
    connection.set_progress_handler(report, PROGRESS_STEPS)
    try:
        yield
        progress(total, total)
    finally:
        connection.set_update_hook(None)
        connection.set_progress_handler(None)


def _report(target: Target, plans: Plans, snapshot: Path | None) -> UpgradeReport:
    return UpgradeReport(
        name=target.name, kind=target.kind, steps=plans.steps, snapshot=snapshot, error=None
    )
