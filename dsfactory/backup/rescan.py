"""The catalog made anew from the manifests, which are the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dsfactory.backup.litter import UNFINISHED_AGE_MS, Litter, litter_removed
from dsfactory.backup.manifest import SUFFIX, Manifest, manifest_file
from dsfactory.backup.sets import FOLDER
from dsfactory.backup.vault import Vault
from dsfactory.errors import BackupAbsentError, BackupDamagedError
from dsfactory.model import Backup


@dataclass(frozen=True, slots=True)
class RescanReport:
    """What a rescan found, and what it did about it."""

    backups: int
    """Whole manifests."""
    added: tuple[str, ...]
    """Ids that the catalog did not know."""
    forgotten: tuple[str, ...]
    """Ids whose manifest is gone."""
    damaged: tuple[str, ...]
    """What is wrong with manifests, payloads and packs, a line each; all of it stays."""
    removed: tuple[str, ...]
    """Files of backups that were never finished."""


def rescan(vault: Vault, *, tidy: bool = True) -> RescanReport:
    """Bring the catalog up to the manifests of the place; with *tidy*, remove unfinished files.

    A backup that lost its payload is marked as damaged. Killed at any moment, the next one
    goes on. Others may take, pin and prune backups meanwhile.
    """
    # Asked before the files are listed: what is taken meanwhile must not seem to be gone.
    known = {b.id: b for b in vault.catalog.backups() if b.place == vault.mark}
    if tidy:
        vault.place.tidy(older_than_s=UNFINISHED_AGE_MS / 1000, now_s=vault.now_ms() / 1000)
    files = {found.name: found.size_bytes for found in vault.place.found()}
    manifests, complaints = _read(vault, files)
    added = _entered(vault, manifests, known)
    gone = [b.id for b in known.values() if manifest_file(b.store, b.id) not in files]
    for backup_id in gone:
        vault.catalog.forget(backup_id)
    for manifest in manifests:
        if manifest.payload.file not in files:
            complaints.append(f"{manifest.id} of {manifest.origin.name}: its payload is gone")
            vault.catalog.damaged(manifest.id, vault.now_ms())
    litter = litter_removed(vault, files, manifests) if tidy else Litter()
    return RescanReport(
        backups=len(manifests),
        added=added,
        forgotten=tuple(gone),
        damaged=(*complaints, *litter.complaints),
        removed=litter.removed,
    )


def _entered(
    vault: Vault, manifests: Sequence[Manifest], known: Mapping[str, Backup]
) -> tuple[str, ...]:
    """Enter what the catalog does not know, or not like this; return the ids that are new."""
    entries = [vault.entry(manifest) for manifest in manifests]
    new = [entry for entry in entries if entry.id not in known]
    # Only what differs: of the others somebody may be noting something else by now.
    changed = [entry for entry in entries if entry.id in known and _differs(entry, known[entry.id])]
    vault.catalog.add([*new, *changed])
    there = {found.name for found in vault.place.found()} if new else set()
    lost = {entry.id for entry in new if manifest_file(entry.store, entry.id) not in there}
    for backup_id in lost:
        vault.catalog.forget(backup_id)  # pruned, and forgotten, between reading and entering it
    return tuple(entry.id for entry in new if entry.id not in lost)


def _differs(entry: Backup, known: Backup) -> bool:
    """Whether a manifest says something that the catalog does not."""
    news = entry.verified_at is not None and entry.verified_at != known.verified_at
    told = (entry.reason, entry.tags, entry.pinned)
    return news or told != (known.reason, known.tags, known.pinned)


def _read(vault: Vault, files: Mapping[str, int]) -> tuple[list[Manifest], list[str]]:
    manifests, complaints = [], []
    for name in files:
        if not name.endswith(SUFFIX) or name.startswith(f"{FOLDER}/"):
            continue
        try:
            manifests.append(vault.read(name))
        except BackupAbsentError:
            continue  # pruned since we listed
        except BackupDamagedError as error:
            complaints.append(str(error))
    return manifests, complaints
