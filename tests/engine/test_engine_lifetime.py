"""From the first use to the close: when connections are opened, and what is refused afterwards."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest
from engine_tools import (
    ADD,
    COUNT,
    Failure,
    Statements,
    add,
    error_of,
    failing,
    make_file,
    open_database,
    values,
)

import dsfactory as ds
from dsfactory.engine import Connection, Database


class Opened:
    """A *prepare* that counts the connections which are opened."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []

    def __call__(self, connection: Connection) -> None:
        self.connections.append(connection)


def is_closed(connection: Connection) -> bool:
    """Whether *connection* was closed."""
    try:
        connection.in_transaction  # noqa: B018 -- the question is whether it answers
    except apsw.ConnectionClosedError:
        return True
    return False


class TestConnections:
    """How many connections there are."""

    def test_nothing_is_opened_early(self, path: Path) -> None:
        """A database that nobody uses has no connection."""
        opened = Opened()
        database = open_database(path, prepare=opened)
        database.close()
        assert opened.connections == []

    def test_one_writer_one_reader(self, path: Path) -> None:
        """One thread needs one writer and one reader, however often it writes and reads."""
        opened = Opened()
        database = open_database(path, prepare=opened)
        for number in range(5):
            add(database, number)
            values(database)
        assert len(opened.connections) == 2
        database.close()

    def test_readers_are_shared(self, path: Path) -> None:
        """Threads that read one after another share one reader."""
        opened = Opened()
        database = open_database(path, prepare=opened)
        for _ in range(5):
            with ThreadPoolExecutor(1) as thread:
                assert thread.submit(values, database).result() == [1, 2]
        assert len(opened.connections) == 1
        database.close()

    def test_readers_at_once(self, path: Path) -> None:
        """As many readers are opened as threads read at the same moment, and kept."""
        opened = Opened()
        database = open_database(path, prepare=opened)
        for _ in range(2):
            together = threading.Barrier(3, timeout=30)

            def read(barrier: threading.Barrier = together) -> None:
                with database.snapshot() as snapshot:
                    snapshot.rows(COUNT)
                    barrier.wait()

            with ThreadPoolExecutor(3) as threads:
                for done in [threads.submit(read) for _ in range(3)]:
                    done.result()
        assert len(opened.connections) == 3
        database.close()
        assert all(map(is_closed, opened.connections))

    def test_reader_comes_back(self, path: Path) -> None:
        """A reader is given back whatever happens while it is out."""
        opened = Opened()
        database = open_database(path, prepare=opened)
        for _ in range(3):
            with failing(), database.snapshot() as snapshot:
                snapshot.rows(COUNT)
                raise Failure
            assert error_of(lambda: database.rows("SELECT * FROM absent")) == "DataStoreError"
        assert len(opened.connections) == 1
        database.close()

    def test_snapshot_of_damaged_file(self, tmp_path: Path) -> None:
        """A snapshot of a damaged file ends like any other, and its reader can be lent again."""
        opened = Opened()
        path = make_file(tmp_path / "things.db", *(bytes(3000) for _ in range(50)))
        pages = bytearray(path.read_bytes())
        pages[2 * 4096 : 3 * 4096] = b"\xff" * 4096
        path.write_bytes(pages)
        database = open_database(path, prepare=opened)
        for _ in range(3):
            with database.snapshot() as snapshot, pytest.raises(ds.CorruptError):
                snapshot.rows("SELECT sum(length(v)) FROM thing")
        assert len(opened.connections) == 1
        database.close()

    def test_forgotten_database(self, path: Path) -> None:
        """A database that was forgotten unclosed lets go of its connections."""
        opened = Opened()
        database = open_database(path, prepare=opened)
        add(database, 3)
        values(database)
        opened.connections.clear()
        del database
        gc.collect()
        with open_database(path).write() as tx:
            tx.run(ADD, (4,))
        assert values(open_database(path)) == [1, 2, 3, 4]


class TestClose:
    """The end."""

    def test_use_after_close(self, database: Database) -> None:
        """Whatever is asked of a closed database raises ClosedError, also what never opened it."""
        add(database, 3)
        values(database)
        assert not database.closed
        database.close()
        assert database.closed
        uses = (
            lambda: add(database, 4),
            lambda: values(database),
            lambda: database.committed_rows(COUNT),
            lambda: database.snapshot().__enter__(),
            database.checkpoint,
        )
        assert [error_of(use) for use in uses] == ["ClosedError"] * 5
        with pytest.raises(ds.ClosedError, match=r"things\.db is closed\. Open it again"):
            values(database)

    def test_close_twice(self, database: Database) -> None:
        """A second close does nothing."""
        add(database, 3)
        database.close()
        database.close()
        assert error_of(lambda: values(database)) == "ClosedError"

    def test_close_in_own_transaction(self, database: Database) -> None:
        """Inside of one's own transaction close is refused, and the transaction goes on."""
        with database.write() as tx:
            tx.run(ADD, (3,))
            with pytest.raises(ds.TransactionError, match="Leave it first"):
                database.close()
            tx.run(ADD, (4,))
        assert values(database) == [1, 2, 3, 4]

    def test_close_beside_other_transaction(self, database: Database) -> None:
        """Another thread's transaction is waited for; when it takes too long nothing is closed."""
        with database.write() as tx, ThreadPoolExecutor(1) as threads:
            tx.run(ADD, (3,))
            with pytest.raises(ds.BusyError):
                threads.submit(database.close).result()
            tx.run(ADD, (4,))
        assert not database.closed
        assert values(database) == [1, 2, 3, 4]

    def test_close_beside_reader(self, path: Path) -> None:
        """A query under way ends in peace; its connection is closed when it comes back."""
        opened = Opened()
        database = open_database(path, prepare=opened)
        with database.snapshot() as snapshot:
            assert snapshot.rows(COUNT) == [(2,)]
            database.close()
            assert snapshot.rows(COUNT) == [(2,)]
            assert not is_closed(opened.connections[0])
        assert is_closed(opened.connections[0])

    def test_statements_of_close(self, path: Path) -> None:
        """Closing runs no SQL of its own."""
        statements = Statements()
        database = open_database(path, prepare=statements)
        add(database, 3)
        before = list(statements.seen)
        database.close()
        assert statements.seen == before
