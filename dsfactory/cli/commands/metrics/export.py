"""``dsfactory metrics export``: samples out."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.opening import json_option, root_option
from dsfactory.cli.series import (
    FORMATS,
    Interval,
    interval_options,
    label_option,
    looking_at_metrics,
    skip_option,
)
from dsfactory.cli.units import counted


@click.command("export")
@click.argument("store")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), help="Else FILE's ending tells.")
@click.option("--name", "names", multiple=True, metavar="METRIC", help="Only this metric.")
@label_option
@interval_options
@skip_option
@root_option
@json_option
def command(
    *,
    store: str,
    file: Path | None,
    form: str | None,
    names: tuple[str, ...],
    labels: tuple[str, ...],
    interval: Interval,
    damaged: str,
    root: Path | None,
    as_json: bool,
) -> None:
    """Write samples to a file or to standard output.

    Without FILE, Prometheus' text goes to standard output. A file is there when it is complete,
    and readable by you only.
    """
    if as_json and file is None:
        raise click.UsageError("--json says how many samples went to a FILE: name one.")
    with looking_at_metrics(root, store) as held:
        count = held.export_samples(
            file or sys.stdout,
            format=form or (None if file else "prometheus"),
            names=names or None,
            where=labels,
            start=interval.start,
            end=interval.end,
            damaged=damaged,
        )
    if as_json:
        pages.print_json({"samples": count, "file": file})
    elif file is not None:
        pages.console().print(f"{counted(count, 'sample', 'samples')} in {file}", soft_wrap=True)
    sys.stdout.flush()
