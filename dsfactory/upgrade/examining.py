"""What has to be true of a file after an upgrade, asked before the commit.

Compared with before: what was wrong already is no fault of the upgrade, and the only way out of an
old revision must not be barred by it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

import apsw

from dsfactory.engine import Connection
from dsfactory.engine.counting import ORPHANS, row_counts
from dsfactory.profiles import contents, ddl, invariants, registry_ddl
from dsfactory.upgrade.scripts import Lineage

SCHEMA = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"


class Findings(NamedTuple):
    """What was counted in a file at one moment."""

    rows: dict[str, int]
    """By table."""
    orphans: dict[str, int]
    """Rows that refer to a missing row, by "child -> parent"."""
    violations: dict[str, list[str]]
    """By invariant; one that this revision's schema cannot be asked is left out."""


def findings(connection: Connection, kind: str, features: tuple[str, ...]) -> Findings:
    """Count everything; reads every row of every table."""
    orphans = connection.execute(ORPHANS).fetchall()
    return Findings(
        row_counts(connection),
        {f"{child} -> {parent}": int(str(count)) for child, parent, count in orphans},
        {} if kind == "registry" else _violations(connection, contents(kind, features)),
    )


def _violations(connection: Connection, features: tuple[str, ...]) -> dict[str, list[str]]:
    found = {}
    for invariant in invariants(features):
        try:
            rows = connection.execute(invariant.sql).fetchall()
        except apsw.SQLError:
            continue  # of columns that this revision does not have
        found[invariant.name] = [str(row[0]) for row in rows]
    return found


def declared(lineage: Lineage, steps: Iterable[str]) -> set[str]:
    """Return the tables whose rows the revisions say that they add or remove."""
    tables: set[str] = set()
    for step in steps:
        script = lineage.scripts.get_revision(step)
        tables |= set(getattr(script.module, "changes_rows", ())) if script else set()
    return tables


def lost_rows(before: dict[str, int], after: dict[str, int], free: set[str]) -> list[str]:
    """Return the tables whose number of rows changed, dropped ones too; *free* ones may."""
    return [
        f"table {name} had {count} rows and has {after.get(name, 'gone')}"
        if name in after
        else f"table {name} is gone with {count} rows"
        for name, count in before.items()
        if name not in free and after.get(name, 0) != count
    ]


def complaints(connection: Connection, before: Findings, after: Findings) -> list[str]:
    """Return what is broken that was not: references, invariants, triggers, views, pages."""
    found = [
        f"{count} rows refer to a missing row ({reference})"
        for reference, count in after.orphans.items()
        if count > before.orphans.get(reference, 0)
    ]
    found += [
        f"{name}: {rows[0]}"
        for name, rows in after.violations.items()
        if rows and not before.violations.get(name)
    ]
    found += _broken_objects(connection)
    sound = [str(row[0]) for row in connection.execute("PRAGMA quick_check(10)").fetchall()]
    return found if sound == ["ok"] else [*found, *sound]


# ALTER TABLE DROP COLUMN resolves every name in every trigger and view, whatever the table.
PROBE = (
    "SAVEPOINT ds_probe",
    "CREATE TABLE ds_probe (a, b)",
    "ALTER TABLE ds_probe DROP COLUMN b",
)
UNDO = ("ROLLBACK TO ds_probe", "RELEASE ds_probe")


def _broken_objects(connection: Connection) -> list[str]:
    """Return what SQLite says of a trigger or view that names something which is not there."""
    try:
        for statement in PROBE:
            connection.execute(statement)
    except apsw.SQLError as error:
        return [str(error)]
    finally:
        for statement in UNDO:
            connection.execute(statement)
    return []


def unlike_new(connection: Connection, kind: str, features: tuple[str, ...]) -> list[str]:
    """Return where a file at head is not what a new file would be."""
    expected = _schema(registry_ddl() if kind == "registry" else ddl(contents(kind, features)))
    actual = {str(name): normal(str(sql)) for name, sql in connection.execute(SCHEMA).fetchall()}
    return [
        f"{name} is {'altered' if name in actual else 'missing'}"
        for name, sql in expected.items()
        if actual.get(name) != sql
    ]


def our_tables(kind: str, features: tuple[str, ...]) -> set[str]:
    """Return the names of everything that a *kind* store with *features* has of ours."""
    return set(_schema(ddl(contents(kind, features))))


_NAME = re.compile(r'CREATE (?:UNIQUE )?(?:TABLE|INDEX|TRIGGER|VIEW) "?(\w+)"?', re.IGNORECASE)


def _schema(statements: Iterable[str]) -> dict[str, str]:
    matches = ((_NAME.match(sql.strip()), sql) for sql in statements)
    return {match[1]: normal(sql) for match, sql in matches if match}


@functools.lru_cache(maxsize=512)  # many stores, few texts
def normal(sql: str) -> str:
    """Return *sql* without the white space and quotes that ALTER TABLE and Alembic vary."""
    return re.sub(r"\s*([(),;])\s*", r"\1", " ".join(sql.replace('"', "").split())).strip()
