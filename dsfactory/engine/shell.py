"""apsw's shell on one file, with our functions on its connection."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw

from dsfactory.engine.connection import Settings, open_connection
from dsfactory.engine.translate import translated
from dsfactory.errors import DataStoreError, UsageError

INTRO = "SQLite {version} on {path}, {how}. Type .help for help, .quit to leave.\n"


def run_shell(
    path: Path,
    settings: Settings,
    prepare: Callable[[apsw.Connection], None],
    statements: Sequence[str] = (),
    *,
    write: bool = False,
    mode: str | None = None,
) -> None:
    """Run *statements*, or what standard input says, on the database *path*.

    *prepare* registers functions. Without *write* nothing can be changed, not even by turning the
    pragma query_only off. *mode* is an output mode of the shell, such as "json". What is typed is
    not remembered: it may hold values. Raises UsageError for a statement that fails.
    """
    from apsw import shell as apsw_shell

    Shell: Any = apsw_shell.Shell  # noqa: N806 -- a class without types

    connection = open_connection(path, settings, write=write)
    try:
        prepare(connection)
        if not write:
            connection.authorizer = _only_looking
        shell = Shell(db=connection, stderr=io.StringIO() if statements else None)
        shell.history_file = os.devnull
        shell.bail = not shell.interactive
        if mode is not None:
            shell.process_command(f".mode {mode}")
        if statements:
            for statement in statements:
                shell.process_complete_line(statement)
        else:
            how = "writing" if write else "read-only (--write to change it)"
            intro = INTRO.format(version=apsw.sqlite_lib_version(), path=path, how=how)
            shell.cmdloop(intro=intro)
    except (apsw.Error, Shell.Error) as error:
        raise _failed(error, path) from error
    finally:
        connection.close(True)


def _only_looking(
    action: int, name: str | None, value: str | None, _database: str | None, _by: str | None
) -> int:
    switch = action == apsw.SQLITE_PRAGMA and (name or "").lower() == "query_only"
    return apsw.SQLITE_DENY if switch and value is not None else apsw.SQLITE_OK


def _failed(error: Exception, path: Path) -> DataStoreError:
    if isinstance(error, (apsw.ReadOnlyError, apsw.AuthError)):
        return UsageError(f"{path} is open for looking only. Say --write to change it.")
    if isinstance(error, apsw.Error) and not isinstance(
        error, (apsw.SQLError, apsw.ConstraintError)
    ):
        return translated(error, path)
    return UsageError(f"SQLite said: {error}")
