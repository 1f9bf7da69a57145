"""Work that happens on its own: one thread a factory, one factory at a time for a directory."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from dsfactory.errors import BusyError, ClosedError, DataStoreError, StoreAbsentError
from dsfactory.maintenance.chores import Chore, Chores
from dsfactory.maintenance.tasks import TASKS, Stopping, Task
from dsfactory.model import MaintenanceReport, Probe
from dsfactory.stores import DataStore

if TYPE_CHECKING:
    from logging import Logger

LEASE = "maintenance"
LEASE_MS = 120_000
"""Renewed before each store. A holder that was killed is replaced after at most this long."""

RENEW_S = LEASE_MS / 1000 / 4
"""How often the lease of a chore is renewed, which may take as long as it likes."""


class Host(Protocol):
    """What maintenance needs of the factory."""

    def names(self) -> list[str]:
        """Return the names of all stores."""
        ...

    def borrowed(self, name: str) -> AbstractContextManager[DataStore[Any]]:
        """Lend a store, open or opened for the purpose."""
        ...

    def take_lease(self, name: str, owner: str, duration_ms: int) -> bool:
        """Take or renew a lease."""
        ...

    def drop_lease(self, name: str, owner: str) -> None:
        """Give a lease back."""
        ...

    def tidy_directory(self) -> None:
        """Remove what killed processes left half-made."""
        ...

    def keep_backups(self) -> tuple[int, list[str]]:
        """Take the backups that are due; return how many, and what failed, a line each."""
        ...


class Maintainer:
    """Runs the tasks, by hand or in a thread of its own. After a fork the child makes another."""

    def __init__(self, host: Host, now: Callable[[], int], chores: Chores | None = None) -> None:
        self.owner = f"{os.getpid()}-{os.urandom(8).hex()}"
        self._host = host
        self._now = now
        self._chores = Chores() if chores is None else chores
        self._last_run: dict[tuple[str, str], int] = {}
        self._round = threading.Lock()
        self._leased = False
        self._failures: tuple[str, ...] = ()

    def run(
        self, *, everything: bool = True, stopping: Stopping = lambda: False
    ) -> MaintenanceReport:
        """Do one round over all stores, or nothing while another process holds the lease.

        With *everything* each task runs; else only those that are due.
        """
        with self._round:
            try:
                if self._lease():
                    report = self._all_stores(everything, stopping)
                else:
                    report = MaintenanceReport(ran=False)
                report = self._with_chores(report, everything, stopping)
            except Exception as error:
                ours = isinstance(error, DataStoreError)
                reason = str(error) if ours else type(error).__name__
                self._failures = (f"the round was broken off: {reason}",)
                raise
            if report.ran or report.failures:
                self._failures = report.failures
            return report

    def _with_chores(
        self, report: MaintenanceReport, everything: bool, stopping: Stopping
    ) -> MaintenanceReport:
        """Do the chores, which another process that maintains the stores need not know."""
        done, failures = 0, []
        for name, chore in self._chores.due(self._now(), everything=everything):
            if stopping():
                break
            try:
                done += self._do(name, chore)
            except (ClosedError, StoreAbsentError):
                continue  # what it works on was closed or unregistered
            except DataStoreError as error:
                failures.append(f"{name}: {error}")
                _log().warning("the chore %s failed: %s", name, error)
            except Exception as error:  # noqa: BLE001 -- the application's own: others are done too
                failures.append(f"{name}: {type(error).__name__}")
                _log().exception("the chore %s failed", name)
        return dataclasses.replace(report, chores=done, failures=(*report.failures, *failures))

    def _do(self, name: str, chore: Chore) -> bool:
        """Do a chore, unless another process is at it; return whether it was done."""
        if not self._host.take_lease(f"chore:{name}", self.owner, LEASE_MS):
            return False
        with self._renewing(f"chore:{name}"):
            chore()
        return True

    @contextlib.contextmanager
    def _renewing(self, lease: str) -> Iterator[None]:
        """Renew a lease for as long as the block takes, then give it back."""
        over = threading.Event()

        def renew() -> None:
            while not over.wait(RENEW_S):
                # It lasts for a few more tries.
                with contextlib.suppress(DataStoreError):
                    self._host.take_lease(lease, self.owner, LEASE_MS)

        renewing = threading.Thread(target=renew, name="dsfactory-lease", daemon=True)
        with contextlib.suppress(RuntimeError):  # the interpreter ends, and so will the chore
            renewing.start()
        try:
            yield
        finally:
            over.set()
            if renewing.is_alive():
                renewing.join()
            self._host.drop_lease(lease, self.owner)

    def _lease(self) -> bool:
        self._leased = self._host.take_lease(LEASE, self.owner, LEASE_MS)
        return self._leased

    def _all_stores(self, everything: bool, stopping: Stopping) -> MaintenanceReport:
        done: Counter[str] = Counter()
        self._host.tidy_directory()
        done["backups"], failures = self._backups()
        for name in self._host.names():
            if stopping() or not self._lease():
                break
            try:
                failures += self._one_store(name, everything, stopping, done)
            except (ClosedError, StoreAbsentError):
                continue  # it was closed or unregistered meanwhile
            except DataStoreError as error:
                # One sick store must not keep the others from being cared for.
                failures.append(f"{name}: {error}")
                _log().warning("maintenance of store %s failed: %s", name, error)
        return MaintenanceReport(ran=True, failures=tuple(failures), **done)

    def _backups(self) -> tuple[int, list[str]]:
        try:
            return self._host.keep_backups()
        except DataStoreError as error:
            # Where backups are kept may be out of reach; the stores need care all the same.
            _log().warning("no backups could be taken: %s", error)
            return 0, [f"backups: {error}"]

    def _tasks(self, name: str, everything: bool) -> Iterator[Task]:
        now = self._now()
        for task in TASKS:
            last = self._last_run.get((name, task.name))
            # A clock that was set back is no reason to wait until it has caught up.
            waiting = last is not None and 0 <= now - last < task.every_ms
            if everything or not waiting:
                self._last_run[name, task.name] = now
                yield task

    def _one_store(
        self, name: str, everything: bool, stopping: Stopping, done: Counter[str]
    ) -> list[str]:
        """Do the tasks; return what failed. A disk too full to delete is no reason not to tidy."""
        failures: dict[str, None] = {}
        with self._host.borrowed(name) as store:
            for task in self._tasks(name, everything):
                try:
                    done.update(task.run(store, stopping))
                except (BusyError, ClosedError, StoreAbsentError):
                    raise  # so will the others, each after a wait
                except DataStoreError as error:
                    failures[f"{name}: {error}"] = None
                    _log().warning("%s of store %s failed: %s", task.name, name, error)
                if stopping():
                    break
        return list(failures)

    def release(self) -> None:
        """Let another process take over at once."""
        leased, self._leased = self._leased, False
        # It runs out by itself: nobody has to wait for a busy registry, or to mend a broken one.
        with contextlib.suppress(DataStoreError):
            if leased:
                self._host.drop_lease(LEASE, self.owner)

    def probe(self) -> Probe:
        """Return how the last round went."""
        if self._failures:
            return Probe("maintenance", ok=False, detail="; ".join(self._failures))
        return Probe("maintenance", ok=True, detail="no failures in the last round")


class MaintenanceThread:
    """Runs a Maintainer every *interval_ms* until stopped; never keeps the interpreter alive."""

    def __init__(self, maintainer: Maintainer, interval_ms: int) -> None:
        # No Event: the maintainer may be collected while this thread holds the Event's lock.
        self._bell: SimpleQueue[None] = SimpleQueue()
        ring = self._bell.put
        # The weak reference lets a factory that was forgotten unclosed be collected.
        alive = weakref.ref(maintainer, lambda _gone: ring(None))
        self._thread = threading.Thread(
            target=_loop,
            args=(alive, self._bell, min(interval_ms / 1000, threading.TIMEOUT_MAX)),
            name="dsfactory-maintenance",
            daemon=True,
        )
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; it does not in a forked child."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Stop and wait until the store in hand is finished."""
        self._bell.put(None)
        if self._thread is not threading.current_thread() and self._thread.is_alive():
            self._thread.join()


def _log() -> Logger:
    import logging  # 3 ms at the start, for what hardly ever happens

    return logging.getLogger("dsfactory.maintenance")


def _loop(maintainer: weakref.ref[Maintainer], bell: SimpleQueue[None], interval_s: float) -> None:
    while not _rings(bell, interval_s):
        alive = maintainer()
        if alive is None:
            return
        try:
            alive.run(everything=False, stopping=lambda: not bell.empty())
        except Exception:  # noqa: BLE001 -- the boundary of this loop: logged, tried again
            _log().exception("a round of maintenance failed")
        del alive


def _rings(bell: SimpleQueue[None], within_s: float) -> bool:
    try:
        bell.get(timeout=within_s)
    except Empty:
        return False
    return True
