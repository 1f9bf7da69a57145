"""Copying a database while others write to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_tools import ADD, add, fill, make_file, open_database, sound, values

import dsfactory as ds
from dsfactory.engine import Database, Settings
from dsfactory.engine.copying import STEP_PAGES, copy_online

SETTINGS = Settings(synchronous="OFF")
LARGE = bytes(2_000_000)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An empty file for the copy."""
    path = tmp_path / "copy.db"
    path.touch()
    return path


def copied(target: Path) -> list[object]:
    """Return the values of a finished copy, opened as any database."""
    return values(open_database(target))


class TestCopy:
    """The copy is the database as it was at one moment."""

    def test_copy(self, database: Database, path: Path, target: Path) -> None:
        """What is in the log is in the copy, which is sound and stands alone."""
        add(database, 3)
        copy_online(path, SETTINGS, target)
        assert not Path(f"{target}-wal").exists()
        assert copied(target) == [1, 2, 3]
        assert sound(target)

    def test_copy_beside_writer(self, database: Database, path: Path, target: Path) -> None:
        """Commits between its steps neither show in the copy nor make it start over."""
        add(database, LARGE, LARGE, LARGE)
        steps: list[tuple[int, int]] = []

        def progress(done: int, of: int) -> None:
            steps.append((done, of))
            add(database, f"meanwhile {len(steps)}")

        copy_online(path, SETTINGS, target, progress)
        assert len(copied(target)) == 5
        assert [done for done, _ in steps] == sorted({done for done, _ in steps})
        assert all(done <= len(steps) * STEP_PAGES for done, _ in steps)
        assert len(steps) == -(-steps[-1][1] // STEP_PAGES) > 1
        assert steps[-1][0] == steps[-1][1]
        assert len(values(database)) == 5 + len(steps)

    def test_copy_in_transaction(self, database: Database, path: Path, target: Path) -> None:
        """Inside of a transaction the copy holds what was committed before."""
        with database.write() as tx:
            tx.run(ADD, (3,))
            copy_online(path, SETTINGS, target)
        assert copied(target) == [1, 2]
        assert values(database) == [1, 2, 3]

    def test_copy_with_checksums(self, tmp_path: Path, target: Path) -> None:
        """The copy of a file with page checksums carries them too, and they are right."""
        path = make_file(tmp_path / "checked.db", *range(5), page_checksums=True)
        checked = Settings(page_checksums=True)
        copy_online(path, checked, target)
        assert sound(target, page_checksums=True)
        assert values(open_database(target, settings=checked)) == list(range(5))


class TestRefusals:
    """What cannot be copied."""

    def test_damaged_source(self, tmp_path: Path, target: Path) -> None:
        """A page that does not match its checksum is found while it is copied."""
        path = make_file(
            tmp_path / "checked.db", *("x" * 900 for _ in range(50)), page_checksums=True
        )
        content = bytearray(path.read_bytes())
        content[5 * 4096 + 100] ^= 1
        path.write_bytes(content)
        with pytest.raises(ds.CorruptError, match=r"checked\.db does not match its checksum"):
            copy_online(path, Settings(page_checksums=True), target)

    def test_damaged_structure(self, tmp_path: Path, target: Path) -> None:
        """Without checksums, a copy that is not sound is refused at the end."""
        path = make_file(tmp_path / "plain.db", *("x" * 900 for _ in range(50)))
        content = bytearray(path.read_bytes())
        content[5 * 4096 : 5 * 4096 + 100] = b"\xff" * 100
        path.write_bytes(content)
        with pytest.raises(ds.CorruptError):
            copy_online(path, SETTINGS, target)

    def test_missing_source(self, tmp_path: Path, target: Path) -> None:
        """What is not there cannot be copied."""
        with pytest.raises(ds.FileMissingError):
            copy_online(tmp_path / "absent.db", SETTINGS, target)

    def test_full_disk(self, path: Path, small_disk: Path) -> None:
        """Where there is no room for the copy the error names the copy."""
        target = small_disk / "copy.db"
        target.touch()
        fill(small_disk)
        with pytest.raises(ds.DiskFullError, match=r"copy\.db"):
            copy_online(path, SETTINGS, target)
