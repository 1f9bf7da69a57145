"""A plain sqlite3 program may read and write the base tables: they need nothing of ours."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from profile_tools import COMBINATIONS, META

import dsfactory as ds
from dsfactory.model import FEATURES
from dsfactory.profiles import ddl, invariants, registry_ddl

USE = """
INSERT INTO entry (key, value) VALUES ('a', 'one'), (2, 'two'), (x'03', 'three');
UPDATE entry SET value = 'longer', version = version + 1 WHERE key = 'a';
INSERT INTO entry (key, value) VALUES ('a', 'again')
  ON CONFLICT (key) DO UPDATE SET version = version + 1, value = excluded.value;
UPDATE entry SET created_at = created_at WHERE key = 2;
DELETE FROM entry WHERE key = x'03';
SELECT entries, stored_bytes, unpacked_bytes FROM meta;
"""


@pytest.fixture(scope="module")
def shell() -> str:
    """The sqlite3 command line program, when it is new enough to know STRICT tables."""
    for place in ("/usr/bin/sqlite3", "/usr/local/bin/sqlite3", "/opt/homebrew/bin/sqlite3"):
        if Path(place).exists():
            said = subprocess.run([place, "--version"], capture_output=True, text=True, check=True)
            if tuple(map(int, said.stdout.split()[0].split("."))) >= (3, 39, 0):
                return place
    pytest.skip("there is no sqlite3 program here that knows STRICT tables and FULL JOIN")


def told(shell: str, database: Path | str, script: str) -> str:
    """Return what the program answers to *script*; any error fails the test."""
    done = subprocess.run(
        [shell, "-bail", str(database)], input=script, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def script(statements: list[str]) -> str:
    """Join statements; triggers end with a semicolon of their own inside."""
    return "".join(f"{statement.strip()};\n" for statement in statements)


@pytest.mark.parametrize("features", COMBINATIONS, ids=lambda chosen: "+".join(chosen) or "-")
def test_base_tables(shell: str, features: tuple[str, ...]) -> None:
    """The program makes every schema, writes its tables, and no invariant is broken."""
    checks = [invariant.sql for invariant in invariants(features)]
    everything = script([*ddl(features), META]) + USE + script(checks)
    assert told(shell, ":memory:", everything) == "2|8|8"


def test_registry(shell: str) -> None:
    """The metadata database needs nothing of ours either."""
    use = "SELECT count(*) FROM store;"
    assert told(shell, ":memory:", script(registry_ddl()) + use) == "0"


@pytest.fixture
def store(factory: ds.DataStoreFactory) -> Iterator[ds.DataStore[Any]]:
    """A store with every feature and one entry; checked at the end by its own check."""
    made: ds.DataStore[Any] = factory.create_custom_store(
        "orders", features=FEATURES, page_checksums=False
    )
    made["k"] = {"n": 1}
    yield made
    assert made.check() == []


def test_store_is_read(shell: str, store: ds.DataStore[Any]) -> None:
    """The program reads what a store wrote, while the store is open."""
    assert told(shell, store.path, "SELECT key, value FROM entry;") == 'k|{"n":1}'


def test_store_is_written(shell: str, store: ds.DataStore[Any]) -> None:
    """What the program writes is the store's at once: counted, in its history, evictable."""
    told(shell, store.path, "INSERT INTO entry (key, value) VALUES ('s', '[1]');")
    assert store["s"] == [1]
    assert len(store) == 2
    told(shell, store.path, "DELETE FROM entry WHERE key = 'k';")
    assert list(store) == ["s"]
    assert store.stats().size_bytes == 3


def test_view_without_our_functions(shell: str, store: ds.DataStore[Any]) -> None:
    """The view is ours alone: the program says which function it lacks, and changes nothing."""
    done = subprocess.run(
        [shell, str(store.path), "DELETE FROM entries;"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "ds_unpack" in done.stderr
    assert store == {"k": {"n": 1}}
