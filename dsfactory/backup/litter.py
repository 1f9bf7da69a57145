"""Files that no backup needs: of processes that were killed, and of sets that are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dsfactory.backup.manifest import SUFFIX, Manifest, manifest_file
from dsfactory.backup.packs.file import FILE as PACK_FILE
from dsfactory.backup.packs.pack import drop_strays
from dsfactory.backup.sets import FOLDER, members, set_ids
from dsfactory.backup.vault import Vault, moment_of, new_id
from dsfactory.errors import BackupAbsentError, BackupDamagedError, DataStoreError

UNFINISHED_AGE_MS = 3_600_000
"""A file in the making was last written to this long ago before nobody goes on with it."""

LITTER_AGE_MS = 86_400_000
"""A payload without a manifest is this old before nobody can be about to write one. To upload a
large store, and to read it back, takes hours."""


class Litter(NamedTuple):
    """What became of the files that no backup needs."""

    removed: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()
    """Why something could not be removed, a line each."""


def litter_removed(vault: Vault, files: Mapping[str, int], manifests: Sequence[Manifest]) -> Litter:
    """Remove what no backup needs, going by the *files* that are there."""
    dropped, complaints = _strays_dropped(vault, files)
    removed = (
        *_payloads_removed(vault, files, manifests),
        *dropped,
        *_sets_removed(vault, files),
    )
    return Litter(removed, tuple(complaints))


def _strays_dropped(vault: Vault, files: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Drop from packs what killed processes kept without a manifest."""
    stores = {name.split("/")[0] for name in files if name.endswith(f"/{PACK_FILE}")}
    before = new_id(vault.now_ms() - LITTER_AGE_MS)
    dropped, complaints = [], []
    for store in sorted(stores):
        known = {
            name.split("/")[1].removesuffix(SUFFIX)
            for name in files
            if name.startswith(f"{store}/")
        }
        try:
            dropped += drop_strays(vault.place, store, known=known, before=before)
        except DataStoreError as error:
            complaints.append(str(error))  # the other stores' backups do not stand on this pack
    return dropped, complaints


def _sets_removed(vault: Vault, files: Mapping[str, int]) -> list[str]:
    """Remove the manifests of sets of which no backup is left."""
    removed = []
    for set_id in set_ids(vault):
        made_at = moment_of(set_id)
        if made_at is None or made_at >= vault.now_ms() - LITTER_AGE_MS:
            continue  # its backups may be younger than the list of files
        try:
            backups = members(vault, set_id)
        except (BackupAbsentError, BackupDamagedError):
            continue
        if not any(manifest_file(store, backup) in files for store, backup in backups.items()):
            removed.append(f"{FOLDER}/{set_id}{SUFFIX}")
            vault.place.delete(removed[-1])
    return removed


def _payloads_removed(
    vault: Vault, files: Mapping[str, int], manifests: Sequence[Manifest]
) -> list[str]:
    """Remove payloads that never got a manifest, or lost it."""
    wanted = {manifest.payload.file for manifest in manifests}
    described = {name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX)}
    removed = []
    for name in files:
        stem = name.split(".")[0]
        made_at = moment_of(stem.split("/")[1])
        if name.endswith(SUFFIX) or name in wanted or stem in described or made_at is None:
            continue
        if made_at < vault.now_ms() - LITTER_AGE_MS:
            vault.place.delete(name)
            removed.append(name)
    return removed
