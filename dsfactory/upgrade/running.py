"""Running Alembic's steps on a connection of ours, inside of a transaction of ours."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apsw
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep
from sqlalchemy import create_engine, event
from sqlalchemy.pool import StaticPool

from dsfactory.engine import Connection, dbapi
from dsfactory.errors import LineageError
from dsfactory.upgrade.scripts import APPLICATION_TABLE, VERSION_TABLE, Lineage

TABLE = "SELECT 1 FROM sqlite_schema WHERE name = ?1"
CURRENT = {
    VERSION_TABLE: "SELECT version_num FROM alembic_version",
    APPLICATION_TABLE: "SELECT version_num FROM alembic_version_application",
}

# A question mark inside of a text or a quoted name is no parameter.
_QUOTED_OR_PARAMETER = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\?""")

# alembic.op stands for one migration at a time in the whole process.
_one_at_a_time = threading.Lock()

Observer = Callable[[str], None]


def current(connection: Connection, lineage: Lineage) -> str | None:
    """Return the revision at which the file stands; None before the base.

    Raises LineageError when the file stands at two.
    """
    if not connection.execute(TABLE, (lineage.table,)).fetchall():
        return None
    rows = [str(revision) for (revision,) in connection.execute(CURRENT[lineage.table])]
    if len(rows) > 1:
        raise LineageError(
            f"{lineage.table} holds {len(rows)} revisions ({', '.join(rows)}); allowed: one. "
            "Restore a backup, or delete those that the file is past.",
            lineage=lineage.name,
            heads=tuple(rows),
        )
    return rows[0] if rows else None


class Run:
    """One walk along a lineage; says afterwards, or after a failure, how far it came."""

    def __init__(self, lineage: Lineage, observe: Observer = lambda _: None) -> None:
        """*observe* is told every statement before it runs."""
        self.lineage = lineage
        self.step: str | None = None
        """The revision whose step is running, or ran last."""
        self.statement: str | None = None
        """The statement of that step that is running, or ran last."""
        self._observe = observe

    def to(self, connection: Connection, wanted: str | None, *, down: bool = False) -> None:
        """Bring the file of *connection* to *wanted* (None: before the base).

        The caller holds the transaction, and rolls it back when this raises.
        """
        engine = create_engine(
            "sqlite+apsw://",
            creator=lambda: dbapi.Connection(connection, owned=False),
            poolclass=StaticPool,
        )
        event.listen(engine, "before_cursor_execute", self._before_statement)
        with _one_at_a_time, engine.connect() as borrowed, borrowed.begin():
            context = MigrationContext.configure(
                borrowed,
                opts={
                    "script": self.lineage.scripts,
                    "fn": lambda heads, _: self._steps(heads, wanted, down=down),
                    "version_table": self.lineage.table,
                },
            )
            with Operations.context(context):
                context.run_migrations()

    def _steps(self, heads: Any, wanted: str | None, *, down: bool) -> Iterator[MigrationStep]:
        scripts = self.lineage.scripts
        if down:
            steps = scripts._downgrade_revs(wanted or "base", heads)
        else:
            steps = scripts._upgrade_revs(wanted or "head", heads)
        for step in steps:
            self.step = step.revision.revision if hasattr(step, "revision") else None
            self.statement = None
            yield step

    def _before_statement(self, *told: Any) -> None:
        _connection, _cursor, statement, parameters, _context, many = told
        self.statement = statement  # without values: an error may quote it
        for one in parameters if many else (parameters,):
            self._observe(literal(statement, one))


def literal(statement: str, parameters: Sequence[Any]) -> str:
    """Return *statement* with its parameters written out, as a script needs them."""
    left = iter(parameters)

    def written(match: re.Match[str]) -> str:
        return apsw.format_sql_value(next(left)) if match[0] == "?" else match[0]

    return _QUOTED_OR_PARAMETER.sub(written, statement)
