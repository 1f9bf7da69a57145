"""Reading one SQLite file: as many connections as threads read at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import get_ident

import apsw

from dsfactory.engine.connection import Row, Settings, open_connection
from dsfactory.engine.pool import ReaderPool
from dsfactory.engine.transaction import (
    Observer,
    Parameters,
    Reading,
    Snapshot,
    Transaction,
)
from dsfactory.engine.translate import fsync_failed, translated
from dsfactory.errors import DataStoreError, DiskFailedError


class ReadingSide:
    """Everything about a database that leaves it as it is, and what its failures mean."""

    def __init__(
        self,
        path: Path,
        settings: Settings,
        prepare: Callable[[apsw.Connection], None] | None,
    ) -> None:
        self.path = path
        self.generation = 0
        """Grows in every forked child: what was begun before is not ours any more."""
        self.settle: Callable[[], None] | None = None
        """Called before anything that has to see all that was written; see stores/behind.py."""
        self._settings = settings
        self._prepare = prepare
        self._owner = 0
        self._transaction: Transaction | None = None
        self._writer: apsw.Cursor | None = None
        self._readers = ReaderPool(self._open_reader)
        self._refusal: DataStoreError | None = None
        self.observer: Observer | None = None
        """Told of every write transaction, and of the end."""

    def rows(self, sql: str, parameters: Parameters = (), /) -> list[Row]:
        """Return all rows; inside of this thread's transaction they show its changes."""
        if self.settle is not None:
            self.settle()
        return self.unsettled_rows(sql, parameters)

    def unsettled_rows(self, sql: str, parameters: Parameters = (), /) -> list[Row]:
        """As rows(), without what waits to be written."""
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

    def row(self, sql: str, parameters: Parameters, /) -> Row | None:
        """As unsettled_rows(), for one row of several columns or none: the way of a get."""
        transaction = self._transaction
        if transaction is not None and self._owner == get_ident():
            rows = transaction.rows(sql, parameters)
            return rows[0] if rows else None
        readers = self._readers  # a fork meanwhile gives the child another pool
        try:
            cursor = readers.idle.pop()
        except IndexError:
            cursor = readers.lend()
        try:
            return cursor.execute(sql, parameters).get  # type: ignore[no-any-return]
        except apsw.Error as error:
            raise self.failure(error) from error
        finally:
            readers.back.append(cursor)
            if readers.closed:
                readers.close_idle()

    @contextlib.contextmanager
    def reader(self) -> Iterator[apsw.Cursor]:
        """Lend a connection; a fork and a close wait until it is back."""
        readers = self._readers  # a fork meanwhile gives the child another pool
        cursor = readers.lend()
        try:
            yield cursor
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
        if self.settle is not None:
            self.settle()
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

    @property
    def in_transaction(self) -> bool:
        """Whether this thread has a write transaction open."""
        return self._owner == get_ident()

    def _open_reader(self) -> apsw.Cursor:
        self._refuse_if_unusable()
        return self._open(write=False).cursor()

    def _open(self, *, write: bool) -> apsw.Connection:
        connection = open_connection(self.path, self._settings, write=write)
        if self._prepare is not None:
            self._prepare(connection)
        return connection

    def failure(self, error: apsw.Error) -> DataStoreError:
        """Return our error for *error*; after a failed fsync, close the file for good."""
        if fsync_failed(error):
            self._close_for_good(
                DiskFailedError(
                    f"{self.path} was closed after a failed fsync: what the system had not yet "
                    "written may be lost. Check the disk, reopen the store and check() it.",
                    path=str(self.path),
                )
            )
        return translated(error, self.path)

    def _close_for_good(self, refusal: DataStoreError) -> None:
        """Let every further use raise *refusal*, and touch the file no more."""
        self._refusal = refusal
        if self.observer is not None:
            self.observer.detach()
        self._readers.close()
        if self._writer is not None:
            # At close SQLite would copy pages into the database that the WAL may have lost, or
            # delete the log of the file that took its place.
            self._writer.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)

    def _refuse_if_unusable(self) -> None:
        if self._refusal is not None:
            raise type(self._refusal)(self._refusal.message, **self._refusal.facts)

    @property
    def closed(self) -> bool:
        """Whether this database refuses further use."""
        return self._refusal is not None
