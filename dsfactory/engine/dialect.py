"""The ``sqlite+apsw`` dialect: SQLAlchemy's pysqlite dialect on apsw instead of sqlite3.

URLs, pools, types and reflection are those of ``sqlite+pysqlite``; ``connect_args`` reach
:func:`dsfactory.engine.dbapi.connect`. Different are:

- a transaction of SQLAlchemy's is a transaction of SQLite's from its BEGIN on, so savepoints and
  DDL roll back. PRAGMA foreign_keys, VACUUM and DETACH want ``isolation_level="AUTOCOMMIT"``;
- ``connect_args={"isolation_level": "IMMEDIATE"}`` takes the write lock at BEGIN, and lasts
  through changes of SQLAlchemy's isolation level;
- ``native_datetime=True`` is refused: there are no converters that would make it come true.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

import apsw
from sqlalchemy import exc, util
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.types import UserDefinedType

from dsfactory.engine import dbapi as apsw_dbapi

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import (
        DBAPIConnection,
        DBAPICursor,
        DBAPIModule,
        IsolationLevel,
    )
    from sqlalchemy.pool import PoolProxiedConnection

AUTOCOMMIT: Final = "AUTOCOMMIT"
HAS_FUNCTION: Final = "SELECT 1 FROM pragma_function_list WHERE name = ? AND narg IN (?, -1)"


def _regexp(pattern: str, text: str | None) -> bool | None:
    return None if text is None else re.search(pattern, text) is not None


FUNCTIONS: Final[tuple[tuple[str, int, Callable[..., Any]], ...]] = (
    ("regexp", 2, _regexp),
    ("floor", 1, math.floor),  # built into SQLite only where it was compiled with maths
)


def add_functions(connection: apsw_dbapi.Connection) -> None:
    """Give *connection* the functions that SQLAlchemy's SQL calls, where it has none such.

    A function of the connection's owner or of SQLite itself stays in place: a schema may rely
    on it, and replacing one fails while a statement runs.
    """
    for name, narg, function in FUNCTIONS:
        if connection.execute(HAS_FUNCTION, (name, narg)).fetchone() is None:
            # Both are pure: CHECKs and views may call them under trusted_schema=OFF.
            connection.apsw_connection.create_scalar_function(
                name, function, narg, deterministic=True, flags=apsw.SQLITE_INNOCUOUS
            )


class ANY(UserDefinedType[Any]):
    """A column of a STRICT table that keeps every value as it came."""

    cache_ok = True

    def get_col_spec(self, **_options: object) -> str:
        """Return the SQL name."""
        return "ANY"


class SQLiteDialect_apsw(SQLiteDialect_pysqlite):  # noqa: N801 - SQLAlchemy's way to name these
    """SQLite through apsw; see the module."""

    driver = "apsw"
    ischema_names = {**SQLiteDialect.ischema_names, "ANY": ANY}  # noqa: RUF012 - SQLAlchemy's way
    supports_statement_cache = True

    def __init__(self, native_datetime: bool = False, **options: Any) -> None:
        """Take what ``create_engine`` takes for SQLite, without *native_datetime*."""
        if native_datetime:
            raise exc.ArgumentError("native_datetime: sqlite+apsw has no converters; leave it out")
        super().__init__(**options)

    @classmethod
    def import_dbapi(cls) -> DBAPIModule:
        """Return the facade over apsw; ``sqlite3`` is never imported."""
        return cast("DBAPIModule", apsw_dbapi)

    @classmethod
    def load_provisioning(cls) -> None:
        """Let SQLAlchemy's test fixtures set up databases as for its own SQLite dialects."""
        cast(Any, SQLiteDialect_pysqlite).load_provisioning()

    def retrieve_dbapi_version(self, dbapi: DBAPIModule) -> util.VersionInfo:
        """Return apsw's version."""
        return util.parse_version_string(cast(Any, dbapi).version)

    def on_connect(self) -> Callable[[DBAPIConnection], None]:
        """Add regexp and floor to every connection that lacks them."""
        return cast("Callable[[DBAPIConnection], None]", add_functions)

    def get_driver_connection(self, connection: Any) -> Any:
        """Return the apsw.Connection."""
        return connection.apsw_connection

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        """Begin a transaction that SQLite knows of, unlike pysqlite's."""
        cast(Any, dbapi_connection).begin()

    def set_isolation_level(self, dbapi_connection: DBAPIConnection, level: IsolationLevel) -> None:
        """Switch autocommit on or off; the kind of BEGIN stays what it was opened with."""
        cast(Any, dbapi_connection).autocommit = level == AUTOCOMMIT
        if level != AUTOCOMMIT:
            SQLiteDialect.set_isolation_level(self, dbapi_connection, level)

    def get_isolation_level(self, dbapi_connection: DBAPIConnection) -> IsolationLevel:
        """Return the level in force, AUTOCOMMIT included."""
        if cast(Any, dbapi_connection).autocommit:
            return AUTOCOMMIT
        level: IsolationLevel = cast(Any, super()).get_isolation_level(dbapi_connection)
        return level

    def is_disconnect(
        self,
        e: DBAPIModule.Error,
        connection: PoolProxiedConnection | DBAPIConnection | None,  # noqa: ARG002 - SQLAlchemy's
        cursor: DBAPICursor | None,  # noqa: ARG002 - signature
    ) -> bool:
        """Whether *e* says that the connection is closed; the pool then opens another."""
        return isinstance(e, apsw_dbapi.ConnectionLostError)


dialect = SQLiteDialect_apsw
