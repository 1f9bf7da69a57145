"""When a store's next backup is due, and taking those that are.

Due times come from what is kept, not from when a process started: a program that is restarted
every hour still takes a backup every six. Moments after now are passed over, so that a clock that
was set back neither stalls the schedule until it has caught up, nor starts a backup at every look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dsfactory.backup.retention.policy import policy_of
from dsfactory.backup.retention.pruning import PruneReport, prune
from dsfactory.backup.snapshot import Subject
from dsfactory.backup.taking import Wish, take
from dsfactory.backup.vault import Vault
from dsfactory.errors import DataStoreError
from dsfactory.model import Backup, StoreRecord

FAILED = "backup failed"
"""The event that is recorded when a backup that was due could not be taken."""

RETRY_MS = 15 * 60_000
"""How long maintenance waits after a failure: a full disk is not copied to every minute."""


@dataclass(frozen=True, slots=True)
class DueReport:
    """What became of one backup that was due."""

    store: str
    due_at: int
    backup: Backup | None
    """The new backup, or the one that the store still equals; None when it failed."""
    pruned: PruneReport | None = None
    """What was removed after it; None when the backup failed: then nothing is removed."""
    error: str | None = None
    """Why the backup failed or, where there is one, why pruning did."""


def last_confirmed(backups: Iterable[Backup], now: int) -> int | None:
    """Return when the store was last known to be backed up; None when never.

    That is when a backup was taken, or the store found to be the same as one. Damaged backups and
    moments after *now* do not count.
    """
    moments = (
        moment
        for backup in backups
        if backup.damaged_at is None
        for moment in (backup.created_at, backup.unchanged_at)
        if moment is not None and moment <= now
    )
    return max(moments, default=None)


def due_at(every: int | None, last: int | None, now: int) -> int | None:
    """Return when the next backup is due, in milliseconds since the epoch.

    *every* and *last* are the option backup_every and `last_confirmed`. None means never. Due is
    what is not after *now*; without a backup that is at once.
    """
    if every is None:
        return None
    return now if last is None or last > now else last + every


def due_of(record: StoreRecord, backups: Iterable[Backup], now: int) -> int | None:
    """Return when the next backup of a store is due, given those it has; None means never."""
    every = record.options.backup_every
    return None if every is None else due_at(every, last_confirmed(backups, now), now)


def run_due(
    vault: Vault,
    records: Sequence[StoreRecord],
    *,
    early_ms: int = 0,
    retry_ms: int = 0,
    go_on: Callable[[], bool] = lambda: True,
    before: Callable[[str], object] = lambda _store: None,
) -> list[DueReport]:
    """Take every backup that is due, the longest overdue first, and prune after each.

    *early_ms*: also those that become due within that time. *retry_ms*: not those that failed
    less than that time ago. *go_on* is asked before each, and *before* told its name. A store
    that fails is reported, recorded as an event, and hinders no other.
    """
    now = vault.now_ms()
    waiting = []
    for record in records:
        here = (b for b in vault.catalog.backups(record.name) if b.place == vault.mark)
        moment = due_of(record, here, now)
        if moment is not None and moment <= now + early_ms:
            waiting.append((moment, record.name, record))
    resting = _failed_since(vault, now - retry_ms) if retry_ms else frozenset()
    return [
        _run(vault, record, moment, before)
        for moment, name, record in sorted(waiting, key=lambda found: found[:2])
        if name not in resting and go_on()
    ]


def _failed_since(vault: Vault, since: int) -> frozenset[str]:
    now = vault.now_ms()
    return frozenset(
        e.store for e in vault.catalog.events(since) if e.what == FAILED and e.at <= now
    )


def _run(
    vault: Vault, record: StoreRecord, moment: int, before: Callable[[str], object]
) -> DueReport:
    backup = None
    try:
        before(record.name)
        backup = take(vault, Subject(record), Wish(reason="scheduled"))
        pruned = prune(vault, record.name, policy_of(record.options), dry_run=False)
    except DataStoreError as error:
        if backup is None:
            vault.catalog.record(record.name, FAILED, str(error))
        return DueReport(record.name, moment, backup, error=str(error))
    return DueReport(record.name, moment, backup, pruned)
