"""SQL on a store's file: the view entries on our connections, the base tables from any program."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from contract.common import MakeStore, Store

import dsfactory as ds

LONG = '"' + "v" * 5000 + '"'


def run(store: Store, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Run one statement on the store's own connection, in a transaction of its own."""
    with store._database.write() as tx:
        return tx.rows(sql, parameters)


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    """A store that compresses from 2,048 bytes on."""
    return make_store("state")


def test_view_read(store: Store) -> None:
    """The view shows values as they were encoded, compressed or not, as the codec's type."""
    store["plain"] = [1]
    store["packed"] = "v" * 5000
    rows = run(store, "SELECT key, value, version, size_bytes < 100, compressed FROM entries")
    assert rows == [("plain", "[1]", 1, 1, 0), ("packed", LONG, 1, 1, 1)]


def test_view_read_of_binary(make_store: MakeStore) -> None:
    """Values of a binary codec are blobs in the view as well."""
    store = make_store("metrics")
    store["k"] = "v" * 20_000
    ((value, compressed),) = run(store, "SELECT value, compressed FROM entries")
    assert (store._values.codec.decode(value), compressed) == ("v" * 20_000, 1)


@pytest.mark.parametrize(("value", "compressed"), [("[1]", False), (LONG, True)])
def test_view_insert(store: Store, value: str, compressed: bool) -> None:
    """An insert through the view is a set: packed from the threshold on, versioned, counted."""
    run(store, "INSERT INTO entries (key, value) VALUES ('k', ?1)", value)
    entry = store.entry("k")
    assert entry is not None
    assert (entry.value, entry.version) == (store._values.codec.decode(value), 1)
    assert entry.compressed == compressed
    assert entry.expires_at is None
    assert len(store) == 1
    assert store.stats().unpacked_bytes == len(value)
    run(store, "INSERT INTO entries (key, value, expires_at) VALUES ('k', '2', 1)")
    assert "k" not in store
    assert store.set("k", 3) == 3


def test_view_insert_after_delete(store: Store) -> None:
    """A key's second life does not repeat a version through the view either."""
    versions = [store.set("k", 1)]
    run(store, "DELETE FROM entries WHERE key = 'k'")
    run(store, "INSERT INTO entries (key, value) VALUES ('k', '2')")
    entry = store.entry("k")
    assert entry is not None
    assert entry.version > versions[0]


def test_view_update(store: Store) -> None:
    """An update through the view changes the value in place and raises the version."""
    store.set("k", 1, tags=["t"])
    store["other"] = 0
    run(store, "UPDATE entries SET value = ?1 WHERE key = 'k'", LONG)
    entry = store.entry("k")
    assert entry is not None
    assert (entry.value, entry.version, entry.compressed) == ("v" * 5000, 2, True)
    assert entry.tags == ("t",)
    run(store, "UPDATE entries SET value = '5', expires_at = 1 WHERE key = 'k'")
    assert dict(store) == {"other": 0}


def test_view_update_of_packed_values(store: Store) -> None:
    """SQL functions see the value, not what is stored of it."""
    store["k"] = {"text": "v" * 5000, "n": 1}
    run(store, "UPDATE entries SET value = json_set(value, '$.n', 2)")
    assert store["k"] == {"text": "v" * 5000, "n": 2}


def test_view_delete(store: Store) -> None:
    """A delete through the view deletes the entry with what belongs to it."""
    store.set("k", "v" * 5000, tags=["t"])
    store["other"] = 1
    run(store, "DELETE FROM entries WHERE compressed")
    assert store == {"other": 1}
    assert store.evict_tag("t") == 0


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO entries (key, value) VALUES ('new', ?1)",
        "INSERT INTO entries (key, value) VALUES ('k', ?1)",
        "UPDATE entries SET value = ?1 WHERE key = 'k'",
    ],
    ids=["insert", "overwrite", "update"],
)
def test_view_packs_and_writes_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    """A value is packed once, and its row written once, with one row of counters."""
    store["k"] = 1
    packed: list[bytes] = []
    pack = store._values.packer.pack

    def counting(encoded: bytes) -> tuple[bytes, int | None]:
        packed.append(encoded)
        return pack(encoded)

    monkeypatch.setattr(store._values.packer, "pack", counting)
    with store._database.write() as tx:
        before = tx.connection.total_changes()
        tx.run(sql, (LONG,))
        changes = tx.connection.total_changes() - before
    assert packed == [LONG.encode()]
    assert changes == 2


@pytest.mark.parametrize("value", [None, 5, 1.5])
def test_view_insert_of_other_types(store: Store, value: object) -> None:
    """What no codec writes is not packed: NULL is refused, a number is found by check()."""
    if value is None:
        with pytest.raises(ds.DataStoreError, match="NOT NULL"):
            run(store, "INSERT INTO entries (key, value) VALUES ('k', ?1)", value)
        return
    run(store, "INSERT INTO entries (key, value) VALUES ('k', ?1)", value)
    assert {violation.invariant[:2] for violation in store.check()} == {"I8"}
    with pytest.raises(ds.CorruptValueError):
        store["k"]
    assert store.delete("k")
    assert store.check() == []


def test_view_in_history(make_store: MakeStore) -> None:
    """A change through the view on the store's own connection is signed like any other."""
    store = make_store("config")
    assert isinstance(store, ds.ConfigStore)
    store.save(1)
    with store.signed("ann", "by hand"):
        run(store, "UPDATE entries SET value = '2'")
    newest = store.history()[0]
    assert (newest.value, newest.who, newest.version) == (2, "ann", 2)


# -- the sqlite3 program, which knows nothing of us

needs_shell = pytest.mark.skipif(shutil.which("sqlite3") is None, reason="no sqlite3 program")


@needs_shell
class TestShell:
    """The base tables belong to every SQLite program."""

    @pytest.fixture(params=["config", "metrics", "cache", "state", "custom"])
    def store(self, request: pytest.FixtureRequest, make_store: MakeStore) -> Store:
        """A store of each kind whose file has no checksums that only we can write."""
        return make_store(request.param, page_checksums=False, codec="json")

    @pytest.fixture
    def shell(self, store: Store) -> Callable[[str], str]:
        """Run SQL in the sqlite3 program on the store's file."""

        def run_shell(sql: str) -> str:
            done = subprocess.run(
                ["sqlite3", "-batch", "-bail", store.path, sql],
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        return run_shell

    def test_shell_reads(self, store: Store, shell: Callable[[str], str]) -> None:
        """Keys, plain JSON and the counters can be read while the store is open."""
        store["a"] = {"é": 1}
        store[2] = None
        assert shell("SELECT key, value, version FROM entry") == 'a|{"é":1}|1\n2|null|1\n'
        assert shell("SELECT entries FROM meta") == "2\n"
        assert shell("PRAGMA integrity_check") == "ok\n"

    def test_shell_writes(self, store: Store, shell: Callable[[str], str]) -> None:
        """What the program writes is there at once, with counters that are right."""
        store.set("a", 1, tags=["t"])
        store["b"] = "v" * 20_000
        shell("INSERT INTO entry (key, value) VALUES ('c', '[3]'), (4, '{}')")
        shell("UPDATE entry SET value = '10', version = version + 1 WHERE key = 'a'")
        shell("UPDATE entry SET value = '\"short\"', unpacked_bytes = NULL WHERE key = 'b'")
        assert store == {"a": 10, "b": "short", "c": [3], 4: {}}
        assert len(store) == 4
        assert store.check() == []
        shell("DELETE FROM entry WHERE key IN ('a', 'c')")
        assert store == {"b": "short", 4: {}}
        assert store.evict_tag("t") == 0
        assert store.check() == []

    def test_shell_replaces(self, store: Store, shell: Callable[[str], str]) -> None:
        """REPLACE fires no delete triggers in SQLite: check() tells, and repair() mends."""
        store.set("a", 1, tags=["t"])
        shell("REPLACE INTO entry (key, value) VALUES ('a', '2')")
        assert store["a"] == 2
        assert {v.invariant[:2] for v in store.check()} >= {"I1"}
        assert store.repair() == []
        assert store == {"a": 2}
        assert len(store) == 1
