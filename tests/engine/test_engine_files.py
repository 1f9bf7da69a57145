"""Files and directories: private, whole from their first moment, and cleaned up after."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_tools import (
    ADD,
    TABLE,
    WHO,
    Failure,
    add,
    as_nobody,
    error_of,
    failing,
    fill,
    forked,
    make_file,
    open_database,
    root_only,
    sound,
    values,
)

import dsfactory as ds
from dsfactory.engine import (
    Connection,
    Identity,
    Settings,
    create_database,
    identity,
    open_connection,
)
from dsfactory.engine.files import (
    created_at_once,
    file_size,
    private_directory,
    remove_database,
    remove_unfinished,
    unmakeable,
)

posix = pytest.mark.skipif(os.name != "posix", reason="umask and file modes are POSIX")

LONG_AFTER_S = 1e12


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=lambda mask: f"umask {mask:03o}")
def umask(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Every umask that somebody may have, and two that nobody should, once tmp_path is there."""
    assert tmp_path.exists()
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Return the permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


@posix
@pytest.mark.usefixtures("umask")
class TestPrivacy:
    """Only the owner reads, whatever the umask."""

    def test_database(self, tmp_path: Path) -> None:
        """The database, its write-ahead log and its WAL-index are 0600."""
        path = make_file(tmp_path / "things.db", 1)
        database = open_database(path)
        add(database, 2)
        modes = {entry.name: mode(entry) for entry in tmp_path.iterdir()}
        database.close()
        assert modes == {"things.db": 0o600, "things.db-wal": 0o600, "things.db-shm": 0o600}

    def test_scratch_file(self, tmp_path: Path) -> None:
        """Nobody can look while the file is being made, either."""
        with created_at_once(tmp_path / "things.db") as scratch:
            assert mode(scratch) == 0o600
            scratch.write_text("whole")
        assert mode(tmp_path / "things.db") == 0o600

    def test_directories(self, tmp_path: Path) -> None:
        """A new directory and its new parents are 0700."""
        made = private_directory(tmp_path / "a" / "b" / "c")
        assert [mode(p) for p in (made, *made.parents[:2])] == [0o700] * 3

    def test_existing_directory(self, tmp_path: Path) -> None:
        """A directory that was there keeps its mode: it may be somebody's home."""
        tmp_path.chmod(0o755)
        made = private_directory(tmp_path / "new")
        assert private_directory(tmp_path) == tmp_path
        assert (mode(tmp_path), mode(made)) == (0o755, 0o700)


class TestDirectories:
    """Where a factory may live."""

    def test_directory_through_symlink(self, tmp_path: Path) -> None:
        """Two spellings of a directory are one: symlinks are resolved."""
        (tmp_path / "real").mkdir()
        (tmp_path / "alias").symlink_to(tmp_path / "real")
        assert private_directory(tmp_path / "alias" / "x") == tmp_path / "real" / "x"

    def test_directory_is_a_file(self, tmp_path: Path) -> None:
        """A file in the way is refused, as the end of the path and in its middle."""
        (tmp_path / "file").write_text("mine")
        for target in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(ds.ForeignFileError, match="Choose another root"):
                private_directory(target)
        assert (tmp_path / "file").read_text() == "mine"

    def test_directory_is_a_dangling_symlink(self, tmp_path: Path) -> None:
        """A symlink to nowhere is refused with an error of ours."""
        (tmp_path / "alias").symlink_to(tmp_path / "nowhere")
        with pytest.raises(ds.StorageError, match="alias cannot be made"):
            private_directory(tmp_path / "alias")

    def test_directory_name_too_long(self, tmp_path: Path) -> None:
        """A name that the file system does not take is refused with its reason."""
        with pytest.raises(ds.StorageError, match="too long"):
            private_directory(tmp_path / ("x" * 300))

    @root_only
    def test_directory_without_permission(self, open_directory: Path) -> None:
        """Where one may not write, and where one may not even look, ReadOnlyError says so."""
        (open_directory / "hidden").mkdir(mode=0o700)
        open_directory.chmod(0o555)

        def work() -> list[Any]:
            targets = (open_directory / "new", open_directory / "hidden" / "new")
            return [error_of(lambda t=target: private_directory(t)) for target in targets]

        assert as_nobody(work) == ["ReadOnlyError", "ReadOnlyError"]

    @pytest.mark.parametrize(
        ("number", "error"),
        [
            (errno.EROFS, ds.ReadOnlyError),
            (errno.EACCES, ds.ReadOnlyError),
            (errno.EPERM, ds.ReadOnlyError),
            (errno.ENOSPC, ds.DiskFullError),
            (errno.EIO, ds.DiskFailedError),
            (errno.ENOTDIR, ds.ForeignFileError),
            (errno.EMFILE, ds.StorageError),
        ],
    )
    def test_reasons(self, number: int, error: type[Exception]) -> None:
        """Whatever the operating system answers becomes one of our errors, by its number."""
        refused = unmakeable(OSError(number, os.strerror(number)), Path("/data/x"))
        assert type(refused) is error
        assert "/data/x" in str(refused)


@posix
class TestCreation:
    """A file is there as a whole, or not at all."""

    def test_identity_of_new_file(self, path: Path) -> None:
        """A new file says at once whose it is, to any process."""
        opened = open_connection(path, Settings())
        assert identity(opened) == WHO
        opened.close()

    def test_finish(self, tmp_path: Path) -> None:
        """Whoever makes a file may add to it before it has its name, in the same transaction."""

        def finish(connection: Connection) -> None:
            assert connection.in_transaction
            assert not (tmp_path / "things.db").exists()
            connection.execute(ADD, ("finished",))

        create_database(tmp_path / "things.db", [(TABLE, ())], WHO, finish=finish)
        assert values(open_database(tmp_path / "things.db")) == ["finished"]

    @pytest.mark.parametrize("error", [ds.DiskFullError, ds.ValueShapeError, ZeroDivisionError])
    def test_failing_finish(self, tmp_path: Path, error: type[Exception]) -> None:
        """When that fails there is no file, and the error is the one that was raised."""

        def finish(_connection: Connection) -> None:
            raise error("what happened")

        with pytest.raises(error, match="what happened"):
            create_database(tmp_path / "things.db", [(TABLE, ())], WHO, finish=finish)
        assert list(tmp_path.iterdir()) == []

    def test_creation_beside_lost_log(self, tmp_path: Path) -> None:
        """A new file is not made beside the log of a lost one: SQLite would replay that into it."""
        path = make_file(tmp_path / "things.db", 1)
        database = open_database(path)
        add(database, 2)
        log = Path(f"{path}-wal")
        left = log.read_bytes()
        database.close()
        path.unlink()
        log.write_bytes(left)
        with pytest.raises(ds.FileMissingError, match=r"its log things\.db-wal is still there"):
            make_file(path)
        assert [entry.name for entry in tmp_path.iterdir()] == ["things.db-wal"]
        log.unlink()
        assert values(open_database(make_file(path, "anew"))) == ["anew"]

    def test_creation_of_existing_file(self, path: Path) -> None:
        """A file that is there already is left alone."""
        make_file(path, "another")
        assert values(open_database(path)) == [1, 2]
        assert [entry.name for entry in path.parent.iterdir() if "unfinished" in entry.name] == []

    def test_failure_while_creating(self, tmp_path: Path) -> None:
        """An error in the middle leaves nothing, neither the file nor its beginnings."""
        target = tmp_path / "things.db"
        with failing(), created_at_once(target) as scratch:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{scratch}{suffix}").write_text("half")
            raise Failure
        assert list(tmp_path.iterdir()) == []

    def test_killed_at_every_step(self, tmp_path: Path) -> None:
        """Killed before any of its system calls, the file is whole or absent; litter is found."""
        outcomes = []
        for step in range(100):
            target = tmp_path / str(step) / "things.db"
            target.parent.mkdir()
            survived = _create_until(target, step)
            outcomes.append(target.exists())
            if outcomes[-1]:
                assert sound(target)
                assert values(open_database(target)) == list(range(50))
            remove_unfinished(target.parent, older_than_s=0, now_s=LONG_AFTER_S)
            assert not [e for e in target.parent.iterdir() if e.name.startswith(".")]
            if survived:
                break
        # Before the name is given nothing is there, and from then on everything.
        assert outcomes == sorted(outcomes)
        assert survived
        assert 3 <= outcomes.count(False) < len(outcomes) - 1

    def test_killed_at_any_moment(self, tmp_path: Path) -> None:
        """SIGKILL while files are made one after another: each one that exists is whole."""
        for round_ in range(8):
            directory = tmp_path / str(round_)
            directory.mkdir()
            _kill_while_creating(directory, after=round_ + 1)
            made = list(directory.glob("*.db"))
            assert len(made) > round_
            for target in made:
                assert sound(target)
                assert values(open_database(target)) == list(range(50))

    def test_two_creators(self, tmp_path: Path) -> None:
        """Of processes that make the same file at once one wins, and all get its file."""
        target = tmp_path / "things.db"
        waiting, start = os.pipe()

        def create(number: int) -> list[Any]:
            os.close(start)
            os.read(waiting, 1)  # returns when the parent closes its end: all start at once
            create_database(target, [], Identity(77, number))
            return [identity(open_connection(target, Settings())).revision]

        children = [forked(lambda n=number: create(n)) for number in range(1, 7)]
        os.close(start)
        answers = [child.answer() for child in children]
        os.close(waiting)
        assert answers == [answers[0]] * 6
        assert answers[0][0] in range(1, 7)
        assert not [e for e in tmp_path.iterdir() if e.name.startswith(".")]

    def test_file_system_without_hard_links(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where there are no hard links (FAT) the file is moved, and never over another."""

        def link(_source: object, _target: object) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)
        target = make_file(tmp_path / "things.db", "first")
        make_file(target, "second")
        assert values(open_database(target)) == ["first"]
        assert not [e for e in tmp_path.iterdir() if e.name.startswith(".")]


def _create_until(target: Path, step: int) -> bool:
    """Make *target* in a child that is killed at its system call number *step*; did it live?"""

    def work() -> bool:
        left = step

        def count(event: str, _arguments: object) -> None:
            nonlocal left
            if event == "open" or event.startswith("os."):
                if left == 0:
                    os.kill(os.getpid(), 9)
                left -= 1

        sys.addaudithook(count)
        make_file(target, *range(50))
        return left >= 0

    child = forked(work)
    with os.fdopen(child.reading) as answers:
        survived = answers.read() == "true"
    os.waitpid(child.pid, 0)
    return survived


def _kill_while_creating(directory: Path, after: int) -> None:
    """Kill a child that makes files in *directory* once it has reported *after* of them."""
    reading, writing = os.pipe()

    def work() -> None:
        for number in range(10_000):
            make_file(directory / f"{number}.db", *range(50))
            os.write(writing, b".")

    child = forked(work)
    os.close(writing)
    for _ in range(after):
        assert os.read(reading, 1) == b"."
    os.kill(child.pid, 9)
    os.waitpid(child.pid, 0)
    os.close(reading)
    os.close(child.reading)


class TestCleaning:
    """What is removed, and what is not."""

    def test_unfinished_files(self, tmp_path: Path) -> None:
        """Only half-made files go, with their side files, and only when they are old enough."""
        old, young = (tmp_path / f".{name}.db.0a.unfinished" for name in ("old", "young"))
        kept = [tmp_path / "whole.db", tmp_path / ".hidden", young]
        for path in (old, Path(f"{old}-wal"), Path(f"{old}-journal"), *kept):
            path.write_text("x")
            os.utime(path, (1_000, 1_000))
        os.utime(young, (1_050, 1_050))
        assert remove_unfinished(tmp_path, older_than_s=100, now_s=1_101) == 3
        assert sorted(tmp_path.iterdir()) == sorted(kept)

    def test_unfinished_link_of_living_file(self, tmp_path: Path) -> None:
        """A second name that a killed creator left on a whole file goes; the file stays."""
        path = make_file(tmp_path / "things.db", 1)
        litter = tmp_path / ".things.db.0a.unfinished"
        os.link(path, litter)
        database = open_database(path)
        assert remove_unfinished(tmp_path, older_than_s=0, now_s=LONG_AFTER_S) == 1
        add(database, 2)
        database.close()
        assert values(open_database(path)) == [1, 2]

    def test_unfinished_files_of_no_directory(self, tmp_path: Path) -> None:
        """A directory that is not there holds no litter."""
        assert remove_unfinished(tmp_path / "absent", older_than_s=0, now_s=LONG_AFTER_S) == 0

    def test_database_is_removed(self, tmp_path: Path) -> None:
        """A database goes with its side files; what is missing is no error."""
        path = make_file(tmp_path / "things.db")
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").touch()
        remove_database(path)
        remove_database(path)
        assert list(tmp_path.iterdir()) == []

    def test_size_of_missing_file(self, tmp_path: Path) -> None:
        """A missing file has no bytes, any other has its own."""
        assert file_size(tmp_path / "absent") == 0
        (tmp_path / "three").write_text("abc")
        assert file_size(str(tmp_path / "three")) == 3


class TestDisks:
    """Real file systems that are full or read-only."""

    def test_creation_on_full_disk(self, small_disk: Path) -> None:
        """On a full disk no file is made, half a file neither, and the error is DiskFullError."""
        fill(small_disk)
        with pytest.raises(ds.DiskFullError):
            make_file(small_disk / "things.db", 1)
        assert [entry.name for entry in small_disk.iterdir()] == ["ballast"]

    def test_opening_on_full_disk(self, small_disk: Path) -> None:
        """A database that cannot even get its WAL-index says that the disk is full."""
        path = make_file(small_disk / "things.db", 1)
        fill(small_disk)
        with pytest.raises(ds.DiskFullError):
            open_connection(path, Settings())
        (small_disk / "ballast").unlink()
        assert values(open_database(path)) == [1]

    def test_read_only_file_system(self, small_disk: Path) -> None:
        """On a file system mounted read-only nothing is made, and the error says why."""
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        with pytest.raises(ds.ReadOnlyError, match="read-only"):
            make_file(small_disk / "things.db")
        with pytest.raises(ds.ReadOnlyError, match="read-only"):
            private_directory(small_disk / "root")
        assert list(small_disk.iterdir()) == []
