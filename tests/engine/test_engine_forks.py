"""Forking with open databases: parent and child each go on with locks of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw
import pytest
from engine_tools import (
    ADD,
    ALL,
    COUNT,
    Failure,
    Rival,
    add,
    error_of,
    forked,
    in_child,
    make_file,
    open_database,
    posix_locks,
    sound,
    values,
)

from dsfactory.engine import Database, Settings, forks, open_connection
from dsfactory.engine import database as database_module
from dsfactory.engine.forks import Restarting, watch

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

proc_locks = pytest.mark.skipif(
    not Path("/proc/locks").exists(), reason="only Linux shows who holds which lock"
)

REFUSED = ["ForkedError"] * 4


def uses_of(database: Database) -> list[str]:
    """Return the errors of everything that one can ask of *database*."""
    uses: tuple[Callable[[], object], ...] = (
        lambda: values(database),
        lambda: add(database, "refused"),
        lambda: database.snapshot().__enter__(),
        database.checkpoint,
    )
    return [error_of(use) for use in uses]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork that does not wait long for other threads."""
    monkeypatch.setattr(database_module, "FORK_PATIENCE_S", 0.02)


@contextlib.contextmanager
def busy_thread(work: Callable[[threading.Event, threading.Event], object]) -> Iterator[None]:
    """Run the block while another thread is in the middle of *work*, which gets two events:
    it sets the first once it is there, and waits for the second.
    """
    there, leave = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(work, there, leave)
        assert there.wait(30)
        try:
            yield
        finally:
            leave.set()
        done.result()


class TestLocks:
    """What the kernel knows of."""

    @proc_locks
    def test_locks_of_child(self, database: Database, path: Path) -> None:
        """After its first use a child holds POSIX locks of its own; before the fork both let go."""
        add(database, 3)
        values(database)
        assert posix_locks(path, os.getpid()) > 0

        def work() -> list[int]:
            before = posix_locks(path, os.getpid())
            values(database)
            return [before, posix_locks(path, os.getpid())]

        before, after = in_child(work)
        assert before == 0
        assert after > 0

    @proc_locks
    def test_locks_outlive_parent(self, database: Database, path: Path) -> None:
        """A child keeps its locks, and its commits count, when whoever forked it is gone."""
        reading, writing = os.pipe()

        def parent() -> None:
            waiting, parent_lives = os.pipe()

            def child() -> None:
                os.close(parent_lives)
                values(database)
                os.read(waiting, 1)  # returns when the parent has exited
                add(database, 3)
                os.write(writing, bytes([posix_locks(path, os.getpid())]))

            forked(child)
            values(database)

        assert forked(parent).answer() is None
        assert os.read(reading, 1)[0] > 0
        os.close(reading)
        os.close(writing)
        assert values(database) == [1, 2, 3]

    @proc_locks
    def test_without_care(self, path: Path) -> None:
        """Why: beside an inherited connection a child believes in locks that it does not have."""
        inherited = apsw.Connection(str(path))
        assert inherited.execute(COUNT).fetchall() == [(2,)]

        def work() -> list[Any]:
            own = apsw.Connection(str(path))
            rows = own.execute(ALL).fetchall()
            return [rows, posix_locks(path, os.getpid())]

        assert in_child(work) == [[[1], [2]], 0]
        inherited.close()

    def test_rival_is_shut_out(self, database: Database, rival: Rival) -> None:
        """Parent and child exclude a third process by their transactions, before and after."""

        def hold() -> bool:
            with database.write() as tx:
                tx.run("UPDATE thing SET v = v + 10")
                return rival.shut_out

        assert hold()
        assert in_child(hold)
        assert hold()
        assert not rival.shut_out
        assert values(database) == [31, 32]


class TestUse:
    """Both sides go on."""

    def test_both_write(self, path: Path) -> None:
        """Parent and child write at once, again and again, and nothing is lost."""

        def write(who: str) -> None:
            for number in range(30):
                add(database, f"{who}{number}")

        database = open_database(path, settings=Settings(busy_timeout_ms=60_000))
        add(database, "before")
        children = [forked(lambda n=n: write(f"child{n}-")) for n in range(3)]
        write("parent-")
        assert [child.answer() for child in children] == [None] * 3
        found = values(database)
        assert len(found) == len(set(found)) == 3 + 4 * 30
        assert sound(path)
        database.close()

    def test_connections_come_back(self, path: Path) -> None:
        """The parent's connections are closed for the fork and opened again when needed."""
        opened: list[apsw.Connection] = []
        database = open_database(path, prepare=opened.append)
        add(database, 3)
        assert values(database) == [1, 2, 3]
        assert in_child(lambda: values(database)) == [1, 2, 3]
        assert len(opened) == 2
        for connection in opened:
            with pytest.raises(apsw.ConnectionClosedError):
                connection.execute("SELECT 1")
        add(database, 4)
        assert values(database) == [1, 2, 3, 4]
        assert len(opened) == 4
        database.close()

    def test_fork_copies_nothing_back(self, database: Database, path: Path) -> None:
        """A fork does not wait for the disk: the log stays, and the commits are in it."""
        add(database, bytes(100_000))
        before = path.stat().st_size
        assert in_child(lambda: len(values(database))) == 3
        assert path.stat().st_size == before
        assert len(values(database)) == 3

    def test_unused_database(self, path: Path) -> None:
        """A database that was not opened yet is opened in parent and child alike."""
        database = open_database(path)
        assert in_child(lambda: values(database)) == [1, 2]
        assert values(database) == [1, 2]
        database.close()

    def test_closed_database(self, database: Database) -> None:
        """A closed database stays closed in the child; a fork does not wait for its readers."""
        add(database, 3)
        values(database)
        database.close()
        assert in_child(lambda: error_of(lambda: values(database))) == "ClosedError"
        # A wait would have left a reader to be missed.
        assert database._readers.opened == 0

    def test_connection_closed_by_somebody(self, database: Database) -> None:
        """A fork copes with a connection that somebody else closed."""
        kept: list[apsw.Connection] = []
        with database.write() as tx:
            kept.append(tx.connection)
        kept[0].close()
        assert in_child(lambda: [add(database, 3), values(database)]) == [None, [1, 2, 3]]
        add(database, 4)
        assert values(database) == [1, 2, 3, 4]

    def test_child_of_child(self, database: Database) -> None:
        """A child may fork again."""

        def work() -> Any:
            add(database, 3)
            return in_child(lambda: [add(database, 4), values(database)])

        assert in_child(work) == [None, [1, 2, 3, 4]]
        assert values(database) == [1, 2, 3, 4]

    def test_closing_in_child(self, database: Database) -> None:
        """A child that closes its copy leaves the parent's open."""
        add(database, 3)
        assert in_child(lambda: [database.close(), database.closed]) == [None, True]
        add(database, 4)
        assert values(database) == [1, 2, 3, 4]

    def test_many_databases(self, database: Database, path: Path) -> None:
        """Two handles on one file, and forks from several threads at once."""
        second = open_database(path)
        add(second, 3)
        with ThreadPoolExecutor(3) as threads:
            answers = list(threads.map(lambda _: in_child(lambda: values(second)), range(6)))
        assert answers == [[1, 2, 3]] * 6
        add(database, 4)
        assert values(second) == [1, 2, 3, 4]
        second.close()


class TestTransactions:
    """A fork in the middle of one's own transaction: the parent's it stays."""

    def test_parent_commits(self, database: Database, path: Path) -> None:
        """The parent goes on and commits; the child may do nothing."""

        def child(tx: Any) -> list[str]:
            inside = [error_of(lambda: tx.rows(ALL)), error_of(lambda: tx.run(ADD, ("child",)))]
            many = error_of(lambda: tx.many(ADD, [("child",)]))
            return [*inside, many, error_of(lambda: tx.connection), *uses_of(database)]

        with database.write() as tx:
            tx.run(ADD, (3,))
            answer = in_child(lambda: child(tx))
            tx.run(ADD, (4,))
        assert answer == REFUSED + REFUSED
        assert values(database) == [1, 2, 3, 4]
        assert sound(path)

    def test_child_leaves_the_block(self, database: Database) -> None:
        """A child that runs on to the end of the block is told that it committed nothing."""
        reading, writing = os.pipe()
        me = os.getpid()

        def block() -> None:
            with database.write() as tx, database.write():
                tx.run(ADD, (3,))
                if os.fork() == 0:
                    signal.alarm(60)

        error = error_of(block)
        if os.getpid() != me:
            os.write(writing, error.encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as said:
            assert said.read() == "ForkedError"
        os.wait()
        assert error == ""
        assert values(database) == [1, 2, 3]

    def test_child_leaves_by_its_own_error(self, database: Database) -> None:
        """A child that leaves the block by an exception keeps that exception."""
        reading, writing = os.pipe()
        me = os.getpid()

        def block() -> None:
            with database.write() as tx, database.write():
                tx.run(ADD, (3,))
                if os.fork() == 0:
                    signal.alarm(60)
                    raise Failure

        error = error_of(block)
        if os.getpid() != me:
            os.write(writing, error.encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as said:
            assert said.read() == "Failure"
        os.wait()
        assert values(database) == [1, 2, 3]

    def test_no_way_round(self, database: Database, path: Path) -> None:
        """The child cannot reach that file by another handle either, nor can its children."""

        def child() -> list[Any]:
            other = open_database(path)
            direct = error_of(lambda: open_connection(path, Settings()))
            return [*uses_of(other), direct, in_child(lambda: uses_of(other))]

        with database.write() as tx:
            tx.run(ADD, (3,))
            answer = in_child(child)
        assert answer == [*REFUSED, "ForkedError", REFUSED]
        assert values(database) == [1, 2, 3]

    def test_other_files_in_child(self, database: Database, tmp_path: Path) -> None:
        """A file that was not in a transaction can be used in that child."""

        other = open_database(make_file(tmp_path / "other.db", "x"))
        assert values(other) == ["x"]
        with database.write():
            assert in_child(lambda: [add(other, "y"), values(other)]) == [None, ["x", "y"]]
        assert values(other) == ["x", "y"]
        other.close()

    @pytest.mark.usefixtures("hurried")
    def test_fork_in_snapshot(self, database: Database) -> None:
        """In a snapshot the same holds: the parent reads on, the child is refused."""
        reading, writing = os.pipe()
        me = os.getpid()
        inside = ""
        with database.snapshot() as snapshot:
            assert snapshot.rows(COUNT) == [(2,)]
            if os.fork() == 0:
                signal.alarm(60)
                inside = error_of(lambda: snapshot.rows(COUNT))
            else:
                assert snapshot.rows(COUNT) == [(2,)]
        if os.getpid() != me:
            os.write(writing, " ".join([inside, *uses_of(database)]).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as said:
            assert said.read().split() == ["ForkedError", *REFUSED]
        os.wait()
        add(database, 3)
        assert values(database) == [1, 2, 3]


EXITING = """
import os, sys
from pathlib import Path
from engine_tools import add, open_database, sound
path = Path(sys.argv[1])
database = open_database(path)
add(database, *(str(number) * 500 for number in range(200)))
with database.write() as tx:
    tx.rows("PRAGMA cache_size = 10")  # so that pages of the transaction are in the log already
    tx.run("UPDATE thing SET v = 'new' || v")
    if os.fork() == 0:
        sys.exit()
    os.wait()
    assert tx.rows("SELECT count(*) FROM thing WHERE v LIKE 'new%'") == [(202,)]
assert database.rows("SELECT count(*) FROM thing WHERE v LIKE 'new%'") == [(202,)]
database.close()
assert sound(path)
"""


class TestInherited:
    """Connections that came along into a child."""

    def test_child_that_exits(self, path: Path) -> None:
        """A child that ends as programs do closes nothing of the parent's, whose transaction
        would else be undone under its feet in the WAL-index that both have mapped.
        """
        paths = os.pathsep.join((str(Path(__file__).parent), *sys.path))
        done = subprocess.run(
            [sys.executable, "-c", EXITING, str(path)],
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_probe(self, database: Database, path: Path) -> None:
        """A connection of our own beside the database, as probes have one, bars the child too."""
        values(database)
        probe = open_connection(path, Settings())
        assert in_child(lambda: uses_of(database)) == REFUSED
        probe.close()
        assert in_child(lambda: values(database)) == [1, 2]

    def test_connection_of_somebody_else(self, database: Database, path: Path) -> None:
        """So does one that the application opened by itself."""
        theirs = apsw.Connection(str(path))
        theirs.execute(ALL).fetchall()
        assert in_child(lambda: uses_of(database)) == REFUSED
        theirs.close()
        assert in_child(lambda: values(database)) == [1, 2]

    def test_unrelated_connections(self, database: Database, tmp_path: Path) -> None:
        """What the application has open elsewhere, at rest or busy, is no hindrance."""
        memory = apsw.Connection(":memory:")
        elsewhere = apsw.Connection(str(tmp_path / "elsewhere.db"))

        def count(there: threading.Event, leave: threading.Event) -> None:
            def busy() -> int:
                there.set()
                leave.wait(30)
                return 1

            elsewhere.create_scalar_function("busy", busy, 0)
            assert elsewhere.execute("SELECT busy()").fetchall() == [(1,)]

        with busy_thread(count):
            assert in_child(lambda: [add(database, 3), values(database)]) == [None, [1, 2, 3]]
        memory.close()
        elsewhere.close()


class TestThreads:
    """Other threads are in the middle of something."""

    def test_fork_beside_readers(self, path: Path) -> None:
        """Threads that read all the time neither hold a fork up nor notice it."""
        database = open_database(path)
        enough = threading.Event()

        def read() -> int:
            count = 0
            while not enough.is_set():
                assert values(database) == [1, 2]
                count += 1
            return count

        with ThreadPoolExecutor(3) as threads:
            reads = [threads.submit(read) for _ in range(3)]
            try:
                answers = [in_child(lambda: values(database)) for _ in range(15)]
            finally:
                enough.set()
        assert answers == [[1, 2]] * 15
        assert all(done.result() > 0 for done in reads)
        database.close()

    def test_fork_beside_writer(self, database: Database, path: Path) -> None:
        """A thread that writes all the time loses nothing by forks; a child sees whole commits."""
        enough = threading.Event()

        def write() -> int:
            count = 0
            while not enough.is_set():
                add(database, count, count)
                count += 1
            return count

        with ThreadPoolExecutor(1) as threads:
            writes = threads.submit(write)
            try:
                counts = [in_child(lambda: database.rows(COUNT)[0][0]) for _ in range(15)]
            finally:
                enough.set()
        assert counts == sorted(counts)
        assert all(count % 2 == 0 for count in counts)
        assert len(values(database)) == 2 + 2 * writes.result()
        assert sound(path)

    def test_fork_waits_for_transaction(self, path: Path) -> None:
        """A fork waits until another thread has left its transaction; the child sees it done."""
        database = open_database(path)
        there = threading.Event()
        forking = threading.Event()

        class Announcing(Restarting):
            def before_fork(self) -> None:
                forking.set()

            def after_fork_in_child(self) -> None:
                pass

        announcing = Announcing()
        watch(announcing, owner=True)  # owners are told first

        def write() -> None:
            with database.write() as tx:
                tx.run(ADD, (3,))
                there.set()
                assert forking.wait(30)
                tx.run(ADD, (4,))

        with ThreadPoolExecutor(1) as threads:
            done = threads.submit(write)
            assert there.wait(30)
            assert in_child(lambda: values(database)) == [1, 2, 3, 4]
            done.result()
        del announcing
        database.close()

    @pytest.mark.usefixtures("hurried")
    def test_fork_loses_patience_with_writer(self, database: Database) -> None:
        """A thread that stays in its transaction is not waited for: the child is refused."""

        def write(there: threading.Event, leave: threading.Event) -> None:
            with database.write() as tx:
                tx.run(ADD, (3,))
                there.set()
                leave.wait(30)

        with busy_thread(write):
            assert in_child(lambda: uses_of(database)) == REFUSED
        assert values(database) == [1, 2, 3]
        assert in_child(lambda: values(database)) == [1, 2, 3]

    @pytest.mark.usefixtures("hurried")
    def test_fork_loses_patience_with_reader(self, database: Database) -> None:
        """A thread that stays in its snapshot keeps it: the child is refused."""
        values(database)

        def read(there: threading.Event, leave: threading.Event) -> None:
            with database.snapshot() as snapshot:
                assert snapshot.rows(COUNT) == [(2,)]
                there.set()
                leave.wait(30)
                assert snapshot.rows(COUNT) == [(2,)]

        with busy_thread(read):
            assert in_child(lambda: uses_of(database)) == REFUSED
            add(database, 3)
        assert values(database) == [1, 2, 3]
        assert in_child(lambda: values(database)) == [1, 2, 3]

    def test_interrupted_fork(self, database: Database) -> None:
        """When a signal interrupts the waiting, everything that was held is given back."""

        def interrupt(_number: int, _frame: object) -> None:
            raise Failure

        def write(there: threading.Event, leave: threading.Event) -> None:
            with database.write():
                there.set()
                leave.wait(30)

        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            with busy_thread(write):
                signal.setitimer(signal.ITIMER_REAL, 0.01)
                with pytest.raises(Failure):
                    database.before_fork()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        add(database, 3)
        assert values(database) == [1, 2, 3]

    def test_created_while_forking(self, path: Path) -> None:
        """A database that another thread makes while a fork is under way can be used afterwards."""
        made: list[Database] = []

        def open_and_use() -> None:
            made.append(open_database(path))
            values(made[0])

        class Making(Restarting):
            def before_fork(self) -> None:
                thread = threading.Thread(target=open_and_use)
                thread.start()
                thread.join()

            def after_fork_in_child(self) -> None:
                pass

        making = Making()
        watch(making, owner=True)
        first = open_database(path)
        answer = in_child(lambda: uses_of(first))
        del making
        # The new one's connection came along, so the child must not use that file at all.
        assert answer == REFUSED
        for database in (first, *made):
            assert values(database) == [1, 2]
            database.close()


class TestByHand:
    """What the hooks of a database do, called one by one in one process."""

    @pytest.fixture(autouse=True)
    def nothing_inherited(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG002
        """What these tests note as inherited is forgotten before *path* is looked at."""
        monkeypatch.setattr(forks, "_inherited", set())

    def test_parent(self, database: Database) -> None:
        """Between the hooks nothing is open; after them everything is as before."""
        add(database, 3)
        database.before_fork()
        assert database._readers.opened == 0
        database.after_fork_in_parent()
        add(database, 4)
        assert values(database) == [1, 2, 3, 4]

    def test_child(self, database: Database) -> None:
        """A child begins with new locks, and is not the process that it was."""
        add(database, 3)
        before = database.generation
        database.before_fork()
        database.after_fork_in_child()
        assert database.generation == before + 1
        add(database, 4)
        assert values(database) == [1, 2, 3, 4]

    def test_child_in_transaction(self, database: Database, path: Path) -> None:
        """What was begun before is refused to the child, and its end committed nothing."""
        inside: list[str] = []

        def block() -> None:
            with database.write() as tx, database.write():
                tx.run(ADD, (3,))
                database.before_fork()
                database.after_fork_in_child()
                inside.append(error_of(lambda: tx.run(ADD, (4,))))
                inside.extend(uses_of(database))
                inside.extend(uses_of(open_database(path)))

        assert error_of(block) == "ForkedError"
        assert inside == ["ForkedError", *REFUSED, *REFUSED]

    def test_child_in_failing_transaction(self, database: Database) -> None:
        """An exception that leaves the block in the child is not hidden by ours."""

        def block() -> None:
            with database.write():
                database.before_fork()
                database.after_fork_in_child()
                raise Failure

        assert error_of(block) == "Failure"

    @pytest.mark.usefixtures("hurried")
    def test_child_in_snapshot(self, database: Database) -> None:
        """A snapshot that was taken before is refused, and left without touching the parent's."""
        with database.snapshot() as snapshot:
            assert snapshot.rows(COUNT) == [(2,)]
            database.before_fork()
            database.after_fork_in_child()
            assert error_of(lambda: snapshot.rows(COUNT)) == "ForkedError"
        assert uses_of(database) == REFUSED


class TestParts:
    """Whoever only has locks to renew."""

    def test_part_is_told(self) -> None:
        """A part is told in the child, and nothing is asked of it in the parent."""
        told: list[int] = []

        class Part(Restarting):
            def after_fork_in_child(self) -> None:
                told.append(1)

        part = Part()
        watch(part)
        assert in_child(lambda: list(told)) == [1]
        assert told == []
        del part
        assert in_child(lambda: list(told)) == []

    def test_part_has_to_say_how(self) -> None:
        """A part that forgets to say what it does in a child is a mistake of ours."""
        with pytest.raises(NotImplementedError):
            Restarting().after_fork_in_child()


def test_child_that_died() -> None:
    """The helper of these tests reports a child that died, instead of waiting for it."""
    child = forked(lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(AssertionError, match="died"):
        child.answer()
