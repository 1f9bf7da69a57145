"""``dsfactory config rollback``: an earlier version made current."""

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli.configurations import changing_options, managed, print_version
from dsfactory.cli.opening import json_option, root_option


@click.command("rollback")
@click.argument("name")
@click.argument("version", type=int)
@changing_options
@root_option
@json_option
def command(
    *,
    name: str,
    version: int,
    schema: str | None,
    who: str | None,
    why: str | None,
    root: Path | None,
    as_json: bool,
) -> None:
    """Make an earlier version the current one.

    It becomes a new version; its hash is checked, and today's schema has to accept it.
    """
    with managed(root, name, schema) as manager:
        made = manager.rollback_to_version(version, who=who, reason=why, source="command")
    print_version(name, made, as_json=as_json)
