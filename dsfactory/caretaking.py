"""Looking after the stores of one factory: maintenance, health, and the end of the process."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from dsfactory.clock import Clock
from dsfactory.engine.files import file_size, remove_unfinished
from dsfactory.errors import BusyError, DataStoreError
from dsfactory.health import Subject, examine
from dsfactory.maintenance import Chores, Maintainer, MaintenanceThread
from dsfactory.model import (
    HealthReport,
    MaintenanceReport,
    Probe,
    RegistryStats,
    StoreRecord,
)
from dsfactory.profiles import PROFILES
from dsfactory.registry import Registry
from dsfactory.safe import Safe
from dsfactory.shelf import Shelf
from dsfactory.stores import DataStore, file_probes, settings_of

UNFINISHED_AGE_S = 3600
"""What is half-made for longer was left by a killed process."""


class Caretaker:
    """Maintains the stores, in a thread or when asked to, and says how they are."""

    def __init__(
        self,
        registry: Registry,
        shelf: Shelf,
        safe: Safe,
        directories: Sequence[Path],
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._shelf = shelf
        self._safe = safe
        self._now = clock.now_ms
        self._host = _Host(registry, shelf, safe, directories, self._now)
        self.chores = Chores()
        self._maintainer = Maintainer(self._host, self._now, self.chores)
        self._thread: MaintenanceThread | None = None
        self._interval_ms: int | None = None

    # -- maintenance

    def start(self, interval_ms: int | None) -> None:
        """Maintain by a daemon thread every *interval_ms*; with None only when asked to."""
        self._interval_ms = interval_ms
        if interval_ms is not None:
            self._thread = MaintenanceThread(self._maintainer, interval_ms)

    def stop(self) -> None:
        """End the thread, when the store in hand is finished."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()

    def release(self) -> None:
        """Let another process maintain."""
        self._maintainer.release()

    def begin_anew(self) -> None:
        """In a forked child: the parent's round, lease and thread stay with the parent."""
        self._maintainer = Maintainer(self._host, self._now, self.chores)
        if self._thread is not None:
            self.start(self._interval_ms)

    def maintain(self) -> MaintenanceReport:
        """Do one round over all stores now, unless another process is at it."""
        return self._maintainer.run()

    # -- health and numbers

    def health(self) -> HealthReport:
        """Ask every store, the registry and maintenance; keep the verdicts in the registry."""
        at = self._now()
        records, unlisted = self._listed()
        subjects = (self._subject(record, at) for record in records)
        report = examine(subjects, (self._registry.probes, self._own), at)
        findings = (*report.factory, *unlisted, *self._kept(report))
        return dataclasses.replace(report, factory=findings)

    def _subject(self, record: StoreRecord, at: int) -> Subject:
        profile = PROFILES[record.kind]

        def ask() -> list[Probe]:
            of_file = file_probes(
                record.path,
                settings_of(record.options),
                application_id=profile.application_id,
                head=profile.revision,
            )
            of_store = self._shelf.own_probes(record.name)
            return [*of_file, *of_store, *self._safe.probes(record, at)]

        return Subject(record.name, record.kind, record.path, ask)

    def _own(self) -> list[Probe]:
        return [self._maintainer.probe()]

    def _listed(self) -> tuple[list[StoreRecord], list[Probe]]:
        try:
            return self._registry.records(), []
        except DataStoreError as error:
            return [], [Probe("registry records", ok=False, detail=str(error))]

    def _kept(self, report: HealthReport) -> list[Probe]:
        try:
            self._registry.judged({s.name: s.healthy for s in report.stores}, report.checked_at)
        except BusyError:
            pass  # somebody works with the registry, which is well; the next verdict is kept
        except DataStoreError as error:
            return [Probe("registry verdicts", ok=False, detail=str(error))]
        return []

    def stats(self) -> RegistryStats:
        """Return all stores in numbers; entries of stores that cannot be read count as none."""
        records = self._registry.records()
        by_age = sorted(records, key=lambda record: record.created_at)
        return RegistryStats(
            total=len(records),
            by_kind=dict(Counter(record.kind for record in records)),
            oldest=by_age[0] if by_age else None,
            newest=by_age[-1] if by_age else None,
            bytes=sum(file_size(r.path) + file_size(f"{r.path}-wal") for r in records),
            entries=sum(map(self._entries, records)),
        )

    def _entries(self, record: StoreRecord) -> int:
        try:
            held = self._shelf.opened(record.name)
            if held is not None:
                return len(held)
            with self._shelf.looked_at(record.name) as store:
                return len(store)
        except DataStoreError:
            return 0  # the health check says why


class _Host:
    """What maintenance may do with the factory's stores."""

    def __init__(
        self,
        registry: Registry,
        shelf: Shelf,
        safe: Safe,
        directories: Sequence[Path],
        now: Callable[[], int],
    ) -> None:
        self._registry = registry
        self._shelf = shelf
        self._safe = safe
        self._directories = directories
        self._now = now

    def names(self) -> list[str]:
        """Return the names of all stores."""
        return self._registry.names()

    def borrowed(self, name: str) -> contextlib.AbstractContextManager[DataStore[Any]]:
        """Lend a store, open or opened for the purpose."""
        return self._shelf.borrowed(name)

    def take_lease(self, name: str, owner: str, duration_ms: int) -> bool:
        """Take or renew a lease in the registry."""
        return self._registry.take_lease(name, owner, duration_ms)

    def drop_lease(self, name: str, owner: str) -> None:
        """Give a lease back."""
        self._registry.drop_lease(name, owner)

    def tidy_directory(self) -> None:
        """Remove what killed processes left half-made."""
        now_s = self._now() / 1000
        for directory in (*self._directories, *self._safe.folders()):
            remove_unfinished(directory, older_than_s=UNFINISHED_AGE_S, now_s=now_s)

    def keep_backups(self) -> tuple[int, list[str]]:
        """Take the backups that are due; return how many, and what failed, a line each."""
        return self._safe.keep()


class Closable(Protocol):
    """What can be closed, again and again."""

    def close(self) -> None:
        """Let go of everything."""
        ...


_left_open: weakref.WeakSet[Closable] = weakref.WeakSet()


def close_at_exit(subject: Closable) -> None:
    """Close *subject* when the interpreter ends, if it is still there."""
    _left_open.add(subject)


@atexit.register
def _close_what_is_left() -> None:
    for subject in list(_left_open):
        with contextlib.suppress(DataStoreError):
            subject.close()
