"""``dsfactory shell NAME``: SQL on the file of a store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from dsfactory.cli.entries.opening import store_argument
from dsfactory.cli.opening import existing_factory, json_option, required_record, root_option
from dsfactory.clock import SystemClock
from dsfactory.codecs import codec_for
from dsfactory.engine import Database
from dsfactory.engine.files import require_file
from dsfactory.engine.shell import run_shell
from dsfactory.model import StoreRecord
from dsfactory.stores import settings_of
from dsfactory.stores.values import Values


@click.command("shell")
@store_argument
@click.argument("statements", nargs=-1, metavar="[SQL]...")
@click.option("--write", is_flag=True, help="Let statements change the file.")
@root_option
@json_option
def command(
    *, name: str, statements: tuple[str, ...], write: bool, root: Path | None, as_json: bool
) -> None:
    """Open apsw's SQLite shell on the file of a store.

    Read-only unless --write is given. The view "entries" unpacks and packs values: ds_unpack and
    ds_pack are registered. Other programs may go on using the store. Values are shown as they are
    stored, secrets too. With SQL, or with standard input that is no terminal, it runs that and
    ends; exits with 2 when a statement fails. --json prints rows as JSON.

    With --write the store's type and validators check nothing.
    """
    with existing_factory(root) as factory:
        record = required_record(factory, name)
    require_file(record.path)
    sys.stdout.flush()
    _run(record, statements, write=write, mode="json" if as_json else None)


def _run(
    record: StoreRecord, statements: tuple[str, ...], *, write: bool, mode: str | None
) -> None:
    settings = settings_of(record.options)
    # For its dictionaries, which values may be packed with.
    database = Database(record.path, settings, clock=SystemClock().now_ms)
    try:
        values: Values[Any] = Values(codec_for(record.options.codec), record.options)
        values.attach(database, dictionaries="compression" in record.options.features)
        run_shell(record.path, settings, values.functions, statements, write=write, mode=mode)
    finally:
        database.close()
