"""Opening a file: how each connection is set up, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from engine_tools import (
    ADD,
    ALL,
    WHO,
    add,
    as_nobody,
    error_of,
    make_file,
    open_database,
    root_only,
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
    pragmas,
    register,
    require_write_lock,
)
from dsfactory.engine.connection import require_sqlite

# What SQLite answers when asked for a setting that was set by a word.
IN_NUMBERS = {"on": 1, "memory": 2, "incremental": 2}

ROWS = (
    *pragmas.SWITCHES,
    *pragmas.READER_SWITCHES,
    *pragmas.EVERYWHERE,
    *pragmas.WRITER,
    *pragmas.READER,
    *pragmas.AT_CREATION,
)


@pytest.fixture(params=["writer", "reader"])
def role(request: pytest.FixtureRequest) -> str:
    """Either kind of connection."""
    return str(request.param)


@pytest.fixture
def connection(path: Path, role: str) -> Iterator[Connection]:
    """A connection of that kind."""
    opened = open_connection(path, Settings(busy_timeout_ms=50), write=role == "writer")
    yield opened
    opened.close()


def wanted(pragma: pragmas.Pragma) -> int | str:
    """What SQLite should answer to *pragma*."""
    return IN_NUMBERS.get(str(pragma.value), pragma.value)


class TestSettings:
    """Every row of pragmas.py holds on every connection that it is meant for."""

    def test_pragmas_of_both_roles(self, connection: Connection) -> None:
        """Every connection runs with the pragmas that are meant for all."""
        found = {row.name: connection.pragma(row.name) for row in pragmas.EVERYWHERE}
        assert found == {row.name: wanted(row) for row in pragmas.EVERYWHERE}

    def test_pragmas_of_one_role(self, connection: Connection, role: str) -> None:
        """A writer runs with the writer's pragmas, a reader with the reader's."""
        rows = pragmas.WRITER if role == "writer" else pragmas.READER
        found = {row.name: connection.pragma(row.name) for row in rows}
        assert found == {row.name: wanted(row) for row in rows}

    def test_switches(self, connection: Connection, role: str) -> None:
        """Every connection has the switches set; only a reader never checkpoints at its close."""
        for switch in pragmas.SWITCHES:
            assert connection.config(switch.option, -1) == switch.on
        for switch in pragmas.READER_SWITCHES:
            assert connection.config(switch.option, -1) == (switch.on if role == "reader" else 0)

    @pytest.mark.parametrize(("name", "number"), [("FULL", 2), ("NORMAL", 1)])
    def test_synchronous_of_writer(self, path: Path, name: str, number: int) -> None:
        """The writer syncs as the store's settings say."""
        writer = open_connection(path, Settings(synchronous=name), write=True)
        assert writer.pragma("synchronous") == number
        writer.close()

    def test_pragmas_at_creation(self, connection: Connection) -> None:
        """What only an empty file can be given is in the file."""
        found = {row.name: connection.pragma(row.name) for row in pragmas.AT_CREATION}
        assert found == {row.name: wanted(row) for row in pragmas.AT_CREATION}

    def test_reasons(self) -> None:
        """Every setting says why."""
        assert all(len(row.why) > 15 for row in ROWS)

    def test_no_setting_twice(self) -> None:
        """No setting stands in two rows, so none can contradict another."""
        names = [row.name if isinstance(row, pragmas.Pragma) else row.option for row in ROWS]
        assert len(names) == len(set(names))

    def test_identity(self, connection: Connection) -> None:
        """The header says whose file it is, and at which revision."""
        assert identity(connection) == WHO

    def test_reader_that_writes(self, path: Path) -> None:
        """A reader cannot write, whatever SQL it is given."""
        reader = open_connection(path, Settings())
        with pytest.raises(apsw.ReadOnlyError):
            reader.execute(ADD, (3,))
        reader.close()


class TestHostileSchema:
    """A file cannot make us do what its author wants."""

    def test_registered_function_in_view(self, path: Path, connection: Connection) -> None:
        """Our functions work in views, although the schema is not trusted."""
        writer = open_connection(path, Settings(), write=True)
        writer.execute("CREATE VIEW twice AS SELECT doubled(v) FROM thing ORDER BY k")
        writer.close()
        register(connection, "doubled", lambda value: value * 2, 1)
        assert connection.execute("SELECT * FROM twice").fetchall() == [(2,), (4,)]

    def test_registered_function_in_index(self, path: Path) -> None:
        """Our functions are deterministic to SQLite: an index may be built on one."""
        writer = open_connection(path, Settings(), write=True)
        register(writer, "doubled", lambda value: value * 2, 1)
        writer.execute("CREATE INDEX by_double ON thing (doubled(v))")
        plan = writer.execute("EXPLAIN QUERY PLAN SELECT k FROM thing WHERE doubled(v) = 4")
        assert "by_double" in str(plan.fetchall())
        writer.execute("DROP INDEX by_double")
        writer.close()

    def test_foreign_function_in_view(self, path: Path) -> None:
        """A function that was not registered as innocuous cannot be called from the schema."""
        writer = open_connection(path, Settings(), write=True)
        writer.execute("CREATE VIEW trap AS SELECT launch(v) FROM thing")
        called: list[object] = []
        writer.create_scalar_function("launch", called.append, 1)
        with pytest.raises(apsw.SQLError, match="unsafe use"):
            writer.execute("SELECT * FROM trap").fetchall()
        assert called == []
        writer.close()

    def test_misspelt_column(self, connection: Connection) -> None:
        """A name in double quotes is a name: a misspelt column is an error, not a string."""
        with pytest.raises(apsw.SQLError, match="no such column"):
            connection.execute('SELECT "misspelt" FROM thing')

    def test_misspelt_column_in_schema(self, path: Path) -> None:
        """The same holds for what a schema quotes."""
        writer = open_connection(path, Settings(), write=True)
        with pytest.raises(apsw.SQLError, match="no such column"):
            writer.execute('CREATE INDEX wrong ON thing ("misspelt")')
        writer.close()

    def test_schema_is_not_writable(self, path: Path) -> None:
        """No SQL can write the schema table, even after asking for it."""
        writer = open_connection(path, Settings(), write=True)
        writer.execute("PRAGMA writable_schema = ON")
        with pytest.raises(apsw.SQLError, match="may not be modified"):
            writer.execute("UPDATE sqlite_schema SET sql = ''")
        writer.close()

    def test_foreign_keys(self, path: Path) -> None:
        """References are enforced."""
        writer = open_connection(path, Settings(), write=True)
        writer.execute("CREATE TABLE part (of INTEGER REFERENCES thing (k)) STRICT")
        with pytest.raises(apsw.ConstraintError):
            writer.execute("INSERT INTO part VALUES (99)")
        writer.close()


def _make(what: str, path: Path) -> None:
    makers: dict[str, Callable[[], object]] = {
        "missing": lambda: None,
        "empty": path.touch,
        "directory": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "below a file": lambda: None,
        "text": lambda: path.write_text("Dear diary,\n" * 500),
        "too short": lambda: path.write_bytes(b"SQLite format 3\0"),
        "one byte": lambda: path.write_bytes(b"S"),
    }
    makers[what]()


class TestRefusals:
    """What is no database of ours is refused, and left as it was."""

    @pytest.mark.parametrize("write", [False, True])
    @pytest.mark.parametrize(
        ("what", "error"),
        [
            ("missing", ds.FileMissingError),
            ("empty", ds.FileMissingError),
            ("directory", ds.ForeignFileError),
            ("pipe", ds.ForeignFileError),
            ("text", ds.ForeignFileError),
            ("too short", ds.ForeignFileError),
            ("one byte", ds.ForeignFileError),
        ],
    )
    def test_opening(self, tmp_path: Path, what: str, error: type[Exception], write: bool) -> None:
        """What is not an SQLite file is refused by name; opening creates and changes nothing."""
        target = tmp_path / "target.db"
        _make(what, target)
        before = [(entry.name, entry.stat().st_size) for entry in tmp_path.iterdir()]
        with pytest.raises(error, match=r"target\.db") as caught:
            open_connection(target, Settings(), write=write)
        assert caught.value.facts["path"] == str(target)  # type: ignore[attr-defined]
        assert [(entry.name, entry.stat().st_size) for entry in tmp_path.iterdir()] == before

    def test_opening_below_a_file(self, path: Path) -> None:
        """A path through something that is no directory leads to no file."""
        with pytest.raises(ds.FileMissingError):
            open_connection(path / "deeper.db", Settings())

    def test_opening_endless_symlink(self, tmp_path: Path) -> None:
        """A path that leads nowhere for another reason than absence says for which."""
        (tmp_path / "loop.db").symlink_to(tmp_path / "loop.db")
        with pytest.raises(ds.ReadOnlyError, match=r"cannot be reached: .*symbolic links"):
            open_connection(tmp_path / "loop.db", Settings())

    def test_directory_is_gone(self, tmp_path: Path) -> None:
        """A database cannot be made where there is no directory; the error names the path."""
        with pytest.raises(ds.StorageError, match=r"absent.*new\.db cannot be made"):
            make_file(tmp_path / "absent" / "new.db")

    def test_wrong_sql_at_creation(self, tmp_path: Path) -> None:
        """A schema that SQLite refuses makes no file and leaves no litter."""
        with pytest.raises(ds.DataStoreError, match="syntax error"):
            create_database(tmp_path / "new.db", [("CREATE TABEL x", ())], WHO)
        assert list(tmp_path.iterdir()) == []

    def test_file_of_another_application(
        self, factory: ds.DataStoreFactory, tmp_path: Path
    ) -> None:
        """A database that some other program made is not adopted as a store."""
        target = tmp_path / "data" / "stores" / "taken.db"
        create_database(target, [("CREATE TABLE mail (body)", ())], Identity(1, 1))
        with pytest.raises(ds.ForeignFileError, match="another application"):
            factory.create_state_store("taken")
        assert factory.get_registered_store("taken") is None

    @pytest.mark.parametrize("version", ["3.51.2", "3.7.17", "3.50.9", "2.8.17"])
    def test_sqlite_too_old(self, version: str) -> None:
        """An SQLite with the WAL-reset bug is refused, and the error says what is needed."""
        with pytest.raises(ds.UnfitEnvironmentError, match=r"3\.51\.3"):
            require_sqlite(version)

    @pytest.mark.parametrize("version", ["3.51.3", "3.51.10", "3.54.1", "4.0.0"])
    def test_sqlite_new_enough(self, version: str) -> None:
        """3.51.3 and whatever is later will do; versions are compared as numbers."""
        require_sqlite(version)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
class TestPermissions:
    """What permissions forbid is refused with the reason, for whoever they bind."""

    def test_write_to_read_only_file(self, open_directory: Path) -> None:
        """A file that may only be read stays as it is, and the error says what to check."""
        path = make_file(open_directory / "things.db", 1)
        path.chmod(0o444)

        def work() -> list[Any]:
            database = open_database(path)
            return [error_of(lambda: add(database, 2)), error_of(lambda: add(database, 3))]

        assert as_nobody(work) == ["ReadOnlyError", "ReadOnlyError"]
        path.chmod(0o600)
        assert values(open_database(path)) == [1]

    def test_file_made_writable_again(self, open_directory: Path) -> None:
        """The log that a reader left beside a read-only file does not keep it read-only."""

        def work() -> str:
            path = make_file(open_directory / "things.db", 1)
            path.chmod(0o444)
            reader = open_connection(path, Settings())
            reader.execute("SELECT count(*) FROM thing").fetchall()
            reader.close()
            path.chmod(0o600)
            return error_of(lambda: add(open_database(path), 2))

        assert as_nobody(work) == ""

    def test_read_only_directory(self, open_directory: Path) -> None:
        """A database needs its directory: there the write-ahead log is made."""
        path = make_file(open_directory / "things.db", 1)
        path.chmod(0o666)
        open_directory.chmod(0o555)
        assert as_nobody(lambda: error_of(lambda: open_connection(path, Settings()))) == (
            "ReadOnlyError"
        )

    @root_only
    def test_file_without_permissions(self, open_directory: Path) -> None:
        """A file of somebody else's cannot be opened, and its directory entry says no more."""
        path = make_file(open_directory / "things.db", 1)
        assert as_nobody(lambda: error_of(lambda: open_connection(path, Settings()))) == (
            "StorageError"
        )

    @root_only
    def test_unreachable_directory(self, open_directory: Path) -> None:
        """A file behind a directory that may not be entered is not taken for missing."""
        hidden = open_directory / "hidden"
        hidden.mkdir(mode=0o700)
        path = make_file(hidden / "things.db", 1)
        assert as_nobody(lambda: error_of(lambda: open_connection(path, Settings()))) == (
            "ReadOnlyError"
        )

    def test_creation_in_read_only_directory(self, open_directory: Path) -> None:
        """Where no file may be made none is, and the error is ours."""
        open_directory.chmod(0o555)
        target = open_directory / "new.db"
        assert as_nobody(lambda: error_of(lambda: make_file(target))) == "ReadOnlyError"
        assert list(open_directory.iterdir()) == []


class TestWriteLock:
    """Asking for the write lock without wanting to write."""

    def test_write_lock_is_free(self, path: Path) -> None:
        """Taking the lock and giving it back changes not one byte of the database."""
        writer = open_connection(path, Settings(), write=True)
        before = writer.execute(ALL).fetchall()
        require_write_lock(writer, path)
        assert not writer.in_transaction
        assert (writer.total_changes(), writer.execute(ALL).fetchall()) == (0, before)
        writer.close()

    def test_write_lock_is_taken(self, path: Path) -> None:
        """While another holds the lock, BusyError says that it is not to be had."""
        holder = open_connection(path, Settings(), write=True)
        holder.execute("BEGIN IMMEDIATE")
        writer = open_connection(path, Settings(busy_timeout_ms=0), write=True)
        with pytest.raises(ds.BusyError):
            require_write_lock(writer, path)
        writer.close()
        holder.close()
