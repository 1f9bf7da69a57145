"""The write-ahead log: copied back by us, bounded, and no burden while a reader pins it."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import apsw
import pytest
from engine_tools import ADD, BadDisk, Rival, add, fill, make_file, open_database, values

import dsfactory as ds
from dsfactory.engine import Connection, Database, Settings
from dsfactory.engine.files import file_size
from dsfactory.engine.wal import CHECKPOINT_PAGES, LOCKS, STARVED_PAGES, readers

linux_only = pytest.mark.skipif(not LOCKS.exists(), reason="only Linux tells who holds locks")

PAGE = 4096
FRAME = PAGE + 24
FAST = Settings(synchronous="OFF", busy_timeout_ms=0)
BLOB = bytes(50 * PAGE)


class Counting(Database):
    """A database that counts its checkpoints."""

    attempts = 0

    def _checkpoint(self, connection: Connection, mode: int) -> int:
        self.attempts += 1
        return super()._checkpoint(connection, mode)


def counting(path: Path) -> Counting:
    """Open *path* without syncs, so that thousands of pages take no time."""
    return Counting(path, FAST, clock=lambda: 1)


def wal_frames(path: Path) -> int:
    """Return how many pages the WAL file has room for."""
    return max(0, file_size(f"{path}-wal") - 32) // FRAME


class TestOwnCheckpoints:
    """SQLite's own are off: they swallow a failed fsync."""

    def test_few_pages(self, path: Path) -> None:
        """Below the limit nothing is copied back."""
        database = counting(path)
        for _ in range(CHECKPOINT_PAGES // 60):
            add(database, BLOB)
        assert database.attempts == 0
        assert wal_frames(path) > CHECKPOINT_PAGES // 2
        database.close()

    def test_bounded(self, path: Path) -> None:
        """However much is committed, the WAL holds the limit and one transaction more."""
        database = counting(path)
        for _ in range(160):
            add(database, BLOB)
            assert wal_frames(path) < CHECKPOINT_PAGES + 120
        assert file_size(path) > 140 * len(BLOB)
        assert 6 <= database.attempts <= 9
        database.close()

    def test_shrinks(self, path: Path) -> None:
        """After one huge transaction the WAL is cut to its limit of 4 MiB by the next."""
        database = counting(path)
        with database.write() as tx:
            for _ in range(40):
                tx.run(ADD, (BLOB,))
        assert wal_frames(path) > 2000
        add(database, 3)
        assert file_size(f"{path}-wal") <= 4 * 1024 * 1024
        database.close()

    def test_pinned_by_reader(self, path: Path) -> None:
        """A reader that stays in its snapshot costs an attempt a WAL's worth, not one a commit."""
        database = counting(path)
        with database.snapshot() as snapshot:
            assert snapshot.rows("SELECT count(*) FROM thing") == [(2,)]
            for _ in range(100):
                add(database, BLOB)
            assert snapshot.rows("SELECT count(*) FROM thing") == [(2,)]
        assert wal_frames(path) > 5000
        assert database.attempts <= 5
        pinned = database.attempts
        while database.attempts == pinned:
            add(database, BLOB)
        add(database, 3)
        assert file_size(f"{path}-wal") <= 4 * 1024 * 1024
        database.close()

    def test_other_process_checkpoints(self, path: Path, rival: Rival) -> None:
        """What another process copied back need not be copied again."""
        database = counting(path)
        for _ in range(12):
            add(database, BLOB)
        assert rival.run("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0
        for _ in range(12):
            add(database, BLOB)
        assert (database.attempts, database.checkpoint_failure) == (0, None)
        database.close()

    def test_somebody_checkpoints(self, database: Database, path: Path) -> None:
        """While another connection copies back, ours neither waits for it nor complains."""
        other = apsw.Connection(str(path))
        copied = []

        def while_it_waits(_attempt: int) -> bool:
            copied.append(database.checkpoint())
            return False

        assert other.execute("SELECT count(*) FROM thing").fetchall() == [(2,)]
        other.set_busy_handler(while_it_waits)
        with database.snapshot() as snapshot:
            snapshot.rows("SELECT * FROM thing")
            add(database, BLOB)
            with pytest.raises(apsw.BusyError):
                other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        other.close()
        assert (copied, database.checkpoint_failure) == ([0], None)


class TestOnDemand:
    """checkpoint(), as maintenance calls it."""

    def test_checkpoint(self, database: Database, path: Path) -> None:
        """It copies every page and says how many; the log stays for the next commit."""
        add(database, bytes(10 * PAGE))
        assert database.checkpoint() >= 10
        assert wal_frames(path) >= 10
        add(database, 3)
        assert values(database)[2:] == [bytes(10 * PAGE), 3]

    def test_checkpoint_truncates(self, database: Database, path: Path) -> None:
        """With truncate, the log is cut to nothing."""
        add(database, bytes(10 * PAGE))
        assert database.checkpoint(truncate=True) >= 10
        assert file_size(f"{path}-wal") == 0
        assert values(database)[2:] == [bytes(10 * PAGE)]

    def test_checkpoint_of_unused_database(self, database: Database) -> None:
        """Nothing was written: nothing is copied."""
        assert database.checkpoint() == 0

    def test_truncate_beside_reader(self, database: Database, path: Path) -> None:
        """A reader in the way is no error: the log stays, and the next call cuts it."""
        with database.snapshot() as snapshot:
            snapshot.rows("SELECT * FROM thing")
            add(database, bytes(10 * PAGE))
            database.checkpoint(truncate=True)
            assert wal_frames(path) >= 10
        assert database.checkpoint_failure is None
        assert database.checkpoint(truncate=True) >= 0
        assert file_size(f"{path}-wal") == 0

    def test_checkpoint_inside_of_transaction(self, database: Database) -> None:
        """Inside of one's own transaction it is refused."""
        with database.write():
            for truncate in (False, True):
                with pytest.raises(ds.TransactionError):
                    database.checkpoint(truncate=truncate)

    def test_close_copies_back(self, path: Path) -> None:
        """The last to close leaves one file: the log and its index are gone."""
        database = open_database(path)
        add(database, 3)
        values(database)
        database.close()
        assert [entry.name for entry in path.parent.iterdir()] == ["things.db"]


class TestFailing:
    """A checkpoint that fails is not a commit that fails."""

    def test_disk_is_full(self, small_disk: Path) -> None:
        """When the database cannot grow the commit stands, and the reason is kept for health."""
        path = make_file(small_disk / "things.db", 1)
        database = counting(path)
        add(database, bytes(300_000))
        ballast = fill(small_disk)
        assert database.checkpoint() == 0
        assert "No space left" in str(database.checkpoint_failure)
        assert values(database) == [1, bytes(300_000)]
        ballast.unlink()
        assert database.checkpoint() > 70
        assert database.checkpoint_failure is None
        database.close()
        assert values(open_database(path)) == [1, bytes(300_000)]

    def test_failing_is_spaced(self, path: Path, bad_disk: BadDisk) -> None:
        """A checkpoint that fails is tried again a WAL's worth later, not at every commit."""
        settings = Settings(synchronous="NORMAL", busy_timeout_ms=0)
        database = Counting(path, settings, clock=lambda: 1)
        bad_disk.refusing = (".db",)
        for _ in range(100):
            add(database, BLOB)
        assert database.attempts <= 5
        assert "failed" in str(database.checkpoint_failure)
        assert not database.closed
        bad_disk.refusing = ()
        database.close()


class TestLimit:
    """max_wal_bytes: a log that somebody keeps from being cut does not fill the disk."""

    LIMITED = Settings(synchronous="OFF", busy_timeout_ms=0, max_wal_bytes=5_000_000)

    def fill(self, database: Database) -> None:
        """Write 40 MB."""
        for _ in range(200):
            add(database, BLOB)

    @linux_only
    def test_reader_of_another_process(self, path: Path, rival: Rival) -> None:
        """Writes are refused, naming the process that reads, until it has ended."""
        database = open_database(path, settings=self.LIMITED)
        assert rival.run("BEGIN") == []
        assert rival.run("SELECT count(*) FROM thing") == [[2]]
        with pytest.raises(ds.LogPinnedError, match=rf"\({rival.pid}\)") as caught:
            self.fill(database)
        assert isinstance(caught.value, ds.BusyError)
        assert caught.value.facts["limit"] == 5_000_000
        written = len(values(database))
        assert rival.run("ROLLBACK") == []
        add(database, 3)
        assert len(values(database)) == written + 1
        assert file_size(f"{path}-wal") <= 5_000_000
        database.close()

    def test_reader_of_this_process(self, path: Path) -> None:
        """A snapshot of our own that is left open counts as well."""
        database = open_database(path, settings=self.LIMITED)
        with database.snapshot() as snapshot:
            assert snapshot.rows("SELECT count(*) FROM thing") == [(2,)]
            with pytest.raises(ds.LogPinnedError):
                self.fill(database)
        self.fill(database)
        database.close()

    def test_nobody_reads(self, path: Path) -> None:
        """Without readers the limit is never met, however much is written."""
        database = open_database(path, settings=self.LIMITED)
        self.fill(database)
        database.close()

    def test_readers_that_follow_each_other(self, path: Path) -> None:
        """Readers without a gap between them do not let the log grow without end."""
        database = open_database(path, settings=FAST)
        largest, done = 0, threading.Event()

        def read() -> None:
            last = contextlib.ExitStack()
            while not done.is_set():
                following = contextlib.ExitStack()
                following.enter_context(database.snapshot()).rows("SELECT count(*) FROM thing")
                last.close()
                last = following
            last.close()

        reading = threading.Thread(target=read)
        reading.start()
        for _ in range(200):
            add(database, BLOB)
            largest = max(largest, wal_frames(path))
        done.set()
        reading.join()
        assert largest < STARVED_PAGES + 2 * CHECKPOINT_PAGES
        database.close()


@linux_only
class TestReaders:
    """Who reads at this moment, as the kernel knows."""

    def test_rival(self, database: Database, path: Path, rival: Rival) -> None:
        """A process is named while it reads, and not otherwise."""
        add(database, 3)
        assert readers(path) == []
        rival.run("BEGIN")
        rival.run("SELECT count(*) FROM thing")
        (found,) = readers(path)
        assert (found.pid, str(found)) == (rival.pid, f"{found.name} ({rival.pid})")
        rival.run("COMMIT")
        assert readers(path) == []

    def test_no_index(self, path: Path) -> None:
        """Nobody reads a file that nobody has open."""
        assert readers(path) == []
        assert readers(path.with_name("missing.db")) == []


@linux_only
def test_pinned_store(factory: ds.DataStoreFactory) -> None:
    """stats() and health_check() name the process whose reading lets the log of a store grow."""
    store = factory.create_cache_store("pinned", codec="raw", max_entries=None)
    store["a"] = b""
    with Rival(store.path) as rival:
        rival.run("BEGIN")
        rival.run("SELECT count(*) FROM entry")
        assert (store.stats().pinned_by, store.health_check().healthy) == ((), True)
        store["a"] = bytes(20_000_000)
        (name,) = store.stats().pinned_by
        health = store.health_check()
        assert f"({rival.pid})" in name
        assert not health.healthy
        assert name in health.probes[-1].detail
        rival.run("ROLLBACK")
    assert store.stats().pinned_by == ()


class TestLostFile:
    """Somebody deletes or replaces the file while it is open."""

    def lose(self, database: Database) -> str:
        """Write until that is refused; return why."""
        for _ in range(100_000):
            try:
                add(database, 3)
            except ds.FileMissingError as error:
                return str(error)
        return "never noticed"

    @pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
    def test_noticed(self, path: Path, how: str) -> None:
        """Writing ends with FileMissingError within a millisecond, and stays so."""
        database = open_database(path)
        add(database, 3)
        if how == "deleted":
            path.unlink()
        elif how == "moved":
            path.rename(path.with_name("elsewhere.db"))
        else:
            make_file(path.with_name("other.db"), "other").replace(path)
        assert "deleted, moved or replaced" in self.lose(database)
        assert database.closed
        with pytest.raises(ds.FileMissingError):
            add(database, 4)
        database.close()

    def test_log_of_the_new_file(self, path: Path) -> None:
        """Closing the lost file leaves the log of the one that took its place alone."""
        database = open_database(path)
        add(database, 3)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink()
        make_file(path, "new")
        successor = open_database(path)
        add(successor, "newer")
        assert "replaced" in self.lose(database)
        database.close()
        assert wal_frames(path) > 0
        assert values(successor) == ["new", "newer"]
        successor.close()
        assert values(open_database(path)) == ["new", "newer"]
