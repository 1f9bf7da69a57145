"""Waiting for other processes: one is in front, the others behind, and nobody is stuck."""

from __future__ import annotations

import os
import select
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_tools import (
    ADD,
    Failure,
    Rival,
    add,
    error_of,
    forked,
    open_database,
    values,
)

import dsfactory as ds
from dsfactory.engine import Database, Retry, Settings
from dsfactory.engine.files import remove_database

fcntl = pytest.importorskip("fcntl")

PATIENT = Settings(busy_timeout_ms=30_000)
COMMITS = 60
MANY = 10
"""Transactions of another process that one waits for at most; up to three are usual."""
LONG = """
WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000)
SELECT max(n) FROM c
"""
"""A statement that takes some ten milliseconds."""


class Place:
    """The file on which processes queue, seen from outside."""

    def __init__(self, path: Path) -> None:
        self.file = Path(f"{path}-queue")
        self._descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600)

    def take(self) -> bool:
        """Come to the front, if nobody is there."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def leave(self) -> None:
        """Let others come."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    @property
    def taken(self) -> bool:
        """Whether somebody is in front."""
        free = self.take()
        if free:
            self.leave()
        return not free

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


@pytest.fixture
def place(path: Path) -> Iterator[Place]:
    """The place in front of the database."""
    opened = Place(path)
    yield opened
    opened.close()


def adding(path: Path, value: int, settings: Settings = PATIENT) -> Callable[[], str]:
    """Work for a child: add *value*, and say which error that raised."""

    def work() -> str:
        database = open_database(path, settings=settings)
        return error_of(lambda: add(database, value))

    return work


class TestQueue:
    """Who finds the lock taken queues."""

    def test_nobody_competes(self, database: Database, path: Path) -> None:
        """Without a rival there is no queue, and no file for it."""
        add(database, 3)
        assert not Path(f"{path}-queue").exists()

    def test_file(self, path: Path, rival: Rival) -> None:
        """The file is private whatever the umask, empty, and goes with the database."""
        before = os.umask(0)
        try:
            rival.run("BEGIN IMMEDIATE")
            assert error_of(lambda: add(open_database(path), 3)) == "BusyError"
        finally:
            os.umask(before)
        status = Path(f"{path}-queue").stat()
        assert (stat.S_IMODE(status.st_mode), status.st_size) == (0o600, 0)
        rival.kill()
        remove_database(path)
        assert list(path.parent.iterdir()) == []

    def test_file_goes_at_close(self, path: Path, rival: Rival) -> None:
        """Who queued takes the file away when it closes; who has it open still makes another."""
        first, second = open_database(path), open_database(path)
        rival.run("BEGIN IMMEDIATE")
        for database in (first, second):
            assert error_of(lambda database=database: add(database, 3)) == "BusyError"
        first.close()
        assert not Path(f"{path}-queue").exists()
        assert error_of(lambda: add(second, 3)) == "BusyError"
        assert Path(f"{path}-queue").exists()
        rival.run("ROLLBACK")
        add(second, 3)
        second.close()
        assert not Path(f"{path}-queue").exists()

    def test_front_until_commit(self, path: Path, place: Place, rival: Rival) -> None:
        """Who had to wait is in front until its commit, and nobody is there afterwards."""
        database = open_database(path, settings=PATIENT)
        rival.run("BEGIN IMMEDIATE")
        child = forked(adding(path, 3))
        while not place.taken:
            os.sched_yield()
        rival.run("COMMIT")
        assert child.answer() == ""
        assert not place.taken
        add(database, 4)
        assert values(database) == [1, 2, 3, 4]
        database.close()

    def test_killed_in_front(self, path: Path, place: Place, rival: Rival) -> None:
        """When who is in front is killed, the next one comes to the front."""
        rival.run("BEGIN IMMEDIATE")
        children = [forked(adding(path, 3))]
        while not place.taken:
            os.sched_yield()
        children.append(forked(adding(path, 4)))
        os.kill(children[0].pid, signal.SIGKILL)
        os.waitpid(children[0].pid, 0)
        while not place.taken:
            os.sched_yield()
        rival.run("COMMIT")
        assert children[1].answer() == ""
        assert values(open_database(path)) == [1, 2, 4]

    def test_stopped_in_front(self, path: Path, place: Place, rival: Rival) -> None:
        """Somebody who stays in front without writing does not keep the others from it."""
        assert place.take()
        rival.run("BEGIN IMMEDIATE")
        child = forked(adding(path, 3))
        rival.run("COMMIT")
        assert child.answer() == ""
        assert values(open_database(path)) == [1, 2, 3]

    def test_long_transactions_in_a_row(self, path: Path) -> None:
        """Who writes without a pause, and for long each time, makes way for others."""
        stopping, stop = os.pipe()

        def write_on() -> int:
            database = open_database(path, settings=PATIENT)
            rounds = 0
            while not select.select([stopping], [], [], 0)[0]:
                with database.write() as tx:
                    tx.rows(LONG)
                    tx.run(ADD, ("theirs",))
                rounds += 1
            return rounds

        child = forked(write_on)
        database = open_database(path, settings=PATIENT)
        while values(database).count("theirs") < 3:
            os.sched_yield()
        passed = []
        for _ in range(20):
            before = values(database).count("theirs")
            with database.write() as tx:
                tx.run(ADD, ("ours",))
                (count,) = tx.rows("SELECT count(*) FROM thing WHERE v = 'theirs'")
            passed.append(count[0] - before)
        os.write(stop, b"x")
        assert child.answer() > 3
        assert max(passed) <= MANY
        database.close()
        os.close(stop)
        os.close(stopping)

    def test_nobody_waits(self, path: Path, place: Place) -> None:
        """Who writes on while nobody waits never stays away; somebody in front is noticed."""
        database = open_database(path, settings=PATIENT)

        def noticed() -> bool:
            add(database, 3)
            return database._queue.crowded

        while not database._queue._descriptor:
            assert not noticed()
        assert not any(noticed() for _ in range(COMMITS))
        assert place.take()
        while not noticed():
            pass
        place.leave()
        add(database, 4)
        assert not database._queue.crowded
        database.close()

    def test_patience_behind(self, path: Path, place: Place, rival: Rival) -> None:
        """Behind somebody, too, waiting ends after busy_timeout_ms with BusyError."""
        assert place.take()
        rival.run("BEGIN IMMEDIATE")
        database = open_database(
            path, settings=Settings(busy_timeout_ms=20), retry=Retry(max_retries=1, delay_ms=0)
        )
        assert error_of(lambda: add(database, 3)) == "BusyError"
        assert database.retries == 1
        database.close()

    def test_no_flock(self, path: Path, rival: Rival) -> None:
        """Where the file cannot be locked, writers wait as well, if less fairly."""
        Path(f"{path}-queue").mkdir()
        rival.run("BEGIN IMMEDIATE")
        children = [forked(adding(path, value)) for value in (3, 4)]
        short = open_database(path)
        assert error_of(lambda: add(short, 5)) == "BusyError"
        rival.run("COMMIT")
        assert [child.answer() for child in children] == ["", ""]
        assert sorted(values(short)) == [1, 2, 3, 4]
        short.close()

    def test_interrupted_in_front(self, path: Path, place: Place, rival: Rival) -> None:
        """Who is interrupted while in front makes way, and holds nothing."""

        def interrupt(_number: int, _frame: object) -> None:
            raise Failure

        database = open_database(path, settings=PATIENT)
        rival.run("BEGIN IMMEDIATE")
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            assert error_of(lambda: add(database, 3)) == "Failure"
        finally:
            signal.signal(signal.SIGALRM, before)
        assert not place.taken
        rival.run("ROLLBACK")
        add(database, 4)
        assert values(database) == [1, 2, 4]
        database.close()

    def test_fork_in_front(self, path: Path, place: Place, rival: Rival) -> None:
        """A child does not keep the place that its parent had when it was forked."""
        database = open_database(path, settings=PATIENT)
        rival.run("BEGIN IMMEDIATE")

        def release() -> None:
            while not place.taken:
                os.sched_yield()
            rival.run("COMMIT")

        releasing = threading.Thread(target=release)
        releasing.start()
        reading, writing = os.pipe()
        with database.write() as tx:
            releasing.join()
            assert place.taken
            tx.run(ADD, (3,))
            child = forked(lambda: os.read(reading, 1).decode())
        assert not place.taken
        database.close()
        os.write(writing, b"x")
        assert child.answer() == "x"
        os.close(reading)
        os.close(writing)


class TestManyWriters:
    """Every kind of store, several processes."""

    @pytest.mark.parametrize("kind", ["config", "metrics", "cache", "state", "custom"])
    def test_no_errors(self, make_store: Callable[..., ds.DataStore[Any]], kind: str) -> None:
        """Processes that write without a pause all get their turn, and no write is lost."""
        store = make_store(kind, max_entries=None)

        def work(number: int) -> str:
            def write() -> None:
                for n in range(COMMITS):
                    store.set(f"{number}:{n}", n)

            return error_of(write)

        children = [forked(lambda number=number: work(number)) for number in range(4)]
        assert [child.answer() for child in children] == [""] * 4
        assert len(store) == 4 * COMMITS
