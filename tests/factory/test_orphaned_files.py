"""Files without a row: adopted when they are the store that is asked for, else refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest
from factory_traces import create, forget_registry, traces

import dsfactory as ds


@pytest.fixture
def orphan(opened: Any, root: Path) -> Path:
    """The file of a custom store "x" that no registry knows."""
    factory = opened()
    create(factory, "custom")["a"] = 1
    factory.close()
    forget_registry(root)
    return root / "stores" / "x.db"


@pytest.mark.parametrize("kind", ["config", "metrics", "cache", "state", "custom"])
def test_registry_lost(opened: Any, root: Path, kind: str) -> None:
    """Stores of a lost registry are adopted as they are asked for again."""
    factory = opened()
    create(factory, kind)["a"] = 1
    before = factory.get_registered_store("x")
    factory.close()
    forget_registry(root)
    factory = opened()
    assert traces(factory) == (["x.db"], [])
    assert create(factory, kind)["a"] == 1
    after = factory.get_registered_store("x")
    assert before is not None
    assert after is not None
    assert after.id == before.id


def test_of_another_kind(opened: Any, orphan: Path) -> None:
    """A file of another kind is refused, by both kinds, and left as it is."""
    before = orphan.read_bytes()
    factory = opened()
    with pytest.raises(ds.KindConflictError, match="is a custom file, not a state file"):
        create(factory, "state")
    assert traces(factory).stores == []
    assert orphan.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"codec": "msgpack"}, "codec='json' there, 'msgpack' asked for"),
        ({"features": {"tags"}}, "features=.* there, .* asked for"),
        ({"page_checksums": True}, "page_checksums=False there, True asked for"),
    ],
)
def test_made_otherwise(opened: Any, orphan: Path, options: dict[str, Any], words: str) -> None:
    """A file with another codec, features or page checksums is refused; it is said which."""
    factory = opened()
    with pytest.raises(ds.ConfigurationConflictError, match=words):
        create(factory, "custom", **options)
    assert traces(factory).stores == []
    assert create(factory, "custom")["a"] == 1


def test_with_checksums_that_nobody_asked_for(opened: Any, root: Path) -> None:
    """A file with page checksums is not adopted as one without: its pages would not be signed."""
    factory = opened()
    create(factory, "state")["a"] = 1
    factory.close()
    forget_registry(root)
    factory = opened()
    with pytest.raises(ds.ConfigurationConflictError, match="page_checksums"):
        create(factory, "state", page_checksums=False)
    assert traces(factory).stores == []


def test_of_another_name(opened: Any, orphan: Path) -> None:
    """A file that was renamed is another store's, and refused."""
    orphan.rename(orphan.with_name("y.db"))
    factory = opened()
    with pytest.raises(ds.ConfigurationConflictError, match="name='x' there, 'y' asked for"):
        create(factory, "custom", "y")
    assert traces(factory).stores == []


def test_of_another_application(opened: Any, orphan: Path) -> None:
    """Another application's database is refused and not changed by a bit."""
    orphan.unlink()
    connection = apsw.Connection(str(orphan))
    connection.execute("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
    connection.close()
    before = orphan.read_bytes()
    factory = opened()
    with pytest.raises(ds.ForeignFileError, match="another application"):
        create(factory, "custom")
    assert traces(factory).stores == []
    assert orphan.read_bytes() == before


@pytest.mark.parametrize(
    ("contents", "error"),
    [
        (b"", ds.FileMissingError),
        (b"x", ds.ForeignFileError),
        (b"not a database, but longer than its header\n" * 100, ds.ForeignFileError),
    ],
    ids=["empty", "a byte", "text"],
)
def test_no_database(
    opened: Any, orphan: Path, contents: bytes, error: type[ds.DataStoreError]
) -> None:
    """What is no database is refused and left as it is, a single byte included."""
    orphan.write_bytes(contents)
    factory = opened()
    with pytest.raises(error):
        create(factory, "custom")
    assert traces(factory).stores == []
    assert orphan.read_bytes() == contents


def test_directory_in_the_way(opened: Any, orphan: Path) -> None:
    """A directory where the file belongs is refused."""
    orphan.unlink()
    orphan.mkdir()
    factory = opened()
    with pytest.raises(ds.ForeignFileError, match="not a regular file"):
        create(factory, "custom")
    assert traces(factory) == (["x.db"], [])
