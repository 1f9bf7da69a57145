"""What the PEP 249 facade promises about statements, rows and errors."""

import datetime as dt

import apsw
import pytest

from dsfactory.engine import dbapi

RESULT_CODES = [
    (apsw.SQLITE_CONSTRAINT_UNIQUE, dbapi.IntegrityError),
    (apsw.SQLITE_MISMATCH, dbapi.IntegrityError),
    (apsw.SQLITE_TOOBIG, dbapi.DataError),
    (apsw.SQLITE_CORRUPT, dbapi.DatabaseError),
    (apsw.SQLITE_NOTADB, dbapi.DatabaseError),
    (apsw.SQLITE_AUTH, dbapi.DatabaseError),
    (apsw.SQLITE_INTERNAL, dbapi.InternalError),
    (apsw.SQLITE_NOTFOUND, dbapi.InternalError),
    (apsw.SQLITE_MISUSE, dbapi.InterfaceError),
    (apsw.SQLITE_RANGE, dbapi.InterfaceError),
    (apsw.SQLITE_ERROR, dbapi.OperationalError),
    (apsw.SQLITE_BUSY_SNAPSHOT, dbapi.OperationalError),
    (apsw.SQLITE_FULL, dbapi.OperationalError),
    (apsw.SQLITE_READONLY, dbapi.OperationalError),
    (apsw.SQLITE_IOERR_FSYNC, dbapi.OperationalError),
    (apsw.SQLITE_INTERRUPT, dbapi.OperationalError),
]


def raising(error):
    """Return an SQL function that raises *error*."""

    def function():
        raise error

    return function


def names(connection):
    """Return the names in the table of the fixture."""
    return [name for (name,) in connection.execute("SELECT name FROM t ORDER BY id")]


@pytest.mark.parametrize(("code", "expected"), RESULT_CODES)
def test_error_of_result_code(connection, code, expected):
    """A result code of SQLite decides the PEP 249 class and stays readable."""
    connection.create_function("fails", 0, raising(apsw.exception_for(code)))
    with pytest.raises(dbapi.Error) as caught:
        connection.execute("SELECT fails()")
    assert type(caught.value) is expected
    assert caught.value.sqlite_errorcode == code
    assert isinstance(caught.value.__cause__, apsw.Error)


def test_error_of_constraint(connection):
    """A violated constraint is an IntegrityError that names the kind of constraint."""
    connection.execute("INSERT INTO t (name) VALUES ('a')")
    with pytest.raises(dbapi.IntegrityError) as caught:
        connection.execute("INSERT INTO t (name) VALUES ('a')")
    assert caught.value.sqlite_errorcode == apsw.SQLITE_CONSTRAINT_UNIQUE


def test_error_of_function(connection):
    """An exception of a Python function is an OperationalError with that as its cause."""
    cause = ZeroDivisionError()
    connection.create_function("fails", 0, raising(cause))
    with pytest.raises(dbapi.OperationalError, match="ZeroDivisionError") as caught:
        connection.execute("SELECT fails()")
    assert caught.value.__cause__ is cause
    assert caught.value.sqlite_errorcode is None


def test_error_of_nested_statement(connection):
    """An error of the facade raised inside a function arrives as it is."""
    connection.create_function("nested", 0, lambda: connection.execute("SELECT ?", ()))
    with pytest.raises(dbapi.ProgrammingError):
        connection.execute("SELECT nested()")


def test_memory_error(connection):
    """A MemoryError is nobody's database error and passes unchanged."""
    connection.create_function("fails", 0, raising(MemoryError()))
    with pytest.raises(MemoryError):
        connection.execute("SELECT fails()")


@pytest.mark.parametrize(
    ("sql", "parameters", "expected"),
    [
        ("SELECT :absent", {"present": 1}, dbapi.ProgrammingError),
        ("SELECT ?, ?", (1,), dbapi.ProgrammingError),
        ("SELECT ?", (1, 2), dbapi.ProgrammingError),
        ("SELECT ?", 5, dbapi.ProgrammingError),
        ("SELECT ?", (object(),), dbapi.ProgrammingError),
        ("SELECT ?", (2**63,), dbapi.DataError),
        ("SELECT ?", ("\ud800",), dbapi.DataError),
        ("SELECT 1\0", (), dbapi.ProgrammingError),
        (b"SELECT 1", (), dbapi.ProgrammingError),
    ],
)
def test_unfitting_parameters(connection, sql, parameters, expected):
    """Missing, surplus and unstorable parameters are PEP 249 errors."""
    with pytest.raises(expected) as caught:
        connection.execute(sql, parameters)
    assert type(caught.value) is expected


def test_missing_parameter_is_named(connection):
    """The error of a missing named parameter says which."""
    with pytest.raises(dbapi.ProgrammingError, match="absent"):
        connection.execute("SELECT :absent", {})


def test_error_of_callers_mapping(connection):
    """What the caller's own parameter object raises is the caller's to see."""

    class Own(Exception):
        pass

    class Parameters(dict):
        def __missing__(self, key):
            raise Own

    with pytest.raises(Own):
        connection.execute("SELECT :a", Parameters())


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t (name) VALUES ('a'); DELETE FROM t",
        "INSERT INTO t (name) VALUES ('a'); /* a */ DELETE FROM t /* b */",
        "INSERT INTO t (name) VALUES ('a'); -- a\n DELETE FROM t",
        "INSERT INTO t (name) VALUES ('a'); /**/x",
    ],
)
def test_second_statement(connection, sql):
    """A second statement, behind a comment too, is refused before the first has run."""
    with pytest.raises(dbapi.ProgrammingError, match="one at a time"):
        connection.execute(sql)
    assert names(connection) == []


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t (name) VALUES ('a') ; -- done\n ; /* really */",
        "/* first */ -- of all\n\ufeff insert into t (name) values ('a') /* open",
        "REPLACE INTO t (name) VALUES ('a')",
        "WITH x AS (SELECT 'a') INSERT INTO t (name) SELECT * FROM x",
    ],
)
def test_insert_however_written(connection, sql):
    """An insert is known for one among comments and behind a WITH."""
    cursor = connection.execute(sql)
    assert (cursor.rowcount, cursor.lastrowid, cursor.description) == (1, 1, None)
    assert connection.in_transaction


@pytest.mark.parametrize(
    "sql", ["", " -- nothing\n", "CREATE TABLE u (a)", "PRAGMA user_version=1"]
)
def test_statement_without_result(connection, sql):
    """What yields no columns has no description, rows, rowcount or lastrowid."""
    cursor = connection.execute(sql)
    assert cursor.description is None
    assert (cursor.fetchone(), cursor.fetchmany(), cursor.fetchall()) == (None, [], [])
    assert (cursor.rowcount, cursor.lastrowid) == (-1, None)


def test_description_of_empty_result(connection):
    """A result without rows still names its columns and their declared types."""
    columns = connection.execute("SELECT id, name, 1 AS one FROM t WHERE 0").description
    assert [(c[0], c[1], len(c)) for c in columns] == [
        ("id", "INTEGER", 7),
        ("name", "TEXT", 7),
        ("one", None, 7),
    ]


@pytest.mark.parametrize(
    ("sql", "rowcount"),
    [
        ("UPDATE t SET name = name || 'x'", 3),
        ("DELETE FROM t WHERE id > 1", 2),
        ("DELETE FROM t WHERE id > 9", 0),
        ("WITH x AS (SELECT 1 AS i) UPDATE t SET name = 'z' WHERE id IN (SELECT i FROM x)", 1),
        ("UPDATE t SET name = id RETURNING id", 3),
        ("SELECT * FROM t", -1),
        ("WITH x AS (SELECT 1) SELECT * FROM x", -1),
        ("EXPLAIN DELETE FROM t", -1),
    ],
)
def test_rowcount(connection, sql, rowcount):
    """Rowcount counts the rows that a write changed and is -1 for anything else."""
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO t (name) VALUES (?)", [("a",), ("b",), ("c",)])
    assert cursor.rowcount == 3
    assert connection.execute(sql).rowcount == rowcount


def test_lastrowid_after_update(connection):
    """An update leaves no lastrowid behind."""
    cursor = connection.execute("INSERT INTO t VALUES (7, 'a')")
    assert cursor.lastrowid == 7
    assert cursor.execute("UPDATE t SET name = 'b'").lastrowid is None


def test_executemany_returning(connection):
    """RETURNING under executemany yields the rows of all sets in their order."""
    cursor = connection.cursor()
    sql = "INSERT INTO t (name) VALUES (:name) RETURNING id, name"
    cursor.executemany(sql, ({"name": name} for name in "ba"))
    assert cursor.fetchall() == [(1, "b"), (2, "a")]
    assert (cursor.rowcount, cursor.lastrowid) == (2, None)
    assert [column[0] for column in cursor.description] == ["id", "name"]


def test_executemany_without_sets(connection):
    """Executemany with no sets does nothing at all."""
    cursor = connection.cursor().executemany("INSERT INTO t (name) VALUES (?)", [])
    assert (cursor.rowcount, cursor.fetchall(), connection.in_transaction) == (-1, [], False)


def test_executemany_that_fails(connection):
    """A failing set stops executemany; what ran before it can be rolled back."""
    with pytest.raises(dbapi.IntegrityError):
        connection.cursor().executemany("INSERT INTO t (name) VALUES (?)", [("a",), ("a",)])
    assert names(connection) == ["a"]
    connection.rollback()
    assert names(connection) == []


def test_fetching(connection):
    """The ways to fetch share one position."""
    cursor = connection.execute("VALUES (1), (2), (3), (4), (5), (6)")
    assert cursor.fetchone() == (1,)
    assert cursor.fetchmany() == [(2,)]
    cursor.arraysize = 2
    assert cursor.fetchmany() == [(3,), (4,)]
    assert next(iter(cursor)) == (5,)
    assert cursor.fetchmany(9) == [(6,)]
    assert cursor.fetchone() is None


def test_rows_outlive_their_table(connection):
    """Rows are buffered: neither COMMIT nor DROP waits for them to be fetched."""
    cursor = connection.execute("INSERT INTO t (name) VALUES ('a') RETURNING name")
    connection.commit()
    connection.execute("DROP TABLE t")
    assert cursor.fetchall() == [("a",)]


def test_closed_cursor(connection):
    """A closed cursor refuses everything, but still says what its statement did."""
    cursor = connection.execute("INSERT INTO t (name) VALUES ('a')")
    cursor.close()
    cursor.close()
    assert (cursor.lastrowid, cursor.rowcount) == (1, 1)
    for use in (cursor.fetchone, cursor.fetchall, cursor.fetchmany, cursor.__iter__):
        with pytest.raises(dbapi.ProgrammingError, match="closed"):
            use()
    with pytest.raises(dbapi.ProgrammingError, match="closed"):
        cursor.execute("SELECT 1")


def test_sizes_are_ignored(connection):
    """The size hints of PEP 249 may be given and change nothing."""
    cursor = connection.cursor()
    cursor.setinputsizes((1, 2))
    cursor.setoutputsize(5, 1)
    assert cursor.execute("SELECT ?", ("abc",)).fetchone() == ("abc",)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (dt.date(2024, 2, 29), "2024-02-29"),
        (dt.datetime(2024, 2, 29, 1, 2, 3, 4), "2024-02-29 01:02:03.000004"),
        (dbapi.Binary(b"abc"), b"abc"),
        (True, 1),
        (None, None),
        (1.5, 1.5),
    ],
)
def test_binding(connection, value, stored):
    """Values are bound as sqlite3 binds them; dates and datetimes are ISO text."""
    assert connection.execute("SELECT ?", (value,)).fetchone() == (stored,)
