"""``dsfactory backup rescan``: the catalog from the manifests."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.opening import existing_factory, json_option, root_option
from dsfactory.cli.units import shown_count
from dsfactory.errors import BackupDamagedError


@click.command("rescan")
@root_option
@json_option
def command(*, root: Path | None, as_json: bool) -> None:
    """Make the catalog anew from the manifests that are kept.

    Backups that the catalog lost are found again, those whose manifest is gone are forgotten, and
    files of backups that were never finished are removed. Exits with 13 when something is damaged.
    """
    with existing_factory(root) as factory:
        report = factory.rescan_backups()
    if as_json:
        pages.print_json(asdict(report))
    else:
        pages.console().print(
            pages.facts(
                [
                    ("whole", shown_count(report.backups)),
                    ("found again", shown_count(len(report.added))),
                    ("forgotten", shown_count(len(report.forgotten))),
                    ("unfinished, removed", shown_count(len(report.removed))),
                    ("damaged", shown_count(len(report.damaged))),
                ]
            )
        )
    if report.damaged:
        raise BackupDamagedError("; ".join(report.damaged))
