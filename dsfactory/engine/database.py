"""One SQLite file in use: one writer, and as many readers as threads read at once."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import get_ident
from typing import NamedTuple

import apsw

from dsfactory.clock import pause, ticks_ns
from dsfactory.engine import forks
from dsfactory.engine.connection import Row, Settings, open_connection
from dsfactory.engine.pool import ReaderPool
from dsfactory.engine.transaction import (
    Both,
    Parameters,
    Reading,
    Savepoint,
    Snapshot,
    Transaction,
    Witness,
)
from dsfactory.engine.translate import fsync_failed, translated
from dsfactory.errors import (
    BusyError,
    ClosedError,
    DataStoreError,
    DiskFailedError,
    ForkedError,
    TransactionError,
)

CHECKPOINT_PAGES = 1000
"""SQLite's own default: 4 MB of WAL, then the writer copies it into the database."""

TRUNCATE_PATIENCE_MS = 50
"""How long cutting the WAL waits for readers."""

LONGEST_WAIT_MS = 5000
"""Doubling ends here: SQLite itself has waited as long, by the standard busy timeout, each time."""

FORK_PATIENCE_S = 5
"""How long a fork waits for other threads to leave the database."""


class Retry(NamedTuple):
    """How often a busy write lock is asked for again, and how long is waited in between."""

    max_retries: int = 3
    """After the first attempt: 0 means one attempt."""
    delay_ms: int = 100
    """Doubled after each attempt up to 5 s, times a random factor from 0.5 to 1."""

    def wait_s(self, attempt: int) -> float:
        """Return how long to wait after attempt number *attempt*, counted from 0."""
        longest = max(self.delay_ms, LONGEST_WAIT_MS)
        return float(min(self.delay_ms * 2**attempt, longest)) * _jitter() / 1000


_STANDARD = Retry()


def _jitter() -> float:
    """A random factor from 0.5 to 1, so that waiters do not come back together."""
    return 0.5 + os.urandom(1)[0] / 510


class Database:
    """Every access of this process to one file, safe to share between threads."""

    def __init__(
        self,
        path: Path,
        settings: Settings,
        *,
        clock: Callable[[], int],
        retry: Retry = _STANDARD,
        prepare: Callable[[apsw.Connection], None] | None = None,
        witness: Witness | None = None,
    ) -> None:
        """Nothing is opened before it is needed.

        *prepare* registers functions on every new connection; *witness* takes part in every
        write transaction.
        """
        self.path = path
        self.retries = 0
        self.generation = 0
        """Grows in every forked child: what was begun before is not ours any more."""
        self.checkpoint_failure: str | None = None
        self._settings = settings
        self._clock = clock
        self._retry = retry
        self._prepare = prepare
        self._witness = witness
        self._lock = threading.Lock()
        self._held_for_fork = False
        self._owner = 0
        self._transaction: Transaction | None = None
        self._writer: apsw.Cursor | None = None
        self._readers = ReaderPool(self._open_reader)
        self._refusal: DataStoreError | None = None
        self._wal_pages = 0
        self._checkpoint_at = CHECKPOINT_PAGES
        forks.watch(self)

    # -- reading

    def rows(self, sql: str, parameters: Parameters = (), /) -> list[Row]:
        """Return all rows; inside of this thread's transaction they show its changes."""
        transaction = self._transaction
        if transaction is not None and self._owner == get_ident():
            return transaction.rows(sql, parameters)
        return self.committed_rows(sql, parameters)

    def committed_rows(self, sql: str, parameters: Parameters = (), /) -> list[Row]:
        """Return all rows as last committed, also inside of a transaction.

        SQL functions use it: the transaction's own cursor is busy while it calls them.
        """
        readers = self._readers  # a fork meanwhile gives the child another pool
        cursor = readers.lend()
        try:
            return cursor.execute(sql, parameters).fetchall()
        except apsw.Error as error:
            raise self.failure(error) from error
        finally:
            readers.take_back(cursor)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Reading]:
        """Several queries about one moment; inside of a transaction, that transaction."""
        transaction = self._transaction
        if transaction is not None and self._owner == get_ident():
            yield transaction
            return
        readers = self._readers  # a fork meanwhile gives the child another pool
        cursor = readers.lend()
        snapshot = Snapshot(cursor, self)
        try:
            snapshot.rows("BEGIN")
            yield snapshot
        finally:
            try:
                if snapshot.ours and cursor.connection.in_transaction:
                    # On a damaged file COMMIT repeats the error of the query before it.
                    cursor.execute("ROLLBACK")
            finally:
                readers.take_back(cursor)

    def _open_reader(self) -> apsw.Cursor:
        self._refuse_if_unusable()
        return self._open(write=False)

    def _open(self, *, write: bool) -> apsw.Cursor:
        connection = open_connection(self.path, self._settings, write=write)
        if self._prepare is not None:
            self._prepare(connection)
        if write:
            connection.set_wal_hook(self._after_commit)
        return connection.cursor()

    # -- writing

    def write(self) -> Transaction | Savepoint:
        """Return a context manager: a transaction, or a savepoint in this thread's open one."""
        transaction = self._transaction
        if transaction is not None and self._owner == get_ident():
            return Savepoint(transaction)
        return Transaction(self)

    def join(self, witness: Witness) -> None:
        """Let *witness* take part in every write transaction from now on, after who does now."""
        self._witness = witness if self._witness is None else Both(self._witness, witness)

    @property
    def in_transaction(self) -> bool:
        """Whether this thread has a write transaction open."""
        return self._owner == get_ident()

    def begin(self, transaction: Transaction) -> None:
        """Take the write lock for *transaction*: first among the threads, then the processes."""
        self._wait_for_threads()
        try:
            self._refuse_if_unusable()
            cursor = self._writer
            if cursor is None:
                cursor = self._writer = self._open(write=True)
            self._begin_immediate(cursor)
            transaction.start(cursor, self._clock(), self.generation)
            if self._witness is not None:
                self._witness.begun(transaction)
        except BaseException:
            self._roll_back()
            self._lock.release()
            raise
        self._transaction = transaction
        self._owner = get_ident()

    def _wait_for_threads(self) -> None:
        if self._lock.acquire(blocking=False):
            return
        patience_s = self._settings.busy_timeout_ms * (self._retry.max_retries + 1) / 1000
        if not self._lock.acquire(timeout=patience_s):
            raise BusyError(
                f"{self.path} was being written by another thread for {patience_s:g} s. "
                "Shorten that transaction, or raise busy_timeout_ms.",
                path=str(self.path),
            )

    def _begin_immediate(self, cursor: apsw.Cursor) -> None:
        for attempt in range(self._retry.max_retries + 1):
            try:
                cursor.execute("BEGIN IMMEDIATE")
            except apsw.BusyError as error:
                if attempt == self._retry.max_retries:
                    raise self.failure(error) from error
                self.retries += 1
                pause(self._retry.wait_s(attempt))
            except apsw.Error as error:
                raise self.failure(error) from error
            else:
                return

    def end(self, transaction: Transaction, error: BaseException | None) -> None:
        """Commit *transaction*, or roll it back when *error* ended it; give up the lock."""
        if transaction.generation != self.generation:
            if error is None:
                raise ForkedError(
                    f"A transaction on {self.path} was begun before the fork; only the parent "
                    "can commit it. Nothing was written here.",
                    path=str(self.path),
                )
            return
        try:
            if error is None:
                self._commit(transaction)
            else:
                self._roll_back()
        finally:
            self._owner = 0
            self._transaction = None
            self._lock.release()

    def _commit(self, transaction: Transaction) -> None:
        try:
            if self._witness is not None:
                self._witness.committing(transaction)
            transaction.connection.execute("COMMIT")
        except apsw.Error as error:
            self._roll_back()
            raise self.failure(error) from error
        except BaseException:
            self._roll_back()
            raise
        for action in transaction.actions:
            action()
        if self._wal_pages >= self._checkpoint_at:
            self._checkpoint(transaction.connection, apsw.SQLITE_CHECKPOINT_PASSIVE)

    def _roll_back(self) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            # After a full disk SQLite has rolled back by itself; a second ROLLBACK is an error.
            if writer.connection.in_transaction:
                writer.execute("ROLLBACK")
        except apsw.Error:
            # Closing undoes whatever is left, unless somebody closed it under us.
            with contextlib.suppress(apsw.CursorClosedError):
                writer.connection.close(True)
        else:
            self._writer = writer

    # -- the write-ahead log

    def _after_commit(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def checkpoint(self, *, truncate: bool = False) -> int:
        """Copy the WAL into the database as far as readers allow; return the pages copied.

        With *truncate*, also cut the WAL to nothing unless readers are in the way.
        """
        if self.in_transaction:
            raise TransactionError(f"{self.path}: no checkpoint inside of a transaction.")
        self._wait_for_threads()
        try:
            self._refuse_if_unusable()
            if self._writer is None:
                self._writer = self._open(write=True)
            connection = self._writer.connection
            copied = self._checkpoint(connection, apsw.SQLITE_CHECKPOINT_PASSIVE)
            if truncate and not self.closed:
                # Writers of all processes wait meanwhile: rather try again in five minutes.
                connection.set_busy_timeout(TRUNCATE_PATIENCE_MS)
                self._checkpoint(connection, apsw.SQLITE_CHECKPOINT_TRUNCATE)
                connection.set_busy_timeout(self._settings.busy_timeout_ms)
            return copied
        finally:
            self._lock.release()

    def _checkpoint(self, connection: apsw.Connection, mode: int) -> int:
        self.checkpoint_failure = None
        try:
            in_wal, copied = connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            in_wal, copied = self._wal_pages, 0
        except apsw.Error as error:
            # The commit stands; what cannot be copied now stays in the WAL.
            self.checkpoint_failure = str(self.failure(error))
            in_wal, copied = self._wal_pages, 0
        # Pinned by a reader, or failed: try again a WAL's worth later, not at every commit.
        unfinished = copied < in_wal
        self._checkpoint_at = CHECKPOINT_PAGES + (in_wal if unfinished else 0)
        return copied

    # -- failing and closing

    def failure(self, error: apsw.Error) -> DataStoreError:
        """Return our error for *error*; after a failed fsync, close the file for good."""
        if fsync_failed(error):
            self._refusal = DiskFailedError(
                f"{self.path} was closed after a failed fsync: what the system had not yet "
                "written may be lost. Check the disk, reopen the store and check() it.",
                path=str(self.path),
            )
            self._readers.close()
            if self._writer is not None:
                # At close SQLite would copy pages into the database that the WAL may have lost.
                self._writer.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        return translated(error, self.path)

    def _refuse_if_unusable(self) -> None:
        if self._refusal is not None:
            raise type(self._refusal)(self._refusal.message, **self._refusal.facts)

    @property
    def closed(self) -> bool:
        """Whether this database refuses further use."""
        return self._refusal is not None

    def close(self) -> None:
        """Close every connection; the last one of all processes copies the WAL back.

        Waits for other threads to finish; a second close does nothing. Raises TransactionError
        inside of this thread's own transaction.
        """
        if self.in_transaction:
            raise TransactionError(
                f"{self.path} cannot be closed inside of a transaction. Leave it first."
            )
        self._wait_for_threads()
        try:
            if self._refusal is None:
                self._refusal = ClosedError(
                    f"The store at {self.path} is closed. Open it again.", path=str(self.path)
                )
            self._readers.close()
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.connection.close(True)
        finally:
            self._lock.release()

    # -- forks; the reasons are in forks.py

    def before_fork(self) -> None:
        """Close every connection, so that the child inherits no picture of locks."""
        self._readers.shut_gate()
        try:
            if not self.in_transaction and self._lock.acquire(timeout=FORK_PATIENCE_S):
                self._held_for_fork = True
                self._close_for_fork()
        except BaseException:
            self.after_fork_in_parent()
            raise

    def _close_for_fork(self) -> None:
        deadline = ticks_ns() + FORK_PATIENCE_S * 1_000_000_000
        while not self._readers.all_in():
            if ticks_ns() > deadline:
                return
            pause(0.0005)
        cursors = self._readers.empty()
        if self._writer is not None:
            cursors.append(self._writer)
            self._writer = None
        for cursor in cursors:
            with contextlib.suppress(apsw.CursorClosedError):  # somebody closed it under us
                # A checkpoint would make the fork wait for the disk.
                cursor.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                cursor.connection.close(True)

    def after_fork_in_parent(self) -> None:
        """Go on; connections are opened again when needed."""
        if self._held_for_fork:
            self._held_for_fork = False
            self._lock.release()
        self._readers.open_gate()

    def after_fork_in_child(self) -> None:
        """Start over, or refuse for good when a connection came along."""
        self._lock = threading.Lock()
        everybody_out, self._held_for_fork = self._held_for_fork, False
        self.generation += 1
        if not everybody_out or self._readers.opened or self._writer is not None:
            self._refusal = forks.inherited(self.path)
            if self._transaction is not None:
                self._transaction.refuse(self._refusal)
        self._readers = ReaderPool(self._open_reader)
        self._owner = 0
        self._transaction = None
        self._writer = None
