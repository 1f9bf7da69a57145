"""A PEP 249 facade over apsw for SQLAlchemy and Alembic: no second SQLite in the process.

It does what the standard library's ``sqlite3`` does, except that

- ``begin()`` opens a real transaction; without one, a write (not DDL) begins it;
- ``execute`` buffers the rows, so no statement stays open to block COMMIT, DROP or close;
- rows hold what SQLite stored. There are no converters, ``detect_types`` is refused: SQLAlchemy's
  types convert. ``date`` and ``datetime`` are bound as ISO text;
- connections may change threads, but serve one at a time: to a second they are busy;
- DETACH of a database that the open transaction has used is an OperationalError: SQLite refuses
  it, and to commit unasked would be worse. Detach in autocommit;
- a connection does not survive a fork. Dispose of engines before forking: in the child SQLite
  would believe that it still holds the parent's locks.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Final, Self

import apsw

apilevel, threadsafety, paramstyle = "2.0", 1, "qmark"
version: Final = apsw.apsw_version()
sqlite_version: Final = apsw.sqlite_lib_version()
sqlite_version_info: Final = tuple(int(part) for part in sqlite_version.split("."))
Binary = memoryview
Date, Time, Timestamp = datetime.date, datetime.time, datetime.datetime

Row = tuple[Any, ...]
Parameters = Sequence[Any] | Mapping[str, Any]
Description = tuple[tuple[str, str | None, None, None, None, None, None], ...]

BEGIN: Final = {
    "": "BEGIN",
    "DEFERRED": "BEGIN DEFERRED",
    "IMMEDIATE": "BEGIN IMMEDIATE",
    "EXCLUSIVE": "BEGIN EXCLUSIVE",
}

# Possessive throughout: a comment given back in part would let the SQL behind it pass for comment.
_NOISE: Final = re.compile(r"(?:[\s;\ufeff]++|--[^\n]*+|/\*(?:(?!\*/).)*+(?:\*/)?+)*+", re.DOTALL)

# What a forked child has "closed": collecting it would really close the parent's database.
_left_open: Final[list[apsw.Connection]] = []


class Warning(Exception):
    """PEP 249 wants this class; nothing here raises it."""


class Error(Exception):
    """The root of what this module raises, with SQLite's extended result code if it is SQLite's."""

    sqlite_errorcode: int | None = None


class InterfaceError(Error):
    """SQLite was called out of turn."""


class DatabaseError(Error):
    """The database's side of things; in person: the file is damaged or not a database."""


class DataError(DatabaseError):
    """A value that cannot be stored: too big, beyond 64 bits, not encodable."""


class OperationalError(DatabaseError):
    """What SQLite refuses or cannot do now: busy, disk full, no such table, a syntax error."""


class IntegrityError(DatabaseError):
    """A constraint, or the type of a STRICT column, does not hold."""


class InternalError(DatabaseError):
    """A fault of SQLite's own."""


class ProgrammingError(DatabaseError):
    """The caller's mistake: unfitting parameters, two statements in one, a closed cursor."""


class ConnectionLostError(ProgrammingError):
    """The connection is closed."""


class NotSupportedError(DatabaseError):
    """Something that this facade leaves out."""


# As CPython's sqlite3 maps the result codes, of which apsw has a class each. Python's own errors
# are those of binding a parameter. What is not listed is an OperationalError.
_TRANSLATIONS: Final[dict[type[Exception], type[Error]]] = {
    apsw.ConstraintError: IntegrityError,
    apsw.MismatchError: IntegrityError,
    apsw.TooBigError: DataError,
    apsw.CorruptError: DatabaseError,
    apsw.NotADBError: DatabaseError,
    apsw.AuthError: DatabaseError,
    apsw.InternalError: InternalError,
    apsw.NotFoundError: InternalError,
    apsw.MisuseError: InterfaceError,
    apsw.RangeError: InterfaceError,
    apsw.BindingsError: ProgrammingError,
    apsw.ThreadingViolationError: ProgrammingError,
    apsw.ConnectionClosedError: ConnectionLostError,
    KeyError: ProgrammingError,
    TypeError: ProgrammingError,
    ValueError: ProgrammingError,
    OverflowError: DataError,
    UnicodeEncodeError: DataError,
}


def _translated(error: Exception, text: str | None = None) -> Error:
    translated = _TRANSLATIONS.get(type(error), OperationalError)(text or str(error))
    translated.sqlite_errorcode = getattr(error, "extendedresult", None)
    return translated


def _adapt(_cursor: apsw.Cursor, number: int, value: object) -> str:
    if isinstance(value, datetime.date):
        return value.isoformat(" ") if isinstance(value, datetime.datetime) else value.isoformat()
    raise ProgrammingError(f"parameter {number} is a {type(value).__name__}: not an SQLite type")


class _Statement:
    """One SQL text under way: what preparing it reveals, and whether it has begun to step."""

    def __init__(self, connection: Connection, sql: str) -> None:
        self._connection = connection
        self._sql = sql
        self._known = self._stepping = False
        self.writes = self.inserts = False
        self.description: Description | None = None

    def run(self, cursor: apsw.Cursor, parameters: Parameters) -> list[Row]:
        """Return every row of one execution."""
        self._stepping = False
        try:
            return cursor.execute(self._sql, parameters).fetchall()
        except (Error, apsw.Error, MemoryError):
            raise
        except Exception as error:
            name = type(error).__name__
            if self._stepping:
                raise OperationalError(f"{name} while the statement ran") from error
            if type(error) not in _TRANSLATIONS:  # raised by a parameter object of the caller's
                raise
            raise _translated(error, f"statement or parameters: {name}: {error}") from error

    def prepared(self, cursor: apsw.Cursor, text: str, _bindings: object) -> bool:
        """Take apsw's call before the first step: only now has an empty result columns."""
        self._stepping = True
        if not self._known:
            self._known = True
            self._learn(cursor, text)
            if self.writes:
                self._connection.begin()
        return True

    def _learn(self, cursor: apsw.Cursor, text: str) -> None:
        if not _NOISE.fullmatch(self._sql, len(text)):
            raise ProgrammingError("more than one statement; execute takes one at a time")
        verb = _NOISE.sub("", text, count=1)[:7].upper()
        writing_with = verb.startswith("WITH") and not cursor.is_readonly
        self.inserts = verb.startswith(("INSERT", "REPLACE")) or writing_with
        self.writes = verb.startswith(("UPDATE", "DELETE")) or self.inserts
        columns = cursor.get_description()
        self.description = tuple((n, t, None, None, None, None, None) for n, t in columns) or None


class Cursor:
    """Runs one statement at a time and holds all of its rows.

    ``description`` is there for an empty result too, with the declared type of each column.
    ``rowcount`` is -1 for what does not insert, update or delete. ``lastrowid`` is None after
    anything but a single insert; a WITH statement that writes counts as one.
    """

    def __init__(self, connection: Connection) -> None:
        """Belong to *connection*."""
        self.connection = connection
        self.arraysize = 1
        self._closed = False
        self._reset()

    def _reset(self) -> None:
        self.description: Description | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self._buffer: Iterator[Row] = iter(())

    def _rows(self) -> Iterator[Row]:
        if self._closed:
            raise ProgrammingError("this cursor is closed")
        return self._buffer

    def execute(self, sql: str, parameters: Parameters = (), /) -> Self:
        """Run *sql*, one statement, with a sequence for ``?`` or a mapping for ``:name``."""
        if self._run(sql, (parameters,)).inserts:
            self.lastrowid = self.connection.apsw_connection.last_insert_rowid()
        return self

    def executemany(self, sql: str, parameter_sets: Iterable[Parameters], /) -> Self:
        """Run *sql* once per set; rowcount is the sum, RETURNING's rows come in that order."""
        self._run(sql, parameter_sets)
        return self

    def _run(self, sql: str, parameter_sets: Iterable[Parameters]) -> _Statement:
        self._rows()
        self._reset()
        statement = _Statement(self.connection, sql)
        rows, changes = list[Row](), 0
        with self.connection.watched() as connection:
            cursor = connection.cursor()
            cursor.exec_trace, cursor.convert_binding = statement.prepared, _adapt
            for parameters in parameter_sets:
                rows += statement.run(cursor, parameters)
                changes += connection.changes()
        self.description = statement.description
        self.rowcount = changes if statement.writes else -1
        self._buffer = iter(rows)
        return statement

    def fetchone(self) -> Row | None:
        """Return the next row; None after the last one."""
        return next(self._rows(), None)

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """Return up to *size* further rows, ``arraysize`` by default."""
        return list(islice(self._rows(), self.arraysize if size is None else size))

    def fetchall(self) -> list[Row]:
        """Return the rows that are left."""
        return list(self._rows())

    __iter__ = _rows

    def close(self) -> None:
        """Drop the rows but not what is known of them; any later use is a ProgrammingError."""
        self._closed = True
        self._buffer = iter(())

    def setinputsizes(self, *_sizes: object) -> None:
        """Do nothing, as PEP 249 allows."""

    setoutputsize = setinputsizes


class Connection:
    """A PEP 249 connection on an apsw connection: its own, or with ``owned=False`` a borrowed one.

    A borrowed connection is left as it was found: commit, rollback and close end only a
    transaction that was begun here, and close leaves it open. ``isolation_level`` is the kind
    of BEGIN ("", "DEFERRED", "IMMEDIATE", "EXCLUSIVE"), or None for autocommit; ``autocommit``
    switches that without forgetting the kind.
    """

    def __init__(
        self, connection: apsw.Connection, isolation_level: str | None = "", *, owned: bool = True
    ) -> None:
        """Stand before *connection*."""
        self.apsw_connection = connection
        self._owned = owned
        self._pid = os.getpid()
        self._closed = self._begun = False
        self._mode = ""
        self.isolation_level = isolation_level

    @property
    def isolation_level(self) -> str | None:
        """The kind of BEGIN, or None in autocommit. Setting it does not end a transaction."""
        return None if self.autocommit else self._mode

    @isolation_level.setter
    def isolation_level(self, level: str | None) -> None:
        """Take a kind of BEGIN, or None; anything else is a ProgrammingError."""
        mode = self._mode if level is None else level.upper()
        if mode not in BEGIN:
            raise ProgrammingError(f"isolation_level {level!r}: take None or one of {list(BEGIN)}")
        self._mode = mode
        self.autocommit = level is None

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, whoever began it."""
        with self.watched() as connection:
            return connection.in_transaction

    @contextmanager
    def watched(self) -> Iterator[apsw.Connection]:
        """Lend the apsw connection: its errors are translated, a BEGIN or COMMIT is noticed.

        Raises ConnectionLostError when closed, ProgrammingError in a forked child.
        """
        if self._closed:
            raise ConnectionLostError("this connection is closed")
        if self._pid != os.getpid():
            raise ProgrammingError(f"opened by process {self._pid}: dispose of it before forking")
        connection = self.apsw_connection
        try:
            inside = connection.in_transaction
            try:
                yield connection
            finally:
                if connection.in_transaction is not inside:
                    self._begun = not inside
        except apsw.Error as error:
            raise _translated(error) from error

    def begin(self) -> None:
        """Begin as ``isolation_level`` says; in autocommit or in a transaction do nothing."""
        with self.watched() as connection:
            if not self.autocommit and not connection.in_transaction:
                connection.execute(BEGIN[self._mode])

    def commit(self) -> None:
        """Commit the transaction, if one is open that may be ended here."""
        self._end("COMMIT")

    def rollback(self) -> None:
        """Roll the transaction back, if one is open that may be ended here."""
        self._end("ROLLBACK")

    def _end(self, sql: str) -> None:
        with self.watched() as connection:
            # SQLite itself rolls back after some errors, a full disk for one.
            if connection.in_transaction and (self._owned or self._begun):
                connection.execute(sql)

    def cursor(self) -> Cursor:
        """Return a new cursor."""
        return Cursor(self)

    def execute(self, sql: str, parameters: Parameters = (), /) -> Cursor:
        """Run *sql* on a new cursor and return that."""
        return self.cursor().execute(sql, parameters)

    def create_function(
        self, name: str, narg: int, func: Callable[..., Any] | None, *, deterministic: bool = False
    ) -> None:
        """Let SQL call *func* as *name* with *narg* arguments (-1: any); None takes it away."""
        with self.watched() as connection:
            connection.create_scalar_function(name, func, narg, deterministic=deterministic)

    def close(self) -> None:
        """Roll back what was begun here; close unless borrowed. A forked child does neither."""
        if self._closed:
            return
        if self._pid != os.getpid():
            _left_open.append(self.apsw_connection)
        elif self._owned:
            self.apsw_connection.close(force=True)  # rolls back
        else:
            with suppress(ConnectionLostError):  # when its owner has closed it
                self.rollback()
        self._closed = True


def connect(
    database: str | bytes | os.PathLike[str],
    *,
    timeout: float | None = None,
    isolation_level: str | None = "",
    check_same_thread: bool = True,
    cached_statements: int = 100,
    uri: bool = False,
    detect_types: int = 0,
    vfs: str | None = None,
    opener: Callable[[str], apsw.Connection] | None = None,
) -> Connection:
    """Open *database*, waiting up to *timeout* seconds (by default 5) for others' locks.

    An *opener* makes the connection from the path, and decides everything but what is given here.
    """
    del check_same_thread  # SQLAlchemy passes it; here connections may change threads
    if detect_types:
        raise NotSupportedError("detect_types: rows hold what SQLite stored, convert by column")
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    flags |= apsw.SQLITE_OPEN_URI if uri else 0
    try:
        if opener is None:
            timeout = 5.0 if timeout is None else timeout
            opened = apsw.Connection(os.fsdecode(database), flags, vfs, cached_statements)
        else:
            opened = opener(os.fsdecode(database))
        if timeout is not None:
            opened.set_busy_timeout(int(timeout * 1000))
    except apsw.Error as error:
        raise _translated(error) from error
    return Connection(opened, isolation_level)
