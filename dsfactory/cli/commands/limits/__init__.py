"""``dsfactory limits``: the group of everything about rate limiters."""

from __future__ import annotations

import click

from dsfactory.cli.index import GROUPS
from dsfactory.cli.lazy import LazyGroup


@click.command(
    "limits",
    cls=LazyGroup,
    package="dsfactory.cli.commands.limits",
    index=GROUPS["limits"],
)
def command() -> None:
    """Show, change and reset rate limits.

    Every process that uses the limiter goes by what is set here, at once and for good.
    """
