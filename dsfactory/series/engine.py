"""SeriesEngine: the numeric series of one open store."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dsfactory.checks import checked_choice
from dsfactory.engine import Database, Transaction, forks
from dsfactory.errors import QueryError, TransactionError
from dsfactory.options import StoreOptions
from dsfactory.series import retention, rolling, sql
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
        self._unsynced = False
        self._held_for_fork = False
        forks.watch(self, owner=True)

    # -- committing

    def flush(self, *, durable: bool = False) -> int:
        """Commit everything that was collected; return how many samples.

        With *durable* the disk has them when this returns. Raises TransactionError inside of
        this thread's own transaction, whose rollback would take them along.
        """
        if self._database.in_transaction:
            raise TransactionError(
                f"Samples of {self.name!r} cannot be flushed inside of a transaction: its rollback "
                "would undo them. Leave it first."
            )
        with self._flushing:
            self.instruments.sample(self.now_ms())
            taken = self._collector.take()
            if not taken:
                if durable:
                    self._sync()
                return 0
            try:
                with self._database.write(durable=durable) as tx:
                    writing = self.written(tx)
                    writing.write(taken)
                    ((rows, samples, series, _),) = tx.rows(sql.JOURNAL_SIZE)
                    if writing.sealed and self.options.max_bytes is not None:
                        retention.fit(tx, self.options.max_bytes, self.options)
            except BaseException:
                for portion in taken:
                    portion.pot.generation = -1  # ids that were made are gone again
                self._collector.give_back(taken)
                self._flusher.ring()
                raise
            self._unsynced = not durable
        self.trouble = None
        if self._long(rows, samples, series):
            self.seal()
        if writing.refused is not None:
            raise writing.refused
        return sum(len(flat) // 2 + sum(len(p.times) for p in parts) for _, parts, flat in taken)

    def _sync(self) -> None:
        """Bring onto the disk what the background committed before: with any durable commit."""
        if self._unsynced:
            with self._database.write(durable=True) as tx:
                tx.run(sql.TOUCH)
            self._unsynced = False

    def written(self, tx: Transaction) -> Writing:
        """Return what writes samples within *tx*."""
        return Writing(tx, self.sealer(tx), self._journal, max_series=self.options.max_series)

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
        if not self._database.in_transaction and (self.pending or self.instruments.waiting):
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
        """Commit what waits and end the thread; a failure is raised, and the samples are lost."""
        self._flusher.stop()
        if not self._database.closed:
            self.flush()

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
        self._held_for_fork = False
        self.failure = None
        self._collector.begin_anew()
        self.instruments.begin_anew()
        self._flusher.begin_anew()
