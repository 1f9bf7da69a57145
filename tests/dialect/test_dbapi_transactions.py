"""What the PEP 249 facade promises about transactions, its own and a borrowed connection's."""

from contextlib import closing

import apsw
import pytest

from dsfactory.engine import dbapi

INSERT = "INSERT INTO t (name) VALUES ('a')"


def count(connection):
    """Return how many rows the fixture's table has."""
    return connection.execute("SELECT count(*) FROM t").fetchone()[0]


@pytest.fixture
def other(connection, path):
    """A second connection, which does not wait for locks."""
    with closing(dbapi.connect(path, timeout=0)) as opened:
        yield opened


@pytest.fixture
def store(connection, path):
    """An apsw connection that belongs to somebody else."""
    opened = apsw.Connection(str(path))
    yield opened
    opened.close()


def test_write_begins(connection, other):
    """A write outside a transaction begins one, seen by others after commit only."""
    connection.execute(INSERT)
    assert connection.in_transaction
    assert count(other) == 0
    connection.commit()
    assert not connection.in_transaction
    assert count(other) == 1


@pytest.mark.parametrize("sql", ["SELECT 1", "CREATE TABLE u (a)", "PRAGMA user_version = 2"])
def test_other_statements_do_not_begin(connection, sql):
    """Reading and DDL do not begin a transaction by themselves."""
    connection.execute(sql)
    assert not connection.in_transaction


def test_ddl_in_transaction(connection):
    """DDL after begin() rolls back."""
    connection.begin()
    connection.execute("DROP TABLE t")
    connection.rollback()
    assert count(connection) == 0


def test_commit_without_transaction(connection):
    """Commit and rollback without a transaction do nothing."""
    connection.commit()
    connection.rollback()
    assert not connection.in_transaction


def test_begin_twice(connection):
    """A second begin() joins the open transaction."""
    connection.begin()
    connection.begin()
    assert connection.in_transaction


def test_rollback_after_sqlites_own(connection):
    """Where SQLite has rolled back already, rollback() does not hide the first error."""
    connection.execute("INSERT INTO t VALUES (1, 'a')")
    with pytest.raises(dbapi.IntegrityError):
        connection.execute("INSERT OR ROLLBACK INTO t VALUES (1, 'b')")
    assert not connection.in_transaction
    connection.rollback()
    assert count(connection) == 0


@pytest.mark.parametrize("level", ["IMMEDIATE", "exclusive"])
def test_begin_that_locks(connection, other, level):
    """BEGIN IMMEDIATE and EXCLUSIVE hold the write lock before the first write."""
    connection.isolation_level = level
    connection.begin()
    with pytest.raises(dbapi.OperationalError) as caught:
        other.execute(INSERT)
    assert caught.value.sqlite_errorcode == apsw.SQLITE_BUSY


@pytest.mark.parametrize("level", ["", "deferred"])
def test_begin_that_does_not_lock(connection, other, level):
    """A deferred transaction leaves the write lock to others until it writes."""
    connection.isolation_level = level
    connection.begin()
    other.execute(INSERT)
    assert connection.isolation_level == level.upper()


def test_autocommit(connection, other):
    """In autocommit begin() does nothing and a write is there at once."""
    connection.isolation_level = None
    connection.begin()
    connection.execute(INSERT)
    assert (connection.in_transaction, count(other)) == (False, 1)


def test_autocommit_with_explicit_begin(connection):
    """In autocommit a transaction begun in SQL is ended by rollback()."""
    connection.isolation_level = None
    connection.execute("BEGIN")
    connection.execute(INSERT)
    connection.rollback()
    assert count(connection) == 0


def test_isolation_level_unknown(connection):
    """An unknown isolation level is refused and the former one stays."""
    connection.isolation_level = "IMMEDIATE"
    with pytest.raises(dbapi.ProgrammingError, match="SNAPSHOT"):
        connection.isolation_level = "SNAPSHOT"
    assert connection.isolation_level == "IMMEDIATE"


def test_borrowed_close(store):
    """Closing a borrowed connection undoes its own transaction and leaves it open."""
    borrowed = dbapi.Connection(store, owned=False)
    borrowed.execute(INSERT)
    borrowed.close()
    assert not store.in_transaction
    assert store.execute("SELECT count(*) FROM t").get == 0


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
def test_borrowed_inside_owners_transaction(store, end):
    """The owner's transaction is the owner's to end, with all that was written meanwhile."""
    store.execute("BEGIN")
    borrowed = dbapi.Connection(store, owned=False)
    borrowed.begin()
    borrowed.execute(INSERT)
    getattr(borrowed, end)()
    assert store.in_transaction
    assert store.execute("SELECT count(*) FROM t").get == 1


@pytest.mark.parametrize("begin", ["BEGIN", "SAVEPOINT a"])
def test_borrowed_begin_in_sql(store, begin):
    """A transaction that a borrower begins in SQL is the borrower's to end."""
    borrowed = dbapi.Connection(store, owned=False)
    borrowed.execute(begin)
    borrowed.commit()
    assert not store.in_transaction


def test_borrowed_ownership_ends_with_the_transaction(store):
    """Having ended its own transaction in SQL, a borrower does not end the owner's next."""
    borrowed = dbapi.Connection(store, owned=False)
    borrowed.execute(INSERT)
    borrowed.execute("COMMIT")
    store.execute("BEGIN")
    borrowed.rollback()
    assert store.in_transaction


def test_borrowed_after_owners_close(store):
    """A borrower may be closed after the connection itself."""
    borrowed = dbapi.Connection(store, owned=False)
    store.close()
    borrowed.close()
    with pytest.raises(dbapi.ConnectionLostError):
        borrowed.begin()
