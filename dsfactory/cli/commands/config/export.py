"""``dsfactory config export``: a configuration as a file."""

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.configurations import reveal_option, saved
from dsfactory.cli.opening import json_option, root_option


@click.command("export")
@click.argument("name")
@click.option("--format", "form", help="json, toml or yaml; else as the suffix says, or json.")
@click.option("--to", type=click.Path(path_type=Path), help="Write this file.")
@reveal_option
@root_option
@json_option
def command(
    *, name: str, form: str | None, to: Path | None, reveal: bool, root: Path | None, as_json: bool
) -> None:
    """Print or write a configuration as JSON, TOML or YAML.

    TOML has no null: what is null is left out.
    """
    with saved(root, name) as configuration:
        text = configuration.export(form, to, reveal=reveal)
    if as_json:
        pages.print_json({"name": name, "file": to, "text": None if to else text})
    elif to is None:
        click.echo(text, nl=False)
