"""What migrations use to rebuild a table without losing what hangs on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

# All of them: a view may stand on a view, a trigger of another table may write to this one, and
# renaming resolves every name in the whole schema. Views first, for their INSTEAD OF triggers.
DEPENDENTS = """
SELECT type, name, sql FROM sqlite_schema
WHERE type IN ('trigger', 'view') ORDER BY type DESC, rowid
"""
# A name cannot be bound; these come from the schema and are quoted.
DROP = {"trigger": 'DROP TRIGGER IF EXISTS "{}"', "view": 'DROP VIEW "{}"'}


@contextlib.contextmanager
def rebuilt(op: ModuleType, table: str, **options: Any) -> Iterator[Any]:
    """Yield Alembic's batch operations for *table*; afterwards all triggers and views are back.

    Batch mode makes the table anew and drops the old one, and with it every trigger; a view on it
    makes the renaming fail. So triggers and views are taken away before and made again after,
    word for word: one that names a column which is gone fails the upgrade. The table itself is
    made of what SQLAlchemy reflects, without CHECK constraints and STRICT: pass ``copy_from`` and
    ``table_kwargs`` for a table of ours.
    """
    bind = op.get_bind()
    dependents = [tuple(row) for row in bind.exec_driver_sql(DEPENDENTS)]
    for kind, name, _ in dependents:
        bind.exec_driver_sql(DROP[kind].format(name.replace('"', '""')))
    with op.batch_alter_table(table, **options) as batch:
        yield batch
    for _, _, sql in dependents:
        bind.exec_driver_sql(sql)
