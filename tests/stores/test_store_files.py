"""A store's file: adopted, refused or reported by what it says of itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
from contract.common import MakeStore, Store, stranger

import dsfactory as ds
from dsfactory.engine import Database, Settings
from dsfactory.profiles import PROFILES
from dsfactory.stores import file_identity


def problems(store: Store) -> dict[str, str]:
    """What is wrong with a store, by the question asked."""
    return {probe.name: probe.detail for probe in store.health_check().probes if not probe.ok}


def change_header(pragma: str, value: int) -> Callable[[Path], None]:
    """Something that changes what a file says of itself."""

    def change(path: Path) -> None:
        connection = apsw.Connection(str(path))
        connection.pragma(pragma, value)
        connection.close()

    return change


def overwrite(content: bytes) -> Callable[[Path], None]:
    """Something that replaces a file's content."""

    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


@contextmanager
def as_nobody() -> Iterator[None]:
    """Let permissions count for this process, although the tests may run as root."""
    before = os.getuid()
    if before == 0:
        os.setreuid(65534, 0)
    try:
        yield
    finally:
        if before == 0:
            os.setreuid(0, 0)


class TestAdoption:
    """A store whose registry was lost."""

    @pytest.fixture
    def orphan(self, tmp_path: Path, clock: ds.ManualClock) -> Path:
        """A directory with the file of a custom store, and no registry."""
        root = tmp_path / "orphaned"
        with ds.DataStoreFactory(root, maintenance="manual", clock=clock) as factory:
            store: Store = factory.create_custom_store("own", features={"expiry", "tags"})
            store["k"] = 1
        for file in root.glob("metadata.db*"):
            file.unlink()
        return root

    def test_same_store(self, orphan: Path) -> None:
        """Asked for again in the same way, the file is the store, with all that is in it."""
        with ds.DataStoreFactory(orphan, maintenance="manual") as factory:
            store: Store = factory.create_custom_store("own", features={"tags", "expiry"})
            assert dict(store) == {"k": 1}
            assert store.check() == []

    @pytest.mark.parametrize(
        ("options", "differs"),
        [
            ({"features": {"tags"}}, "features"),
            ({"codec": "msgpack"}, "codec"),
            ({"page_checksums": True}, "page_checksums=False there"),
        ],
    )
    def test_other_structure(self, orphan: Path, options: dict[str, Any], differs: str) -> None:
        """Asked for differently, it is refused with what differs; the file stays as it was."""
        wanted = {"features": {"expiry", "tags"}, **options}
        with ds.DataStoreFactory(orphan, maintenance="manual") as factory:
            with pytest.raises(ds.ConfigurationConflictError, match=differs):
                factory.create_custom_store("own", **wanted)
            assert factory.get_registered_stores() == []

    def test_other_name(self, orphan: Path) -> None:
        """A file that was renamed by hand is not taken for another store."""
        (orphan / "stores" / "own.db").rename(orphan / "stores" / "other.db")
        with (
            ds.DataStoreFactory(orphan, maintenance="manual") as factory,
            pytest.raises(ds.ConfigurationConflictError, match="name='own' there"),
        ):
            factory.create_custom_store("other", features={"expiry", "tags"})

    def test_other_kind(self, orphan: Path) -> None:
        """A file of another kind is refused."""
        with (
            ds.DataStoreFactory(orphan, maintenance="manual") as factory,
            pytest.raises(ds.KindConflictError, match="is a custom file, not a state file"),
        ):
            factory.create_state_store("own", page_checksums=False)


DAMAGES: dict[str, tuple[Callable[[Path], None], type[Exception], str]] = {
    "newer": (change_header("user_version", 99), ds.NewerSchemaError, "revision 99.*dsfactory 0"),
    "foreign": (change_header("application_id", 1), ds.ForeignFileError, "another application"),
    "other kind": (
        change_header("application_id", PROFILES[ds.Kind.CACHE].application_id),
        ds.KindConflictError,
        "is a cache file",
    ),
    "no database": (overwrite(b"no database at all, " * 500), ds.ForeignFileError, "not an SQLite"),
    "emptied": (overwrite(b""), ds.FileMissingError, "cut to nothing"),
    "missing": (Path.unlink, ds.FileMissingError, "gone"),
}


@pytest.mark.parametrize(("change", "error", "message"), DAMAGES.values(), ids=DAMAGES)
def test_open_changed_file(
    make_store: MakeStore,
    factory: ds.DataStoreFactory,
    change: Callable[[Path], None],
    error: type[Exception],
    message: str,
) -> None:
    """A registered file that is not what it was is refused and reported, never made anew."""
    store = make_store("custom")
    store["k"] = 1
    store.close()
    change(store.path)
    size = store.path.stat().st_size if store.path.exists() else None
    with pytest.raises(error, match=message):
        make_store("custom")
    assert not store.health_check().healthy
    assert problems(store)
    assert (store.path.stat().st_size if store.path.exists() else None) == size
    factory.unregister_store("under-test")


def test_older_file(make_store: MakeStore, factory: ds.DataStoreFactory) -> None:
    """A file at an older revision is named as such: whoever opens it has to upgrade it first."""
    store = make_store("custom")
    store.close()
    change_header("user_version", 0)(store.path)
    database = Database(store.path, Settings(), clock=lambda: 0)
    with pytest.raises(ds.OlderSchemaError, match="revision 0, head is"):
        file_identity(database, store.path, ds.Kind.CUSTOM)
    database.close()
    factory.unregister_store("under-test")


class TestProbes:
    """health_check()."""

    @pytest.fixture
    def store(self, make_store: MakeStore) -> Store:
        """A store without page checksums."""
        store = make_store("state", page_checksums=False)
        store["k"] = 1
        return store

    def test_sound_store(self, store: Store) -> None:
        """Every question is answered, with what was found."""
        details = {probe.name: probe.detail for probe in store.health_check().probes}
        assert details == {
            "file": f"{store.path.stat().st_size} bytes",
            "readable": "opens",
            "writable": "yes",
            "schema": f"revision {PROFILES[ds.Kind.STATE].revision}, at head",
            "quick_check": "sound",
        }

    def test_store_that_is_being_written(self, store: Store) -> None:
        """Somebody else's transaction is no illness."""
        with stranger(store) as other:
            other.execute("BEGIN IMMEDIATE")
            health = store.health_check()
            other.execute("ROLLBACK")
        assert health.healthy
        assert any("somebody writes" in probe.detail for probe in health.probes)

    @pytest.mark.skipif(os.name == "nt", reason="permissions are another matter on Windows")
    def test_store_without_permission(self, store: Store) -> None:
        """A file that may not be written is reported, and can still be read."""
        store.path.chmod(0o400)
        try:
            with as_nobody():
                found = problems(store)
        finally:
            store.path.chmod(0o600)
        assert list(found) == ["writable"]
        assert "permission" in found["writable"]

    def test_store_of_other_revision(self, store: Store, factory: ds.DataStoreFactory) -> None:
        """The schema's revision is compared with the head."""
        store.close()
        change_header("user_version", 99)(store.path)
        head = PROFILES[ds.Kind.STATE].revision
        assert problems(store) == {"schema": f"revision 99, head is {head}: upgrade dsfactory"}
        factory.unregister_store("under-test")
