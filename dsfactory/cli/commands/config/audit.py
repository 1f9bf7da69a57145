"""``dsfactory config audit``: what was changed, by whom and why."""

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.configurations import saved, shown
from dsfactory.cli.opening import json_option, root_option
from dsfactory.cli.units import shown_moment


@click.command("audit")
@click.argument("name")
@click.option("--limit", type=click.IntRange(0), default=100, show_default=True)
@root_option
@json_option
def command(*, name: str, limit: int, root: Path | None, as_json: bool) -> None:
    """List what was changed, by whom and why, the newest first."""
    with saved(root, name) as configuration:
        entries = configuration.audit_log(limit)
    if as_json:
        pages.print_json({"name": name, "entries": entries})
        return
    made = pages.table("Version", "When", "Who", "Change", "Path", "Before", "After", "Reason")
    for one in entries:
        change = f"{one.change} ({one.source})"
        made.add_row(
            str(one.version),
            shown_moment(one.timestamp),
            one.who or "?",
            change,
            one.path,
            shown(one.old),
            shown(one.new),
            one.reason or "",
        )
    pages.console().print(made)
