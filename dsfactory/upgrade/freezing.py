"""From the migrations to frozen DDL: what `upgrade head` makes from nothing, object by object.

So a new file and an upgraded one agree to the letter. Only scripts/freeze and the tests run it.
"""

from __future__ import annotations

import re

import apsw

from dsfactory.engine import Connection
from dsfactory.profiles.tables import TABLES, metadata
from dsfactory.profiles.triggers import BY_FEATURE
from dsfactory.upgrade.running import Run
from dsfactory.upgrade.scripts import lineage_of

HEAD = '''"""What a new file is made of, by feature. Written by scripts/freeze: do not edit."""

# fmt: off
STATEMENTS: dict[str, tuple[str, ...]] = {
'''
OBJECTS = """
SELECT name, sql FROM sqlite_schema
WHERE sql IS NOT NULL AND name NOT LIKE 'alembic_version%' ORDER BY rowid
"""
_NAME = re.compile(r"CREATE (?:TRIGGER|VIEW) (\w+)")


def rendered() -> str:
    """Return the text of frozen.py."""
    everything = made("custom") | made("metrics")
    lines = [HEAD, *_feature("registry", list(made("registry").values()))]
    for feature in TABLES:
        wanted = names(feature)
        lines += _feature(feature, [sql for name, sql in everything.items() if name in wanted])
    return "".join([*lines, "}\n"])


def made(kind: str) -> dict[str, str]:
    """Return every object of an empty file of *kind* after `upgrade head`, by its name."""
    connection: Connection = apsw.Connection(":memory:")
    connection.execute("BEGIN")
    Run(lineage_of(kind)).to(connection, "head")
    found = connection.execute(OBJECTS).fetchall()
    connection.close(True)
    return {str(name): str(sql) for name, sql in found}


def names(feature: str) -> set[str]:
    """Return the names of the tables, indexes, triggers and views that *feature* brings."""
    base = _tables_and_indexes("entry")
    own = base if feature == "entry" else _tables_and_indexes(feature) - base
    matches = (_NAME.match(sql.strip()) for sql in BY_FEATURE[feature])
    return own | {match[1] for match in matches if match}


def _tables_and_indexes(feature: str) -> set[str]:
    tables = metadata([] if feature == "entry" else [feature]).tables.values()
    return {t.name for t in tables} | {str(i.name) for t in tables for i in t.indexes}


def _feature(feature: str, statements: list[str]) -> list[str]:
    if not statements:
        return [f'    "{feature}": (),\n']
    body = [f'        """{sql}""",\n' for sql in statements]
    return [f'    "{feature}": (\n', *body, "    ),\n"]
