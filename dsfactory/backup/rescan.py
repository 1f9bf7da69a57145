"""The catalog made anew from the manifests, which are the truth."""

from __future__ import annotations

from dataclasses import dataclass

from dsfactory.backup.litter import LITTER_AGE_MS, litter_removed
from dsfactory.backup.manifest import SUFFIX, Manifest, manifest_file
from dsfactory.backup.sets import FOLDER
from dsfactory.backup.vault import Vault
from dsfactory.errors import BackupAbsentError, BackupDamagedError


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
    """What is wrong with manifests and payloads, a line each; nothing of them was removed."""
    removed: tuple[str, ...]
    """Files of backups that were never finished."""


def rescan(vault: Vault) -> RescanReport:
    """Bring the catalog up to the manifests of the place.

    A backup that lost its payload is marked as damaged. Killed at any moment, the next one
    goes on.
    """
    vault.place.tidy(older_than_s=LITTER_AGE_MS / 1000, now_s=vault.now_ms() / 1000)
    files = {found.name: found.size_bytes for found in vault.place.found()}
    manifests, complaints = _read(vault, files)
    known = {b.id: b for b in vault.catalog.backups() if b.place == vault.mark}
    vault.catalog.add(vault.entry(manifest) for manifest in manifests)
    gone = [b.id for b in known.values() if manifest_file(b.store, b.id) not in files]
    for backup_id in gone:
        vault.catalog.forget(backup_id)
    for manifest in manifests:
        if manifest.payload.file not in files:
            complaints.append(f"{manifest.id} of {manifest.origin.name}: its payload is gone")
            vault.catalog.damaged(manifest.id, vault.now_ms())
    return RescanReport(
        backups=len(manifests),
        added=tuple(m.id for m in manifests if m.id not in known),
        forgotten=tuple(gone),
        damaged=tuple(complaints),
        removed=litter_removed(vault, files, manifests),
    )


def _read(vault: Vault, files: dict[str, int]) -> tuple[list[Manifest], list[str]]:
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
