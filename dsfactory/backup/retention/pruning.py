"""Removing what a plan does not keep: first marked in the catalog, then deleted.

A backup that is marked is out of every answer, in one transaction. Then, for each: the manifest,
the payload, the mark. Without its manifest a backup is none, so that whoever comes in between
finds a whole backup or no backup, also when the catalog is lost and made anew. Killed at any
moment, the next run goes on from the marks; without them, `rescan` finds a payload that no
manifest describes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dsfactory.backup.manifest import Manifest, manifest_file
from dsfactory.backup.moments.recovery import with_needed
from dsfactory.backup.retention.policy import RetentionPlan, RetentionPolicy, plan_retention
from dsfactory.backup.vault import Vault
from dsfactory.errors import BackupAbsentError, BackupDamagedError, DataStoreError
from dsfactory.registry import Marked


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What pruning the backups of one store did, or with a dry run would do."""

    store: str
    plan: RetentionPlan
    dry_run: bool
    removed: tuple[str, ...] = ()
    """Ids whose files are gone; those that an earlier run had marked are among them."""
    freed_bytes: int = 0
    """Of the plan's backups that are gone, as the catalog had their sizes."""
    failures: tuple[str, ...] = ()
    """What could not be deleted, a line each: it is no backup any more, and the next run tries."""


def prune(vault: Vault, store: str, policy: RetentionPolicy, *, dry_run: bool) -> PruneReport:
    """Remove the backups of *store* that *policy* does not keep, where this vault keeps them.

    First finishes what a run that was killed had marked. With *dry_run* nothing is changed.
    """
    here = [b for b in vault.catalog.backups(store) if b.place == vault.mark]
    plan = plan_retention(with_needed(vault, store, here), policy, now=vault.now_ms())
    if dry_run:
        return PruneReport(store, plan, dry_run=True)
    vault.catalog.mark_removed(backup.id for backup in plan.remove)
    removed, failures = _deleted(vault, store)
    return PruneReport(
        store,
        plan,
        dry_run=False,
        removed=removed,
        freed_bytes=sum(b.size_bytes for b in plan.remove if b.id in set(removed)),
        failures=failures,
    )


def finish(vault: Vault) -> list[PruneReport]:
    """Finish what killed runs had marked, also of stores that are not registered any more."""
    reports = []
    for store in sorted({marked.store for marked in _marked(vault)}):
        removed, failures = _deleted(vault, store)
        nothing = RetentionPlan([], [])
        reports.append(PruneReport(store, nothing, False, removed, failures=failures))
    return reports


def _marked(vault: Vault) -> Iterator[Marked]:
    return (marked for marked in vault.catalog.marked() if marked.place == vault.mark)


def _deleted(vault: Vault, store: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    removed, failures = [], []
    for marked in [m for m in _marked(vault) if m.store == store]:
        try:
            _delete(vault, marked)
        except DataStoreError as error:
            # One file that cannot be deleted must not keep the others.
            failures.append(f"{marked.id}: {error}")
        else:
            removed.append(marked.id)
    return tuple(removed), tuple(failures)


def _delete(vault: Vault, marked: Marked) -> None:
    # Found before anything is gone: what a later release keeps is left to that release.
    container = vault.container(marked.container)
    manifest = _manifest(vault, marked)
    vault.place.delete(manifest_file(marked.store, marked.id))
    if manifest is not None:
        container.drop(manifest, vault.place)
    else:
        container.drop_lost(marked.store, marked.id, vault.place)
    vault.catalog.forget(marked.id)


def _manifest(vault: Vault, marked: Marked) -> Manifest | None:
    try:
        return vault.read(manifest_file(marked.store, marked.id))
    except (BackupAbsentError, BackupDamagedError):
        return None  # an earlier run came this far, or the disk did: its name says enough
