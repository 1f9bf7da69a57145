"""Dropping backups from a pack: their lists first, then the chunks that no list needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator

from dsfactory.backup.packs import sql
from dsfactory.backup.packs.lists import Run, decoded_list
from dsfactory.engine import Database, Row, Transaction, register
from dsfactory.errors import CorruptError

Rows = Callable[..., list[Row]]
"""Whatever answers a statement with its parameters."""

_AT_ONCE = 10_000

# Ids are not used again while higher ones live: of an old pack most are gone.
_SEGMENT = 65_536
_MARKED = re.compile(rb"\x01+")

# A frame has 14 bytes at least: a page of 8 KiB holds fewer.
_PER_PAGE = 1024


class Marks:
    """A yes or no for each chunk of a pack, a byte each where there are any."""

    def __init__(self, rows: Rows) -> None:
        ((self._last,),) = rows(sql.LAST_CHUNK)
        # A list that was changed may claim a run of any length; the file holds no more than this.
        ((pages,),) = rows(sql.PAGES)
        self._longest = pages * _PER_PAGE
        self._segments: dict[int, bytearray] = {}

    def mark(self, run: Run) -> None:
        """Mark a run; CorruptError when the pack cannot hold it."""
        at, end = run.first, run.first + run.length
        if end > self._last + 1 or run.length > self._longest:
            raise CorruptError("A list names chunks that the pack does not have.")
        while at < end:
            number, offset = divmod(at, _SEGMENT)
            stop = min(_SEGMENT, offset + end - at)
            segment = self._segments.setdefault(number, bytearray(_SEGMENT))
            segment[offset:stop] = b"\x01" * (stop - offset)
            at += stop - offset

    def __contains__(self, chunk: object) -> bool:
        if not isinstance(chunk, int):
            return False
        segment = self._segments.get(chunk // _SEGMENT)
        return segment is not None and segment[chunk % _SEGMENT] == 1

    def count(self) -> int:
        """Return how many are marked."""
        return sum(segment.count(1) for segment in self._segments.values())

    def unmarked(self) -> Iterator[tuple[int, int]]:
        """Yield the first and the last of each gap; there is no chunk 0."""
        at = 1
        for number in sorted(self._segments):
            for used in _MARKED.finditer(self._segments[number]):
                first = number * _SEGMENT + used.start()
                if first > at:
                    yield at, first - 1
                at = number * _SEGMENT + used.end()
        if at <= self._last:
            yield at, self._last


def remove_backups(pack: Database, tx: Transaction, backups: Collection[str]) -> None:
    """Remove the lists of *backups* and what nothing else needs; nothing where there are none.

    What a damaged list needs cannot be known: while one is left, all chunks stay.
    """
    ((before,),) = tx.rows(sql.COUNT)
    tx.many(sql.REMOVE_BACKUP, [(backup,) for backup in backups])
    ((left,),) = tx.rows(sql.COUNT)
    if left == before:
        return
    try:
        # As committed: nobody else writes now, and a damaged page would end the transaction.
        used = chunks_in_use(pack.committed_rows, without=backups)
    except CorruptError:
        return
    for gap in used.unmarked():
        tx.run(sql.REMOVE_CHUNKS, gap)
        tx.run(sql.REMOVE_DELTAS, gap)
    register(tx.connection, "in_use", lambda chunk: chunk in used, 1)
    tx.run(sql.REMOVE_DIGESTS)
    if not left:
        tx.run(sql.REMOVE_DICTIONARIES)
    tx.run(sql.GIVE_BACK)


def chunks_in_use(rows: Rows, *, without: Collection[str] = ()) -> Marks:
    """Mark every chunk that a backup needs, those *without* aside; CorruptError from a bad list."""
    used = Marks(rows)
    for number, backup in rows(sql.NUMBERED):
        if backup in without:
            continue
        for size_bytes, stored in rows(sql.LIST, (number,)):
            for run in decoded_list(stored, size_bytes).runs():
                used.mark(run)
    after = 0
    while deltas := rows(sql.DELTAS, (after, _AT_ONCE)):
        for chunk, base in deltas:
            if chunk in used:
                used.mark(Run(base, 1))  # which is no delta itself
        after = deltas[-1][0]
    return used
