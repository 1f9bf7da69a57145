"""The watch over the WAL-index: it sees every commit, loses no lock and reads no cut file."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_tools import (
    Failure,
    Rival,
    add,
    failing,
    forked,
    in_child,
    open_database,
    posix_locks,
    values,
)

import dsfactory as ds
from dsfactory.engine import Database, Settings, watch
from dsfactory.engine.watch import Sight, Watch, follows, indexes, words_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the index is mapped on POSIX only")


@pytest.fixture(params=["mapped", "asked"])
def watching(
    request: pytest.FixtureRequest, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watch]:
    """A watch of each sort: over the mapping, and by data_version."""
    monkeypatch.setattr(watch, "MAPPABLE", request.param == "mapped")
    made = Watch(database, Settings())
    yield made
    made.end()
    database.close()
    made.release()


def seen(watching: Watch) -> Sight:
    """What is watched; it can be."""
    sight = watching.sight()
    assert sight is not None
    return sight


def descriptors(path: Path) -> int:
    """How many descriptors of the index this process has."""
    links = Path("/proc/self/fd").iterdir()
    return sum(1 for link in links if os.path.realpath(link).startswith(f"{path}-shm"))


class TestCommits:
    """What changes the token, and what does not."""

    def test_own_commit(self, watching: Watch, database: Database) -> None:
        """A commit of this process shows as soon as it has returned; reading changes nothing."""
        before = seen(watching).token()
        assert before == seen(watching).token()
        values(database)
        assert before == seen(watching).token()
        add(database, 3)
        assert before != seen(watching).token()

    def test_commit_of_other_process(self, watching: Watch, rival: Rival) -> None:
        """A commit of another process shows as soon as it has returned."""
        tokens = [seen(watching).token()]
        for _ in range(20):
            assert rival.run("INSERT INTO thing (v) VALUES (5)") == []
            tokens.append(seen(watching).token())
        assert len(set(tokens)) == 21

    def test_rollback(self, watching: Watch, database: Database, rival: Rival) -> None:
        """What is rolled back changes nothing, here and elsewhere."""
        before = seen(watching).token()
        with failing(), database.write() as tx:
            tx.run("DELETE FROM thing")
            raise Failure
        assert rival.run("BEGIN IMMEDIATE") == []
        assert rival.run("DELETE FROM thing") == []
        assert rival.run("ROLLBACK") == []
        assert seen(watching).token() == before

    @pytest.mark.parametrize("mode", ["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
    def test_commit_after_checkpoint(self, watching: Watch, rival: Rival, mode: str) -> None:
        """A commit shows whatever was done to the log before."""
        for _ in range(3):
            rival.run(f"PRAGMA wal_checkpoint({mode})")
            before = seen(watching).token()
            assert rival.run("UPDATE thing SET v = v + 1") == []
            assert seen(watching).token() != before

    def test_follows(self, database: Database, rival: Rival) -> None:
        """Headers tell one commit from several, also over the end of the log."""
        sight = seen(Watch(database, Settings()))
        first = words_of(sight.token())
        add(database, 3)
        second = words_of(sight.token())
        rival.run("PRAGMA wal_checkpoint(TRUNCATE)")
        add(database, 4)
        third = words_of(sight.token())
        assert follows(second, first)
        assert follows(third, second)
        assert not follows(third, first)
        assert not follows(first, first)


class TestDescriptors:
    """One descriptor an inode, and no lock is ever lost by it."""

    def test_one_mapping_for_all(self, database: Database, path: Path) -> None:
        """All handles of a process on one file share one mapping."""
        before = descriptors(path)
        second = open_database(path)
        watches = [
            Watch(database, Settings()),
            Watch(second, Settings()),
            Watch(second, Settings()),
        ]
        assert len({id(seen(each).view) for each in watches}) == 1
        opened_by_sqlite = 1
        assert descriptors(path) - before <= opened_by_sqlite + 2
        second.close()

    def test_lock_is_kept(self, database: Database, path: Path, rival: Rival) -> None:
        """Beginning to watch, ending and beginning again inside of a transaction lose no lock."""
        with database.write() as tx:
            tx.run("DELETE FROM thing")
            assert rival.shut_out
            for _ in range(3):
                one = Watch(database, Settings())
                seen(one)
                assert rival.shut_out
                one.end()
                one.release()
                assert rival.shut_out
                other = open_database(path)
                second = Watch(other, Settings())
                seen(second)
                second.end()
                other.close()
                second.release()
                assert rival.shut_out
            held = posix_locks(path.with_name(f"{path.name}-shm"), os.getpid())
            assert held > 0
        assert not rival.shut_out

    def test_closed_with_the_last_connection(self, path: Path) -> None:
        """When SQLite has unlinked the index, nothing of it stays open."""
        for turn in range(3):
            database = open_database(path)
            watching = Watch(database, Settings())
            add(database, 1)
            seen(watching)
            if not turn:
                mapped = len(indexes) - 1
            assert len(indexes) == mapped + 1
            watching.end()
            database.close()
            watching.release()
            assert not Path(f"{path}-shm").exists()
            assert len(indexes) == mapped
            assert descriptors(path) == 0

    def test_kept_while_others_have_it(self, path: Path, rival: Rival) -> None:
        """While another process has the file open the mapping stays, and serves the next handle."""
        rival.run("SELECT 1 FROM thing")
        views, mapped = set(), set()
        for _ in range(3):
            database = open_database(path)
            watching = Watch(database, Settings())
            views.add(id(seen(watching).view))
            mapped.add(len(indexes))
            watching.end()
            database.close()
            watching.release()
        assert len(views) == len(mapped) == 1

    def test_index_made_anew(self, path: Path) -> None:
        """After everybody has closed, the next use watches the new index, not the old."""
        for number in range(3):
            database = open_database(path)
            watching = Watch(database, Settings())
            before = seen(watching).token()
            add(database, number)
            assert seen(watching).token() != before
            watching.end()
            database.close()
            watching.release()


class TestForks:
    """Parent and child each go on with a sight of their own."""

    def test_sight_ends_at_fork(self, watching: Watch, database: Database) -> None:
        """Connections are closed for a fork, so what was seen before holds no more."""
        sight = seen(watching)
        assert sight.token()

        def child() -> list[bool]:
            old = bool(sight.token())
            before = seen(watching).token()
            add(database, "child")
            return [old, seen(watching).token() != before]

        assert in_child(child) == [False, True]
        assert not sight.token()
        assert seen(watching) is not sight

    def test_parent_sees_child(self, watching: Watch, database: Database) -> None:
        """What a child commits shows in the parent, and the other way round."""
        child_waits, parent_says = os.pipe()
        parent_waits, child_says = os.pipe()

        def child() -> bool:
            before = seen(watching).token()
            os.write(child_says, b"x")
            os.read(child_waits, 1)
            return seen(watching).token() != before

        one = forked(child)
        os.read(parent_waits, 1)
        add(database, "parent")
        os.write(parent_says, b"x")
        assert one.answer() is True
        for end in (child_waits, parent_says, parent_waits, child_says):
            os.close(end)

    def test_fork_beside_readers(self, watching: Watch, database: Database) -> None:
        """A fork while other threads ask for tokens all the time ends, and nobody fails."""
        over = threading.Event()
        failures: list[BaseException] = []

        def ask() -> None:
            try:
                while not over.is_set():
                    sight = watching.sight()
                    assert sight is None or sight.token() is not None
            except BaseException as error:  # noqa: BLE001 -- the test judges it
                failures.append(error)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        answers = [in_child(lambda: values(database)) for _ in range(3)]
        over.set()
        for thread in threads:
            thread.join()
        assert answers == [[1, 2]] * 3
        assert failures == []


class TestGone:
    """A file or an index that is not there any more is an error, never a signal."""

    @pytest.fixture
    def lost(self, path: Path) -> Iterator[Sight]:
        """A sight of a file that the test will do away with."""
        database = open_database(path)
        watching = Watch(database, Settings())
        add(database, 1)
        yield seen(watching)
        watching.end()
        database.close()
        watching.release()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)

    def test_index_cut(self, lost: Sight, path: Path) -> None:
        """An index that was cut to nothing is found before its mapping is read."""
        size = Path(f"{path}-shm").stat().st_size
        os.truncate(f"{path}-shm", 0)
        with pytest.raises(ds.FileMissingError, match="index"):
            lost.require_index()
        assert lost.token() == b""
        os.truncate(f"{path}-shm", size)  # SQLite has it mapped too, and would not ask

    def test_index_deleted(self, lost: Sight, path: Path) -> None:
        """So is one that was deleted: other processes would make another."""
        Path(f"{path}-shm").unlink()
        with pytest.raises(ds.FileMissingError, match="index"):
            lost.require_index()

    def test_file_deleted(self, lost: Sight, path: Path) -> None:
        """So is the file itself."""
        path.unlink()
        with pytest.raises(ds.FileMissingError, match="deleted"):
            lost.require_file()

    def test_file_replaced(self, lost: Sight, path: Path) -> None:
        """So is another file in its place."""
        other = path.with_name("other")
        other.write_bytes(b"another file")
        other.replace(path)
        with pytest.raises(ds.FileMissingError, match="replaced"):
            lost.require_file()
