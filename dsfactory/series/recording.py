"""Recording: what is checked, collected, and left to be committed a window later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from numpy.typing import ArrayLike

from dsfactory.checks import checked_choice
from dsfactory.clock import END_OF_TIME
from dsfactory.engine import Database
from dsfactory.errors import DataStoreError, SampleRefusedError, SeriesConflictError
from dsfactory.options import StoreOptions
from dsfactory.series.catalogue import Cache, Catalogue
from dsfactory.series.collecting import MAX_PENDING, Collector, Pot
from dsfactory.series.flushing import Flusher
from dsfactory.series.names import TYPES, Identity
from dsfactory.series.samples import checked_time, checked_value, columns

ROWS_AT_ONCE = 65_536
"""Rows that are gathered before they are collected: so the window and the bound of memory hold."""

Row = tuple[str, Mapping[str, str] | None, int | datetime | None, float]


class Recorder:
    """Takes samples. Safe to share between threads."""

    def __init__(
        self, database: Database, options: StoreOptions, now: Callable[[], int], name: str
    ) -> None:
        self.options = options
        self.now_ms = now
        """The store's time."""
        self.name = name
        self.failure: DataStoreError | None = None
        """Why the last flush in the background failed; None once it was told to somebody."""
        self.trouble: str | None = None
        """What the last flush failed of; None when it went well."""
        self.cache = Cache()
        self._database = database
        self._collector = Collector(name)
        self._flusher = Flusher(self, options.write_window)

    # -- samples

    def record(
        self,
        name: str,
        value: float,
        labels: Mapping[str, str] | None = None,
        at: int | datetime | None = None,
    ) -> None:
        """Collect one sample; it is committed within the window."""
        collector = self._collector
        pot = self._found(name, labels)
        if at is None:
            at = self.now_ms()
        elif type(at) is not int or not 0 <= at <= END_OF_TIME:
            at = checked_time(at)
        if type(value) is not float:
            value = checked_value(value)
        if self.failure is not None or collector.pending >= MAX_PENDING:
            self._make_way()
        if collector.add(pot, at, value):
            self._flusher.ring()

    def record_columns(
        self,
        who: Identity,
        values: ArrayLike,
        times: ArrayLike | Sequence[datetime],
        *,
        kind: str = "unknown",
        unit: str = "",
    ) -> int:
        """Collect many samples of one series; return how many. All of them or none are taken."""
        samples = columns(values, times)
        if not len(samples.times):
            return 0
        pot = self.pot(who, kind=kind, unit=unit)
        self._make_way()
        if self._collector.add_part(pot, samples):
            self._flusher.ring()
        if self._collector.pending >= MAX_PENDING:
            self._make_way()
        return len(samples.times)

    def record_rows(self, rows: Iterable[Row]) -> int:
        """Collect rows of (name, labels, at, value); return how many.

        What is raised on the way, by a refused row or by *rows* itself, leaves the rows before it
        taken; an error of ours has the number of the first that was not in facts["row"].
        """
        count = 0
        remaining = iter(rows)
        while True:
            found, number, refused = self._gathered(remaining)
            try:
                self._add_all(found)
            except DataStoreError as error:
                error.facts["row"] = count
                raise
            count += number
            if isinstance(refused, DataStoreError):
                refused.facts["row"] = count
            if refused is not None:
                raise refused
            if number < ROWS_AT_ONCE:
                return count

    def _gathered(
        self, rows: Iterator[Row]
    ) -> tuple[dict[Pot, list[float]], int, Exception | None]:
        """Return the samples of the next rows by series, how many, and what ended them early."""
        found: dict[Pot, list[float]] = {}
        count = 0
        try:
            for row in islice(rows, ROWS_AT_ONCE):
                pot, at, value = self._checked_row(row)
                flat = found.get(pot)
                if flat is None:
                    found[pot] = [at, value]
                else:
                    flat += (at, value)
                count += 1
        except Exception as error:  # noqa: BLE001 -- raised when the rows before it were taken
            return found, count, error
        return found, count, None

    def _checked_row(self, row: Row) -> tuple[Pot, int, float]:
        try:
            name, labels, at, value = row
        except (TypeError, ValueError):
            raise SampleRefusedError("A row has to be (name, labels, at, value).") from None
        pot = self._found(name, labels)
        if type(at) is not int or not 0 <= at <= END_OF_TIME:
            at = self.now_ms() if at is None else checked_time(at)
        return pot, at, value if type(value) is float else checked_value(value)

    def _found(self, name: str, labels: Mapping[str, str] | None) -> Pot:
        collector = self._collector
        try:
            pot = collector.by_key.get((name, *labels.items()) if labels else name)
        except (TypeError, AttributeError):  # nothing that was ever taken
            pot = None
        return pot if pot is not None else collector.pot(name, labels)

    def _add_all(self, found: Mapping[Pot, list[float]]) -> None:
        self._make_way()
        if self._collector.add_all(found):
            self._flusher.ring()

    def collect(self, pot: Pot, at: int, value: float) -> None:
        """Collect one checked sample: what instruments do at a flush."""
        self._collector.add(pot, at, value)

    def pot(self, who: Identity, *, kind: str = "unknown", unit: str = "") -> Pot:
        """Return where samples of a series are collected; kept with the series: type and unit.

        Raises SeriesConflictError when the series has another type or unit already.
        """
        checked_choice("type", kind, TYPES)
        pot = self._collector.pot(who.name, dict(who.labels))
        if (kind, unit) == ("unknown", ""):
            return pot
        if (pot.type, pot.unit) == ("unknown", ""):
            with self._database.snapshot() as snapshot:
                known = Catalogue(snapshot, self.cache).find(who)
            if known is not None:
                pot.type, pot.unit = known.type, known.unit
        for word, there, asked in (("type", pot.type, kind), ("unit", pot.unit, unit)):
            if there not in ("unknown", "", asked) and asked not in ("unknown", ""):
                raise SeriesConflictError(
                    f"The series {who} has the {word} {there!r}, not {asked!r}. Use that, or "
                    "another name.",
                    series=str(who),
                )
        described = (kind if pot.type == "unknown" else pot.type, pot.unit or unit)
        if described != (pot.type, pot.unit):
            pot.type, pot.unit = described
            pot.generation = -1
        return pot

    # -- leaving it to a flush

    @property
    def pending(self) -> int:
        """How many samples wait for their commit."""
        return self._collector.pending

    def wake(self) -> None:
        """Let the window begin: something waits."""
        self._flusher.ring()

    def commit(self, *, durable: bool = False, last: bool = False) -> int:
        """Commit everything that was collected; return how many samples."""
        raise NotImplementedError

    def flush_quietly(self) -> bool:
        """Commit for nobody in particular; keep the failure for the next who calls."""
        try:
            self.commit()
        except DataStoreError as error:
            self.failure = error
            self.trouble = str(error)
            return False
        return True

    def _make_way(self) -> None:
        """Tell of a failed flush; commit when too much waits. Then nothing was taken."""
        failure, self.failure = self.failure, None
        if failure is not None:
            raise type(failure)(
                f"Samples recorded before could not be written: {failure.message}", **failure.facts
            )
        if self._collector.pending >= MAX_PENDING:
            self.commit()
