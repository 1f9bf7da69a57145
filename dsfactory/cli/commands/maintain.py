"""``dsfactory maintain``: one round of maintenance."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.opening import existing_factory, json_option, root_option
from dsfactory.cli.units import shown_count
from dsfactory.model import MaintenanceReport

FAILED = 1


@click.command("maintain")
@root_option
@json_option
def command(root: Path | None, as_json: bool) -> None:
    """Do one round of maintenance over all stores.

    What is expired is deleted, limits are kept, logs are copied back, freed pages are given to the
    file system, dictionaries are trained and due backups are taken. A program that has the stores
    open does all this by itself; nothing happens here while it is at it. Exits with 1 when
    something failed.
    """
    with existing_factory(root) as factory:
        report = factory.maintain()
    if as_json:
        pages.print_json(asdict(report))
    else:
        _print(report)
    if report.failures:
        sys.exit(FAILED)


def _print(report: MaintenanceReport) -> None:
    console = pages.console()
    if not report.ran:
        console.print("Another process is at it: nothing was done here.")
        return
    console.print(
        pages.facts(
            [
                ("expired entries deleted", shown_count(report.expired)),
                ("entries evicted", shown_count(report.evicted)),
                ("pages copied from logs", shown_count(report.checkpointed)),
                ("pages given back", shown_count(report.pages_freed)),
                ("dictionaries trained", shown_count(report.dictionaries)),
                ("backups taken", shown_count(report.backups)),
            ]
        )
    )
    for failure in report.failures:
        console.print(failure, style="red", soft_wrap=True)
