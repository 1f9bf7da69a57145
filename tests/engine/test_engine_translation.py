"""From SQLite's result codes to our errors."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

import dsfactory as ds
from dsfactory.engine.translate import fsync_failed, translated

PATH = Path("/data/{odd}.db")

EXPECTED = [
    ("SQLITE_BUSY", ds.BusyError),
    ("SQLITE_BUSY_SNAPSHOT", ds.BusyError),
    ("SQLITE_BUSY_RECOVERY", ds.BusyError),
    ("SQLITE_LOCKED", ds.BusyError),
    ("SQLITE_PROTOCOL", ds.BusyError),
    ("SQLITE_FULL", ds.DiskFullError),
    ("SQLITE_IOERR_SHMSIZE", ds.DiskFullError),
    ("SQLITE_READONLY", ds.ReadOnlyError),
    ("SQLITE_READONLY_DIRECTORY", ds.ReadOnlyError),
    ("SQLITE_PERM", ds.ReadOnlyError),
    ("SQLITE_AUTH", ds.ReadOnlyError),
    ("SQLITE_CANTOPEN", ds.StorageError),
    ("SQLITE_CANTOPEN_ISDIR", ds.StorageError),
    ("SQLITE_IOERR", ds.DiskFailedError),
    ("SQLITE_IOERR_READ", ds.DiskFailedError),
    ("SQLITE_IOERR_FSYNC", ds.DiskFailedError),
    ("SQLITE_IOERR_DATA", ds.CorruptError),
    ("SQLITE_IOERR_CORRUPTFS", ds.CorruptError),
    ("SQLITE_CORRUPT", ds.CorruptError),
    ("SQLITE_CORRUPT_INDEX", ds.CorruptError),
    ("SQLITE_NOTADB", ds.ForeignFileError),
    ("SQLITE_TOOBIG", ds.ValueTooLargeError),
    ("SQLITE_ERROR", ds.DataStoreError),
    ("SQLITE_CONSTRAINT_UNIQUE", ds.DataStoreError),
    ("SQLITE_MISMATCH", ds.DataStoreError),
]


@pytest.mark.parametrize(("name", "family"), EXPECTED)
def test_family(name: str, family: type[ds.DataStoreError]) -> None:
    """Each code has its error, which names the file and carries the code."""
    code = getattr(apsw, name)
    ours = translated(apsw.exception_for(code), PATH)
    assert type(ours) is family
    assert str(PATH) in str(ours)
    assert ours.facts == {"path": str(PATH), "code": code}


@pytest.mark.parametrize(("name", "family"), EXPECTED)
def test_text_does_not_matter(name: str, family: type[ds.DataStoreError]) -> None:
    """The code decides, whatever the text says."""
    error = apsw.exception_for(getattr(apsw, name))
    error.args = ("database is locked; disk full; malformed {path}",)
    assert type(translated(error, PATH)) is family


@pytest.mark.parametrize(("name", "family"), EXPECTED)
def test_whole_sentence(name: str, family: type[ds.DataStoreError]) -> None:
    """No placeholder is left in a message."""
    text = str(translated(apsw.exception_for(getattr(apsw, name)), PATH))
    assert "{path}" not in text
    assert "{said}" not in text


def test_unforeseen_error_without_code() -> None:
    """An apsw error without a result code is still one of ours, and says what SQLite said."""
    ours = translated(apsw.BindingsError("Not enough {bindings}"), PATH)
    assert type(ours) is ds.DataStoreError
    assert str(ours) == f"{PATH}: SQLite said BindingsError: Not enough {{bindings}}"
    assert ours.facts["code"] == 0


@pytest.mark.parametrize("close", ["connection", "cursor"])
def test_closed(close: str) -> None:
    """Using what was closed is ClosedError, whichever of apsw's two says so."""
    connection = apsw.Connection(":memory:")
    cursor = connection.cursor()
    connection.close()
    with pytest.raises((apsw.ConnectionClosedError, apsw.CursorClosedError)) as caught:
        (connection if close == "connection" else cursor).execute("SELECT 1")
    assert type(translated(caught.value, PATH)) is ds.ClosedError


def test_constraint_names_no_value(tmp_path: Path) -> None:
    """The message of a broken constraint quotes the schema, never a value."""
    connection = apsw.Connection(str(tmp_path / "x.db"))
    connection.execute("CREATE TABLE person (name TEXT UNIQUE, age INTEGER) STRICT")
    connection.execute("INSERT INTO person VALUES ('secret', 1)")
    for values in (("secret", 2), ("other", "secret")):
        with pytest.raises(apsw.Error) as caught:
            connection.execute("INSERT INTO person VALUES (?, ?)", values)
        said = str(translated(caught.value, tmp_path))
        assert "person." in said
        assert "secret" not in said
    connection.close()


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("SQLITE_IOERR_FSYNC", True),
        ("SQLITE_IOERR_DIR_FSYNC", True),
        ("SQLITE_IOERR_WRITE", False),
        ("SQLITE_FULL", False),
    ],
)
def test_lost_writes(name: str, lost: bool) -> None:
    """Only a failed fsync means that what was written before may be lost."""
    assert fsync_failed(apsw.exception_for(getattr(apsw, name))) is lost
