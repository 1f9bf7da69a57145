"""Threads of one process: first come, first served, and one commit for those who wait."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from engine_tools import (
    ADD,
    Failure,
    Statements,
    error_of,
    in_child,
    make_file,
    open_database,
    values,
)

import dsfactory as ds
from dsfactory.engine import Database, Settings, Transaction
from dsfactory.engine.turns import Turns

PATIENT = Settings(busy_timeout_ms=60_000)


def waiting(turns: Turns, number: int) -> None:
    """Wait until so many threads queue."""
    while len(turns._queue) < number:
        os.sched_yield()


def adding(value: object) -> Callable[[Transaction], int]:
    """Return a step that adds *value* and returns how many there are."""

    def step(tx: Transaction) -> int:
        tx.run(ADD, (value,))
        ((count,),) = tx.rows("SELECT count(*) FROM thing")
        return int(count)

    return step


class Crowd:
    """Threads that all want to write while another transaction is open, in a known order."""

    def __init__(self, database: Database, steps: list[Callable[[Transaction], Any]]) -> None:
        self._threads = ThreadPoolExecutor(len(steps))
        self.futures: list[Future[Any]] = []
        with database.write():
            for number, step in enumerate(steps, 1):
                self.futures.append(self._threads.submit(database.run, step))
                waiting(database._turns, number)

    def results(self) -> list[Any]:
        """Return what each step returned, or the name of what it raised."""
        self._threads.shutdown()
        return [
            type(error).__name__ if (error := future.exception()) else future.result()
            for future in self.futures
        ]


class TestTurns:
    """The queue of threads by itself."""

    def test_first_come_first_served(self) -> None:
        """Threads get their turn in the order in which they asked."""
        turns, order = Turns(), []
        assert turns.take_free()

        def work(number: int) -> None:
            assert turns.take(60)
            order.append(number)
            turns.give()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for number, thread in enumerate(threads, 1):
            thread.start()
            waiting(turns, number)
        turns.give()
        for thread in threads:
            thread.join()
        assert order == [0, 1, 2, 3, 4, 5]

    def test_nobody_passes_the_queue(self) -> None:
        """While somebody waits, the turn is not free for who comes by."""
        turns = Turns()
        assert turns.take_free()
        thread = threading.Thread(target=lambda: turns.take(60))
        thread.start()
        waiting(turns, 1)
        assert not turns.take_free()
        turns.give()
        thread.join()
        assert not turns.take_free()
        turns.give()
        assert turns.take_free()

    def test_patience_ends(self) -> None:
        """Who gives up leaves the queue, and the turn goes to the next."""
        turns = Turns()
        assert turns.take_free()
        assert not turns.take(0.001)
        turns.give()
        assert turns.take_free()


class TestGroups:
    """run(): what threads do at the same time shares a commit."""

    def open(self, path: Path) -> tuple[Database, Statements]:
        """Open *path*, noting every statement."""
        statements = Statements()
        return open_database(path, settings=PATIENT, prepare=statements), statements

    def test_one_commit(self, path: Path) -> None:
        """Steps that waited together are committed together, in their order."""
        database, statements = self.open(path)
        crowd = Crowd(database, [adding(value) for value in range(3, 11)])
        assert crowd.results() == [3, 4, 5, 6, 7, 8, 9, 10]
        assert statements.seen.count("COMMIT") == 2  # one of the block that they waited for
        assert values(database) == [*range(1, 11)]
        database.close()

    def test_alone(self, path: Path) -> None:
        """A thread that nobody disturbs pays for no savepoint."""
        database, statements = self.open(path)
        assert database.run(lambda tx: tx.rows("SELECT 7")) == [(7,)]
        assert statements.seen == ["BEGIN IMMEDIATE", "SELECT 7", "COMMIT"]
        database.close()

    def test_one_fails(self, path: Path) -> None:
        """A step that raises undoes what it did, and nothing of the others."""

        def fail(tx: Transaction) -> None:
            tx.run(ADD, ("undone",))
            raise Failure

        def refused(tx: Transaction) -> None:
            tx.run("INSERT INTO thing VALUES (1, 'taken')")

        database, statements = self.open(path)
        steps = [adding(3), fail, adding(4), refused, adding(5)]
        assert Crowd(database, steps).results() == [3, "Failure", 4, "DataStoreError", 5]
        assert statements.seen.count("COMMIT") == 2
        assert values(database) == [1, 2, 3, 4, 5]
        database.close()

    def test_first_fails(self, path: Path) -> None:
        """The thread that does the work of the others may fail itself."""

        def interrupted(_tx: Transaction) -> None:
            raise KeyboardInterrupt

        for first, name in ((interrupted, "KeyboardInterrupt"), (lambda _tx: 1 / 0, "ZeroDivis")):
            database, _ = self.open(path)
            before = len(values(database))
            results = Crowd(database, [first, adding(3), adding(4)]).results()
            assert str(results[0]).startswith(name)
            assert sorted(results[1:]) == [before + 1, before + 2]
            assert len(values(database)) == before + 2
            database.close()

    def test_transactions_among_steps(self, path: Path) -> None:
        """Blocks that wait in the same queue get their turn too, and see what is committed."""
        database, _ = self.open(path)
        seen: list[list[Any]] = []

        def block() -> None:
            with database.write() as tx:
                seen.append(tx.rows("SELECT v FROM thing ORDER BY k"))
                tx.run(ADD, ("block",))

        with ThreadPoolExecutor(3) as threads, database.write():
            threads.submit(database.run, adding(3))
            waiting(database._turns, 1)
            threads.submit(block)
            waiting(database._turns, 2)
            threads.submit(database.run, adding(4))
            waiting(database._turns, 3)
        assert values(database)[2:] == [3, 4, "block"]
        assert seen == [[(1,), (2,), (3,), (4,)]]
        database.close()

    def test_full_disk(self, small_disk: Path) -> None:
        """When one value fills the disk, the others are written without it."""
        database, _ = self.open(make_file(small_disk / "things.db", 1))
        steps = [adding(2), adding(bytes(3_000_000)), adding(3)]
        results = Crowd(database, steps).results()
        assert results[1] == "DiskFullError"
        assert sorted(values(database)) == [1, 2, 3]
        assert sorted(result for result in results if isinstance(result, int)) == [2, 3]
        database.close()

    def test_inside_of_transaction(self, path: Path) -> None:
        """Inside of a block of this thread a step is a savepoint of it."""
        database, _ = self.open(path)
        with database.write():
            assert database.run(adding(3)) == 3
            assert error_of(lambda: database.run(lambda _tx: 1 / 0)) == "ZeroDivisionError"
        assert values(database) == [1, 2, 3]
        database.close()

    def test_closed_meanwhile(self, path: Path) -> None:
        """Steps that wait when the database is closed are refused, each of them."""
        database, _ = self.open(path)
        threads = ThreadPoolExecutor(4)
        with database.write():
            closing = threads.submit(database.close)
            waiting(database._turns, 1)
            late = [threads.submit(database.run, adding(n)) for n in range(3)]
            waiting(database._turns, 4)
        threads.shutdown()
        assert closing.result() is None
        assert [type(future.exception()).__name__ for future in late] == ["ClosedError"] * 3

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    def test_fork_beside_queue(self, path: Path) -> None:
        """A child that is forked while threads wait starts with an empty queue."""
        database, _ = self.open(path)

        def crowd_and_fork() -> Any:
            results = Crowd(database, [adding(3), adding(4)])
            answer = in_child(lambda: database.run(adding(5)))
            results.results()
            return answer

        assert crowd_and_fork() in (3, 4, 5)
        assert sorted(values(database)) == [1, 2, 3, 4, 5]
        database.close()

    def test_signatures(self, factory: ds.DataStoreFactory) -> None:
        """What threads change at once in a store with a history is signed by each for itself."""
        store = factory.create_config_store("settings", validator=lambda _value: True)

        def change(who: str) -> None:
            for n in range(20):
                store.set(who, n, who=who)

        with ThreadPoolExecutor(4) as threads:
            for who in "abcd":
                threads.submit(change, who)
        assert all({version.who for version in store.history(who)} == {who} for who in "abcd")
