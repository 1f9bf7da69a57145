"""``dsfactory config show``: a configuration, secrets masked."""

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.configurations import reveal_option, saved, shown
from dsfactory.cli.opening import json_option, root_option
from dsfactory.services.configuration.paths import leaves, rendered


@click.command("show")
@click.argument("name")
@click.option("--version", type=int, help="That version instead of the current one.")
@reveal_option
@root_option
@json_option
def command(
    *, name: str, version: int | None, reveal: bool, root: Path | None, as_json: bool
) -> None:
    """Show a configuration."""
    with saved(root, name) as configuration:
        settings = configuration.as_dict(version, reveal=reveal)
        number = configuration.version if version is None else version
    if as_json:
        pages.print_json({"name": name, "version": number, "settings": settings})
        return
    rows = [(rendered(steps), shown(value)) for steps, value in leaves(settings)]
    pages.console().print(pages.facts([("version", str(number)), *rows]))
