"""``dsfactory backup prune``: remove the backups that no rule keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dsfactory.cli import pages
from dsfactory.cli.opening import existing_factory, json_option, required_record, root_option
from dsfactory.cli.units import counted, shown_bytes, shown_moment
from dsfactory.errors import BackupError
from dsfactory.model import Backup

if TYPE_CHECKING:
    from dsfactory.backup import PruneReport


@click.command("prune")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Every registered store.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would go, and why.")
@root_option
@json_option
def command(
    *, names: tuple[str, ...], everything: bool, dry_run: bool, root: Path | None, as_json: bool
) -> None:
    """Remove the backups that no rule keeps.

    The rules are options of each store: max_backups, backup_retention, backup_max_bytes and
    backup_keep. Never removed: the newest, the newest verified, pinned ones, one that is being
    restored, and what a kept one needs. Exits with 13 when something could not be deleted; it is
    no backup any more, and the next run tries again.
    """
    if bool(names) == everything:
        raise click.UsageError("Give the names of stores, or --all for every store.")
    with existing_factory(root) as factory:
        for name in names:
            required_record(factory, name)
        chosen: Sequence[str | None] = names or (None,)
        reports = [r for name in chosen for r in factory.prune(name, dry_run=dry_run)]
    if as_json:
        pages.print_json({"dry_run": dry_run, "stores": [as_object(report) for report in reports]})
    else:
        _print(reports, dry_run=dry_run)
    failures = [failure for report in reports for failure in report.failures]
    if failures:
        raise BackupError(f"Not everything could be deleted. {'; '.join(failures)}")


def as_object(report: PruneReport) -> dict[str, Any]:
    """Return *report* for JSON: each backup with its reasons."""
    plan = report.plan
    return {
        "store": report.store,
        "keep": [{"backup": kept.backup, "reasons": kept.reasons} for kept in plan.keep],
        "remove": [{"backup": b, "because": plan.because[b.id]} for b in plan.remove],
        "warnings": plan.warnings,
        "removed": report.removed,
        "freed_bytes": report.freed_bytes,
        "failures": report.failures,
    }


def _print(reports: Sequence[PruneReport], *, dry_run: bool) -> None:
    console = pages.console()
    for report in reports:
        console.print(report.store, style="bold")
        listing = pages.table("Backup", "Taken", "Size", "", "Why", numbers=["Taken", "Size"])
        for verdict, backup, why in _rows(report, dry_run=dry_run):
            style = None if verdict == "keep" else "yellow"
            size, taken = shown_bytes(backup.size_bytes), shown_moment(backup.created_at)
            listing.add_row(backup.id, taken, size, verdict, why, style=style)
        if listing.row_count:
            console.print(listing)
        for warning in report.plan.warnings:
            console.print(warning, style="bold yellow", soft_wrap=True)
        console.print()
    console.print(_summary(reports, dry_run=dry_run), soft_wrap=True)


def _rows(report: PruneReport, *, dry_run: bool) -> Iterator[tuple[str, Backup, str]]:
    for kept in report.plan.keep:
        yield "keep", kept.backup, ", ".join(kept.reasons)
    gone = set(report.removed)
    for backup in report.plan.remove:
        verdict = "remove" if dry_run else "removed" if backup.id in gone else "left"
        yield verdict, backup, report.plan.because[backup.id]


def _summary(reports: Sequence[PruneReport], *, dry_run: bool) -> str:
    kept = sum(len(report.plan.keep) for report in reports)
    if dry_run:
        going = [backup for report in reports for backup in report.plan.remove]
        count, size, verb = len(going), sum(b.size_bytes for b in going), "would be removed"
    else:
        count = sum(len(report.removed) for report in reports)
        size, verb = sum(report.freed_bytes for report in reports), "removed"
    return f"{counted(count, 'backup', 'backups')} {verb} ({shown_bytes(size)}), {kept} kept"
