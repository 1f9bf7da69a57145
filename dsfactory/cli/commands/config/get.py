"""``dsfactory config get``: one setting."""

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.configurations import reveal_option, saved, shown
from dsfactory.cli.opening import json_option, root_option
from dsfactory.services.configuration.paths import found, steps_of


@click.command("get")
@click.argument("name")
@click.argument("path")
@reveal_option
@root_option
@json_option
def command(*, name: str, path: str, reveal: bool, root: Path | None, as_json: bool) -> None:
    """Print one setting as JSON."""
    with saved(root, name) as configuration:
        value = found(configuration.as_dict(reveal=reveal), steps_of(path))
    if as_json:
        pages.print_json({"name": name, "path": path, "value": value})
    else:
        click.echo(shown(value))
