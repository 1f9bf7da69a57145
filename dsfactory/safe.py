"""What the factory has for keeping backups, and the ways from a store's name to the work."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsfactory.clock import Clock
from dsfactory.errors import DataStoreError, OptionError
from dsfactory.keys import checked_name
from dsfactory.model import Backup, Probe, StoreRecord, UpgradeReport
from dsfactory.places import BACKUPS, SNAPSHOTS
from dsfactory.registry import Registry
from dsfactory.rescuing import Rescue
from dsfactory.shelf import Shelf

if TYPE_CHECKING:
    from dsfactory.backup.retention.pruning import PruneReport
    from dsfactory.backup.schedule import DueReport
    from dsfactory.backup.sets import BackupSet
    from dsfactory.backup.taking import Wish
    from dsfactory.backup.vault import Vault
    from dsfactory.backup.verifying import VerifyReport


DUE_LEASE = "backups"
DUE_LEASE_MS = 300_000
"""The lease of those who take what is due: cron and a maintenance thread may both want to. It is
renewed before each store; of a process that was killed it runs out."""


class Keeping(NamedTuple):
    """How a factory was told to keep backups."""

    target: str | Path | None = None
    """A directory or the URL of an object store; None is ``backups`` beside the stores."""
    recipients: tuple[str, ...] = ()
    """Whom backups are encrypted for."""
    identity: str | Path | None = None
    """What decrypts them."""

    def completed(self) -> Keeping:
        """Return this, with what was left out as the environment has it."""
        recipients = os.environ.get("DSFACTORY_BACKUP_RECIPIENTS", "").split(",")
        return Keeping(
            self.target or os.environ.get("DSFACTORY_BACKUP_TARGET") or None,
            self.recipients or tuple(text.strip() for text in recipients if text.strip()),
            self.identity or os.environ.get("DSFACTORY_BACKUP_IDENTITY") or None,
        )


class Safe:
    """What a factory has for keeping backups; nothing is imported before one is asked for."""

    def __init__(
        self,
        root: Path,
        registry: Registry,
        shelf: Shelf,
        clock: Clock,
        keeping: Keeping,
    ) -> None:
        """Refuse at once what cannot be kept as *keeping* says: a plain copy is never made instead.

        Raises OptionError, or UnfitEnvironmentError when an extra is not installed.
        """
        self._root = root
        self._registry = registry
        self._shelf = shelf
        self._now = clock.now_ms
        self._keeping = keeping
        self._vault: Vault | None = None
        self.rescue = Rescue(root, registry, shelf, clock, lambda: self.vault)
        if keeping != Keeping():
            self._vault = self._opened()

    @property
    def vault(self) -> Vault:
        """Where backups are kept."""
        if self._vault is None:
            self._vault = self._opened()
        return self._vault

    def _opened(self) -> Vault:
        from dsfactory.backup.full import Full
        from dsfactory.backup.packs.pack import PACK
        from dsfactory.backup.places.locations import place_for
        from dsfactory.backup.places.place import DirectoryPlace
        from dsfactory.backup.sealing.age import Opener, Seal
        from dsfactory.backup.vault import Vault

        own = DirectoryPlace(self._root / BACKUPS)
        target, recipients, identity = self._keeping
        place = own if target is None else place_for(target)
        if place.url == own.url:
            place = own
        seal = Seal(recipients) if recipients else None
        opener = None if identity is None else Opener(identity)
        full = Full(seal, opener)
        return Vault(
            place=place,
            mark="" if place is own else place.url,
            workshop=own,
            catalog=self._registry.catalog,
            containers={"full": full, "pack": PACK},
            sealed=seal is not None,
            now_ms=self._now,
            seal=seal,
            opener=opener,
        )

    def take(self, name: str, wish: Wish) -> Backup:
        """Back up one store."""
        from dsfactory.backup.snapshot import Subject
        from dsfactory.backup.taking import take

        self._shelf.refuse_inside_transaction()
        record = self._registry.require(name)
        self._flush(name)
        backup = take(self.vault, Subject(record), wish)
        self._rotate(record)
        return backup

    def _flush(self, name: str) -> None:
        """Commit what this process wrote behind, so that the backup has it."""
        held = self._shelf.opened(name)
        if held is not None:
            held.flush()

    def _rotate(self, record: StoreRecord) -> None:
        """Apply the store's rules; the backup that was just taken stands, whatever comes of it."""
        from dsfactory.backup.retention.policy import policy_of
        from dsfactory.backup.retention.pruning import prune

        try:
            prune(self.vault, record.name, policy_of(record.options), dry_run=False)
        except DataStoreError as error:
            self._registry.catalog.record(record.name, "prune failed", str(error))

    def take_all(self, wish: Wish) -> BackupSet:
        """Back up every store at one moment."""
        from dsfactory.backup.sets import take_set
        from dsfactory.backup.snapshot import Subject

        self._shelf.refuse_inside_transaction()
        records = self._registry.records()
        for record in records:
            self._flush(record.name)
        made = take_set(self.vault, [Subject(record) for record in records], wish)
        for record in records:
            if record.name not in made.failures:
                self._rotate(record)
        return made

    # -- verifying and restoring

    def verify(
        self, name: str | None, backup_id: str | None, sample: float | None, *, deep: bool
    ) -> list[VerifyReport]:
        """Verify one backup, those of a store, or all; or a share of those that are kept here."""
        from dsfactory.backup.verifying import sampled, verify, verify_each

        if sample is not None and not 0 < sample <= 1:
            raise OptionError("sample has to be more than 0 and at most 1.", option="sample")
        catalog = self._registry.catalog
        if backup_id is not None:
            return [verify(self.vault, catalog.require(backup_id), deep=deep)]
        chosen = catalog.backups(None if name is None else checked_name(name))
        if sample is not None:
            here = [backup for backup in chosen if backup.place == self.vault.mark]
            chosen = sampled(here, sample)
        return verify_each(self.vault, chosen, deep=deep)

    # -- what health and maintenance ask for

    def probes(self, record: StoreRecord, now: int) -> list[Probe]:
        """Return the answers about the backups of a store."""
        from dsfactory.backup.probing import backup_probes

        catalog = self._registry.catalog
        return backup_probes(record, catalog.backups(record.name), catalog.events(), now)

    def folders(self) -> list[Path]:
        """Return the directories on this machine in which backups are made or kept."""
        own = self._root / BACKUPS
        return [path for path in own.iterdir() if path.is_dir()] if own.is_dir() else []

    def adopt(self, names: Iterable[str] | None = None) -> tuple[dict[Path, str], list[str]]:
        """Make backups of the copies that upgrades left.

        Return the file of each by the copy's path, and what failed, a line each: a copy that could
        not be made one stays where it is.
        """
        folder = self._root / SNAPSHOTS
        if not self._copies_wait():
            return {}, []
        from dsfactory.backup.adopting import adopted

        kept: dict[Path, str] = {}
        failed = []
        for record in self._registry.records():
            if names is not None and record.name not in names:
                continue
            try:
                kept.update(adopted(self.vault, record, folder))
            except DataStoreError as error:
                failed.append(f"{record.name}: its copy from before an upgrade stays: {error}")
        return kept, failed

    def _copies_wait(self) -> bool:
        folder = self._root / SNAPSHOTS
        return folder.is_dir() and any(folder.glob("*.db"))

    def adopt_upgraded(self, reports: list[UpgradeReport]) -> list[UpgradeReport]:
        """Make backups of the copies that *reports* name, and return reports that say where.

        Only where backups are kept on this machine, for a report names a path; elsewhere, and
        when it fails, maintenance makes them backups.
        """
        if not self._copies_wait():
            return reports
        from dsfactory.backup.places.place import DirectoryPlace

        place = self.vault.place
        if not isinstance(place, DirectoryPlace):
            return reports
        kept, _ = self.adopt([report.name for report in reports])
        return [
            dataclasses.replace(report, snapshot=place.path(kept[report.snapshot]))
            if report.snapshot in kept
            else report
            for report in reports
        ]

    def keep(self) -> tuple[int, list[str]]:
        """Do what maintenance does for backups; return how many were due, and what failed."""
        from dsfactory.backup.schedule import RETRY_MS

        _, unadopted = self.adopt()
        reports = self.run_due(early_ms=0, retry_ms=RETRY_MS)
        failed = [f"{report.store}: {report.error}" for report in reports if report.error]
        return len(reports) - len(failed), [*failed, *unadopted, *self._attend()]

    def _attend(self) -> list[str]:
        """See to the journals of the stores that have one; return what failed."""
        records = [r for r in self._registry.records() if r.options.pitr is not None]
        if not records:
            return []
        from dsfactory.backup.moments.recovery import attend
        from dsfactory.backup.snapshot import Subject

        failed = []
        for record in records:
            try:
                attend(self.vault, Subject(record))
            except DataStoreError as error:
                failed.append(f"{record.name}: its journal stays where it is: {error}")
        return failed

    # -- removing, and the schedule

    def prune(self, name: str | None, *, dry_run: bool) -> list[PruneReport]:
        """Apply each store's own policy to its backups."""
        from dsfactory.backup.retention.policy import policy_of
        from dsfactory.backup.retention.pruning import finish, prune

        if name is None:
            records = self._registry.records()
        else:
            records = [self._registry.require(checked_name(name))]
        reports = [
            prune(self.vault, r.name, policy_of(r.options), dry_run=dry_run) for r in records
        ]
        return reports if name or dry_run else [*reports, *finish(self.vault)]

    def run_due(self, *, early_ms: int, retry_ms: int) -> list[DueReport]:
        """Take what is due, unless another process is at it."""
        self._shelf.refuse_inside_transaction()
        records = self._registry.records()
        if all(record.options.backup_every is None for record in records):
            return []
        from dsfactory.backup.schedule import run_due

        owner = f"{os.getpid()}-{os.urandom(8).hex()}"
        if not self._registry.take_lease(DUE_LEASE, owner, DUE_LEASE_MS):
            return []

        def still_ours() -> bool:
            return self._registry.take_lease(DUE_LEASE, owner, DUE_LEASE_MS)

        try:
            return run_due(
                self.vault,
                records,
                early_ms=early_ms,
                retry_ms=retry_ms,
                go_on=still_ours,
                before=self._flush,
            )
        finally:
            self._registry.drop_lease(DUE_LEASE, owner)
