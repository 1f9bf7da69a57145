"""Transactions and savepoints: all or nothing, and one thread's business."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest
from engine_tools import (
    ADD,
    ALL,
    COUNT,
    Failure,
    Statements,
    add,
    error_of,
    failing,
    open_database,
    values,
)

import dsfactory as ds
from dsfactory.engine import Connection, Database, Settings, Transaction

LIMIT = "PRAGMA max_page_count = {}"
PAGES = "PRAGMA page_count"


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    """Another thread."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


class TestEnds:
    """How a transaction ends."""

    def test_commit(self, database: Database, path: Path) -> None:
        """Leaving the block commits: whoever opens the file next finds it."""
        with database.write() as tx:
            tx.run(ADD, (3,))
            tx.many(ADD, [(4,), (5,)])
        database.close()
        assert values(open_database(path)) == [1, 2, 3, 4, 5]

    def test_rollback(self, database: Database) -> None:
        """Leaving the block by an exception undoes everything, and the exception goes on."""
        with failing(), database.write() as tx:
            tx.run(ADD, (3,))
            raise Failure
        assert values(database) == [1, 2]
        add(database, 4)
        assert values(database) == [1, 2, 4]

    def test_failing_commit(self, database: Database) -> None:
        """A COMMIT that fails undoes everything, raises, and leaves the writer usable."""
        with database.write() as tx:
            tx.run(
                "CREATE TABLE part (of INTEGER REFERENCES thing (k) DEFERRABLE INITIALLY DEFERRED)"
            )

        def break_a_reference() -> None:
            with database.write() as tx:
                tx.run(ADD, (3,))
                tx.run("INSERT INTO part VALUES (99)")

        with pytest.raises(ds.DataStoreError, match="FOREIGN KEY"):
            break_a_reference()
        assert values(database) == [1, 2]
        add(database, 4)
        assert values(database) == [1, 2, 4]

    def test_failing_statement(self, database: Database) -> None:
        """A statement that fails raises our error; the others of the block still count."""
        with database.write() as tx:
            tx.run(ADD, (3,))
            with pytest.raises(ds.DataStoreError, match="UNIQUE"):
                tx.run("INSERT INTO thing VALUES (1, 'again')")
            with pytest.raises(ds.DataStoreError, match="no such table"):
                tx.rows("SELECT * FROM absent")
            with pytest.raises(ds.DataStoreError, match="UNIQUE"):
                tx.many("INSERT INTO thing VALUES (?, 'again')", [(9,), (1,)])
        assert values(database) == [1, 2, 3, "again"]

    def test_statement_with_rows_left(self, database: Database) -> None:
        """run() takes a statement to its end: rows that nobody wants do not hinder the commit."""
        with database.write() as tx:
            tx.run("UPDATE thing SET v = v + 10 RETURNING v")
        assert values(database) == [11, 12]

    def test_connection_closed_inside(self, database: Database) -> None:
        """Whoever closes the connection under a transaction loses it, not the database."""

        def close_inside() -> None:
            with database.write() as tx:
                tx.run(ADD, (3,))
                tx.connection.close(True)

        with pytest.raises(ds.ClosedError):
            close_inside()
        assert values(database) == [1, 2]
        add(database, 4)
        assert values(database) == [1, 2, 4]

    def test_statement_on_closed_connection(self, database: Database) -> None:
        """On a connection that somebody closed, statements say that it is closed."""

        def close_inside() -> None:
            with database.write() as tx:
                tx.connection.close(True)
                with pytest.raises(ds.ClosedError):
                    tx.run(ADD, (3,))
                assert tx.over

        with pytest.raises(ds.TransactionError):
            close_inside()
        add(database, 4)
        assert values(database) == [1, 2, 4]

    def test_connection_closed_afterwards(self, database: Database) -> None:
        """Whoever closes the connection between transactions spoils one more, not the database."""
        kept: list[Connection] = []
        with database.write() as tx:
            kept.append(tx.connection)
        kept[0].close()
        assert error_of(lambda: add(database, 3)) == "ClosedError"
        add(database, 4)
        assert values(database) == [1, 2, 4]

    def test_changes(self, database: Database) -> None:
        """The number of changed rows is that of the last statement."""
        with database.write() as tx:
            tx.run("UPDATE thing SET v = 0")
            assert tx.changes == 2


class TestBegin:
    """How a transaction begins."""

    def test_begin_immediate(self, path: Path) -> None:
        """Every write takes the lock at its first statement: BEGIN IMMEDIATE, once."""
        statements = Statements()
        database = open_database(path, prepare=statements)
        add(database, 3)
        add(database, 4)
        assert statements.seen == ["BEGIN IMMEDIATE", ADD, "COMMIT"] * 2
        database.close()

    def test_time_of_transaction(self, path: Path) -> None:
        """The time is read once a transaction, after the lock was taken."""
        ticks = iter(range(100, 200))
        database = Database(path, Settings(), clock=lambda: next(ticks))
        with database.write() as outer, database.write() as inner:
            assert (outer.now, inner.now, outer.now) == (100, 100, 100)
        with database.write() as later:
            assert later.now == 101
        database.close()

    def test_failing_clock(self, path: Path) -> None:
        """When beginning fails for any reason, the write lock is given back."""
        moods = iter([ZeroDivisionError(), 7])

        def clock() -> int:
            mood = next(moods)
            if isinstance(mood, Exception):
                raise mood
            return mood

        database = Database(path, Settings(), clock=clock)
        with pytest.raises(ZeroDivisionError), database.write():
            pytest.fail("the block must not be entered")
        add(database, 3)
        assert values(database) == [1, 2, 3]
        database.close()

    def test_failing_preparation(self, path: Path) -> None:
        """When a new connection cannot be prepared, nothing is held, and one can try again."""
        tries = iter([1, 2])

        def prepare(connection: apsw.Connection) -> None:
            if next(tries, 3) < 3:
                raise ZeroDivisionError

        database = open_database(path, prepare=prepare)
        assert error_of(lambda: add(database, 3)) == "ZeroDivisionError"
        assert error_of(lambda: values(database)) == "ZeroDivisionError"
        add(database, 3)
        assert values(database) == [1, 2, 3]
        database.close()

    def test_missing_file(self, path: Path) -> None:
        """A file that disappeared before its first use is missing, not made anew."""
        database = open_database(path)
        path.unlink()
        for use in (lambda: add(database, 3), lambda: values(database), database.checkpoint):
            assert error_of(use) == "FileMissingError"
        assert not path.exists()


class TestSavepoints:
    """A block inside of a block."""

    def test_inner_block_fails(self, database: Database) -> None:
        """An inner block that fails is undone alone."""
        with database.write() as tx:
            tx.run(ADD, (3,))
            with failing(), database.write() as inner:
                inner.run(ADD, (4,))
                raise Failure
            tx.run(ADD, (5,))
        assert values(database) == [1, 2, 3, 5]

    def test_outer_block_fails(self, database: Database) -> None:
        """What an inner block finished goes with the outer one."""
        with failing(), database.write():
            add(database, 3)
            raise Failure
        assert values(database) == [1, 2]

    def test_three_deep(self, database: Database) -> None:
        """Savepoints nest: undoing the middle one undoes what is inside of it."""
        with database.write():
            add(database, 3)
            with failing(), database.write():
                add(database, 4)
                with database.write():
                    add(database, 5)
                raise Failure
            with database.write():
                add(database, 6)
        assert values(database) == [1, 2, 3, 6]

    def test_inner_block_is_the_same_transaction(self, database: Database) -> None:
        """An inner block is handed the outer one's transaction."""
        with database.write() as outer, database.write() as inner:
            assert inner is outer


class TestVisibility:
    """Who sees what is not committed yet."""

    def test_reads_inside(self, database: Database, worker: ThreadPoolExecutor) -> None:
        """Inside, this thread's reads show its changes; another thread's do not."""
        with database.write() as tx:
            tx.run(ADD, (3,))
            assert values(database) == [1, 2, 3]
            with database.snapshot() as snapshot:
                assert snapshot is tx
                assert snapshot.rows(COUNT) == [(3,)]
            assert worker.submit(values, database).result() == [1, 2]
        assert worker.submit(values, database).result() == [1, 2, 3]

    def test_committed_rows_inside(self, database: Database) -> None:
        """Committed rows are those of before, also inside of the transaction that changes them."""
        with database.write() as tx:
            tx.run("UPDATE thing SET v = 0")
            assert database.committed_rows(ALL) == [(1,), (2,)]

    def test_committed_rows_in_function(self, path: Path) -> None:
        """An SQL function may query the database while the transaction's cursor calls it."""
        database = open_database(
            path,
            prepare=lambda made: made.create_scalar_function(
                "committed", lambda: database.committed_rows(COUNT)[0][0], 0
            ),
        )
        with database.write() as tx:
            tx.run("INSERT INTO thing (v) VALUES (committed())")
            tx.run("INSERT INTO thing (v) VALUES (committed())")
        assert values(database) == [1, 2, 2, 2]
        database.close()

    def test_in_transaction(self, database: Database, worker: ThreadPoolExecutor) -> None:
        """A transaction is the business of one thread."""

        def asked() -> bool:
            return database.in_transaction

        assert not asked()
        with database.write():
            assert asked()
            assert not worker.submit(asked).result()
        assert not asked()

    def test_snapshot(self, database: Database) -> None:
        """All queries of a snapshot show one moment, whatever is committed meanwhile."""
        with database.snapshot() as snapshot:
            assert snapshot.rows(COUNT) == [(2,)]
            add(database, 3)
            assert snapshot.rows(COUNT) == [(2,)]
            assert database.rows(COUNT) == [(3,)]
        with database.snapshot() as snapshot:
            assert snapshot.rows(COUNT) == [(3,)]

    def test_snapshot_ended_by_hand(self, database: Database) -> None:
        """A snapshot that was ended by SQL leaves a reader that can be lent again."""
        with database.snapshot() as snapshot:
            snapshot.rows("COMMIT")
            add(database, 3)
            assert snapshot.rows(COUNT) == [(3,)]
        assert values(database) == [1, 2, 3]

    def test_failing_query_in_snapshot(self, database: Database) -> None:
        """A query that fails raises our error, and the snapshot goes on."""
        with database.snapshot() as snapshot:
            with pytest.raises(ds.DataStoreError, match="no such table"):
                snapshot.rows("SELECT * FROM absent")
            assert snapshot.rows(COUNT) == [(2,)]
        with pytest.raises(ds.DataStoreError, match="no such table"):
            database.rows("SELECT * FROM absent")

    def test_readers_beside_the_writer(self, database: Database) -> None:
        """Readers run at once, each on its own connection, while the writer holds its lock."""
        together = threading.Barrier(5, timeout=30)

        def read() -> int:
            with database.snapshot() as snapshot:
                ((before,),) = snapshot.rows(COUNT)
                together.wait()  # passes only when all five are inside
                ((after,),) = snapshot.rows(COUNT)
            assert before == after
            return int(after)

        with ThreadPoolExecutor(5) as readers, database.write() as tx:
            tx.run(ADD, (3,))
            counts = list(readers.map(lambda _: read(), range(5)))
        assert counts == [2] * 5
        assert values(database) == [1, 2, 3]

    def test_writers_take_turns(self, path: Path) -> None:
        """No update is lost between threads that read, then write."""
        database = open_database(path, settings=Settings(busy_timeout_ms=60_000))

        def step(_: int) -> None:
            with database.write() as tx:
                ((old,),) = tx.rows("SELECT v FROM thing WHERE k = 1")
                tx.run("UPDATE thing SET v = ? WHERE k = 1", (old + 1,))

        with ThreadPoolExecutor(4) as writers:
            list(writers.map(step, range(100)))
        assert values(database) == [101, 2]
        database.close()


class TestActions:
    """What is done once a transaction has been committed."""

    def test_after_commit(self, database: Database, worker: ThreadPoolExecutor) -> None:
        """Actions run in order after the commit: others see the change by then."""
        seen: list[object] = []
        with database.write() as tx:
            tx.when_committed(lambda: seen.append("first"))
            tx.run(ADD, (3,))
            tx.when_committed(lambda: seen.append(worker.submit(values, database).result()))
            assert seen == []
        assert seen == ["first", [1, 2, 3]]

    def test_after_rollback(self, database: Database) -> None:
        """What was undone has no consequences, nor has it any later."""
        seen: list[object] = []
        with failing(), database.write() as tx:
            tx.when_committed(lambda: seen.append("never"))
            raise Failure
        add(database, 3)
        assert seen == []

    def test_of_inner_blocks(self, database: Database) -> None:
        """An inner block that fails takes its own actions along, and no other's."""
        seen: list[object] = []
        with database.write() as tx:
            tx.when_committed(lambda: seen.append("outer"))
            with database.write() as inner:
                inner.when_committed(lambda: seen.append("kept"))
            with failing(), database.write() as inner:
                inner.when_committed(lambda: seen.append("undone"))
                with database.write() as innermost:
                    innermost.when_committed(lambda: seen.append("undone too"))
                raise Failure
            tx.when_committed(lambda: seen.append("last"))
        assert seen == ["outer", "kept", "last"]

    def test_of_failed_commit(self, path: Path) -> None:
        """A commit that does not succeed has none either."""
        seen: list[object] = []
        diary = Diary()
        diary.refuses = "committing"
        database = open_database(path, witness=diary)

        def write() -> None:
            with database.write() as tx:
                tx.when_committed(lambda: seen.append("never"))

        assert error_of(write) == "ZeroDivisionError"
        assert seen == []
        database.close()


class Diary:
    """A witness that writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []
        self.refuses = ""

    def begun(self, transaction: Transaction) -> None:
        """Note what is there."""
        self._note("begun", transaction)

    def committing(self, transaction: Transaction) -> None:
        """Note what will be there."""
        self._note("committing", transaction)

    def _note(self, event: str, transaction: Transaction) -> None:
        ((count,),) = transaction.rows(COUNT)
        self.events.append((event, count))
        if self.refuses == event:
            raise ZeroDivisionError


class TestWitness:
    """Who takes part in every transaction."""

    def test_witness(self, path: Path) -> None:
        """A witness sees the state before the first change and after the last, once each."""
        diary = Diary()
        database = open_database(path, witness=diary)
        with database.write():
            add(database, 3)
            add(database, 4)
        assert diary.events == [("begun", 2), ("committing", 4)]
        database.close()

    def test_witness_of_rollback(self, path: Path) -> None:
        """A transaction that fails has nothing to commit."""
        diary = Diary()
        database = open_database(path, witness=diary)
        with failing(), database.write():
            raise Failure
        assert diary.events == [("begun", 2)]
        database.close()

    @pytest.mark.parametrize("event", ["begun", "committing"])
    def test_witness_refuses(self, path: Path, event: str) -> None:
        """A witness that raises undoes the transaction; the next one may begin."""
        diary = Diary()
        database = open_database(path, witness=diary)
        diary.refuses = event
        with pytest.raises(ZeroDivisionError):
            add(database, 3)
        diary.refuses = ""
        add(database, 4)
        assert values(database) == [1, 2, 4]
        database.close()


class TestLostTransactions:
    """SQLite undoes a whole transaction by itself when a page cannot be had."""

    def outgrow(self, tx: Transaction) -> None:
        """Fail as on a full disk: no further page is allowed for a moment."""
        ((pages,),) = tx.rows(PAGES)
        tx.rows(LIMIT.format(pages))
        with pytest.raises(ds.DiskFullError):
            tx.run(ADD, (bytes(100_000),))
        assert tx.over

    def test_statement_after_loss(self, database: Database) -> None:
        """What follows in the block is refused: it would be committed by itself."""

        def go_on() -> None:
            with database.write() as tx:
                tx.run(ADD, ("before",))
                self.outgrow(tx)
                for use in (tx.run, tx.rows, lambda sql: tx.many(sql, [()]), database.rows):
                    with pytest.raises(ds.TransactionError, match="rolled back"):
                        use("INSERT INTO thing (v) VALUES ('after')")

        with pytest.raises(ds.TransactionError, match="begin anew"):
            go_on()
        assert values(database) == [1, 2]

    def test_block_after_loss(self, database: Database) -> None:
        """A further block inside is refused too, and the writer can be used again afterwards."""

        def go_on() -> None:
            with database.write() as tx:
                self.outgrow(tx)
                with pytest.raises(ds.TransactionError):
                    add(database, "after")

        with pytest.raises(ds.TransactionError):
            go_on()
        database.close()

    def test_loss_inside_of_savepoint(self, database: Database) -> None:
        """The error that made SQLite give up is the one that leaves both blocks."""

        def grow() -> None:
            with database.write() as tx:
                tx.run(ADD, ("before",))
                ((pages,),) = tx.rows(PAGES)
                tx.rows(LIMIT.format(pages))
                add(database, bytes(100_000))

        with pytest.raises(ds.DiskFullError):
            grow()
        with database.write() as tx:
            tx.rows(LIMIT.format(1_000_000))
            tx.run(ADD, (3,))
        assert values(database) == [1, 2, 3]

    def test_transaction_ended_by_sql(self, database: Database) -> None:
        """A block whose transaction was ended by hand cannot pretend to have committed."""

        def end_by_hand() -> None:
            with database.write() as tx:
                tx.run(ADD, (3,))
                tx.connection.execute("ROLLBACK")

        with pytest.raises(ds.DataStoreError, match="no transaction is active"):
            end_by_hand()
        assert values(database) == [1, 2]
