"""The journal of a store: every change since recording was switched on, in the order of commits.

Triggers write the changes, whoever makes them. A Recorder ends each commit with a row that says
when it was; rows that it finds without one were another program's and are ended as such.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from dsfactory.engine import Connection, Database, Reading, Row, Transaction
from dsfactory.profiles import journal as profile
from dsfactory.profiles.journal import recording_triggers

COMMIT = "commit"
OTHER = "other"
"""Ends what another program wrote; its moment is when we found it, at the latest."""
BEGIN = "begin"
"""Begins a lineage: cell a is its name, cell b the file's revision."""
END = "end"
"""Recording was switched off; what came after is not known."""

LAST = "SELECT seq, op, at FROM journal ORDER BY seq DESC LIMIT 1"

# Nothing changed: nothing is written.
MARK = """
INSERT INTO journal (op, at)
SELECT 'commit', ?1 WHERE (SELECT max(seq) FROM journal) > ?2
"""

MARK_OTHER = "INSERT INTO journal (op, at) VALUES ('other', ?1)"

MARK_BEGIN = """
INSERT INTO journal (op, at, a, b)
SELECT 'begin', max(?1, coalesce((SELECT max(at) FROM journal), 0)), ?2, user_version
FROM pragma_user_version
"""

MARK_END = """
INSERT INTO journal (op, at)
SELECT 'end', max(?1, coalesce((SELECT max(at) FROM journal), 0))
"""

EXISTS = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'journal'"

LINEAGES = "SELECT seq, a FROM journal WHERE op = 'begin' ORDER BY seq"

LAST_MARK = """
SELECT at FROM journal WHERE op IN ('begin', 'commit', 'other', 'end') ORDER BY seq DESC LIMIT 1
"""

# What was shipped already is gone, but for the row at which it ended.
UNSHIPPED = """
SELECT 1 FROM journal WHERE op NOT IN ('begin', 'commit', 'other', 'end') LIMIT 1
"""

# Rows after ?1 up to ?2, of about ?3 bytes in all, and one at least.
CUT = """
SELECT coalesce(max(seq) FILTER (WHERE total <= ?3), min(seq)) FROM (
  SELECT seq, sum(64 + coalesce(octet_length(b), 0) + coalesce(octet_length(c), 0)
    + coalesce(octet_length(g), 0) + coalesce(octet_length(h), 0)
    + coalesce(octet_length(k), 0)) OVER (ORDER BY seq) AS total
  FROM (SELECT * FROM journal WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT 20000)
)
"""

ROWS = """
SELECT seq, op, at, a, b, c, d, e, f, g, h, i, j, k FROM journal
WHERE seq > ?1 AND seq <= ?2 ORDER BY seq
"""

# The last lineage's first row stays, for its name; row ?1 stays, for its number.
TRIM = """
DELETE FROM journal
WHERE seq < ?1 AND seq <> (SELECT max(seq) FROM journal WHERE op = 'begin')
"""

FORGET = "DELETE FROM journal"

# Of a lineage that begins at ?1: the row at which shipping ended, or the first one.
OLDEST = "SELECT min(seq) FROM journal WHERE seq > ?1"

ONE_ROW = """
SELECT seq, op, at, a, b, c, d, e, f, g, h, i, j, k FROM journal WHERE seq = ?1
"""

MOMENT = "SELECT max(at) FROM journal WHERE seq <= ?1"

DROP_TABLE = "DROP TABLE IF EXISTS journal"
# A name cannot be bound; it is one of ours, or begins like them.
DROP_TRIGGER = 'DROP TRIGGER IF EXISTS "{}"'

MARKS = frozenset({COMMIT, OTHER, BEGIN, END})


class Writing(Protocol):
    """Anything that runs statements: a transaction, or a connection inside of one."""

    def rows(self, sql: str, parameters: Sequence[Any] = (), /) -> list[Row]:
        """Run one statement; return all rows that it gives."""
        ...


class Held(NamedTuple):
    """What a store has of its journal."""

    lineage: str
    after: int
    """The rows that follow this number are all there."""
    seq: int
    """The last row."""


class Position(NamedTuple):
    """Where a journal, or a copy of its store, stands."""

    lineage: str
    seq: int
    at: int
    """When the last commit was that it holds; milliseconds since the epoch."""

    def __str__(self) -> str:
        return f"{self.lineage}:{self.seq}:{self.at}"

    @classmethod
    def parsed(cls, text: str) -> Position:
        """Return the position that str() gave; raise ValueError for anything else."""
        lineage, seq, at = text.split(":")
        return cls(lineage, int(seq), int(at))


class Plain:
    """A connection in the stead of a transaction: for copies, and for upgrades."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, parameters: Sequence[Any] = (), /) -> list[Row]:
        """Run one statement; return all rows that it gives."""
        return self._connection.execute(sql, parameters).fetchall()


class Recorder:
    """Ends every commit of a database in its journal."""

    def __init__(self, now: Callable[[], int]) -> None:
        """*now* is read once a commit, as late as can be."""
        self._now = now
        self._seq = 0
        self._at = 0

    def begun(self, transaction: Transaction) -> None:
        """Find where the journal ends; end what others wrote since."""
        ((self._seq, op, self._at),) = transaction.rows(LAST)
        if op not in MARKS:
            ((at,),) = transaction.rows(LAST_MARK)
            self._at = max(self._now(), at)
            transaction.run(MARK_OTHER, (self._at,))
            self._seq += 1

    def committing(self, transaction: Transaction) -> None:
        """End what this transaction changed, with the time at which it commits."""
        # Times never go back in the journal, whatever the clocks of several processes do.
        transaction.run(MARK, (max(self._now(), self._at), self._seq))


# -- switching it on and off


def recording(reading: Reading) -> bool:
    """Whether the file records its changes at present."""
    return bool(reading.rows(profile.RECORDING))


def begin(database: Database, features: Iterable[str]) -> None:
    """Record every change from now on, whoever makes it; nothing happens when that is so already.

    A lineage says nothing of what was before it: a backup has to be taken for it to begin with.
    """
    wanted = recording_triggers(features)
    if dict(database.rows(profile.RECORDING)) == wanted:
        return
    with database.write() as tx:
        if dict(tx.rows(profile.RECORDING)) != wanted:  # nobody else did it meanwhile
            _begin(tx, wanted)


def _begin(tx: Transaction, triggers: Mapping[str, str]) -> None:
    _drop_triggers(tx)
    tx.run(profile.JOURNAL)
    for trigger in triggers.values():
        tx.run(trigger)
    tx.run(MARK_BEGIN, (tx.now, os.urandom(4).hex()))


def restart(database: Database, features: Iterable[str]) -> None:
    """Begin a new lineage without what was recorded so far: the file took another way since."""
    with database.write() as tx:
        tx.run(FORGET)
        _begin(tx, recording_triggers(features))


def end(writing: Writing, now: int) -> None:
    """Record no further change; what is recorded stays until it was shipped."""
    if writing.rows(profile.RECORDING):
        _drop_triggers(writing)
        writing.rows(MARK_END, (now,))


def forget(writing: Writing) -> None:
    """Leave nothing of a journal: in a copy that begins a life of its own."""
    _drop_triggers(writing)
    writing.rows(DROP_TABLE)


def _drop_triggers(writing: Writing) -> None:
    for name, _ in writing.rows(profile.RECORDING):
        writing.rows(DROP_TRIGGER.format(name.replace('"', '""')))


# -- what it holds


def lineages(reading: Reading) -> list[tuple[int, str]]:
    """Return where each lineage begins and its name, in order; none of a store without journal."""
    if not reading.rows(EXISTS):
        return []
    return [(int(seq), str(name)) for seq, name in reading.rows(LINEAGES)]


def position(reading: Reading) -> Position | None:
    """Return where the store, or a copy of it, stands; None when its changes are not recorded."""
    known = lineages(reading)
    if not known or not recording(reading):
        return None
    ((seq, _, _),) = reading.rows(LAST)
    ((at,),) = reading.rows(LAST_MARK)
    return Position(known[-1][1], int(seq), int(at))


def held(reading: Reading) -> Held | None:
    """Return which rows the store has; None when its changes are not recorded."""
    known = lineages(reading)
    if not known or not recording(reading):
        return None
    first, lineage = known[-1]
    ((seq, _, _),) = reading.rows(LAST)
    return Held(lineage, shipped_before(reading, first), int(seq))


def shipped_before(reading: Reading, first: int) -> int:
    """Return up to where the lineage that begins with row *first* was trimmed."""
    ((oldest,),) = reading.rows(OLDEST, (first,))
    # A lineage that was never trimmed goes on with the next number.
    return first if oldest is None or oldest == first + 1 else int(oldest)


def row(reading: Reading, seq: int) -> Row | None:
    """Return one row of the journal."""
    rows = reading.rows(ONE_ROW, (seq,))
    return rows[0] if rows else None


def moment(reading: Reading, seq: int) -> int:
    """Return when the last commit was that ended at row *seq* or before; 0 when there is none."""
    ((at,),) = reading.rows(MOMENT, (seq,))
    return int(at or 0)


def unshipped(reading: Reading) -> bool:
    """Whether there are changes that were not shipped."""
    return bool(reading.rows(EXISTS)) and bool(reading.rows(UNSHIPPED))


def batches(reading: Reading, after: int, upto: int, size: int) -> Iterator[list[Row]]:
    """Yield the rows after *after* up to *upto*, about *size* bytes at a time."""
    while after < upto:
        ((cut,),) = reading.rows(CUT, (after, upto, size))
        if cut is None:
            return
        yield reading.rows(ROWS, (after, cut))
        after = cut


def trim(database: Database, shipped: int) -> None:
    """Forget the rows before number *shipped*."""
    with database.write() as tx:
        tx.run(TRIM, (shipped,))
