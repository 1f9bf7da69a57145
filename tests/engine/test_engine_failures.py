"""Disks that are full or broken: nothing half-written, and never a false acknowledgement."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from engine_tools import BadDisk, add, error_of, fill, make_file, open_database, sound, values

import dsfactory as ds
from dsfactory.engine import Database, Retry, Settings

BIG = bytes(300_000)


class TestFullDisk:
    """A real file system without a free page."""

    def test_commit(self, small_disk: Path) -> None:
        """What does not fit is undone as a whole; with space again, the same handle goes on."""
        path = make_file(small_disk / "things.db", 1)
        database = open_database(path)
        add(database, 2)
        ballast = fill(small_disk)
        with pytest.raises(ds.DiskFullError, match=r"No space left for .*things\.db"):
            add(database, 3, BIG, 4)
        assert values(database) == [1, 2]
        ballast.unlink()
        add(database, 5)
        assert values(database) == [1, 2, 5]
        database.close()
        assert sound(path)

    def test_many_commits(self, small_disk: Path) -> None:
        """Every commit until the disk is full is there, and no other."""
        path = make_file(small_disk / "things.db")
        database = open_database(path)
        acknowledged = 0
        while error_of(lambda: add(database, "x" * 2000)) == "":
            acknowledged += 1
        assert error_of(lambda: add(database, "x" * 2000)) == "DiskFullError"
        assert acknowledged > 100
        assert len(values(database)) == acknowledged
        database.close()
        assert len(values(open_database(path))) == acknowledged

    def test_spilled_transaction(self, small_disk: Path) -> None:
        """A transaction too large for memory and disk is undone while it is still being written."""
        path = make_file(small_disk / "things.db", 1)
        database = open_database(path)

        def write() -> None:
            with database.write() as tx:
                tx.rows("PRAGMA cache_size = 10")
                for _ in range(20):
                    tx.run("INSERT INTO thing (v) VALUES (?)", (BIG,))

        assert error_of(write) == "DiskFullError"
        assert values(database) == [1]
        add(database, 2)
        assert values(database) == [1, 2]
        database.close()
        assert sound(path)

    def test_store(self, small_disk: Path) -> None:
        """A store on a full disk refuses the write, keeps its books right and goes on later."""
        with ds.DataStoreFactory(small_disk / "data", maintenance="manual") as factory:
            store = factory.create_custom_store("mail", compression=False)
            store["kept"] = "here"
            ballast = fill(small_disk)
            with pytest.raises(ds.DiskFullError):
                store["large"] = "x" * len(BIG)
            with pytest.raises(ds.DiskFullError):
                store.set_many(dict.fromkeys(range(30), "x" * 10000))
            assert store == {"kept": "here"}
            assert store.check() == []
            ballast.unlink()
            store["large"] = "x" * len(BIG)
            assert sorted(store) == ["kept", "large"]
            assert store.check() == []

    def test_store_creation(self, small_disk: Path) -> None:
        """A store that found no room is not registered, and can be made when there is some."""
        with ds.DataStoreFactory(small_disk / "data", maintenance="manual") as factory:
            ballast = fill(small_disk)
            with pytest.raises(ds.DiskFullError):
                factory.create_state_store("mail")
            assert factory.get_registered_stores() == []
            ballast.unlink()
            factory.create_state_store("mail")["k"] = 1
            assert [record.name for record in factory.get_registered_stores()] == ["mail"]


def open_unsure(path: Path, synchronous: str) -> Database:
    """Open *path* with this much syncing."""
    return open_database(path, settings=Settings(synchronous=synchronous, busy_timeout_ms=50))


class TestFailedSync:
    """After a failed fsync nobody knows what is on disk: the file is closed for good."""

    def test_commit(self, path: Path, bad_disk: BadDisk) -> None:
        """A commit whose fsync fails is not acknowledged, and every later use is refused."""
        database = open_unsure(path, "FULL")
        add(database, 3)
        values(database)
        bad_disk.failing = ("-wal",)
        with pytest.raises(ds.DiskFailedError):
            add(database, 4)
        bad_disk.failing = ()
        assert database.closed
        uses = (
            lambda: add(database, 5),
            lambda: values(database),
            database.checkpoint,
            lambda: database.snapshot().__enter__(),
        )
        assert [error_of(use) for use in uses] == ["DiskFailedError"] * 4
        with pytest.raises(ds.DiskFailedError, match=r"failed fsync.*reopen the store"):
            values(database)
        database.close()

    def test_acknowledged_is_there(self, path: Path, bad_disk: BadDisk) -> None:
        """What was acknowledged before the failure is there when the file is opened again."""
        database = open_unsure(path, "FULL")
        add(database, 3)
        bad_disk.failing = ("-wal",)
        assert error_of(lambda: add(database, 4)) == "DiskFailedError"
        bad_disk.failing = ()
        database.close()
        # The last one failed, but may have reached the disk: it is whole or absent.
        assert values(open_database(path)) in ([1, 2, 3], [1, 2, 3, 4])

    def test_only_reading(self, path: Path) -> None:
        """A database that was only read is closed by a failed fsync just as well."""
        database = open_unsure(path, "FULL")
        values(database)
        assert isinstance(
            database.failure(apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)), ds.DiskFailedError
        )
        assert error_of(lambda: values(database)) == "DiskFailedError"
        database.close()

    def test_no_retry(self, path: Path, bad_disk: BadDisk) -> None:
        """A failed fsync is no busy lock: it is not tried again."""
        database = open_database(path, retry=Retry(max_retries=5, delay_ms=0))
        bad_disk.failing = ("-wal",)
        assert error_of(lambda: add(database, 3)) == "DiskFailedError"
        assert database.retries == 0
        bad_disk.failing = ()
        database.close()

    @pytest.mark.parametrize("truncate", [False, True])
    @pytest.mark.parametrize("file", [".db", "-wal"])
    def test_checkpoint(self, path: Path, bad_disk: BadDisk, file: str, truncate: bool) -> None:
        """A checkpoint whose fsync fails closes the file; the reason is kept for health."""
        database = open_unsure(path, "NORMAL")
        add(database, 3)
        bad_disk.failing = (file,)
        assert database.checkpoint(truncate=truncate) == 0
        bad_disk.failing = ()
        assert "failed" in str(database.checkpoint_failure)
        assert error_of(lambda: add(database, 4)) == "DiskFailedError"
        database.close()
        assert values(open_database(path)) == [1, 2, 3]

    @pytest.mark.parametrize("truncate", [False, True])
    def test_close_after_failed_sync(self, path: Path, bad_disk: BadDisk, truncate: bool) -> None:
        """Pages that the log may have lost are never copied into the database, at close neither."""
        database = open_unsure(path, "NORMAL")
        add(database, 3)
        values(database)
        bad_disk.failing = ("-wal",)
        bad_disk.written.clear()
        database.checkpoint(truncate=truncate)
        bad_disk.failing = ()
        database.close()
        assert str(path) not in bad_disk.written
        assert Path(f"{path}-wal").stat().st_size > 0
        assert values(open_database(path)) == [1, 2, 3]

    def test_close_that_cannot_sync(self, path: Path, bad_disk: BadDisk) -> None:
        """When the last copying back fails, the log stays and the next one to open has it all."""
        database = open_unsure(path, "FULL")
        add(database, 3)
        bad_disk.failing = (".db",)
        assert error_of(database.close) == "IOError"  # apsw's own disks show what SQLite swallows
        bad_disk.failing = ()
        assert Path(f"{path}-wal").stat().st_size > 0
        assert values(open_database(path)) == [1, 2, 3]

    def test_automatic_checkpoint(self, path: Path, bad_disk: BadDisk) -> None:
        """The commit before a checkpoint that fails stands: it was synced before."""
        database = open_unsure(path, "FULL")
        bad_disk.failing = (".db",)
        for number in range(4):
            add(database, bytes(1_200_000 + number))
            if database.closed:
                break
        bad_disk.failing = ()
        assert database.closed
        database.close()
        assert [len(value) for value in values(open_database(path))[2:]] == [
            1_200_000 + n for n in range(number + 1)
        ]

    def test_failing_write(self, path: Path, bad_disk: BadDisk) -> None:
        """An I/O error that is no fsync undoes the transaction; the handle stays usable."""
        database = open_unsure(path, "FULL")
        add(database, 3)
        bad_disk.refusing = ("-wal",)
        with pytest.raises(ds.DiskFailedError, match="Check the disk"):
            add(database, 4)
        bad_disk.refusing = ()
        assert not database.closed
        add(database, 5)
        assert values(database) == [1, 2, 3, 5]
        database.close()
