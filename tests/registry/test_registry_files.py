"""metadata.db itself: made whole, private, and refused when it is not what it should be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from registry_samples import asked_for, identified, raw

import dsfactory as ds
from dsfactory.engine import checksums
from dsfactory.profiles import REGISTRY
from dsfactory.registry import Registry

RESERVED_BYTES_AT = 20
"""Of the header: https://www.sqlite.org/fileformat.html#the_database_header"""


@pytest.fixture
def file(open_registry: Callable[[], Registry], tmp_path: Path) -> Path:
    """A closed metadata database with one store."""
    registry = open_registry()
    registry.register(asked_for(), identified("id-1"))
    registry.close()
    return tmp_path / "metadata.db"


def test_made_when_missing(registry: Registry) -> None:
    """A new registry is empty, private to its owner, and says what it is."""
    assert registry.records() == []
    assert registry.path.stat().st_mode & 0o777 == 0o600
    with raw(registry.path) as connection:
        assert connection.pragma("application_id") == REGISTRY.application_id
        assert connection.pragma("user_version") == REGISTRY.revision
        assert connection.execute("SELECT release FROM registry_meta").fetchall() == [
            (ds.__version__,)
        ]


@pytest.mark.skipif(not checksums.available(), reason="this apsw ships no cksumvfs")
def test_carries_checksums(file: Path) -> None:
    """Where apsw can, every page of the registry reserves bytes for a checksum."""
    assert file.read_bytes()[RESERVED_BYTES_AT] == checksums.RESERVED_BYTES


def test_opening_writes_nothing(open_registry: Callable[[], Registry], file: Path) -> None:
    """Opening an existing registry changes no byte of it."""
    before = file.read_bytes()
    open_registry().close()
    assert file.read_bytes() == before


def test_newer(open_registry: Callable[[], Registry], file: Path) -> None:
    """A registry of a later release is refused, and the release is named."""
    with raw(file) as connection:
        connection.execute("UPDATE registry_meta SET release = '9.8.7'")
        connection.pragma("user_version", REGISTRY.revision + 1)
    with pytest.raises(ds.NewerSchemaError, match=r"written by dsfactory 9\.8\.7") as refused:
        open_registry()
    assert refused.value.facts["release"] == "9.8.7"
    assert refused.value.facts["revision"] == REGISTRY.revision + 1


def test_older(open_registry: Callable[[], Registry], file: Path) -> None:
    """A registry of an earlier revision is refused by its own type."""
    with raw(file) as connection:
        connection.pragma("user_version", REGISTRY.revision - 1)
    with pytest.raises(ds.OlderSchemaError, match="Upgrade it first"):
        open_registry()


def test_of_a_store(open_registry: Callable[[], Registry], file: Path) -> None:
    """A store's file in its place is refused as what it is."""
    with raw(file) as connection:
        connection.pragma("application_id", int.from_bytes(b"dsfs", "big"))
    with pytest.raises(ds.KindConflictError, match="is a state file, not a registry file"):
        open_registry()


def foreign(path: Path) -> None:
    """Put another application's database in its place."""
    path.unlink()
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
    connection.close()


def directory(path: Path) -> None:
    """Put a directory in its place."""
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, tuple[Callable[[Path], object], type[ds.DataStoreError]]] = {
    "cut to nothing": (lambda path: os.truncate(path, 0), ds.FileMissingError),
    "cut to a byte": (lambda path: os.truncate(path, 1), ds.FileRefusedError),
    "cut inside": (lambda path: os.truncate(path, 4096), ds.CorruptError),
    "garbage": (lambda path: path.write_bytes(os.urandom(8192)), ds.ForeignFileError),
    "another application's": (foreign, ds.ForeignFileError),
    "a directory": (directory, ds.ForeignFileError),
}


@pytest.mark.parametrize(("damage", "error"), DAMAGES.values(), ids=DAMAGES)
def test_damaged(
    open_registry: Callable[[], Registry],
    file: Path,
    damage: Callable[[Path], object],
    error: type[ds.DataStoreError],
) -> None:
    """A damaged registry is refused by a typed error with its path, and left as it is."""
    damage(file)
    before = file.read_bytes() if file.is_file() else None
    with pytest.raises(error, match=r"metadata\.db"):
        open_registry()
    assert (file.read_bytes() if file.is_file() else None) == before


def test_damaged_page(open_registry: Callable[[], Registry], file: Path) -> None:
    """A flipped bit in a record is found by its page's checksum when it is read."""
    contents = file.read_bytes()
    assert contents.count(b"/stores/x.db") >= 1
    file.write_bytes(contents.replace(b"/stores/x.db", b"/stores/y.db"))
    with pytest.raises(ds.CorruptError, match=r"metadata\.db"):
        open_registry().records()


def test_probes(registry: Registry) -> None:
    """The registry answers for itself, each answer under its own name."""
    probes = registry.probes()
    assert all(probe.ok for probe in probes)
    assert all(probe.name.startswith("registry ") for probe in probes)
    assert {"registry file", "registry writable", "registry schema"} <= {p.name for p in probes}


def test_closed(registry: Registry) -> None:
    """A closed registry refuses to answer; closing it again does nothing."""
    registry.close()
    registry.close()
    with pytest.raises(ds.ClosedError):
        registry.records()
