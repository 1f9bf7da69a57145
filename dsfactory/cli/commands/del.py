"""``dsfactory del NAME KEY``: delete entries."""

# ruff: noqa: N999 -- a file is called as its command

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.entries.keys import KEY, shown
from dsfactory.cli.entries.opening import store_argument, writing_to
from dsfactory.cli.opening import json_option, root_option
from dsfactory.cli.units import counted
from dsfactory.errors import AbsentError, UsageError
from dsfactory.model import Key


@click.command("del")
@store_argument
@click.argument("keys", nargs=-1, type=KEY, metavar="[KEY]...")
@click.option("--prefix", type=KEY, metavar="KEY", help="Every key that begins so.")
@click.option("--yes", is_flag=True, help="Do not ask before --prefix deletes.")
@root_option
@json_option
def command(
    *,
    name: str,
    keys: tuple[Key, ...],
    prefix: Key | None,
    yes: bool,
    root: Path | None,
    as_json: bool,
) -> None:
    """Delete entries, all in one transaction.

    Exits with 4 when one of the keys had no live entry; the others are deleted all the same.
    """
    if bool(keys) == (prefix is not None):
        raise click.UsageError("Give keys, or --prefix.")
    if isinstance(prefix, int):
        raise click.UsageError("--prefix has to be text or hex:...")
    with writing_to(root, name, None, unchecked=True) as store:
        chosen: Sequence[Key] = keys
        if prefix is not None:
            chosen = [key for key, _ in store.scan(prefix=prefix)]
            _confirm(len(chosen), name, yes=yes)
        with store.transaction():
            gone = [key for key in dict.fromkeys(chosen) if store.delete(key)]
    missing = [shown(key) for key in dict.fromkeys(chosen) if key not in set(gone)]
    if as_json:
        pages.print_json({"store": name, "deleted": list(map(shown, gone)), "absent": missing})
    else:
        click.echo(f"{counted(len(gone), 'entry', 'entries')} deleted")
    if missing and keys:
        click.echo(f"dsfactory: no live entry: {', '.join(missing)}", err=True)
        sys.exit(AbsentError.exit_code)


def _confirm(count: int, name: str, *, yes: bool) -> None:
    if yes or not count:
        return
    said = f"{counted(count, 'entry', 'entries')} of {name}"
    if not sys.stdin.isatty() or not click.confirm(f"Delete {said}?", err=True):
        raise UsageError(f"{said} would be deleted. Say --yes; nothing was deleted.")
