"""``dsfactory metrics``: the group of everything about numeric series."""

from __future__ import annotations

import click

from dsfactory.cli.index import GROUPS
from dsfactory.cli.lazy import LazyGroup


@click.command(
    "metrics",
    cls=LazyGroup,
    package="dsfactory.cli.commands.metrics",
    index=GROUPS["metrics"],
)
def command() -> None:
    """Look into the numeric series of a metrics store.

    Needs numpy and pcodec: pip install "dsfactory[metrics]".
    """
