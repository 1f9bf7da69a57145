"""``dsfactory metrics import``: samples in."""  # noqa: N999 -- the command's name

from __future__ import annotations

import sys
from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.opening import existing_factory, json_option, root_option
from dsfactory.cli.series import FORMATS, metrics_store
from dsfactory.cli.units import counted


@click.command("import")
@click.argument("store")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--format", "form", type=click.Choice(FORMATS), help="Else FILE's ending tells.")
@root_option
@json_option
def command(*, store: str, file: Path, form: str | None, root: Path | None, as_json: bool) -> None:
    """Record the samples of a file or of standard input.

    FILE is - for standard input, which is Prometheus' text unless --format says otherwise. A line
    that is not in the format is named; those before it were recorded, and importing them again
    changes nothing.
    """
    piped = str(file) == "-"
    with existing_factory(root) as factory:
        count = metrics_store(factory, store).import_samples(
            sys.stdin if piped else file,
            format=form or ("prometheus" if piped else None),
            durable=True,
        )
    if as_json:
        pages.print_json({"samples": count, "store": store})
    else:
        pages.console().print(f"{counted(count, 'sample', 'samples')} recorded in {store}")
