"""``dsfactory backup run --due``: what the schedule asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dsfactory.cli import pages
from dsfactory.cli.opening import existing_factory, json_option, root_option
from dsfactory.cli.units import counted, shown_bytes, shown_moment
from dsfactory.errors import BackupError

if TYPE_CHECKING:
    from dsfactory.backup import DueReport


@click.command("run")
@click.option("--due", is_flag=True, required=True, help="Those that are due by backup_every.")
@click.option(
    "--early",
    metavar="DURATION",
    help='Also those that become due within this time, such as "5m": for cron, whose runs are '
    "never a whole period apart to the millisecond.",
)
@root_option
@json_option
def command(*, due: bool, early: str | None, root: Path | None, as_json: bool) -> None:
    """Take the backups that are due.

    Due times come from the last backup of each store, so it is no matter how often this runs, or
    whether a program that has the store open does the same. What the rules do not keep any more is
    removed after each. Exits with 13 when a store could not be copied; the others are.
    """
    del due  # there is no other way yet; the word says what the command does
    with existing_factory(root) as factory:
        reports = factory.run_due_backups(early=early)
    if as_json:
        pages.print_json({"backups": [as_object(report) for report in reports]})
    else:
        _print(reports)
    failures = [f"{report.store}: {report.error}" for report in reports if report.error]
    if failures:
        raise BackupError(f"Not every store could be copied. {'; '.join(failures)}")


def as_object(report: DueReport) -> dict[str, Any]:
    """Return *report* for JSON."""
    pruned = report.pruned
    return {
        "store": report.store,
        "due_at": report.due_at,
        "backup": report.backup,
        "removed": () if pruned is None else pruned.removed,
        "error": report.error,
    }


def _print(reports: Sequence[DueReport]) -> None:
    console = pages.console()
    listing = pages.table("Store", "Due", "Backup", "Size", "Removed", numbers=["Size", "Removed"])
    for report in reports:
        backup, pruned = report.backup, report.pruned
        listing.add_row(
            report.store,
            shown_moment(report.due_at),
            "FAILED" if backup is None else backup.id,
            shown_bytes(None if backup is None else backup.size_bytes),
            str(0 if pruned is None else len(pruned.removed)),
            style="bold red" if report.error else None,
        )
    if reports:
        console.print(listing, "")
    console.print(counted(len(reports), "backup was due", "backups were due"))
