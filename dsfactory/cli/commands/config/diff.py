"""``dsfactory config diff``: where two versions differ."""

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.configurations import difference_table, saved
from dsfactory.cli.opening import json_option, root_option


@click.command("diff")
@click.argument("name")
@click.argument("old", type=int)
@click.argument("new", type=int)
@root_option
@json_option
def command(*, name: str, old: int, new: int, root: Path | None, as_json: bool) -> None:
    """Show where two versions differ."""
    with saved(root, name) as configuration:
        differences = configuration.diff(old, new)
    if as_json:
        pages.print_json({"name": name, "differences": differences})
    else:
        pages.console().print(difference_table(differences))
