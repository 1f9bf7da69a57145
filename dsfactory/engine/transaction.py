"""A write transaction, as the functions that work inside of it see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, Self, cast

import apsw

from dsfactory.engine import forks
from dsfactory.engine.connection import Row
from dsfactory.engine.translate import CLOSED
from dsfactory.errors import DataStoreError, TransactionError

if TYPE_CHECKING:
    from dsfactory.engine.reading import ReadingSide
    from dsfactory.engine.writing import WritingSide

Parameters = Sequence[object]

ARRAYS = "ENABLE_CARRAY" in apsw.compile_options
"""Whether SQLite takes arrays; that of the wheels on PyPI does."""


class Reading(Protocol):
    """Anything that answers queries: a snapshot or a transaction."""

    def rows(self, sql: str, parameters: Parameters = (), /) -> list[Row]:
        """Return all rows of the answer."""
        ...


class Witness(Protocol):
    """Somebody who takes part in every write transaction of a database."""

    def begun(self, transaction: Transaction) -> None:
        """Look at the state before the first change."""
        ...

    def committing(self, transaction: Transaction) -> None:
        """Do the last work before the commit; an exception rolls everything back."""
        ...


class Both:
    """Two witnesses as one, the first before the second."""

    def __init__(self, first: Witness, second: Witness) -> None:
        self._first = first
        self._second = second

    def begun(self, transaction: Transaction) -> None:
        """Let both look."""
        self._first.begun(transaction)
        self._second.begun(transaction)

    def committing(self, transaction: Transaction) -> None:
        """Let both do their last work."""
        self._first.committing(transaction)
        self._second.committing(transaction)


class Observer(Protocol):
    """Somebody who keeps in memory what the file holds."""

    def begun(self, transaction: Transaction) -> None:
        """Look at the state before the first change; the write lock is held."""
        ...

    def alone(self, foreseen: Any) -> None:
        """Look at the state before a statement that commits itself; no lock is held yet, and when
        it was not to be had, this is called again before the next attempt."""
        ...

    def committing(self, transaction: Transaction) -> None:
        """Look at what was changed, before the witness and the commit."""
        ...

    def committed(self, frame: int) -> None:
        """Take over what was committed, up to *frame* of the log.

        Nobody else of this process has begun to write.
        """
        ...

    def ended(self) -> None:
        """Forget what was looked at; it was committed, rolled back, or never begun."""
        ...

    def now_and_then(self, now_ns: int) -> None:
        """Do what a commit is to do once a millisecond."""
        ...

    def detach(self) -> None:
        """Answer nothing any more: the file is about to be closed."""
        ...


class Snapshot:
    """Queries that all see the file as it was at one moment."""

    __slots__ = ("_cursor", "_database", "_generation")

    def __init__(self, cursor: apsw.Cursor, database: ReadingSide) -> None:
        self._cursor = cursor
        self._database = database
        self._generation = database.generation

    @property
    def ours(self) -> bool:
        """Whether this is still the process that took the snapshot."""
        return self._generation == self._database.generation

    def rows(self, sql: str, parameters: Parameters = (), /) -> list[Row]:
        """Return all rows of the answer."""
        if not self.ours:
            raise forks.refusal(self._database.path)
        try:
            return self._cursor.execute(sql, parameters).fetchall()
        except apsw.Error as error:
            raise self._database.failure(error) from error


class _Refusing:
    """Stands where the cursor of a transaction was that must not go on."""

    def __init__(self, error: DataStoreError) -> None:
        self._error = error

    def __getattr__(self, name: str) -> NoReturn:
        raise type(self._error)(self._error.message, **self._error.facts)


class Transaction:
    """BEGIN IMMEDIATE ... COMMIT on the database's one writer, held by one thread.

    Leaving the block commits; leaving it by an exception rolls everything back.
    """

    __slots__ = (
        "_database",
        "actions",
        "cursor",
        "durable",
        "generation",
        "nested",
        "now",
        "over",
        "swept",
        "told",
    )

    now: int
    """The store's time, the same for everything in this transaction."""
    cursor: apsw.Cursor
    """For this room; whoever else needs more than SQL takes the connection."""
    generation: int
    over: bool
    """Whether every further use is refused."""
    nested: bool
    """Whether there were savepoints: what was written may have been undone since."""
    told: int
    """Rows whose changes the observer has been told of, or need not be."""
    swept: bool
    """Whether entries went because their time was up: no news for readers, but for who watches."""

    def __init__(self, database: WritingSide, *, durable: bool = False) -> None:
        self._database = database
        self.durable = durable
        self.over = self.nested = False
        self.told = 0
        self.swept = False

    def start(self, cursor: apsw.Cursor, now: int, generation: int) -> None:
        """Begin the work; the database calls this once it holds the write lock."""
        self.cursor = cursor
        self.now = now
        self.generation = generation
        self.actions: list[Callable[[], object]] = []

    def __enter__(self) -> Self:
        self._database.begin(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._database.end(self, error)

    def rows(self, sql: str, parameters: Parameters = (), /) -> list[Row]:
        """Run one statement; return all rows that it gives."""
        try:
            return self.cursor.execute(sql, parameters).fetchall()
        except apsw.Error as error:
            raise self._failure(error) from error

    def run(self, sql: str, parameters: Parameters = (), /) -> None:
        """Run one statement to its end; the rows that it may give are dropped."""
        try:
            # To the end: a statement left open would hinder the COMMIT.
            self.cursor.execute(sql, parameters).fetchall()
        except apsw.Error as error:
            raise self._failure(error) from error

    def many(self, sql: str, parameters: Iterable[Parameters], /) -> list[Row]:
        """Run one statement for each of *parameters*; return the rows that they give."""
        try:
            return self.cursor.executemany(sql, parameters).fetchall()
        except apsw.Error as error:
            raise self._failure(error) from error

    def each(self, sql: str, parameters: Parameters, items: Sequence[bytes], /) -> None:
        """Run one statement that takes *items* as its last parameter, for carray()."""
        try:
            self.cursor.execute(sql, (*parameters, apsw.carray(tuple(items)))).fetchall()
        except apsw.Error as error:
            raise self._failure(error) from error

    def aside(self, sql: str, parameters: Parameters = (), /) -> list[Row]:
        """As rows(), for a statement that changes no live entry: observers need not know."""
        before = self.cursor.connection.total_changes()
        rows = self.rows(sql, parameters)
        self.told += self.cursor.connection.total_changes() - before
        return rows

    def _failure(self, error: apsw.Error) -> DataStoreError:
        if isinstance(error, CLOSED) or not self.cursor.connection.in_transaction:
            # Whatever came next would be committed by itself.
            self.refuse(
                TransactionError(
                    f"SQLite rolled back the transaction on {self._database.path} after an "
                    "earlier error (a full disk, an I/O error). Leave the block and begin anew.",
                    path=str(self._database.path),
                )
            )
        return self._database.failure(error)

    def refuse(self, error: DataStoreError) -> None:
        """Let every further use raise *error*, the commit too."""
        self.over = True
        self.cursor = cast("apsw.Cursor", _Refusing(error))

    def when_committed(self, action: Callable[[], object]) -> None:
        """Call *action* once the outermost block has committed; never if this is undone."""
        self.actions.append(action)

    @property
    def changes(self) -> int:
        """Rows that the last statement changed, triggers not counted."""
        return self.cursor.connection.changes()

    @property
    def connection(self) -> apsw.Connection:
        """The connection itself, for what only it can do (SQLAlchemy, Alembic, sessions)."""
        return self.cursor.connection


class Savepoint:
    """A transaction inside this thread's open one: undone alone when it fails."""

    __slots__ = ("_planned", "_transaction")

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._planned = len(transaction.actions)

    def __enter__(self) -> Transaction:
        transaction = self._transaction
        transaction.nested = True
        # Names may repeat (the innermost wins), so they need not be made.
        transaction.run("SAVEPOINT nested")
        return transaction

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        transaction = self._transaction
        if transaction.over:
            return  # nothing is left to be undone here; the end of the outer block raises
        if error is not None:
            transaction.run("ROLLBACK TO nested")
            del transaction.actions[self._planned :]
        transaction.run("RELEASE nested")
