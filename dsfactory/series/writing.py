"""One flush: what was collected goes into the file, within one transaction."""

from __future__ import annotations

from dsfactory.engine import Transaction
from dsfactory.errors import SeriesLimitError
from dsfactory.series import journal, sql
from dsfactory.series.arrays import np
from dsfactory.series.collecting import Pot, Taken, as_samples
from dsfactory.series.journal import Ids, JournalCache
from dsfactory.series.samples import Samples, ascending, concatenated
from dsfactory.series.sealing import Sealer

AT_ONCE = 64
"""So many samples of a series in one flush become a block at once. Fewer go into the journal."""


class Writing:
    """Writes the samples of several series within one transaction."""

    def __init__(
        self, tx: Transaction, sealer: Sealer, cache: JournalCache, *, max_series: int
    ) -> None:
        self._tx = tx
        self._sealer = sealer
        self._cache = cache
        self._max_series = max_series
        ((self._generation, _),) = tx.rows(sql.STATE)
        self._room: int | None = None
        self._journal: list[tuple[Ids, Samples]] = []
        self.sealed = False
        """Whether there are new blocks."""
        self.refused: SeriesLimitError | None = None
        """Why samples of some series were dropped, when there was no room for more series."""

    def write(self, taken: list[Taken]) -> None:
        """Write everything but the samples of series that there is no room for."""
        direct: list[tuple[int, Samples]] = []
        few: list[tuple[int, list[float]]] = []
        for portion in taken:
            try:
                self._resolve(portion.pot)
            except SeriesLimitError as error:
                self.refused = error
                continue
            if portion.parts or len(portion.flat) >= 2 * AT_ONCE:
                self._sort_out(portion.pot.id, portion.samples(), direct)
            else:  # the common case, without an array for each series
                few.append((portion.pot.id, portion.flat))
        if direct:
            self._seal(direct)
        if few:
            self._journal.append(_as_one(few))
        if self._journal:
            ids = np.concatenate([ids for ids, _ in self._journal])
            journal.write(self._tx, ids, concatenated([samples for _, samples in self._journal]))

    def _sort_out(self, series: int, samples: Samples, direct: list[tuple[int, Samples]]) -> None:
        if len(samples.times) >= AT_ONCE:
            direct.append((series, samples))
        elif len(samples.times):
            self._note(series, samples)

    def _note(self, series: int, samples: Samples) -> None:
        self._journal.append((np.full(len(samples.times), series, np.int32), samples))

    def _seal(self, direct: list[tuple[int, Samples]]) -> None:
        """Put what is much into blocks; where the journal would win over it, there as well."""
        ((first, last),) = self._tx.rows(sql.JOURNAL_SPAN)
        for series, samples in direct:
            fresh = ascending(samples)
            left = self._sealer.seal(series, fresh)
            self.sealed = True
            if len(left.times):
                self._note(series, left)
            if first is not None and fresh.times[0] <= last and fresh.times[-1] >= first:
                self._override(series, fresh)

    def _override(self, series: int, fresh: Samples) -> None:
        older = self._cache.at(self._tx).of(series)
        if len(older.times):
            newer = fresh.between(int(older.times[0]), int(older.times[-1]) + 1)
            if len(newer.times):
                self._note(series, newer)

    def _resolve(self, pot: Pot) -> None:
        """Find or make the row of the series."""
        if pot.id and pot.generation == self._generation:
            return
        # Before its type and unit are read: who changes them meanwhile asks for another look.
        pot.id, pot.generation = 0, self._generation
        who = pot.identity
        rows = self._tx.rows(sql.FIND, (who.name, who.text))
        if rows:
            pot.id, kind, unit = rows[0]
            self._describe(pot, kind, unit)
        else:
            self._require_room()
            row = (who.name, who.text, pot.type, pot.unit, self._tx.now)
            ((pot.id,),) = self._tx.rows(sql.ADD_SERIES, row)

    def _describe(self, pot: Pot, kind: str, unit: str) -> None:
        """Add what the row does not say yet; what it says stays (see SeriesEngine.pot)."""
        described = (pot.type if kind == "unknown" else kind, unit or pot.unit)
        if described != (kind, unit):
            self._tx.run(sql.DESCRIBE, (pot.id, *described))
            self._tx.run(sql.BUMP)

    def _require_room(self) -> None:
        if self._room is None:
            ((count,),) = self._tx.rows(sql.COUNT)
            self._room = self._max_series - count
        if self._room <= 0:
            raise SeriesLimitError(
                f"The store holds {self._max_series} series, as many as max_series allows. Record "
                "fewer different labels, or raise the limit; samples of known series are taken.",
                max_series=self._max_series,
            )
        self._room -= 1


def _as_one(few: list[tuple[int, list[float]]]) -> tuple[Ids, Samples]:
    together: list[float] = []
    for _, flat in few:
        together += flat
    ids = np.array([series for series, _ in few], np.int32)
    return np.repeat(ids, [len(flat) // 2 for _, flat in few]), as_samples(together)
