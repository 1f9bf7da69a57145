"""The plain Alembic program works on our files, and makes what a new file contains."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import apsw
import pytest

import dsfactory as ds
from dsfactory.model import FEATURES
from dsfactory.options import BY_KIND
from dsfactory.profiles import PROFILES, REGISTRY, contents, ddl, registry_ddl
from dsfactory.profiles.kinds import VERSION_TABLE
from dsfactory.profiles.tables import TABLES, metadata, registry_metadata
from dsfactory.profiles.triggers import BY_FEATURE
from dsfactory.upgrade import freezing
from dsfactory.upgrade.examining import normal

ROOT = Path(__file__).resolve().parents[2]
KINDS = [str(kind) for kind in ds.Kind]
SCHEMA = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"


def alembic(kind: str, path: Path, *command: str) -> str:
    """Run the plain Alembic program for one kind; return what it prints."""
    ran = subprocess.run(
        [sys.executable, "-m", "alembic", "-n", kind, "-x", f"path={path}", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def schema(path: Path) -> dict[str, str]:
    """Every object of a file, word for word."""
    connection = apsw.Connection(str(path))
    found = {str(name): str(sql) for name, sql in connection.execute(SCHEMA)}
    connection.close()
    return found


def fresh(kind: str) -> dict[str, str]:
    """Every object of a new file."""
    connection = apsw.Connection(":memory:")
    features = FEATURES if kind == "custom" else BY_KIND[ds.Kind(kind)]["features"]
    for statement in [VERSION_TABLE, *ddl(contents(kind, features))]:
        connection.execute(statement)
    return {str(name): str(sql) for name, sql in connection.execute(SCHEMA)}


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An SQLite file without tables."""
    path = tmp_path / "made.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE gone (a); DROP TABLE gone")
    connection.close()
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_upgrade_from_nothing_equals_new_file(kind: str, empty: Path) -> None:
    """`alembic upgrade head` on an empty file gives a new file's schema, word for word."""
    alembic(kind, empty, "upgrade", "head")
    assert schema(empty) == fresh(kind)


def test_registry_from_nothing_equals_new_file(empty: Path) -> None:
    """The same for the metadata database."""
    alembic("registry", empty, "upgrade", "head")
    connection = apsw.Connection(":memory:")
    for statement in [VERSION_TABLE, *registry_ddl()]:
        connection.execute(statement)
    assert schema(empty) == {str(n): str(sql) for n, sql in connection.execute(SCHEMA)}


def test_new_store_is_at_head_for_alembic(factory: ds.DataStoreFactory) -> None:
    """Plain Alembic sees a new store at head, and nothing to autogenerate."""
    store = factory.create_state_store("s")
    store.close()
    assert "state_0002 (head)" in alembic("state", store.path, "current")
    assert "No new upgrade operations" in alembic("state", store.path, "check")


def test_downgrade_and_up_again(factory: ds.DataStoreFactory) -> None:
    """Plain Alembic walks a store back and forth; header and data follow."""
    store = factory.create_config_store("c", dict)
    store["k"] = {"a": 1}
    store.close()
    before = schema(store.path)
    alembic("config", store.path, "downgrade", "-1")
    connection = apsw.Connection(str(store.path))
    assert connection.pragma("user_version") == 1
    connection.close()
    alembic("config", store.path, "upgrade", "head")
    assert schema(store.path) == before
    assert factory.get_store("c")["k"] == {"a": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_one_head_equals_profile(kind: str) -> None:
    """Each kind's lineage has one head: the revision that its profile names."""
    from dsfactory.upgrade import lineage_of

    assert lineage_of(kind).head() == PROFILES[ds.Kind(kind)].head
    assert lineage_of("registry").head() == REGISTRY.head


def test_frozen_equals_migrations() -> None:
    """frozen.py is what scripts/freeze would write now."""
    frozen = ROOT / "dsfactory" / "profiles" / "frozen.py"
    assert frozen.read_text() == freezing.rendered()


def rendered(tables: object) -> dict[str, str]:
    """The DDL that SQLAlchemy makes of metadata, without its layout."""
    from sqlalchemy.dialects import sqlite
    from sqlalchemy.schema import CreateIndex, CreateTable

    found = {}
    for table in tables.sorted_tables:  # type: ignore[attr-defined]
        found[table.name] = normal(str(CreateTable(table).compile(dialect=sqlite.dialect())))
        for index in table.indexes:
            sql = str(CreateIndex(index).compile(dialect=sqlite.dialect()))
            found[str(index.name)] = normal(sql)
    return found


def test_metadata_and_triggers_equal_migrations() -> None:
    """Tables of the metadata and the text of triggers are what the migrations make."""
    everything = freezing.made("custom") | freezing.made("metrics")
    made = {name: normal(sql) for name, sql in everything.items()}
    texts = [normal(sql) for statements in BY_FEATURE.values() for sql in statements]
    expected = rendered(metadata(set(TABLES) - {"entry"}))
    assert {name: sql for name, sql in made.items() if name in expected} == expected
    assert sorted(sql for name, sql in made.items() if name not in expected) == sorted(texts)
    registry = {name: normal(sql) for name, sql in freezing.made("registry").items()}
    assert registry == rendered(registry_metadata())
