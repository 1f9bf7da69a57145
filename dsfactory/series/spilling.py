"""The journal becomes blocks: in small transactions, each of which may be the last one.

Sealing a sample that stays in the journal changes nothing for any reader: the journal wins, with
the same value. So the series are sealed some at a time, and when all are, one transaction deletes
the rows. Killed in between, the next process begins again and comes to the same. What another
process sealed and deleted meanwhile must not be sealed again, over what came later: each
transaction begins by asking whether the rows are still there.
"""

from __future__ import annotations

from collections.abc import Callable

from dsfactory.engine import Database, Transaction
from dsfactory.series import journal, sql
from dsfactory.series.arrays import np
from dsfactory.series.journal import Journal, JournalCache
from dsfactory.series.samples import Samples, concatenated
from dsfactory.series.sealing import Sealer

SERIES_AT_ONCE = 32
"""Series that are sealed in one transaction: about 10 ms of the write lock."""


class Spill:
    """Seals the journal as it is when run() begins."""

    def __init__(
        self,
        database: Database,
        cache: JournalCache,
        sealer: Callable[[Transaction], Sealer],
    ) -> None:
        self._database = database
        self._cache = cache
        self._sealer = sealer
        self._left: list[tuple[int, Samples]] = []

    def run(self, stopping: Callable[[], bool]) -> int:
        """Seal everything; return of how many series, 0 when another process was faster."""
        with self._database.snapshot() as snapshot:
            found = self._cache.at(snapshot)
        portions = found.by_series()
        for start in range(0, len(portions), SERIES_AT_ONCE):
            if stopping():
                return 0
            with self._database.write() as tx:
                if not _still_there(tx, found):
                    return 0
                self._seal(tx, portions[start : start + SERIES_AT_ONCE])
        with self._database.write() as tx:
            if not _still_there(tx, found):
                return 0
            self._finish(tx, found)
        return len(portions)

    def _seal(self, tx: Transaction, portions: list[tuple[int, Samples]]) -> None:
        sealer = self._sealer(tx)
        for series, samples in portions:
            left = sealer.seal(series, samples)
            if len(left.times):
                self._left.append((series, left))

    def _finish(self, tx: Transaction, found: Journal) -> None:
        damaged = {error.facts["journal"] for error in found.damaged}
        sealed = [(number,) for number, _, _ in found.keys if number not in damaged]
        tx.many(sql.DROP_JOURNAL, sealed)
        if self._left:  # a damaged block holds their time: they stay, before all later rows
            ids = [np.full(len(s.times), series, np.int32) for series, s in self._left]
            samples = concatenated([samples for _, samples in self._left])
            journal.write(tx, np.concatenate(ids), samples, number=sealed[-1][0])


def _still_there(tx: Transaction, found: Journal) -> bool:
    keys = tx.rows(sql.JOURNAL_KEYS)
    return tuple(keys[: len(found.keys)]) == found.keys
