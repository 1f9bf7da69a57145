"""Payloads in the file: cut into pieces that fill their pages, appended in the order of sealing.

A block of 2,400 bytes in a row of its own would have a page of 4,096 to itself. Cut into rows of
about 500 bytes, eight of which share a page, a payload wastes a twelfth (scripts/bench/metrics).
Rows are only ever added at the end of the table and deleted, mostly at its beginning: SQLite then
leaves full pages behind, and frees whole ones. What will be merged with more, and so deleted soon,
is a draft and lies in a table of its own; in one table, a quarter of its pages stood empty.

The number of a first piece is negative where the payload is a draft.
"""

from __future__ import annotations

from collections.abc import Iterable

from dsfactory.engine import Reading, Transaction
from dsfactory.errors import CorruptError
from dsfactory.series import sql

PIECE_BYTES = 500

Place = tuple[int, int]
"""The number of the first piece, and how many there are."""


class Writer:
    """Stores payloads within one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._next: dict[bool, int] = {}

    def write(self, payload: bytes, *, draft: bool) -> Place:
        """Store *payload*; a *draft* where it is short of lasting."""
        if draft not in self._next:
            ((self._next[draft],),) = self._tx.rows(sql.NEXT_DRAFT if draft else sql.NEXT_PIECE)
        first = self._next[draft]
        count = max(1, -(-len(payload) // PIECE_BYTES))
        size = -(-len(payload) // count)  # all of one size: the last would be a crumb otherwise
        rows = [(first + n, payload[n * size : (n + 1) * size]) for n in range(count)]
        self._tx.many(sql.ADD_DRAFT if draft else sql.ADD_PIECE, rows)
        self._next[draft] = first + count
        return (-first if draft else first), count


def read(reading: Reading, first: int, count: int) -> bytes:
    """Return the payload in these pieces; CorruptError when some are missing."""
    statement, start = (sql.PIECES, first) if first > 0 else (sql.DRAFTS, -first)
    rows = reading.rows(statement, (start, start + count))
    if len(rows) != count:
        raise CorruptError(f"{count - len(rows)} of {count} pieces from {first} on are missing.")
    return b"".join([data for (data,) in rows])


def drop(tx: Transaction, places: Iterable[Place]) -> None:
    """Delete the payloads at *places*."""
    settled, drafts = [], []
    for first, count in places:
        if first > 0:
            settled.append((first, first + count))
        else:
            drafts.append((-first, -first + count))
    tx.many(sql.DROP_PIECES, settled)
    tx.many(sql.DROP_DRAFTS, drafts)
