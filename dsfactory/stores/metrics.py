"""MetricsStore: typed entries that expire, and numeric series beside them in the same file."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from dsfactory.errors import ClosedError
from dsfactory.model import Probe, StoreStats, Violation
from dsfactory.series import sql
from dsfactory.stores.asking import Asking
from dsfactory.stores.core import StoreParts
from dsfactory.stores.exchanging import Exchanging
from dsfactory.stores.store import DataStore

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from dsfactory.series.engine import SeriesEngine
    from dsfactory.series.instruments import Counter, Gauge, Histogram

T = TypeVar("T")

ROW_BYTES = 20
"""About what a sample takes that is not sealed yet."""

Labels = Mapping[str, str] | None


class MetricsStore(Asking, Exchanging, DataStore[T]):
    """High-volume samples and events that expire by themselves (after 30 days).

    Events are entries, as in every store. Samples belong to series: a name such as
    "http_requests" with labels such as {"route": "/x"}, a 64-bit float at every millisecond at
    most. They are collected and committed within *write_window* (1 s): a killed process loses what
    it recorded since, unless it waited with ``durable=True`` or flush(). Several processes may
    record into one store. Needs the extra ``dsfactory[metrics]`` from the first sample on.
    """

    def __init__(self, parts: StoreParts[T]) -> None:
        super().__init__(parts)
        self._engine: SeriesEngine | None = None
        self._first_use = threading.Lock()
        self._closing = False

    @property
    def _series(self) -> SeriesEngine:
        engine = self._engine
        return engine if engine is not None else self._make_engine()

    def _make_engine(self) -> SeriesEngine:
        from dsfactory.series.engine import SeriesEngine

        with self._first_use:
            if self.closed or self._closing:
                raise ClosedError(f"The store {self.name!r} is closed. Open it again.")
            if self._engine is None:
                self._engine = SeriesEngine(self._database, self.options, self._now, self.name)
            return self._engine

    # -- recording

    def record(
        self,
        name: str,
        value: float,
        *,
        labels: Labels = None,
        at: int | datetime | None = None,
        durable: bool = False,
    ) -> None:
        """Record one sample, at milliseconds since the epoch, a datetime, or now.

        Of several samples of a series at one millisecond the last one wins, and one may come
        late. NaN and infinities are taken; an int beyond 2^53 only where a float holds it
        exactly; -0.0 reads back as 0.0. With *durable* this returns when the sample is on disk.

        Raises SeriesNameError, LabelError, SampleRefusedError, or SeriesLimitError when the store
        holds max_series others; and once, what made an earlier commit in the background fail:
        then this sample was not taken, and those before are still tried. What makes a *durable*
        commit fail is raised too, and the sample still tried; inside of a transaction, where none
        is possible, TransactionError is raised and the sample not taken.
        """
        engine = self._engine
        if engine is None:
            engine = self._make_engine()
        if durable:
            engine.refuse_in_transaction()
        engine.record(name, value, labels, at)
        if durable:
            engine.flush(durable=True)

    def record_many(
        self,
        name: str,
        values: ArrayLike,
        *,
        labels: Labels = None,
        at: ArrayLike | Sequence[datetime],
        durable: bool = False,
    ) -> int:
        """Record many samples of one series from two columns; return how many.

        The columns are sequences or numpy arrays of one length: numbers, and times as in
        record() or datetime64. They are copied. All of them are taken or, with the errors of
        record(), none.
        """
        from dsfactory.series.names import identity

        if durable:
            self._series.refuse_in_transaction()
        count = self._series.record_columns(identity(name, labels), values, at)
        if durable:
            self._series.flush(durable=True)
        return count

    def record_rows(
        self,
        rows: Iterable[tuple[str, Labels, int | datetime | None, float]],
        *,
        durable: bool = False,
    ) -> int:
        """Record samples of any series from rows of (name, labels, at, value); return how many.

        A refused row raises as record() does, with its number (from 0) in facts["row"]; the rows
        before it are taken.
        """
        if durable:
            self._series.refuse_in_transaction()
        count = self._series.record_rows(rows)
        if durable:
            self._series.flush(durable=True)
        return count

    def counter(self, name: str, *, labels: Labels = None, unit: str = "") -> Counter:
        """Return the counter of a series; it rises by inc() and gives a sample a window.

        Type and unit stay with the series: SeriesConflictError when it has others.
        """
        return self._series.instruments.counter(name, labels, unit)

    def gauge(self, name: str, *, labels: Labels = None, unit: str = "") -> Gauge:
        """Return the gauge of a series; set() and inc() change it, a window gives a sample."""
        return self._series.instruments.gauge(name, labels, unit)

    def histogram(
        self,
        name: str,
        buckets: Sequence[float] | None = None,
        *,
        labels: Labels = None,
        unit: str = "",
    ) -> Histogram:
        """Return the histogram of a name and labels; observe() counts a value in its bucket.

        *buckets* are upper bounds, inclusive and ascending; without them, Prometheus' standard for
        seconds (0.005 to 10). The samples are the series NAME_bucket, NAME_sum and NAME_count.
        """
        return self._series.instruments.histogram(name, labels, unit, buckets)

    def timer(self, name: str, *, labels: Labels = None) -> AbstractContextManager[object]:
        """Return a context manager that observes how long its block took, in seconds, in the
        histogram *name*.
        """
        return self._series.instruments.histogram(name, labels, "seconds", None).time()

    def flush(self, *, durable: bool = False) -> int:
        """Commit what was collected, and the sets that wait because of write_behind.

        Return how many samples and sets. With *durable*, the samples are on the disk then.

        Raises TransactionError inside of a transaction, whose rollback would take them along.
        """
        sets = super().flush()
        return sets if self._engine is None else sets + self._engine.flush(durable=durable)

    # -- looking after the series

    def maintain_series(self, *, stopping: Callable[[], bool] = lambda: False) -> tuple[int, int]:
        """Seal the journal into blocks when it is long or an hour old, roll up, then drop whole
        blocks whose samples have all outlived the ttl, and the oldest beyond max_bytes; return of
        how many series samples were sealed, and how many samples were dropped. A step that fails
        raises when all have been tried. Maintenance calls this.
        """
        if not self.has_series():
            return 0, 0
        engine = self._series
        try:
            sealed = engine.seal(stopping)
        finally:  # what fails in one step, as on a full disk, must not keep what is past its time
            try:
                engine.roll_up(stopping)
            finally:
                dropped = engine.expire(stopping)
        return sealed, dropped

    def has_series(self) -> bool:
        """Whether the file holds any series; costs a look at one page."""
        return bool(self._database.rows(sql.ANY))

    def stats(self) -> StoreStats:
        """Return what the store holds and has done, without reading its entries or samples."""
        series, recent, blocks, sealed, block_bytes, _, _, rollup_bytes = self._database.rows(
            sql.STATISTICS
        )[0]
        return dataclasses.replace(
            super().stats(),
            series=series,
            samples=recent + sealed,
            blocks=blocks,
            series_bytes=block_bytes + rollup_bytes + ROW_BYTES * recent,
        )

    def check(self) -> list[Violation]:
        """Return every broken invariant: of the file, of the bookkeeping, of each value and block.

        Reads the whole store; an empty list means that all is well.
        """
        found = super().check()
        if not self.has_series():
            return found
        from dsfactory.series.checking import violations

        return [*found, *violations(self._database)]

    def own_probes(self) -> list[Probe]:
        """Return how recording goes in this process."""
        engine = self._engine
        if engine is None:
            return []
        if engine.trouble is not None:
            detail = f"{engine.pending} samples wait: {engine.trouble}"
            return [Probe("recording", ok=False, detail=detail)]
        return [Probe("recording", ok=True, detail=f"{engine.pending} samples wait")]

    # -- the end

    def close(self) -> None:
        """Commit what was recorded and close the file; a second close does nothing.

        When the commit fails the file is closed all the same, and the error raised: the samples
        of the last window are lost.
        """
        if self.in_transaction:
            super().close()  # refuses
        with self._first_use:
            self._closing = True  # or another thread would make a second engine
            engine = self._engine
        try:
            if engine is not None:
                engine.close()
        finally:
            super().close()
