"""``dsfactory config import``: a file saved as the configuration."""

# ruff: noqa: N999 -- a file is called as its command

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli.configurations import changing_options, managed, print_version
from dsfactory.cli.opening import json_option, root_option


@click.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--merge", is_flag=True, help="Leave what the file does not name as it is.")
@changing_options
@root_option
@json_option
def command(
    *,
    name: str,
    file: Path,
    merge: bool,
    schema: str | None,
    who: str | None,
    why: str | None,
    root: Path | None,
    as_json: bool,
) -> None:
    """Save what a TOML, JSON or YAML file says.

    What it does not name goes to its default, or stays with --merge. Masked secrets stay.
    """
    with managed(root, name, schema) as manager:
        version = manager.import_(file, merge=merge, who=who, reason=why, source="command")
    print_version(name, version, as_json=as_json)
