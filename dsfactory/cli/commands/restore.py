"""``dsfactory restore``: back to a backup."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dsfactory.cli import pages
from dsfactory.cli.backups import (
    backup_table,
    backups_of,
    moment_of,
    restored_facts,
    shown_stretches,
    with_progress,
)
from dsfactory.cli.opening import existing_factory, json_option, root_option
from dsfactory.errors import RestoreRefusedError
from dsfactory.factory import DataStoreFactory

if TYPE_CHECKING:
    from dsfactory.backup.restoring import RestoreReport


def _moment(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> datetime | None:
    if text is None:
        return None
    try:
        return moment_of(text)
    except ValueError:
        raise click.BadParameter("a moment such as 2026-11-22T10:15:00Z.") from None


@click.command("restore")
@click.argument("name", required=False)
@click.option("--backup", default="latest", metavar="ID", show_default=True, help="Which one.")
@click.option("--at", callback=_moment, metavar="MOMENT", help="As it was at that moment.")
@click.option("--to", type=click.Path(path_type=Path), metavar="FILE", help="Beside, to a file.")
@click.option("--all", "everything", is_flag=True, help="Every store of the set --set.")
@click.option("--set", "set_id", metavar="ID", help="A set, taken with `backup create --all`.")
@click.option("--list", "listing", is_flag=True, help="Only list what could be restored.")
@click.option("--dry-run", is_flag=True, help="Do everything but the swap.")
@click.option(
    "--force",
    is_flag=True,
    help="Overwrite the live store, whatever it became since, or the file of --to.",
)
@root_option
@json_option
def command(  # noqa: PLR0913 -- a parameter an option
    *,
    name: str | None,
    backup: str,
    at: datetime | None,
    to: Path | None,
    everything: bool,
    set_id: str | None,
    listing: bool,
    dry_run: bool,
    force: bool,
    root: Path | None,
    as_json: bool,
) -> None:
    """Bring a store back to a backup, or to a moment.

    The backup is brought back beside the live file and verified. What is there is backed up, or
    put aside when it is damaged, and only then swapped: nobody else may have the store open. A
    store with a file needs --force. With --to the live store is left alone.

    A moment without a time zone is this machine's local time.
    """
    if not listing and (everything != (set_id is not None) or bool(name) == everything):
        raise click.UsageError("Give the name of a store, or --all with --set ID.")
    with existing_factory(root) as factory:
        if listing:
            _list(factory, name, as_json=as_json)
        elif set_id is not None:
            _require_force(factory, None, force=force or dry_run)
            reports = factory.restore_set(set_id, dry_run=dry_run, force=force)
            _print(reports, as_json=as_json)
        elif name is not None:
            _require_force(factory, name, force=force or dry_run or to is not None)
            restored = partial(
                factory.restore, name, backup, at=at, to=to, dry_run=dry_run, force=force
            )
            _print([_with_progress(restored, quiet=as_json)], as_json=as_json)


def _with_progress(restored: Callable[..., RestoreReport], *, quiet: bool) -> RestoreReport:
    with with_progress(quiet=quiet, doing="restoring") as progress:
        return restored(progress=progress)


def _require_force(factory: DataStoreFactory, name: str | None, *, force: bool) -> None:
    """Refuse to overwrite files that are there, unless somebody said so."""
    records = factory.get_registered_stores()
    there = [r.name for r in records if name in (None, r.name) and r.path.exists()]
    if there and not force:
        raise RestoreRefusedError(
            f"Restoring would overwrite {', '.join(there)}. Say --force (what is there is backed "
            "up first), --to FILE, or try --dry-run.",
            stores=there,
        )


def _list(factory: DataStoreFactory, name: str | None, *, as_json: bool) -> None:
    backups = backups_of(factory, name)
    if as_json:
        stretches = {each: factory.restorable(each) for each in {b.store for b in backups}}
        pages.print_json({"backups": backups, "restorable": stretches})
        return
    pages.console().print(backup_table(backups))
    for line in shown_stretches(factory, name):
        pages.console().print(line, soft_wrap=True)


def _print(reports: Sequence[RestoreReport], *, as_json: bool) -> None:
    if as_json:
        pages.print_json({"restored": list(reports)})
        return
    for report in reports:
        pages.console().print(restored_facts(report))
