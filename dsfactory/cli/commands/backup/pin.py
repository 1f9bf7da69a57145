"""``dsfactory backup pin``: a backup that no rule removes."""

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.backups import backup_table
from dsfactory.cli.opening import existing_factory, json_option, root_option


@click.command("pin")
@click.argument("backup_id", metavar="ID")
@click.option("--remove", is_flag=True, help="Let the rules decide again.")
@root_option
@json_option
def command(*, backup_id: str, remove: bool, root: Path | None, as_json: bool) -> None:
    """Keep a backup whatever the rules say."""
    with existing_factory(root) as factory:
        backup = factory.pin_backup(backup_id, pinned=not remove)
    if as_json:
        pages.print_json({"backup": backup})
    else:
        pages.console().print(backup_table([backup]))
