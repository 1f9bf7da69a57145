"""``dsfactory export NAME``: entries as lines of JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import click

from dsfactory.cli import pages
from dsfactory.cli.backups import with_progress
from dsfactory.cli.entries import lines
from dsfactory.cli.entries.keys import KEY
from dsfactory.cli.entries.opening import looking_at, store_argument
from dsfactory.cli.opening import json_option, root_option
from dsfactory.cli.units import counted
from dsfactory.clock import SystemClock
from dsfactory.engine.files import replaced_at_once
from dsfactory.errors import ConflictError
from dsfactory.model import Key
from dsfactory.stores import DataStore

STEP = 500


@click.command("export")
@store_argument
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Into a file."
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.option("--prefix", type=KEY, metavar="KEY", help="Only keys that begin so.")
@root_option
@json_option
def command(
    *,
    name: str,
    output: Path | None,
    force: bool,
    prefix: Key | None,
    root: Path | None,
    as_json: bool,
) -> None:
    """Write the live entries of a store as lines of JSON.

    All of one moment, with version, times, expiry and tags; `dsfactory import` reads them. Without
    --output to standard output. A file is private (0600), and there as a whole or not at all.
    Secrets are not masked: it is a copy. The history of a store stays behind: `dsfactory backup`
    has everything.
    """
    if isinstance(prefix, int):
        raise click.UsageError("--prefix has to be text or hex:...")
    if as_json and output is None:
        raise click.UsageError("--json is for a report, and needs --output.")
    if output is not None and output.exists() and not force:
        raise ConflictError(f"{output} is there already. Say --force, or choose another name.")
    with (
        looking_at(root, name) as store,
        with_progress(quiet=output is None, doing="exporting") as progress,
    ):
        if output is None:
            count = _write(store, sys.stdout.buffer, prefix, progress)
        else:
            with replaced_at_once(output.absolute()) as scratch, scratch.open("wb") as file:
                count = _write(store, file, prefix, progress)
    if as_json:
        pages.print_json({"store": name, "file": output, "entries": count})
    else:
        click.echo(f"{counted(count, 'entry', 'entries')} of {name} exported", err=True)


def _write(
    store: DataStore[Any],
    file: BinaryIO,
    prefix: str | bytes | None,
    progress: Callable[[int, int], None],
) -> int:
    total, count = len(store), 0
    file.write(lines.head(store, SystemClock().now_ms()))
    for count, entry in enumerate(store.entries(prefix=prefix), 1):
        file.write(lines.line_of(entry))
        if count % STEP == 0:
            progress(count, total)
    file.write(lines.end(count))
    file.flush()
    return count
