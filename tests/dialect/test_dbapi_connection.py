"""What the PEP 249 facade promises about opening, sharing and closing connections."""

import os
import threading
from contextlib import closing

import apsw
import pytest

from dsfactory.engine import dbapi

INSERT = "INSERT INTO t (name) VALUES ('a')"


def count(connection):
    """Return how many rows the fixture's table has."""
    return connection.execute("SELECT count(*) FROM t").fetchone()[0]


@pytest.mark.parametrize(
    "use",
    [
        lambda c: c.execute("SELECT 1"),
        lambda c: c.begin(),
        lambda c: c.commit(),
        lambda c: c.rollback(),
        lambda c: c.in_transaction,
        lambda c: c.create_function("f", 0, None),
    ],
)
@pytest.mark.parametrize("by", ["facade", "apsw"])
def test_closed_connection(connection, use, by):
    """After close, here or underneath, every use is a ConnectionLostError; closing again is not."""
    (connection if by == "facade" else connection.apsw_connection).close()
    with pytest.raises(dbapi.ConnectionLostError):
        use(connection)
    connection.close()
    connection.close()


def test_close_with_open_statement(connection):
    """Close does not wait for rows that somebody reads from the apsw connection."""
    rows = connection.apsw_connection.execute("VALUES (1), (2)")
    next(rows)
    connection.close()
    with pytest.raises(apsw.ConnectionClosedError):
        connection.apsw_connection.execute("SELECT 1")


def test_close_rolls_back(connection, path):
    """What is not committed at close is gone."""
    connection.execute(INSERT)
    connection.close()
    with closing(dbapi.connect(path)) as again:
        assert count(again) == 0


def test_forked_child(connection, monkeypatch):
    """A forked child can neither use nor close its parent's connection."""
    connection.execute(INSERT)
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        with pytest.raises(dbapi.ProgrammingError, match="fork"):
            connection.rollback()
        connection.close()
        assert connection.apsw_connection in dbapi._left_open
    assert connection.apsw_connection.in_transaction
    dbapi._left_open.remove(connection.apsw_connection)
    connection.apsw_connection.close()


def test_foreign_thread(connection):
    """A connection may be used by a thread other than the one that opened it."""
    worker = threading.Thread(target=connection.execute, args=(INSERT,))
    worker.start()
    worker.join()
    assert count(connection) == 1


def test_two_threads_at_once(connection):
    """A thread that comes while another's statement runs gets a ProgrammingError."""
    entered, leave = threading.Event(), threading.Event()

    def hold():
        entered.set()
        leave.wait(10)

    connection.create_function("hold", 0, hold)
    worker = threading.Thread(target=connection.execute, args=("SELECT hold()",))
    worker.start()
    entered.wait(10)
    try:
        with pytest.raises(dbapi.ProgrammingError):
            connection.execute("SELECT 1")
    finally:
        leave.set()
        worker.join()


def test_create_function(connection):
    """A Python function is callable in SQL until it is taken away."""
    connection.create_function("twice", 1, lambda x: 2 * x, deterministic=True)
    assert connection.execute("SELECT twice(4)").fetchone() == (8,)
    connection.create_function("twice", 1, None)
    with pytest.raises(dbapi.OperationalError):
        connection.execute("SELECT twice(4)")


@pytest.mark.parametrize("kind", [str, os.fsencode, lambda path: path])
def test_connect_path(path, kind):
    """A path may be text, bytes or path-like."""
    with closing(dbapi.connect(kind(path))) as opened:
        assert opened.apsw_connection.filename == str(path)


def test_connect_missing_directory(path):
    """A database that cannot be opened is an OperationalError with SQLite's code."""
    with pytest.raises(dbapi.OperationalError) as caught:
        dbapi.connect(path / "absent" / "x.db")
    assert caught.value.sqlite_errorcode == apsw.SQLITE_CANTOPEN


def test_connect_uri(connection, path):
    """With uri=True the name is a URI, its parameters included."""
    with closing(dbapi.connect(f"file:{path}?mode=ro", uri=True)) as opened:
        with pytest.raises(dbapi.OperationalError) as caught:
            opened.execute(INSERT)
        assert caught.value.sqlite_errorcode == apsw.SQLITE_READONLY


def test_connect_vfs(path):
    """The file system layer can be chosen by name."""
    with pytest.raises(dbapi.OperationalError):
        dbapi.connect(path, vfs="absent")
    with closing(dbapi.connect(path, vfs=apsw.vfs_names()[0])) as opened:
        assert opened.apsw_connection.open_vfs == apsw.vfs_names()[0]


def test_connect_detect_types(path):
    """Converters are refused, not ignored."""
    with pytest.raises(dbapi.NotSupportedError):
        dbapi.connect(path, detect_types=1)


@pytest.mark.parametrize("timeout", [None, 0.0])
def test_connect_opener(path, timeout):
    """An opener makes the connection; a timeout is set on it where one is given."""

    def opener(name):
        made = apsw.Connection(name)
        made.set_busy_timeout(777)
        return made

    with closing(dbapi.connect(path, opener=opener, timeout=timeout)) as opened:
        assert opened.apsw_connection.filename == str(path)
        assert opened.apsw_connection.pragma("busy_timeout") == (777 if timeout is None else 0)


def test_connect_timeout_default(connection):
    """Locks of others are waited for, five seconds unless said otherwise."""
    assert connection.apsw_connection.pragma("busy_timeout") == 5000


def test_module_globals():
    """The module says of itself what PEP 249 asks for, and which SQLite it carries."""
    assert (dbapi.apilevel, dbapi.threadsafety, dbapi.paramstyle) == ("2.0", 1, "qmark")
    assert dbapi.sqlite_version == apsw.sqlite_lib_version()
    assert dbapi.sqlite_version_info >= (3, 51, 3)
