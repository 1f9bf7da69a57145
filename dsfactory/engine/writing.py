"""Writing one SQLite file: one connection, held by one thread at a time."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import get_ident
from typing import TypeVar

import apsw

from dsfactory.clock import pause, ticks_ns
from dsfactory.engine import wal
from dsfactory.engine.connection import Row, Settings
from dsfactory.engine.queue import Queue, Retry
from dsfactory.engine.transaction import Both, Parameters, Savepoint, Transaction, Witness
from dsfactory.engine.trimming import PAGE_BYTES, PASSIVE, RESTART, TRUNCATE, LogSide
from dsfactory.engine.turns import Place, Step, Turns
from dsfactory.errors import (
    BusyError,
    DataStoreError,
    FileMissingError,
    ForkedError,
    TransactionError,
)

R = TypeVar("R")

BEGIN = "BEGIN IMMEDIATE"

LOOK_NS = 1_000_000
"""How often, at most, we look whether the file is still there: at 1 us, not with every commit."""


class WritingSide(LogSide):
    """Write transactions: begun, shared, committed and undone."""

    _clock: Callable[[], int]
    _retry: Retry
    _witness: Witness | None

    def __init__(
        self, path: Path, settings: Settings, prepare: Callable[[apsw.Connection], None] | None
    ) -> None:
        super().__init__(path, settings, prepare)
        self.retries = 0
        self._turns = Turns()
        self._queue = Queue(path)
        self._log = wal.Log()
        self._looked_at = 0
        self._moved = array("i", [0])  # a C int, for SQLite to write to
        self._moved_at = self._moved.buffer_info()[0]

    # -- work

    def write(self, *, durable: bool = False) -> Transaction | Savepoint:
        """Return a context manager: a transaction, or a savepoint in this thread's open one.

        A *durable* transaction is on the disk when the block has ended, whatever the settings say.
        """
        transaction = self._transaction
        if transaction is not None and self._owner == get_ident():
            return Savepoint(transaction)
        if self.settle is not None:
            self.settle()
        return Transaction(self, durable=durable)

    def join(self, witness: Witness) -> None:
        """Let *witness* take part in every write transaction from now on, after who does now."""
        self._witness = witness if self._witness is None else Both(self._witness, witness)

    def run(self, step: Callable[[Transaction], R]) -> R:
        """Return what *step* returned, once that is committed.

        Steps of threads that wait at the same time share one commit. Each is undone alone when
        it fails, may run in another thread, and runs again when the shared transaction came to
        nothing. Inside of this thread's open transaction a step is a part of that.
        """
        if self._owner == get_ident() or self._witness is not None:
            with self.write() as open_already:
                return step(open_already)
        if self.settle is not None:
            self.settle()
        if not self._turns.take_free():
            place = self._wait_for_turn(step)
            others = [] if place.served else self._turns.others()
            if others:
                self._together([place, *others])
            if place.done:
                return place.outcome()  # type: ignore[no-any-return]
            if others or place.served:
                with self.write() as transaction:
                    return step(transaction)
        transaction = Transaction(self)
        self._begin_in_turn(transaction)
        try:
            result = step(transaction)
        except BaseException as error:
            self.end(transaction, error)
            raise
        self.end(transaction, None)
        return result

    def _together(self, places: list[Place]) -> None:
        """Do the work of all *places* with one commit; the turn is ours, and passed on."""
        transaction = Transaction(self)
        try:
            try:
                self._begin_in_turn(transaction)
            except DataStoreError as error:
                for place in places:
                    place.fail(error)
                return
            with contextlib.suppress(DataStoreError):  # then everybody does his own
                self._share(transaction, places)
        finally:
            for place in places[1:]:
                place.served = True
                place.called.release()

    def _share(self, transaction: Transaction, places: list[Place]) -> None:
        try:
            for place in places:
                place.attempt(transaction)
        except BaseException as error:
            self.end(transaction, error)
            raise
        self.end(transaction, None)
        for place in places:
            place.done = True

    def alone(self, statement: str, parameters: Parameters, foreseen: object) -> Row | None:
        """Run one statement and commit it: SQLite needs no BEGIN and COMMIT for that.

        The observer is told what is *foreseen* to change; for what changes, one row has to come
        back, of several columns. () when none did. None, and nothing was done, when the statement
        has to wait for a thread, or to be a part of more: that is for run().
        """
        limit = self._settings.max_wal_bytes
        if (
            self._witness is not None
            or self.settle is not None
            or self._owner == get_ident()
            or (limit is not None and self._log.pages * PAGE_BYTES > limit)
            or not self._turns.take_free()
        ):
            return None
        row: Row = ()
        try:
            if self._refusal is not None:
                self._refuse_if_unusable()
            cursor = self._open_writer() if self._writer is None else self._writer
            if self._queue.crowded:
                self._queue.make_way()
            cursor.connection.set_last_insert_rowid(0)
            if self.observer is not None:
                self.observer.alone(foreseen)
            try:
                row = cursor.execute(statement, parameters).get or ()
            except BaseException as error:  # noqa: BLE001 -- raised again there
                row = self._ask_again(cursor, (statement, parameters, foreseen), error)
            # Nothing changed, nothing committed: then the next commit is somebody else's.
            if row and self.observer is not None:
                self.observer.committed(self._log.pages)
            self._after_commit(cursor.connection)
        finally:
            if self.observer is not None:
                self.observer.ended()
            self._give_turn()
        return row

    def _ask_again(
        self, cursor: apsw.Cursor, asked: tuple[str, Parameters, object], error: BaseException
    ) -> Row:
        """Run a statement alone that ended with *error*: when the lock is free, or not at all."""
        row: Row = ()
        statement, parameters, foreseen = asked

        def ask() -> None:
            nonlocal row
            if self.observer is not None:
                self.observer.alone(foreseen)  # others have committed since
            row = cursor.execute(statement, parameters).get or ()

        try:
            if isinstance(error, apsw.BusyError):
                self._wait_for_lock(ask, error)
                return row
        except DataStoreError:
            raise
        except BaseException as later:  # noqa: BLE001 -- raised below
            error = later
        if isinstance(error, apsw.Error):
            self._roll_back()
            raise self.failure(error) from error
        # Interrupted between its steps, a statement would hold the lock.
        self._writer = None
        cursor.connection.close(True)
        raise error

    # -- beginning

    def begin(self, transaction: Transaction) -> None:
        """Take the write lock for *transaction*: first among the threads, then the processes."""
        if not self._turns.take_free():
            self._wait_for_turn(None)
        self._begin_in_turn(transaction)

    def _wait_for_turn(self, step: Step | None) -> Place:
        patience_s = self._settings.busy_timeout_ms * (self._retry.max_retries + 1) / 1000
        place = self._turns.queue(step, patience_s)
        if place is None:
            raise BusyError(
                f"{self.path} was being written by another thread for {patience_s:g} s. "
                "Shorten that transaction, or raise busy_timeout_ms.",
                path=str(self.path),
            )
        return place

    def _begin_in_turn(self, transaction: Transaction) -> None:
        try:
            self._refuse_if_unusable()
            cursor = self._writer
            if cursor is None:
                cursor = self._open_writer()
            if transaction.durable:
                cursor.execute("PRAGMA synchronous = FULL")
            self._take_write_lock(cursor)
            transaction.start(cursor, self._clock(), self.generation)
            if self._witness is not None:
                self._witness.begun(transaction)
            if self.observer is not None:
                self.observer.begun(transaction)
        except BaseException:
            self._roll_back()
            self._relax(transaction)
            self._give_turn()
            raise
        self._transaction = transaction
        self._owner = get_ident()

    def _open_writer(self) -> apsw.Cursor:
        connection = self._open(write=True)
        connection.set_wal_hook(self._log.committed)
        connection.set_busy_timeout(0)  # we wait by ourselves, and fairly
        self._writer = connection.cursor()
        return self._writer

    def _take_write_lock(self, cursor: apsw.Cursor) -> None:
        limit = self._settings.max_wal_bytes
        if limit is not None and self._log.pages * PAGE_BYTES > limit:
            self._shorten_log(cursor.connection)
        if self._queue.crowded:
            self._queue.make_way()
        try:
            cursor.execute(BEGIN)
        except apsw.BusyError as error:
            self._wait_for_lock(lambda: cursor.execute(BEGIN), error)
        except apsw.Error as error:
            raise self.failure(error) from error

    def _wait_for_lock(self, ask: Callable[[], object], busy: apsw.BusyError) -> None:
        def attempt() -> bool:
            try:
                ask()
            except apsw.BusyError:
                return False
            return True

        try:
            if self._ask_for_lock(attempt):
                return
        except apsw.Error as error:
            raise self.failure(error) from error
        raise self.failure(busy) from busy

    def _ask_for_lock(self, attempt: Callable[[], bool]) -> bool:
        patience_ms = self._settings.busy_timeout_ms
        if self._queue.wait(attempt, patience_ms):
            return True
        for retry in range(self._retry.max_retries):
            self.retries += 1
            pause(self._retry.wait_s(retry))
            if attempt() or self._queue.wait(attempt, patience_ms):
                return True
        return False

    def _give_turn(self) -> None:
        if self._queue.in_front:
            self._queue.leave()
        self._turns.give()

    # -- ending

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
            self._relax(transaction)
            if self.observer is not None:
                self.observer.ended()
            self._owner = 0
            self._transaction = None
            self._give_turn()

    def _relax(self, transaction: Transaction) -> None:
        """Go back to what the settings say about syncing."""
        if transaction.durable and self._writer is not None:
            self._writer.connection.pragma("synchronous", self._settings.synchronous)

    def _commit(self, transaction: Transaction) -> None:
        try:
            if self.observer is not None:
                self.observer.committing(transaction)
            if self._witness is not None:
                self._witness.committing(transaction)
            transaction.cursor.execute("COMMIT")
        except apsw.Error as error:
            self._roll_back()
            raise self.failure(error) from error
        except BaseException:
            self._roll_back()
            raise
        if self.observer is not None:
            self.observer.committed(self._log.pages)
        self._after_commit(transaction.cursor.connection, transaction.actions)

    def _after_commit(
        self, connection: apsw.Connection, actions: Sequence[Callable[[], object]] = ()
    ) -> None:
        if self._queue.in_front:
            self._queue.leave()  # what comes now is not worth waiting for
        if not self._looked_at <= (now := ticks_ns()) < self._looked_at + LOOK_NS:
            self._looked_at = now
            self._require_same_file(connection)
            self._queue.look(now)
            if self.observer is not None:
                self.observer.now_and_then(now)
        for action in actions:
            action()
        if self._log.pages >= self._log.due_at:
            self._checkpoint(connection, RESTART if self._log.starved else PASSIVE)

    def _require_same_file(self, connection: apsw.Connection) -> None:
        """Refuse to go on with a file that is not there any more."""
        connection.file_control("main", apsw.SQLITE_FCNTL_HAS_MOVED, self._moved_at)
        if self._moved[0]:
            error = FileMissingError(
                f"{self.path} was deleted, moved or replaced while it was open; what was written "
                "since is not in it. Close the store and open it again, or restore a backup.",
                path=str(self.path),
            )
            self._close_for_good(error)
            raise error

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

    def checkpoint(self, *, truncate: bool = False) -> int:
        """Copy the WAL into the database as far as readers allow; return the pages copied.

        With *truncate*, also cut the WAL to nothing unless readers are in the way.
        """
        if self.in_transaction:
            raise TransactionError(f"{self.path}: no checkpoint inside of a transaction.")
        self._wait_for_turn(None)
        try:
            self._refuse_if_unusable()
            cursor = self._open_writer() if self._writer is None else self._writer
            connection = cursor.connection
            copied = self._checkpoint(connection, PASSIVE)
            if truncate and not self.closed:
                self._checkpoint(connection, TRUNCATE)
            return copied
        finally:
            self._turns.give()

    def rebuild(self) -> None:
        """Write the file anew from its live rows and empty the log: nothing deleted is left.

        Raises BusyError when others write, or read, for longer than busy_timeout_ms.
        """
        if self.in_transaction:
            raise TransactionError(f"{self.path}: no rebuilding inside of a transaction.")
        if self.settle is not None:
            self.settle()
        self._wait_for_turn(None)
        try:
            self._refuse_if_unusable()
            cursor = self._open_writer() if self._writer is None else self._writer
            self._vacuum(cursor)
            self._empty_log(cursor.connection)
        finally:
            self._turns.give()
