"""Backups as people read of them, and bars for what takes long."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from dsfactory.cli import pages
from dsfactory.cli.opening import required_record
from dsfactory.cli.units import shown_age, shown_bytes, shown_count, shown_duration, shown_moment
from dsfactory.clock import SystemClock
from dsfactory.model import Backup

if TYPE_CHECKING:
    from dsfactory.backup.restoring import RestoreReport
    from dsfactory.factory import DataStoreFactory


def backups_of(factory: DataStoreFactory, name: str | None) -> list[Backup]:
    """Return the backups of a store, which need not be registered any more, or of all.

    Raises StoreAbsentError for a name that neither a store nor a backup has: a mistyped one must
    not look like a store without backups.
    """
    found = factory.backups(name)
    if name is not None and not found:
        required_record(factory, name)
    return found


def backup_table(backups: Sequence[Backup]) -> Table:
    """Return a table of backups, a row each."""
    now = SystemClock().now_ms()
    made = pages.table("Backup", "Store", "Taken", "Reason", "Size", "State", numbers=["Size"])
    for backup in backups:
        made.add_row(
            backup.id,
            backup.store,
            shown_moment(backup.created_at),
            ", ".join((backup.reason, *backup.tags)),
            shown_bytes(backup.size_bytes),
            _state(backup, now),
        )
    return made


def shown_stretches(factory: DataStoreFactory, name: str | None) -> Iterator[str]:
    """Yield a line for each stretch of time to which a store can be restored with --at."""
    from dsfactory.backup.moments.stretches import shown_moment as exact

    names = {backup.store for backup in backups_of(factory, name)}
    for each in sorted(names):
        for begin, end in factory.restorable(each):
            yield f"{each}: any moment from {exact(begin)} to {exact(end)}"


def _state(backup: Backup, now: int) -> str:
    words = []
    if backup.damaged_at is not None:
        words.append("DAMAGED")
    elif backup.verified_at is not None:
        words.append(f"verified {shown_age(backup.verified_at, now)}")
    if backup.pinned:
        words.append("pinned")
    if backup.unchanged_at is not None:
        words.append(f"store the same {shown_age(backup.unchanged_at, now)}")
    if backup.flaws:
        words.append("store needs repair()")
    return ", ".join(words) or "whole"


def moment_of(text: str) -> datetime:
    """Return the moment that *text* names; without a time zone it is this machine's local time.

    Raises ValueError.
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.astimezone()


def restored_facts(report: RestoreReport) -> Table:
    """Return what a restore did, a line each."""
    verb = "would be" if report.dry_run else "is"
    pairs = [
        ("store", f"{report.store} {verb} as of {shown_moment(report.backup.created_at)}"),
        ("backup", f"{report.backup.id}, {report.backup.reason}"),
        ("file", str(report.path)),
        ("rows", ", ".join(f"{shown_count(n)} {t}" for t, n in report.rows.items() if n)),
    ]
    if report.at is not None:
        pairs.append(("brought up to", shown_moment(report.at)))
    if report.safety is not None:
        pairs.append(("before", f"kept as {report.safety.id}"))
    if report.quarantined is not None:
        pairs.append(("before", f"damaged, put aside in {report.quarantined}"))
    return pages.facts([*pairs, ("took", shown_duration(report.took_ms))])


@contextlib.contextmanager
def with_progress(*, quiet: bool, doing: str = "copying") -> Iterator[Callable[[int, int], None]]:
    """Yield what to tell (done, in all); a bar on standard error where that is a terminal."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _done, _total: None
        return
    columns = (TextColumn(doing), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bars:
        task = bars.add_task(doing, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
