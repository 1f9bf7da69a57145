"""``dsfactory backup list``: which backups there are."""

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.backups import backup_table, backups_of
from dsfactory.cli.opening import existing_factory, json_option, root_option
from dsfactory.cli.units import counted, shown_bytes


@click.command("list")
@click.argument("name", required=False)
@click.option("--sets", is_flag=True, help="The ids of the sets that `create --all` took.")
@root_option
@json_option
def command(*, name: str | None, sets: bool, root: Path | None, as_json: bool) -> None:
    """List backups, and why each was taken.

    With NAME those of one store, which need not be registered any more. `dsfactory backup prune
    --dry-run` says why each is kept.
    """
    with existing_factory(root) as factory:
        if sets:
            _list_sets(factory.backup_sets(), as_json=as_json)
            return
        backups = backups_of(factory, name)
    if as_json:
        pages.print_json({"backups": backups})
        return
    console = pages.console()
    if backups:
        console.print(backup_table(backups), "")
    size = shown_bytes(sum(backup.size_bytes for backup in backups))
    console.print(f"{counted(len(backups), 'backup', 'backups')}, {size}")


def _list_sets(ids: list[str], *, as_json: bool) -> None:
    if as_json:
        pages.print_json({"sets": ids})
    else:
        pages.console().print("\n".join([*ids, counted(len(ids), "set", "sets")]))
