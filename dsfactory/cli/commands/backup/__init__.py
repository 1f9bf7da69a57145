"""``dsfactory backup``: the group of everything about backups."""

from __future__ import annotations

import click

from dsfactory.cli.index import GROUPS
from dsfactory.cli.lazy import LazyGroup


@click.command(
    "backup",
    cls=LazyGroup,
    package="dsfactory.cli.commands.backup",
    index=GROUPS["backup"],
)
def command() -> None:
    """Take, list, verify, keep and remove backups.

    `dsfactory restore` brings one back.
    """
