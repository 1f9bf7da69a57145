"""``dsfactory metrics ls``: which series there are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.opening import json_option, root_option
from dsfactory.cli.series import label_option, looking_at_metrics
from dsfactory.cli.units import counted, shown_count, shown_moment
from dsfactory.model import SeriesRecord


@click.command("ls")
@click.argument("store")
@click.argument("names", nargs=-1, metavar="[METRIC]...")
@label_option
@root_option
@json_option
def command(
    *, store: str, names: tuple[str, ...], labels: tuple[str, ...], root: Path | None, as_json: bool
) -> None:
    """List the series of a store.

    Their type and unit, how many samples are held, and from when to when.
    """
    with looking_at_metrics(root, store) as found:
        held = found.list_series(names or None, where=labels)
    if as_json:
        pages.print_json({"series": held})
    else:
        _print(held)


def _print(held: Sequence[SeriesRecord]) -> None:
    console = pages.console()
    if held:
        listing = pages.table(
            "Metric",
            "Labels",
            "Type",
            "Unit",
            "Samples",
            "First",
            "Last",
            numbers=["Samples", "First", "Last"],
        )
        for series in held:
            listing.add_row(
                series.name,
                ", ".join(f"{name}={value}" for name, value in series.labels.items()),
                series.type,
                series.unit,
                shown_count(series.samples),
                shown_moment(series.first_at),
                shown_moment(series.last_at),
            )
        console.print(listing, "")
    samples = sum(series.samples for series in held)
    console.print(f"{shown_count(len(held))} series, {counted(samples, 'sample', 'samples')}")
