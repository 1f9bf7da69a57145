"""Plain Alembic's way to one file: over sqlite+apsw, so that no second SQLite library is loaded.

    alembic -n state -x path=data/stores/sessions.db current

For one file at a time, closed by its application. `dsfactory upgrade` does the same for all files
with a verified copy first, checks after it, and no need to name them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import context
from sqlalchemy import Connection, create_engine, pool

from dsfactory.engine import register
from dsfactory.engine.checksums import available
from dsfactory.engine.connection import Settings, open_connection
from dsfactory.profiles.tables import metadata, registry_metadata
from dsfactory.profiles.triggers import BY_FEATURE
from dsfactory.upgrade.scripts import number_of
from dsfactory.upgrade.steps.features import SIGNS

SET_USER_VERSION = "PRAGMA user_version = {:d}"


def named_file() -> Path:
    """Return the file that the command names."""
    path = context.get_x_argument(as_dictionary=True).get("path")
    if not path:
        raise SystemExit("Name the store's file: alembic -n KIND -x path=FILE COMMAND")
    return Path(path)


def opened(path: Path) -> Any:
    """Open the file as a store does.

    ALTER TABLE reads every view and trigger, so the functions that they call have to exist; here
    they hand values through as they are. A step that changes packed values needs `dsfactory
    upgrade`, which has the real ones.
    """
    connection = open_connection(path, Settings(page_checksums=available()), write=True)
    register(connection, "ds_pack", lambda value: value, 1)
    register(connection, "ds_unpack", lambda value, _size: value, 2)
    return connection


def features_of(connection: Connection) -> list[str]:
    """Return the features that the file's own tables show."""
    names = {row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_schema")}
    connection.rollback()  # Alembic leaves a transaction that it finds open to its owner
    return [feature for feature, table in SIGNS.items() if table in names]


def mark(ctx: Any, heads: set[str], **_rest: Any) -> None:
    """Say in the header too where the file stands, in the transaction of the step."""
    revision = next(iter(heads), None)
    ctx.connection.exec_driver_sql(SET_USER_VERSION.format(number_of(revision)))


def remind(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """Say in a new revision what autogenerate does not see."""
    triggers = sum(len(statements) for statements in BY_FEATURE.values())
    for script in directives:
        script.imports.add(
            f"# Autogenerate sees none of our {triggers} triggers and views (profiles/triggers.py):"
            "\n# rebuild a table with dsfactory.upgrade.operations.rebuilt, which keeps them, and"
            "\n# run scripts/freeze when this revision is done."
        )


def run() -> None:
    """Run the command in one transaction on the file."""
    path = named_file()
    engine = create_engine(
        f"sqlite+apsw:///{path}",
        connect_args={"opener": lambda _: opened(path), "isolation_level": "IMMEDIATE"},
        poolclass=pool.NullPool,
    )
    with engine.connect() as connection:
        registry = context.config.config_ini_section == "registry"
        context.configure(
            connection=connection,
            target_metadata=registry_metadata() if registry else metadata(features_of(connection)),
            on_version_apply=mark,
            process_revision_directives=remind,
            render_as_batch=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
