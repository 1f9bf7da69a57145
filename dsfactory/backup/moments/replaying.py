"""From a backup to a moment after it: the journal's commits done again on a private copy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dsfactory.backup.moments.segments import Folder
from dsfactory.backup.moments.stretches import Way, shown_moment
from dsfactory.engine import Database, Row, Settings, Transaction, without_triggers
from dsfactory.engine.copying import looked_into
from dsfactory.errors import BackupAbsentError, BackupDamagedError
from dsfactory.profiles.journal import RAISE_FLOOR, REPLAY
from dsfactory.stores import journal, sql
from dsfactory.stores.journal import Position

BEGIN_COMMIT = "SAVEPOINT one_commit"
UNDO_COMMIT = "ROLLBACK TO one_commit"
END_COMMIT = "RELEASE one_commit"

FIRST_CELL = 3
"""Of a journal's row: before it are its number, what it is and when."""

# Whose change goes to a row that has to be there.
_NEEDS_ROW = frozenset({"entry=", "history="})


class Replayed(NamedTuple):
    """What was done again."""

    commits: int
    last_commit_at: int
    """When the last of them was; milliseconds since the epoch."""


def position_in(image: Path, settings: Settings) -> Position | None:
    """Return where the journal stands in a copy that nobody else uses; None when it has none."""
    with looked_into(image, settings) as connection:
        return journal.position(journal.Plain(connection))


def replayed(image: Path, settings: Settings, folder: Folder, way: Way, at: int) -> Replayed:
    """Bring *image*, the database of the backup ``way.base``, to the moment *at*.

    Every commit at or before *at* is done again, each wholly or not at all; then the copy has no
    journal any more, so that a life of its own can begin. It is neither synced nor examined.
    Raises BackupDamagedError when a segment is damaged or missing, or does not fit: the message and
    ``restorable_to`` say up to which moment it can be restored, and the copy is to be thrown away.
    """
    database = Database(image, settings, clock=lambda: at, prepare=without_triggers)
    try:
        with database.write() as tx:
            start = way.base.position
            if journal.position(tx) != start:
                raise _unfit(way, "the backup is not the one that was planned with", start.at)
            replay = _Replay(tx, way, at)
            replay.run(folder)
            journal.forget(tx)
        database.checkpoint(truncate=True)
    finally:
        database.close()
    return Replayed(replay.commits, replay.last_at)


def without_journal(image: Path, settings: Settings) -> None:
    """Take the journal out of a copy that is restored as it is: it begins a life of its own."""
    database = Database(image, settings, clock=lambda: 0, prepare=without_triggers)
    try:
        with database.write() as tx:
            journal.forget(tx)
        database.checkpoint(truncate=True)
    finally:
        database.close()


class _Replay:
    """One replay: row by row, commit by commit."""

    def __init__(self, tx: Transaction, way: Way, at: int) -> None:
        self._tx = tx
        self._way = way
        self._at = at
        self._floor = 0
        self._seq = way.base.position.seq
        self._until = way.base.position.at
        self.last_at = way.base.position.at
        self.commits = 0

    def run(self, folder: Folder) -> None:
        """Do again what was committed up to the moment."""
        tx = self._tx
        tx.run(BEGIN_COMMIT)
        for row in self._rows(folder):
            if row[1] not in journal.MARKS:
                self._change(row)
            elif row[2] > self._at:
                break
            else:
                self._end_commit(row[2])
        tx.run(UNDO_COMMIT)
        tx.run(END_COMMIT)
        tx.run(sql.RECOUNT)
        tx.run(sql.KEEP_TIME, (self.last_at,))

    def _end_commit(self, at: int) -> None:
        if self._floor:
            self._tx.run(RAISE_FLOOR, (self._floor,))
            self._floor = 0
        self._tx.run(END_COMMIT)
        self._tx.run(BEGIN_COMMIT)
        self.commits += 1
        self.last_at = at

    def _rows(self, folder: Folder) -> Iterator[Row]:
        """Yield every row after the backup, none left out."""
        for segment in self._way.segments:
            try:
                rows = folder.read(segment)
            except (BackupAbsentError, BackupDamagedError) as error:
                raise self._unfit(error.message.rstrip(".")) from error
            for row in rows:
                if row[0] <= self._seq:
                    continue
                if row[0] != self._seq + 1:
                    raise self._unfit(f"row {self._seq + 1} is missing")
                self._seq = row[0]
                yield row
            self._until = max(self._until, segment.until)

    def _change(self, row: Row) -> None:
        op = row[1]
        try:
            statement, cells = REPLAY[op]
        except KeyError:
            raise self._unfit("it has what this release does not know") from None
        self._tx.run(statement, row[FIRST_CELL : FIRST_CELL + cells])
        if op in _NEEDS_ROW and not self._tx.changes:
            raise self._unfit(f"row {row[0]} changes what is not there")
        if op == "entry-":
            self._floor = max(self._floor, row[FIRST_CELL + 1] + 1)

    def _unfit(self, why: str) -> BackupDamagedError:
        return _unfit(self._way, why, self._until)


def _unfit(way: Way, why: str, restorable_to: int) -> BackupDamagedError:
    return BackupDamagedError(
        f"The journal of store {way.store!r} cannot be replayed on backup {way.base.id}: {why}. "
        f"It can be restored up to {shown_moment(restorable_to)}.",
        store=way.store,
        backup=way.base.id,
        restorable_to=restorable_to,
    )
