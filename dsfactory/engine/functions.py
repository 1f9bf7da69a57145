"""SQL functions of ours, callable from triggers and views although the schema is not trusted."""

from __future__ import annotations

from collections.abc import Callable

import apsw

Scalar = Callable[..., str | bytes | int | float | None]


def register(connection: apsw.Connection, name: str, function: Scalar, arguments: int) -> None:
    """Make *function* available as *name* on *connection*.

    It has to be pure: INNOCUOUS lets triggers and views call it with trusted_schema off,
    DETERMINISTIC lets SQLite fold calls.
    """
    connection.create_scalar_function(
        name, function, arguments, deterministic=True, flags=apsw.SQLITE_INNOCUOUS
    )
