"""Backups of all stores at one moment, with one manifest for the set."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

from dsfactory.backup.manifest import LARGEST, sealed, unsealed
from dsfactory.backup.snapshot import Subject
from dsfactory.backup.taking import Wish, ship_journal, take_moment
from dsfactory.backup.vault import Vault, new_id
from dsfactory.engine.copying import Moment, held_still, pinned
from dsfactory.errors import BackupAbsentError, DataStoreError
from dsfactory.model import Backup

FOLDER = "_sets"
"""No store's name begins like this."""


@dataclass(frozen=True, slots=True)
class BackupSet:
    """Backups of several stores, all of one moment."""

    id: str
    created_at: int
    backups: tuple[Backup, ...]
    """By store. A store that did not change since its last backup is here with that one."""
    failures: Mapping[str, str]
    """Why a store is not among them, by its name; empty when all is well."""

    def __iter__(self) -> Iterator[Backup]:
        return iter(self.backups)

    def __len__(self) -> int:
        return len(self.backups)


class _Held(NamedTuple):
    subject: Subject
    moment: Moment


def take_set(vault: Vault, subjects: Sequence[Subject], wish: Wish) -> BackupSet:
    """Back up all stores as they are at one moment: nobody commits while it is taken hold of.

    A store that cannot be copied is named in ``failures`` and hinders no other. The writers of all
    stores wait for the milliseconds that taking hold of the last one takes, not for the copying.
    """
    failures: dict[str, str] = {}
    for subject in subjects:  # before the barrier, at which nobody may write
        with contextlib.suppress(DataStoreError):  # what is wrong will show
            ship_journal(vault, subject)
    with ExitStack() as moments:
        held, now = _barrier(vault, subjects, moments, failures)
        set_id = new_id(now)
        backups = []
        for subject, moment in held:
            try:
                taken = take_moment(vault, subject, moment, now, wish._replace(group=set_id))
            except DataStoreError as error:
                failures[subject.name] = str(error)
            else:
                backups.append(taken)
    made = BackupSet(set_id, now, tuple(backups), failures)
    vault.place.write(_file(set_id), [_encoded(made)])
    return made


def _barrier(
    vault: Vault, subjects: Sequence[Subject], moments: ExitStack, failures: dict[str, str]
) -> tuple[list[_Held], int]:
    held = []
    with ExitStack() as locks:
        still = []
        # Always in the order of names: two of us can then not wait for each other.
        for subject in sorted(subjects, key=lambda subject: subject.name):
            try:
                locks.enter_context(held_still(subject.path, subject.settings))
            except DataStoreError as error:
                failures[subject.name] = str(error)
            else:
                still.append(subject)
        now = vault.now_ms()
        for subject in still:
            try:
                moment = moments.enter_context(pinned(subject.path, subject.settings))
            except DataStoreError as error:
                failures[subject.name] = str(error)
            else:
                held.append(_Held(subject, moment))
    return held, now


def members(vault: Vault, set_id: str) -> dict[str, str]:
    """Return the ids of a set's backups by store; BackupAbsentError when there is no such set."""
    try:
        with vault.place.read(_file(set_id)) as file:
            body = unsealed(file.read(LARGEST), _file(set_id))
    except BackupAbsentError:
        raise BackupAbsentError(
            f"There is no set {set_id!r}. `dsfactory backup list --sets` names those that are "
            "there.",
            set=set_id,
        ) from None
    return {str(store): str(backup) for store, backup in body["backups"].items()}


def set_ids(vault: Vault) -> list[str]:
    """Return the ids of all sets, the oldest first."""
    return [
        found.name.removeprefix(f"{FOLDER}/").removesuffix(".json")
        for found in vault.place.found(FOLDER)
        if found.name.endswith(".json")
    ]


def _file(set_id: str) -> str:
    return f"{FOLDER}/{set_id}.json"


def _encoded(made: BackupSet) -> bytes:
    body: dict[str, Any] = {
        "id": made.id,
        "created_at": made.created_at,
        "backups": {backup.store: backup.id for backup in made.backups},
        "failures": dict(made.failures),
    }
    return sealed(body)
