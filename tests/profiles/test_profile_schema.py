"""What a new file contains: the same as the migrations and SQLAlchemy's metadata say."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import apsw
import pytest
from profile_tools import COMBINATIONS, META, made, violations
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from dsfactory.model import FEATURES, Kind
from dsfactory.profiles import PROFILES, REGISTRY, ddl, frozen, kind_of, registry_ddl, stamp
from dsfactory.profiles.tables import TABLES, metadata, registry_metadata
from dsfactory.upgrade import freezing

EVERY_TABLE = "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main'"
COLUMNS = 'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)'
INDEXES = 'SELECT i.name, i."unique", i.origin, i.partial FROM pragma_index_list(?) AS i'
INDEXED = "SELECT name, desc, coll FROM pragma_index_xinfo(?) WHERE key"


def registry() -> apsw.Connection:
    """Make an empty metadata database in memory."""
    connection = apsw.Connection(":memory:")
    for statement in registry_ddl():
        connection.execute(statement)
    return connection


def described(connection: apsw.Connection) -> dict[str, Any]:
    """Return all tables of *connection* with their columns and indexes, in SQLite's own words."""
    found = {}
    for name, kind, without_rowid, strict in connection.execute(EVERY_TABLE).fetchall():
        if kind != "table" or str(name).startswith("sqlite_"):
            continue
        columns = connection.execute(COLUMNS, (name,)).fetchall()
        indexes = {
            str(index): (rest, connection.execute(INDEXED, (index,)).fetchall())
            for index, *rest in connection.execute(INDEXES, (name,)).fetchall()
        }
        found[name] = (without_rowid, strict, sorted(columns, key=str), indexes)
    return found


def from_metadata(features: Iterable[str] | None) -> apsw.Connection:
    """Make what SQLAlchemy's metadata describes; None is the metadata database."""
    engine = create_engine("sqlite+apsw://", poolclass=StaticPool)
    (registry_metadata() if features is None else metadata(features)).create_all(engine)
    raw: Any = engine.raw_connection().driver_connection
    assert isinstance(raw, apsw.Connection)
    return raw


class TestFrozen:
    """The frozen DDL is nobody's second opinion."""

    def test_is_current(self) -> None:
        """frozen.py is what scripts/freeze writes now."""
        assert Path(frozen.__file__).read_text() == freezing.rendered()

    @pytest.mark.parametrize("features", COMBINATIONS, ids=lambda chosen: "+".join(chosen) or "-")
    def test_is_the_metadata(self, features: tuple[str, ...]) -> None:
        """For every choice of features a new file has the tables that Alembic compares with."""
        assert described(made(features)) == described(from_metadata(features))

    def test_registry_is_the_metadata(self) -> None:
        """The same holds for the metadata database."""
        assert described(registry()) == described(from_metadata(None))

    def test_checks_are_the_metadata(self) -> None:
        """Every constraint that the metadata names stands in the frozen DDL."""
        text = " ".join(ddl(FEATURES)).replace('"', "")
        names = {
            str(constraint.name)
            for table in metadata(FEATURES).tables.values()
            for constraint in table.constraints
            if constraint.name
        }
        assert names == {"key_type", "packed_is_blob", "known_change"}
        assert all(f"CONSTRAINT {name} CHECK" in text for name in names)

    def test_every_feature(self) -> None:
        """Whatever a store may choose has its place in the metadata and in the frozen DDL."""
        assert set(TABLES) == {"entry", "series", *FEATURES}
        assert set(frozen.STATEMENTS) == {"registry", "entry", "series", *FEATURES}
        frozen_once = [sql for sqls in frozen.STATEMENTS.values() for sql in sqls]
        everything = ddl([*FEATURES, "series"])
        assert len(set(everything)) == len(everything)
        assert set(everything) | set(registry_ddl()) == set(frozen_once)


@pytest.mark.parametrize("features", COMBINATIONS, ids=lambda chosen: "+".join(chosen) or "-")
class TestCombinations:
    """Every choice of features makes a file."""

    def test_empty_file(self, features: tuple[str, ...]) -> None:
        """It is sound and without a violation while it is empty."""
        connection = made(features)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert violations(connection, features) == []

    def test_used_file(self, features: tuple[str, ...]) -> None:
        """Writing, changing and deleting leave it so."""
        connection = made(features)
        for key in ("a", 1, b"b"):
            connection.execute("INSERT INTO entry (key, value) VALUES (?, 'v')", (key,))
        connection.execute("UPDATE entry SET value = 'longer', version = version + 1")
        connection.execute("DELETE FROM entry WHERE key = 1")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert violations(connection, features) == []

    def test_strict(self, features: tuple[str, ...]) -> None:
        """Every table is STRICT."""
        tables = made(features).execute(EVERY_TABLE).fetchall()
        lax = [
            name
            for name, kind, _, strict in tables
            if kind == "table" and not strict and not str(name).startswith("sqlite_")
        ]
        assert lax == []

    def test_order_of_features(self, features: tuple[str, ...]) -> None:
        """In whatever order features are named, the file is the same."""
        assert ddl(reversed(features)) == ddl(features)


class TestStrictTables:
    """What the schema itself refuses."""

    @pytest.mark.parametrize("key", [None, 1.5])
    def test_key_of_another_type(self, key: object) -> None:
        """A key is an integer, text or a blob, whoever writes."""
        with pytest.raises(apsw.ConstraintError):
            made().execute("INSERT INTO entry (key, value) VALUES (?, 'v')", (key,))

    def test_keys_of_three_types(self) -> None:
        """1, "1" and b"1" are three keys, and come back as they went in."""
        connection = made()
        for key in (1, "1", b"1"):
            connection.execute("INSERT INTO entry (key, value) VALUES (?, 'v')", (key,))
        assert connection.execute("SELECT key FROM entry ORDER BY key").fetchall() == [
            (1,),
            ("1",),
            (b"1",),
        ]

    def test_packed_text(self) -> None:
        """A value that says that it is compressed cannot be text."""
        with pytest.raises(apsw.ConstraintError, match="packed_is_blob"):
            made().execute("INSERT INTO entry (key, unpacked_bytes, value) VALUES (1, 5, 'text')")

    def test_wrong_type(self) -> None:
        """A word where a number belongs is refused."""
        with pytest.raises(apsw.ConstraintError, match="cannot store TEXT"):
            made().execute("INSERT INTO entry (key, expires_at, value) VALUES (1, 'soon', 'v')")

    def test_second_meta_row(self) -> None:
        """There is one meta row."""
        with pytest.raises(apsw.ConstraintError, match="id = 1"):
            made().execute(META.replace("(1,", "(2,"))
        with pytest.raises(apsw.ConstraintError, match="id = 1"):
            made().execute("UPDATE meta SET id = 2")

    def test_unknown_change(self) -> None:
        """History knows four kinds of change."""
        with pytest.raises(apsw.ConstraintError, match="known_change"):
            made({"history"}).execute(
                "INSERT INTO history (key, version, change, changed_at) VALUES (1, 1, 'x', 1)"
            )

    def test_size_is_bytes(self) -> None:
        """The size of a value counts bytes, not characters, and nobody can set it."""
        connection = made()
        connection.execute("INSERT INTO entry (key, value) VALUES (1, 'ä€')")
        assert connection.execute("SELECT size_bytes FROM entry").fetchall() == [(5,)]
        with pytest.raises(apsw.SQLError):
            connection.execute("UPDATE entry SET size_bytes = 1")


class TestProfiles:
    """How a file says whose it is."""

    def test_application_ids(self) -> None:
        """No two profiles share an application id, and each begins with "dsf"."""
        profiles = [REGISTRY, *PROFILES.values()]
        ids = [profile.application_id for profile in profiles]
        assert len(set(ids)) == len(ids) == len(Kind) + 1
        assert {number.to_bytes(4, "big")[:3] for number in ids} == {b"dsf"}
        # SQLite keeps it as a signed number of 32 bits.
        assert all(0 < number < 2**31 for number in ids)

    def test_application_ids_never_change(self) -> None:
        """Files that are out there have these letters."""
        letters = {
            profile.name: chr(profile.application_id & 0xFF)
            for profile in (REGISTRY, *PROFILES.values())
        }
        assert letters == {
            "registry": "r",
            "config": "c",
            "metrics": "m",
            "cache": "k",
            "state": "s",
            "custom": "x",
        }

    def test_kind_of(self) -> None:
        """An application id leads back to its profile, a foreign one nowhere."""
        for profile in (REGISTRY, *PROFILES.values()):
            assert kind_of(profile.application_id) == profile.name
        assert [kind_of(number) for number in (0, 77, -1, REGISTRY.application_id + 100)] == (
            [None] * 4
        )

    @pytest.mark.parametrize("kind", Kind)
    def test_kinds(self, kind: Kind) -> None:
        """Every kind has a profile of its name, at a revision of its own lineage."""
        assert PROFILES[kind].name == kind
        assert PROFILES[kind].head == f"{kind}_{PROFILES[kind].revision:04d}"

    @pytest.mark.parametrize("profile", [REGISTRY, *PROFILES.values()], ids=lambda p: p.name)
    def test_stamp(self, profile: Any) -> None:
        """A new file tells plain Alembic that it is at head."""
        connection = apsw.Connection(":memory:")
        for statement, parameters in stamp(profile):
            connection.execute(statement, parameters)
        found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        assert found == [(profile.head,)]
