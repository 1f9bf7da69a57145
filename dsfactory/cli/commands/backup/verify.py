"""``dsfactory backup verify``: whether backups restore."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dsfactory.cli import pages
from dsfactory.cli.backups import backups_of
from dsfactory.cli.opening import existing_factory, json_option, root_option
from dsfactory.cli.units import counted, shown_duration
from dsfactory.errors import BackupAbsentError, BackupDamagedError

if TYPE_CHECKING:
    from rich.text import Text

    from dsfactory.backup.verifying import VerifyReport
    from dsfactory.factory import DataStoreFactory


def _share(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0
    if not 0 < share <= 1:
        raise click.BadParameter("more than 0 and at most 100%, such as 10%.")
    return share


@click.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="The backups of every store.")
@click.option("--backup", metavar="ID", help="One backup.")
@click.option("--sample", callback=_share, metavar="SHARE", help="Only a share, such as 10%.")
@click.option("--deep", is_flag=True, help="Restore each to a scratch place; decode every value.")
@root_option
@json_option
def command(
    *,
    names: tuple[str, ...],
    everything: bool,
    backup: str | None,
    sample: float | None,
    deep: bool,
    root: Path | None,
    as_json: bool,
) -> None:
    """Read backups back and compare them with what was written.

    With --deep each is restored to a scratch place, SQLite's integrity and foreign keys are
    checked, rows are counted and every value is decoded: the store is known to restore then. A
    sample takes first what was verified longest ago. What is kept in another place than backups
    are now is passed over. Exits with 13 when a backup is damaged.
    """
    if sum((bool(names), everything, backup is not None)) != 1:
        raise click.UsageError("Give the names of stores, --backup ID, or --all.")
    with existing_factory(root) as factory:
        for name in names:
            _require_backups(factory, name)
        reports = [
            report
            for name in names or (None,)
            for report in factory.verify(name, backup=backup, sample=sample, deep=deep)
        ]
    if as_json:
        pages.print_json({"reports": reports})
    else:
        _print(reports)
    hurt = [report.problem for report in reports if report.problem is not None]
    if hurt:
        raise BackupDamagedError(" ".join(hurt))


def _require_backups(factory: DataStoreFactory, name: str) -> None:
    if not backups_of(factory, name):
        raise BackupAbsentError(
            f"Store {name!r} has no backup to verify. `dsfactory backup list` names those that are "
            "there.",
            store=name,
        )


def _verdict(report: VerifyReport) -> Text | str:
    if report.removed:
        return "removed meanwhile"
    if report.elsewhere:
        return "kept elsewhere"
    return pages.verdict(report.problem is None)


def _print(reports: list[VerifyReport]) -> None:
    console = pages.console()
    listing = pages.table("Backup", "Store", "Verdict", "Took", numbers=["Took"])
    for report in reports:
        listing.add_row(
            report.backup.id,
            report.backup.store,
            _verdict(report),
            shown_duration(report.took_ms),
        )
    if reports:
        console.print(listing, "")
    verified = sum(not (report.removed or report.elsewhere) for report in reports)
    console.print(f"{counted(verified, 'backup', 'backups')} verified")
