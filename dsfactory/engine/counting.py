"""How many rows the tables of a file have."""

from __future__ import annotations

import apsw

TABLES = r"""
SELECT name FROM sqlite_schema
WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
  AND name NOT LIKE 'alembic\_version%' ESCAPE '\'
"""

# A name cannot be bound; it comes from the schema and is quoted.
COUNT = 'SELECT count(*) FROM "{}"'


def row_counts(connection: apsw.Connection) -> dict[str, int]:
    """Return the number of rows of every table."""
    names = [str(name) for (name,) in connection.execute(TABLES).fetchall()]
    counts = {}
    for name in names:
        query = COUNT.format(name.replace('"', '""'))
        ((count,),) = connection.execute(query).fetchall()
        counts[name] = int(str(count))
    return counts


ORPHANS = 'SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2'


def unsound(connection: apsw.Connection) -> list[str]:
    """Return what integrity_check and foreign_key_check find; nothing when the file is sound."""
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check").fetchall()]
    orphans = connection.execute(ORPHANS).fetchall()
    return [line for line in found if line != "ok"] + [
        f"{count} rows of {child} refer to a missing row of {parent}"
        for child, parent, count in orphans
    ]
