"""The write lock when somebody else has it: bounded waiting, counted retries, typed errors."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from engine_tools import (
    ADD,
    Failure,
    Rival,
    Statements,
    add,
    error_of,
    failing,
    in_child,
    open_database,
    values,
)

import dsfactory as ds
from dsfactory.engine import Retry, Settings

IMPATIENT = Settings(busy_timeout_ms=0)


class TestOtherProcess:
    """Another process holds the write lock."""

    def test_no_retries(self, path: Path, rival: Rival) -> None:
        """max_retries=0 is one attempt, and then BusyError, which is a TimeoutError too."""
        statements = Statements()
        database = open_database(path, prepare=statements, settings=IMPATIENT)
        assert rival.run("BEGIN IMMEDIATE") == []
        with pytest.raises(ds.BusyError, match=r"things\.db stayed locked") as caught:
            add(database, 3)
        assert isinstance(caught.value, TimeoutError)
        assert statements.seen == ["BEGIN IMMEDIATE"]
        assert database.retries == 0
        database.close()

    def test_retries_are_counted(self, path: Path, rival: Rival) -> None:
        """max_retries counts what comes after the first attempt."""
        statements = Statements()
        database = open_database(
            path, prepare=statements, settings=IMPATIENT, retry=Retry(max_retries=3, delay_ms=0)
        )
        assert rival.run("BEGIN IMMEDIATE") == []
        with pytest.raises(ds.BusyError):
            add(database, 3)
        assert statements.seen == ["BEGIN IMMEDIATE"] * 4
        assert database.retries == 3
        database.close()

    def test_retry_succeeds(self, path: Path, rival: Rival) -> None:
        """When the lock is given up meanwhile, the next attempt gets it and nobody notices."""
        statements = Statements()

        class Release(list[str]):
            def append(self, sql: str) -> None:
                super().append(sql)
                if self.count("BEGIN IMMEDIATE") == 2:
                    rival.run("COMMIT")

        statements.seen = Release()
        database = open_database(
            path, prepare=statements, settings=IMPATIENT, retry=Retry(max_retries=5, delay_ms=0)
        )
        rival.run("BEGIN IMMEDIATE")
        rival.run("INSERT INTO thing (v) VALUES ('theirs')")
        add(database, "ours")
        assert values(database) == [1, 2, "theirs", "ours"]
        assert database.retries == 1
        database.close()

    def test_after_busy(self, path: Path, rival: Rival) -> None:
        """BusyError leaves nothing held: when the lock is free, any thread writes."""
        database = open_database(path)
        rival.run("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(2) as threads:
            refused = [threads.submit(error_of, lambda: add(database, 3)) for _ in range(4)]
            assert {future.result() for future in refused} == {"BusyError"}
            rival.run("ROLLBACK")
            for value in (3, 4):
                threads.submit(add, database, value).result()
        assert values(database) == [1, 2, 3, 4]
        database.close()

    def test_reading_meanwhile(self, path: Path, rival: Rival) -> None:
        """Readers do not wait for another process's writer, nor see what it has not committed."""
        database = open_database(path, settings=IMPATIENT)
        rival.run("BEGIN IMMEDIATE")
        rival.run("DELETE FROM thing")
        assert values(database) == [1, 2]
        rival.run("COMMIT")
        assert values(database) == []
        database.close()

    def test_killed_holder(self, path: Path, rival: Rival) -> None:
        """The lock of a process that was killed is free, and its transaction never was."""
        database = open_database(path, settings=IMPATIENT)
        rival.run("BEGIN IMMEDIATE")
        rival.run("DELETE FROM thing")
        assert error_of(lambda: add(database, 3)) == "BusyError"
        rival.kill()
        add(database, 3)
        assert values(database) == [1, 2, 3]
        database.close()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    def test_health_check_beside_writer(self, factory: ds.DataStoreFactory) -> None:
        """Asking how all stores are does not queue behind somebody's long write."""
        store = factory.create_state_store("sessions", busy_timeout_ms=600_000)

        def ask() -> bool:
            signal.alarm(3)  # far more than the probes' own patience of 250 ms
            return factory.perform_health_check().healthy

        with Rival(store.path) as writer:
            assert writer.run("BEGIN IMMEDIATE") == []
            assert in_child(ask) is True

    @pytest.mark.parametrize("leave", ["commit", "rollback", "error"])
    def test_lock_is_given_back(self, path: Path, rival: Rival, leave: str) -> None:
        """Others are shut out inside of the block and no longer, however it is left."""
        database = open_database(path)

        def write() -> None:
            with database.write() as tx:
                tx.run(ADD, (3,))
                assert rival.shut_out
                if leave == "rollback":
                    raise Failure
                if leave == "error":
                    tx.run("INSERT INTO thing VALUES (1, 1)")

        errors = {"commit": "", "rollback": "Failure", "error": "DataStoreError"}
        assert error_of(write) == errors[leave]
        assert not rival.shut_out
        database.close()


class TestWaiting:
    """How long one waits between attempts."""

    def test_doubles(self) -> None:
        """Each wait is twice the one before, less up to a half of it at random."""
        retry = Retry(max_retries=5, delay_ms=100)
        for attempt, longest in enumerate([0.1, 0.2, 0.4, 0.8, 1.6]):
            waits = [retry.wait_s(attempt) for _ in range(200)]
            assert longest / 2 <= min(waits) < max(waits) <= longest

    def test_ends_somewhere(self) -> None:
        """However many retries are allowed, no wait exceeds five seconds, or the delay itself."""
        assert all(Retry(1000, 100).wait_s(attempt) <= 5 for attempt in range(1000))
        assert 30 <= Retry(1000, 60_000).wait_s(999) <= 60

    def test_no_delay(self) -> None:
        """Without a delay there is no wait."""
        assert Retry(3, 0).wait_s(2) == 0

    @pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX signals")
    def test_interrupted(self, path: Path, rival: Rival) -> None:
        """Whoever is interrupted while waiting for the lock, by Ctrl-C say, leaves nothing held."""

        def interrupt(_number: int, _frame: object) -> None:
            raise Failure

        database = open_database(path, settings=IMPATIENT, retry=Retry(3, 60_000))
        rival.run("BEGIN IMMEDIATE")
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            assert error_of(lambda: add(database, 3)) == "Failure"
        finally:
            signal.signal(signal.SIGALRM, before)
        rival.run("ROLLBACK")
        add(database, 4)
        assert values(database) == [1, 2, 4]
        database.close()


class TestOtherThread:
    """Another thread of this process is in a transaction."""

    def test_patience_runs_out(self, path: Path) -> None:
        """A thread waits for another as long as for a process, then BusyError says how long."""
        database = open_database(path, settings=Settings(busy_timeout_ms=5), retry=Retry(1, 0))
        with database.write(), ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(add, database, 3)
            with pytest.raises(ds.BusyError, match=r"another thread for 0\.01 s"):
                waiting.result()
        assert values(database) == [1, 2]
        database.close()

    def test_patience_suffices(self, path: Path) -> None:
        """A thread that waits gets its turn when the other has left its block."""
        database = open_database(path, settings=Settings(busy_timeout_ms=60_000))
        asked = threading.Event()

        def ask() -> None:
            asked.set()
            add(database, 4)

        with ThreadPoolExecutor(1) as threads:
            with database.write() as tx:
                waiting = threads.submit(ask)
                assert asked.wait(30)
                tx.run(ADD, (3,))
            waiting.result()
        assert values(database) == [1, 2, 3, 4]
        database.close()

    def test_failing_thread(self, path: Path) -> None:
        """A thread that dies of an exception in its block leaves the lock free."""
        database = open_database(path)
        with ThreadPoolExecutor(1) as threads, failing():

            def die() -> None:
                with database.write():
                    raise Failure

            threads.submit(die).result()
        add(database, 3)
        assert values(database) == [1, 2, 3]
        database.close()
