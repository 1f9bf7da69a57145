"""``dsfactory metrics query``: what a metric came to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dsfactory.cli import pages
from dsfactory.cli.opening import json_option, root_option
from dsfactory.cli.series import (
    HOUR_MS,
    Interval,
    interval_options,
    label_option,
    looking_at_metrics,
    skip_option,
)
from dsfactory.cli.units import NOTHING, shown_moment
from dsfactory.errors import AbsentError, QueryError

if TYPE_CHECKING:
    from rich.table import Table

    from dsfactory.series.results import SeriesResult

POINTS = 60
"""As many as one line of text shows."""


@click.command("query")
@click.argument("store")
@click.argument("metric")
@label_option
@interval_options
@click.option("--step", help="How long a point is: 30s, 5m, 1h; else there are 60 at most.")
@click.option("--agg", default="avg", show_default=True, help="As in rate, max, quantile(0.99).")
@click.option("--by", metavar="LABEL,...", help="Put together what has these; '' is everything.")
@click.option("--svg", type=click.Path(path_type=Path), help="Draw the result to this file.")
@skip_option
@root_option
@json_option
def command(  # noqa: PLR0913 -- the options of a query
    *,
    store: str,
    metric: str,
    labels: tuple[str, ...],
    interval: Interval,
    step: str | None,
    agg: str,
    by: str | None,
    svg: Path | None,
    damaged: str,
    root: Path | None,
    as_json: bool,
) -> None:
    """Show what a metric came to, as a table and as a line.

    Of the last hour, or from --start to before --end. Values are shown: it is what was asked for.
    """
    from dsfactory.series.planning import step_for

    end = interval.now if interval.end is None else interval.end
    start = end - HOUR_MS if interval.start is None else interval.start
    with looking_at_metrics(root, store) as held:
        results = held.query_all(
            metric,
            where=labels,
            start=start,
            end=end,
            step=step or step_for(start, end, POINTS),
            agg=agg,
            by=None if by is None else tuple(filter(None, by.split(","))),
            damaged=damaged,
        )
    if not results:
        raise AbsentError(
            f"{store} has no such series of {metric}; `dsfactory metrics ls {store}` lists all.",
            store=store,
            name=metric,
        )
    if svg is not None:
        _draw(results, svg)
    if as_json:
        pages.print_json({"results": [result.to_dict() for result in results]})
    else:
        _print(results)


def _draw(results: Sequence[SeriesResult], file: Path) -> None:
    if len(results) > 1:
        raise QueryError(
            f"--svg draws one result, and there are {len(results)}. Choose one by --label, or put "
            "them together by --by."
        )
    file.write_text(results[0].to_svg(), encoding="utf-8")


def _print(results: Sequence[SeriesResult]) -> None:
    from dsfactory.series.planning import named

    console = pages.console()
    one = results[0]
    step = named(one.step or 0)
    console.print(f"{one.name}, {one.agg} of every {step}, from {one.tier}", style="bold")
    for result in results:
        labels = ", ".join(f"{name}={value}" for name, value in result.labels.items())
        console.print(f"{result.plot(POINTS)}  {labels}".rstrip(), soft_wrap=True)
        for left_out in result.left_out:
            console.print(left_out, style="yellow", soft_wrap=True)
    if len(results) == 1:
        console.print("", _points(one))


def _points(result: SeriesResult) -> Table:
    listing = pages.table("Time", f"Value {result.unit}".rstrip(), numbers=["Value"])
    for at, value in zip(result.timestamps.tolist(), result.values.tolist(), strict=True):
        listing.add_row(shown_moment(at), NOTHING if math.isnan(value) else f"{value:g}")
    return listing
