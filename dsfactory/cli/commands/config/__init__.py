"""``dsfactory config``: the group of everything about configurations."""

from __future__ import annotations

import click

from dsfactory.cli.index import GROUPS
from dsfactory.cli.lazy import LazyGroup


@click.command(
    "config",
    cls=LazyGroup,
    package="dsfactory.cli.commands.config",
    index=GROUPS["config"],
)
def command() -> None:
    """Show, change and audit configurations, secrets masked.

    What is secret the application's schema says. Changing needs that schema.
    """
