"""Notices: what each commit changed, for whoever keeps entries in memory elsewhere."""

from __future__ import annotations

import itertools
import os
import stat
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsfactory.engine.notices import HEARD_NS, SLOT_BYTES, SLOTS, Notices, written
from dsfactory.engine.watch import HEADER, change_of, commit_of, commits_before
from dsfactory.model import Key

NOW = 10**12
KEYS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(max_size=40),
)


def commit(number: int) -> bytes:
    """A name as the log would give it."""
    fields = (number & 0xFFFFFFFF, b"\1\0", 4096, number * 7 & 0xFFFF, 9, b"checksum", b"saltsalt")
    return struct.pack("=I2sHII8s8s", *fields)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Notices, Notices]]:
    """Somebody who commits and somebody who listens."""
    writer, reader = Notices(tmp_path / "s.db"), Notices(tmp_path / "s.db")
    reader.listen(NOW)
    assert writer.wanted(NOW)
    yield writer, reader
    writer.close()
    reader.close()
    assert list(tmp_path.iterdir()) == []


def tell(writer: Notices, number: int, *keys: Key) -> None:
    """Tell that commit *number* changed *keys*."""
    writer.tell(commit(number - 1), commit(number), written(keys))


class TestChain:
    """From one commit to another, or not at all."""

    @given(
        keys=st.lists(st.lists(KEYS, max_size=5), min_size=1, max_size=20),
        first=st.integers(0, 2**32),
    )
    def test_keys(
        self, tmp_path_factory: pytest.TempPathFactory, keys: list[list[Key]], first: int
    ) -> None:
        """What was told is found, whatever the keys are, and wherever the ring and numbers wrap."""
        path = tmp_path_factory.mktemp("ring") / "s.db"
        writer, reader = Notices(path), Notices(path)
        reader.listen(NOW)
        assert writer.wanted(NOW)
        for number, changed in enumerate(keys, first + 1):
            tell(writer, number, *changed)
        last = commit(first + len(keys))
        expected = [key for changed in keys for key in changed]
        reached, found = reader.follow(commit(first), last)
        assert (reached, found) == (last, expected)
        assert list(map(type, found or ())) == list(map(type, expected))
        writer.close()
        reader.close()

    def test_not_told_yet(self, pair: tuple[Notices, Notices]) -> None:
        """Where a notice is missing the chain ends, and goes on when it has come."""
        writer, reader = pair
        tell(writer, 1, "a")
        tell(writer, 3, "c")
        assert reader.follow(commit(0), commit(3)) == (commit(1), ["a"])
        tell(writer, 2, "b")
        assert reader.follow(commit(1), commit(3)) == (commit(3), ["b", "c"])

    def test_unknown_change(self, pair: tuple[Notices, Notices]) -> None:
        """A commit that nobody can tell about, or of too many keys, changes everything."""
        writer, reader = pair
        tell(writer, 1, "a")
        writer.tell(commit(1), commit(2), None)
        assert reader.follow(commit(0), commit(2))[1] is None
        assert written([f"key {n}" for n in range(500)]) is None
        assert written(["x" * 1000]) is None

    def test_too_late(self, pair: tuple[Notices, Notices]) -> None:
        """Who has missed more than the ring holds knows nothing; nor does who is ahead."""
        writer, reader = pair
        for number in range(1, SLOTS + 2):
            tell(writer, number, number)
        assert reader.follow(commit(1), commit(SLOTS + 1))[1] == list(range(2, SLOTS + 2))
        assert reader.follow(commit(0), commit(SLOTS + 1))[1] is None
        assert reader.follow(commit(5), commit(4))[1] is None

    def test_another_life(self, pair: tuple[Notices, Notices]) -> None:
        """The number alone links nothing: a notice from before the log was made anew is none."""
        writer, reader = pair
        tell(writer, 1, "a")
        other = commit(0)[:-1] + b"!"
        assert reader.follow(other, commit(1)) == (other, [])

    @pytest.mark.parametrize("byte", [0, 4, 6, 37, 38, 69, 70, 72])
    def test_torn(self, pair: tuple[Notices, Notices], tmp_path: Path, byte: int) -> None:
        """A notice with any byte changed is none."""
        writer, reader = pair
        tell(writer, 1, "a")
        file = tmp_path / "s.db-notices"
        data = bytearray(file.read_bytes())
        data[2 * SLOT_BYTES + byte] ^= 1
        with file.open("r+b") as torn:
            torn.write(data)
        assert reader.follow(commit(0), commit(1)) == (commit(0), [])

    def test_cut(self, pair: tuple[Notices, Notices], tmp_path: Path) -> None:
        """A file that somebody cuts to nothing is no answer, and no end of the process."""
        writer, reader = pair
        tell(writer, 1, "a")
        os.truncate(tmp_path / "s.db-notices", 0)
        assert reader.follow(commit(0), commit(1)) == (commit(0), [])
        assert not writer.wanted(NOW)


class TestListening:
    """Nobody writes for nobody."""

    def test_nobody(self, tmp_path: Path) -> None:
        """Without a listener there is no file, and asking makes none."""
        writer = Notices(tmp_path / "s.db")
        assert not writer.wanted(NOW)
        assert list(tmp_path.iterdir()) == []

    def test_for_a_while(self, pair: tuple[Notices, Notices]) -> None:
        """Who has not said so for two seconds does not listen; nor does one of another boot."""
        writer, reader = pair
        assert writer.wanted(NOW + HEARD_NS - 1)
        assert not writer.wanted(NOW + HEARD_NS)
        assert not writer.wanted(NOW - 1)
        reader.listen(NOW + HEARD_NS)
        assert writer.wanted(NOW + HEARD_NS)

    def test_unusable(self, tmp_path: Path) -> None:
        """Who may leave no traces never makes the file."""
        quiet = Notices(tmp_path / "s.db", usable=False)
        quiet.listen(NOW)
        assert not quiet.wanted(NOW)
        assert list(tmp_path.iterdir()) == []


class TestFile:
    """Private, passing, and of nobody when the last has gone."""

    @pytest.mark.usefixtures("pair")
    def test_private(self, tmp_path: Path) -> None:
        """Only its owner may read it."""
        mode = (tmp_path / "s.db-notices").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600

    def test_last_takes_it_away(self, tmp_path: Path) -> None:
        """It stays while somebody has it."""
        first, second = Notices(tmp_path / "s.db"), Notices(tmp_path / "s.db")
        first.listen(NOW)
        assert second.wanted(NOW)
        first.close()
        assert (tmp_path / "s.db-notices").exists()
        second.close()
        assert list(tmp_path.iterdir()) == []

    def test_replaced(self, pair: tuple[Notices, Notices], tmp_path: Path) -> None:
        """Deleted under us, it is opened anew."""
        writer, reader = pair
        (tmp_path / "s.db-notices").unlink()
        assert not writer.wanted(NOW)
        reader.listen(NOW + HEARD_NS)
        assert writer.wanted(NOW + HEARD_NS)

    def test_wiped(self, pair: tuple[Notices, Notices], tmp_path: Path) -> None:
        """No key is left in it, and who listens still does."""
        writer, reader = pair
        tell(writer, 1, "somebody's name")
        file = tmp_path / "s.db-notices"
        assert b"somebody's name" in file.read_bytes()
        reader.wipe()
        assert b"somebody" not in file.read_bytes()
        assert writer.wanted(NOW)
        assert reader.follow(commit(0), commit(1)) == (commit(0), [])

    def test_link(self, tmp_path: Path) -> None:
        """A symbolic link in its place is not followed."""
        (tmp_path / "other").write_bytes(b"theirs")
        (tmp_path / "s.db-notices").symlink_to(tmp_path / "other")
        notices = Notices(tmp_path / "s.db")
        notices.listen(NOW)
        assert (tmp_path / "other").read_bytes() == b"theirs"
        notices.close()


class TestNames:
    """A commit's name is the same in the header and in the log."""

    @pytest.fixture
    def database(self, tmp_path: Path) -> Iterator[apsw.Connection]:
        connection = apsw.Connection(str(tmp_path / "s.db"))
        connection.pragma("journal_mode", "wal")
        connection.execute("CREATE TABLE t (a)")
        yield connection
        connection.close()

    def header(self, tmp_path: Path) -> bytes:
        """The header of the index; no lock of ours can be lost, for the test ends with it."""
        return (tmp_path / "s.db-shm").read_bytes()[HEADER]

    def frame(self, header: bytes) -> int:
        """The last frame of the commit."""
        return int.from_bytes(header[16:20], sys.byteorder)

    def test_by_the_log(self, tmp_path: Path, database: apsw.Connection) -> None:
        """The log tells what a commit and the one before it are called, however many there are."""
        path, headers = tmp_path / "s.db", []
        for number in range(20):
            headers.append(self.header(tmp_path))
            with database:
                database.executemany("INSERT INTO t VALUES (zeroblob(?))", [(5000,)] * number)
                database.execute("INSERT INTO t VALUES (1)")
        for before, after in itertools.pairwise(headers):
            names = commit_of(before), commit_of(after)
            assert commits_before(path, before, self.frame(after)) == names
            assert commits_before(path, headers[0], self.frame(after)) == names
            assert commits_before(path, before, self.frame(after) + 1) != names
            assert change_of(names[1]) == change_of(names[0]) + 1
        assert commits_before(path, headers[-1], 10_000) is None
        assert commits_before(path, headers[-1], self.frame(headers[-1])) is None

    def test_log_started_over(self, tmp_path: Path, database: apsw.Connection) -> None:
        """What was overwritten or cut tells nothing, and no commit has the name of another."""
        path, before = tmp_path / "s.db", self.header(tmp_path)
        database.execute("INSERT INTO t VALUES (1)")
        after = self.header(tmp_path)
        database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
        for _ in range(3):
            database.execute("INSERT INTO t VALUES (1)")
            assert commit_of(self.header(tmp_path)) != commit_of(after)
        assert commits_before(path, before, self.frame(after)) is None
        before = self.header(tmp_path)
        database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        assert commits_before(path, before, self.frame(before) + 1) is None

    def test_no_log(self, tmp_path: Path) -> None:
        """No log, no answer."""
        assert commits_before(tmp_path / "absent.db", bytes(48), 1) is None
