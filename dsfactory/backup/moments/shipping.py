"""The journal of a store outside of the store: moved to where backups are kept, and trimmed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from dsfactory.backup.moments.segments import SEGMENT_BYTES, Folder, Segment
from dsfactory.backup.snapshot import Subject
from dsfactory.engine import Database, Reading, Row
from dsfactory.errors import BackupAbsentError, BackupDamagedError, BackupSealedError
from dsfactory.stores import journal


class Shipped(NamedTuple):
    """What was moved out of a store."""

    segments: int = 0
    rows: int = 0
    bytes: int = 0
    restarted: bool = False
    """The store was put back to an earlier state past us; a new lineage begins."""


class Part(NamedTuple):
    """Rows of one lineage that are to be moved."""

    lineage: str
    after: int
    upto: int


def ship(folder: Folder, subject: Subject, now: Callable[[], int]) -> Shipped:
    """Move what the store's journal holds into *folder*; nothing to move costs two queries.

    Killed at any moment, every row is in the store, in the folder, or in both. Raises
    BackupPlaceError when it cannot be kept: it stays in the store then.
    """
    with _opened(subject, now) as database:
        if not journal.unshipped(database):
            return Shipped()
        database.join(journal.Recorder(now))
        seq, until = _end(database)
        known = folder.segments()
        with database.snapshot() as reading:
            forked = _forked(reading, folder, known)
            if not forked:
                keeper = _Keeper(folder, known)
                keeper.move(reading, list(_parts(reading, known, seq)), until)
        if forked:
            journal.restart(database, subject.record.options.features)
            return Shipped(restarted=True)
        journal.trim(database, seq)
        return keeper.shipped


def held_by(subject: Subject, now: Callable[[], int]) -> journal.Held | None:
    """Return which rows of its journal the store has itself; None when it records nothing."""
    with _opened(subject, now) as database:
        return journal.held(database)


@contextlib.contextmanager
def _opened(subject: Subject, now: Callable[[], int]) -> Iterator[Database]:
    database = Database(subject.path, subject.settings, clock=now)
    try:
        yield database
    finally:
        database.close()


def _end(database: Database) -> tuple[int, int]:
    """Return the last row, and the last moment of which nothing can be missing up to there."""
    with database.write() as tx:  # ends what other programs wrote; nobody is amid a commit
        ((seq, _, _),) = tx.rows(journal.LAST)
        ((at,),) = tx.rows(journal.LAST_MARK)
        # Somebody may yet commit in the millisecond that is now.
        return int(seq), max(int(at), tx.now) - 1


def _parts(reading: Reading, known: Sequence[Segment], upto: int) -> Iterator[Part]:
    begins = journal.lineages(reading)
    ends = [*(first - 1 for first, _ in begins[1:]), upto]
    for (first, lineage), last in zip(begins, ends, strict=True):
        done = _last(known, lineage)
        yield Part(lineage, max(done, journal.shipped_before(reading, first)), last)


def _last(known: Iterable[Segment], lineage: str) -> int:
    return max((s.last for s in known if s.lineage == lineage), default=0)


def _forked(reading: Reading, folder: Folder, known: Sequence[Segment]) -> bool:
    """Whether what was shipped of the lineage is not what the store remembers of it.

    So it is after somebody put an older copy of the file in its place.
    """
    there = journal.held(reading)
    shipped = [s for s in known if there is not None and s.lineage == there.lineage]
    if there is None or not shipped:
        return False
    newest = max(shipped, key=lambda s: s.last)
    if newest.last <= there.after:
        return False  # as we left it; if segments were lost, that is another matter
    ours = journal.row(reading, newest.last)  # killed before trimming, or forked
    if ours is None:
        return True
    try:
        return tuple(folder.read(newest)[-1]) != tuple(ours)
    except (BackupAbsentError, BackupDamagedError, BackupSealedError):
        # Whoever only seals cannot open it. A file that took another way has commits there that
        # are later than the segment.
        return journal.moment(reading, newest.last) > newest.until + 1


class _Keeper:
    """Writes one segment after the other."""

    def __init__(self, folder: Folder, known: Iterable[Segment]) -> None:
        self._folder = folder
        self._known = list(known)
        self.shipped = Shipped()

    def move(self, reading: Reading, parts: Sequence[Part], until: int) -> None:
        """Keep the rows of all *parts*; after the last of them nothing is missing up to *until*."""
        for part in parts:
            for rows in journal.batches(reading, part.after, part.upto, SEGMENT_BYTES):
                last = part is parts[-1] and rows[-1][0] == part.upto
                self._keep(part.lineage, rows, until if last else self._until(part.lineage, rows))

    def _keep(self, lineage: str, rows: Sequence[Row], until: int) -> None:
        segment = Segment(lineage, rows[0][0], rows[-1][0], max(until, 0))
        written = self._folder.write(segment, rows)
        self._known.append(segment)
        before = self.shipped
        self.shipped = Shipped(before.segments + 1, before.rows + len(rows), before.bytes + written)

    def _until(self, lineage: str, rows: Sequence[Row]) -> int:
        """Return how far rows go that others follow."""
        for row in reversed(rows):
            if row[1] in journal.MARKS:
                return int(row[2]) - 1  # another commit of that millisecond may follow
        return max((s.until for s in self._known if s.lineage == lineage), default=0)
