"""``dsfactory config history``: the kept versions."""

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.configurations import saved
from dsfactory.cli.opening import json_option, root_option
from dsfactory.cli.units import shown_moment


@click.command("history")
@click.argument("name")
@click.option("--limit", type=click.IntRange(0), help="At most so many.")
@root_option
@json_option
def command(*, name: str, limit: int | None, root: Path | None, as_json: bool) -> None:
    """List the kept versions, the newest first."""
    with saved(root, name) as configuration:
        versions = configuration.version_history(limit)
    if as_json:
        pages.print_json({"name": name, "versions": versions})
        return
    made = pages.table("Version", "When", "Who", "Change", "Source", "Reason")
    for one in versions:
        when, reason = shown_moment(one.timestamp), one.reason or ""
        made.add_row(str(one.version), when, one.who or "?", one.change, one.source, reason)
    pages.console().print(made)
