"""``dsfactory backup create``: take backups now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dsfactory.cli import pages
from dsfactory.cli.backups import backup_table, with_progress
from dsfactory.cli.opening import existing_factory, json_option, required_record, root_option
from dsfactory.errors import BackupError, DataStoreError, UsageError
from dsfactory.model import Backup

if TYPE_CHECKING:
    from dsfactory.backup.sets import BackupSet


@click.command("create")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Every store, at one moment, as a set.")
@click.option("--reason", default="manual", show_default=True, help="Why; kept with the backup.")
@click.option("--tag", "tags", multiple=True, help="A tag to keep it by; may be repeated.")
@click.option("--force", is_flag=True, help="Also when nothing changed since the last one.")
@root_option
@json_option
def command(
    *,
    names: tuple[str, ...],
    everything: bool,
    reason: str,
    tags: tuple[str, ...],
    force: bool,
    root: Path | None,
    as_json: bool,
) -> None:
    """Copy stores while everybody goes on writing.

    Each copy is examined, kept on disk and read back before it counts. When nothing changed since
    the newest backup, that one is named again. Exits with 13 when a store could not be copied;
    the others are.
    """
    if bool(names) == everything:
        raise click.UsageError("Give the names of stores, or --all for every store.")
    with existing_factory(root) as factory:
        for name in names:
            required_record(factory, name)
        with with_progress(quiet=as_json) as progress:
            take = partial(factory.backup, reason=reason, tags=tags, force=force, progress=progress)
            backups, failures = _taken(take, names)
    if as_json:
        pages.print_json({"backups": backups, "failures": failures})
    else:
        pages.console().print(backup_table(backups))
    if failures:
        lines = "; ".join(f"{name}: {why}" for name, why in failures.items())
        raise BackupError(f"Not every store could be copied. {lines}")


def _taken(
    take: Callable[..., Any], names: Sequence[str]
) -> tuple[list[Backup], Mapping[str, str]]:
    if not names:
        group: BackupSet = take()
        return list(group), group.failures
    taken, failures = [], {}
    for name in names:
        try:
            taken.append(take(name))
        except UsageError:
            raise  # such as a reason that no backup takes
        except DataStoreError as error:
            failures[name] = str(error)
    return taken, failures
