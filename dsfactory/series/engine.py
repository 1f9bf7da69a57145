"""SeriesEngine: the numeric series of one open store."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from dsfactory.checks import checked_choice
from dsfactory.engine import Database, Transaction, forks
from dsfactory.errors import DataStoreError, QueryError, SeriesLimitError, TransactionError
from dsfactory.options import StoreOptions
from dsfactory.series import retention, rolling, sql
from dsfactory.series.collecting import Taken
from dsfactory.series.instruments import Instruments
from dsfactory.series.journal import JournalCache
from dsfactory.series.matching import Matcher, matching
from dsfactory.series.names import checked_name
from dsfactory.series.planning import Question, named
from dsfactory.series.queries import answer
from dsfactory.series.reading import Reader
from dsfactory.series.recording import Recorder
from dsfactory.series.results import SeriesResult
from dsfactory.series.sealing import Sealer
from dsfactory.series.spilling import Spill
from dsfactory.series.writing import Writing

SEAL_AGE_MS = 3_600_000
"""The journal is sealed when its oldest row is older, however little is in it."""

JOURNAL_SAMPLES = 262_144
"""The journal is sealed when it holds as many: 5 MB, which a query looks through in 0.2 ms."""

SAMPLES_A_SERIES = 16
"""Or, with many series, this times their number; at most eight times as many."""

JOURNAL_ROWS = 4096
"""Or when so many flushes are in it."""

FORK_PATIENCE_S = 5
"""As long as the database itself waits for other threads at a fork."""


class _Committed(NamedTuple):
    """What one flush wrote."""

    samples: int
    long: bool = False
    """Whether the journal is so long by now that it has to be sealed."""
    refused: SeriesLimitError | None = None
    """Why samples of some series were dropped."""


class SeriesEngine(Recorder):
    """Records samples, seals them, and reads them back. Safe to share between threads."""

    def __init__(
        self, database: Database, options: StoreOptions, now: Callable[[], int], name: str
    ) -> None:
        super().__init__(database, options, now, name)
        self.instruments = Instruments(self)
        self._journal = JournalCache()
        self._flushing = threading.RLock()
        self._sealing = threading.RLock()
        self._committing = False
        self._unsynced = False
        self._held_for_fork = False
        forks.watch(self, owner=True)

    # -- committing

    def flush(self, *, durable: bool = False) -> int:
        """Commit everything that was collected; return how many samples.

        With *durable* the disk has them when this returns. Raises TransactionError inside of
        this thread's own transaction, whose rollback would take them along; and SeriesLimitError
        when there was no room for some series, whose samples are dropped, also when that was in
        the background before.
        """
        count = self.commit(durable=durable)
        dropped = self.failure
        if isinstance(dropped, SeriesLimitError):
            self.failure = None
            raise dropped
        return count

    def commit(self, *, durable: bool = False, last: bool = False) -> int:
        """Do what flush() does, without a look back; after the *last* one, samples are refused."""
        self.refuse_in_transaction()
        with self._flushing:
            self._committing = True  # before anything is taken: see reading()
            try:
                self.instruments.sample(self.now_ms())
                committed = self._commit(self._collector.take(last=last), durable=durable)
            finally:
                self._committing = False
        if committed.long:
            self._seal_quietly()
        if committed.refused is not None:
            raise committed.refused
        return committed.samples

    def refuse_in_transaction(self) -> None:
        """Raise TransactionError inside of this thread's own transaction."""
        if self._database.in_transaction:
            raise TransactionError(
                f"Samples of {self.name!r} cannot be flushed inside of a transaction: its rollback "
                "would undo them. Leave it first."
            )

    def _commit(self, taken: list[Taken], *, durable: bool) -> _Committed:
        if not taken:
            if durable:
                self._sync()
            return _Committed(0)
        try:
            with self._database.write(durable=durable) as tx:
                committed = self._write(tx, taken)
        except BaseException:
            for portion in taken:
                portion.pot.generation = -1  # ids that were made are gone again
            self._collector.give_back(taken)
            self._flusher.ring()
            raise
        self._unsynced = not durable
        self.trouble = None
        return committed

    def _write(self, tx: Transaction, taken: list[Taken]) -> _Committed:
        writing = Writing(tx, self.sealer(tx), self._journal, max_series=self.options.max_series)
        writing.write(taken)
        ((rows, samples, series, _),) = tx.rows(sql.JOURNAL_SIZE)
        if writing.sealed and self.options.max_bytes is not None:
            retention.fit(tx, self.options.max_bytes, self.options)
        count = sum(portion.size for portion in taken)
        return _Committed(count, self._long(rows, samples, series), writing.refused)

    def _seal_quietly(self) -> None:
        """Seal; what was committed before is safe, so a failure is only told to health.

        The next flush tries again, and so does maintenance, which raises it.
        """
        try:
            self.seal()
        except DataStoreError as error:
            self.trouble = f"what was committed could not be sealed: {error}"

    def _sync(self) -> None:
        """Bring onto the disk what the background committed before: with any durable commit."""
        if self._unsynced:
            with self._database.write(durable=True) as tx:
                tx.run(sql.TOUCH)
            self._unsynced = False

    # -- looking after what is stored

    def seal(
        self, stopping: Callable[[], bool] = lambda: False, *, everything: bool = False
    ) -> int:
        """Seal the journal when it is long or an hour old, or *everything*; return of how many
        series.
        """
        with self._sealing:
            ((rows, samples, series, since),) = self._database.rows(sql.JOURNAL_SIZE)
            old = rows and since < max(self.now_ms() - SEAL_AGE_MS, self.horizon() or 0)
            if not rows or not (everything or old or self._long(rows, samples, series)):
                return 0
            return Spill(self._database, self._journal, self.sealer).run(stopping)

    @staticmethod
    def _long(rows: int, samples: int, series: int) -> bool:
        # Where there are very many series, a block of one or two samples of each would be made.
        worthwhile = min(max(JOURNAL_SAMPLES, SAMPLES_A_SERIES * series), 8 * JOURNAL_SAMPLES)
        return rows >= JOURNAL_ROWS or samples >= worthwhile

    def expire(self, stopping: Callable[[], bool] = lambda: False) -> int:
        """Drop blocks whose samples have all outlived the ttl, and the oldest ones beyond
        max_bytes, rolled up before; drop rollups past their retention; forget series that hold
        nothing. Return how many samples went.

        In transactions of 500 blocks: whichever of them are done when the process is killed, no
        block is half gone.
        """
        went, cutoff = 0, rolling.floor(self.options, self.now_ms())
        while cutoff is not None and not stopping():
            with self._database.write() as tx:
                dropped = retention.drop_expired(tx, cutoff, self.options)
            if not dropped:
                break
            went += dropped
        if self.options.max_bytes is not None:
            with self._database.write() as tx:
                went += retention.fit(tx, self.options.max_bytes, self.options)
        if self.options.rollups:
            rolling.retain(self._database, self.options.rollups, self.now_ms(), stopping)
        self._forget_empty(stopping)
        return went

    def roll_up(self, stopping: Callable[[], bool] = lambda: False) -> int:
        """Make the rollups of all that was sealed since they were made; return of how many series.

        In transactions of one series and 32 blocks: whichever of them are done when the process
        is killed, every bucket is whole, or still noted to be made.
        """
        if not self.options.rollups:
            return 0
        return rolling.roll_up(self._database, self.options, stopping)

    def _forget_empty(self, stopping: Callable[[], bool]) -> None:
        last = 0
        while not stopping():
            with self._database.write() as tx:
                journal = set(self._journal.at(tx).ids())
                last, _ = retention.drop_empty_series(tx, last, journal)
            if not last:
                return

    def sealer(self, tx: Transaction) -> Sealer:
        """Return what seals within *tx*."""
        rollups = bool(self.options.rollups) or bool(tx.rows(sql.ANY_ROLLUP))
        return Sealer(tx, rollups=rollups)

    # -- reading

    def horizon(self) -> int | None:
        """Return the time before which samples are absent; None when they stay for ever."""
        ttl = self.options.ttl
        return None if ttl is None else self.now_ms() - ttl

    @contextlib.contextmanager
    def reading(self, *, damaged: str = "raise") -> Iterator[Reader]:
        """Read at one moment; what this process recorded before is part of it.

        A block that is damaged raises DamagedBlockError; with "skip" it is left out and told in
        the reader's *damaged*. Inside of this thread's transaction, what was not flushed before
        is not seen.
        """
        checked_choice("damaged", damaged, ("raise", "skip"))
        # What is no longer pending may not be committed yet: then flushing waits for it.
        if not self._database.in_transaction and (
            self.pending or self.instruments.waiting or self._committing
        ):
            self.flush_quietly()
        with self._database.snapshot() as snapshot:
            yield Reader(
                snapshot,
                self.cache,
                self._journal,
                horizon=self.horizon(),
                skip_damaged=damaged == "skip",
            )

    def query(
        self,
        name: str,
        asked: Question,
        wanted: Sequence[Matcher],
        *,
        damaged: str = "raise",
    ) -> list[SeriesResult]:
        """Return a result for each series of *name* that is *wanted*, or for each group of them."""
        checked_name(name)
        tiers = self.options.rollups
        if asked.tier and asked.tier not in dict(tiers):
            known = ", ".join(named(width) for width, _ in tiers) or "none"
            raise QueryError(f"There is no tier {named(asked.tier)}; rollups: {known}.")
        with self.reading(damaged=damaged) as reader:
            series = matching(reader.catalogue.named(name), wanted)
            return answer(reader, asked, series, tiers, self.now_ms())

    def writing(self) -> Any:
        """Return a context manager that gives a Transaction."""
        return self._database.write()

    # -- the end, and forks

    def close(self) -> None:
        """Commit what waits and end the thread; from then on samples are refused.

        A failure is raised, and the samples are lost.
        """
        self._flusher.stop()
        if not self._database.closed:
            self.commit(last=True)

    def before_fork(self) -> None:
        """Commit what waits: the child must not write it too. Let no thread be in the middle."""
        if not self._database.in_transaction:
            self.flush_quietly()
            self._held_for_fork = self._flushing.acquire(timeout=FORK_PATIENCE_S)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._held_for_fork:
            self._held_for_fork = False
            self._flushing.release()

    def after_fork_in_child(self) -> None:
        """Start over with nothing collected: what was is the parent's to write."""
        self._flushing = threading.RLock()
        self._sealing = threading.RLock()
        self._committing = False
        self._held_for_fork = False
        self.failure = None
        self._collector.begin_anew()
        self.instruments.begin_anew()
        self._flusher.begin_anew()
