"""Page checksums: damage on disk is found when it is read, and nobody else notices them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import apsw
import pytest
from engine_tools import add, error_of, make_file, open_database, values

import dsfactory as ds
from dsfactory.engine import Database, Settings, checksums, damage, open_connection

CHECKED = Settings(page_checksums=True, busy_timeout_ms=50)
PLAIN = Settings(page_checksums=False, busy_timeout_ms=50)

WORDS = [f"word-{number:04}:{'x' * 500}" for number in range(60)]

REGISTERING = """
import apsw, threading
from dsfactory.engine import checksums
before = apsw.vfs_names()[0]
threads = [threading.Thread(target=checksums.vfs) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert checksums.vfs() == "cksmvfs"
assert apsw.vfs_names().count("cksmvfs") == 1
assert apsw.vfs_names()[0] == before != "cksmvfs"
assert apsw.Connection(":memory:").open_vfs == before
"""


@pytest.fixture
def checked(tmp_path: Path) -> Path:
    """A database with page checksums."""
    return make_file(tmp_path / "checked.db", *WORDS, page_checksums=True)


def flip(path: Path, text: str) -> None:
    """Change one bit of the one place on disk where *text* is stored."""
    content = bytearray(path.read_bytes())
    at = content.index(text.encode())
    content[at + 5] ^= 1
    path.write_bytes(content)


def opened(path: Path, settings: Settings) -> Database:
    """Open *path*."""
    return open_database(path, settings=settings)


def damage_of(path: Path, settings: Settings) -> list[str]:
    """Return what is wrong with *path*."""
    connection = open_connection(path, settings)
    try:
        return damage(connection, path)
    finally:
        connection.close()


class TestDamage:
    """One bit of one page has changed on disk."""

    def test_checked(self, checked: Path) -> None:
        """With checksums, reading the page raises CorruptError; other pages can be read."""
        flip(checked, "word-0030")
        database = opened(checked, CHECKED)
        with pytest.raises(ds.CorruptError, match=r"not match its checksum.*Restore a backup"):
            values(database)
        assert database.rows("SELECT v FROM thing WHERE k = 1") == [(WORDS[0],)]
        database.close()

    def test_checked_damage(self, checked: Path) -> None:
        """damage() reads every page, so it reports the one."""
        assert damage_of(checked, CHECKED) == []
        flip(checked, "word-0030")
        assert "checksum" in damage_of(checked, CHECKED)[0]

    def test_unchecked(self, tmp_path: Path) -> None:
        """Without checksums nobody can know: a wrong value is returned, and no damage found."""
        path = make_file(tmp_path / "plain.db", *WORDS)
        flip(path, "word-0030")
        database = opened(path, PLAIN)
        assert values(database)[30] == WORDS[30].replace("word-0", "word-1")
        database.close()
        assert damage_of(path, PLAIN) == []

    def test_unchecked_structure(self, tmp_path: Path) -> None:
        """What SQLite itself needs is checked in any file."""
        path = make_file(tmp_path / "plain.db", *WORDS)
        content = bytearray(path.read_bytes())
        content[2 * 4096 : 2 * 4096 + 200] = b"\xff" * 200
        path.write_bytes(content)
        assert damage_of(path, PLAIN) != []

    def test_in_log(self, checked: Path) -> None:
        """Pages still in the write-ahead log are as right as those in the database."""
        database = opened(checked, CHECKED)
        add(database, "new")
        assert values(database)[-1] == "new"
        database.checkpoint(truncate=True)
        assert damage_of(checked, CHECKED) == []
        database.close()

    @pytest.mark.parametrize("settings", [CHECKED, PLAIN], ids=["asking", "not asking"])
    def test_carried(self, checked: Path, tmp_path: Path, settings: Settings) -> None:
        """Whether a file carries checksums is the file's, not the connection's."""
        plain = make_file(tmp_path / "plain.db", *WORDS)
        for path, carries in ((checked, True), (plain, False)):
            connection = open_connection(path, settings)
            assert checksums.carried(connection) is carries
            connection.close()

    def test_asking_of_plain_file(self, tmp_path: Path) -> None:
        """A file without checksums can be opened as if it had any: it just has none."""
        path = make_file(tmp_path / "plain.db", *WORDS)
        database = opened(path, CHECKED)
        add(database, "new")
        database.close()
        assert damage_of(path, CHECKED) == []
        assert values(opened(path, PLAIN))[-1] == "new"


class TestOthers:
    """Who else opens files."""

    def test_plain_connection(self, checked: Path) -> None:
        """A connection without checksums reads and writes the same file in the same process."""
        database = opened(checked, CHECKED)
        plain = opened(checked, PLAIN)
        add(database, "ours")
        assert values(plain)[-1] == "ours"
        plain.close()
        database.close()

    def test_shell(self, checked: Path, shell: str) -> None:
        """A plain sqlite3 program reads the file as usual."""
        asked = [shell, str(checked), "SELECT count(*), min(v) FROM thing; PRAGMA quick_check"]
        said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        assert said.split() == [f"60|{WORDS[0]}", "ok"]

    def test_shell_that_writes(self, checked: Path, shell: str) -> None:
        """What it writes carries no checksum, and is reported as damage by us."""
        subprocess.run([shell, str(checked), "UPDATE thing SET v = 'y' WHERE k = 30"], check=True)
        assert values(opened(checked, PLAIN))[29] == "y"
        assert error_of(lambda: values(opened(checked, CHECKED))) == "CorruptError"

    def test_default_stays(self) -> None:
        """Registered once, by any number of threads; the application's own files are as before."""
        done = subprocess.run(
            [sys.executable, "-c", REGISTERING], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_connections_of_the_application(self, tmp_path: Path) -> None:
        """In this process too, others get the default; only we ask for checksums."""
        checksums.vfs()
        assert apsw.Connection(str(tmp_path / "own.db")).open_vfs != "cksmvfs"


@pytest.fixture
def shell() -> str:
    """The sqlite3 command line program."""
    for place in ("/usr/bin/sqlite3", "/usr/local/bin/sqlite3", "/opt/homebrew/bin/sqlite3"):
        if Path(place).exists():
            return place
    pytest.skip("there is no sqlite3 program here")


class TestWithout:
    """An apsw that was built without the extension."""

    def test_missing_extension(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Asking for checksums is refused with what to do; files without them work."""
        monkeypatch.setattr(checksums, "_VFS", "never-registered")
        monkeypatch.setattr(checksums, "available", lambda: False)
        with pytest.raises(ds.UnfitEnvironmentError, match="page_checksums=False"):
            make_file(tmp_path / "checked.db", page_checksums=True)
        path = make_file(tmp_path / "plain.db", 1)
        assert values(opened(path, PLAIN)) == [1]

    def test_this_build(self) -> None:
        """apsw's own wheels ship it."""
        assert checksums.available()
