"""Write-behind: sets that are visible in this process at once and committed together, soon.

What waits is a dict by key, so a key that is set again before the commit costs nothing more.
Everything but a lookup of a key asks for a flush first (see Database.settle), so no answer ever
leaves out what waits; a lookup asks here before it asks the file.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dsfactory.engine import forks
from dsfactory.errors import DataStoreError
from dsfactory.model import Key, Probe
from dsfactory.stores.bulk import Row

if TYPE_CHECKING:
    from logging import Logger

MAX_WAITING = 20_000
"""Entries that wait at most; whoever sets one more commits them first."""

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""The same for the bytes of their values."""

FORK_PATIENCE_S = 5
"""How long a fork waits for a commit that is under way."""

GROUP = 4096
"""Entries that one commit writes: some 20 ms of the write lock."""


class Behind:
    """The changes of one store that are not committed yet."""

    def __init__(
        self,
        store: str,
        interval_ms: int,
        commit: Callable[[Sequence[Row]], None],
        in_transaction: Callable[[], bool],
    ) -> None:
        """*commit* writes rows in one transaction, in whichever thread."""
        self._store = store
        self._interval_s = interval_ms / 1000
        self._commit = commit
        self._in_transaction = in_transaction
        self._held_for_fork = False
        self._closed = False
        self._begin()
        forks.watch(self, owner=True)
        _left_open.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._wanted = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._waiting: dict[Key, Row] = {}
        self._leaving: dict[Key, Row] = {}
        self._bytes = 0
        self._failure: DataStoreError | None = None
        self._untold = False

    # -- what callers do

    def make_room(self) -> None:
        """Commit what waits if that is too much; raise what the last commit failed with, once."""
        if self._untold:
            self._tell()
        if len(self._waiting) >= MAX_WAITING or self._bytes >= MAX_WAITING_BYTES:
            self.flush()

    def put(self, row: Row) -> None:
        """Let *row* wait for the next commit."""
        key, value = row[0], row[4]
        with self._lock:
            waiting = self._waiting
            # Taken out first, so that the order of the dict is the order of the last sets.
            before = waiting.pop(key, None)
            waiting[key] = row
            self._bytes += len(value) if before is None else len(value) - len(before[4])
            if len(waiting) == 1:
                self._wake()

    def find(self, key: Key) -> Row | None:
        """Return what waits under *key*, or is just being committed."""
        found = self._waiting.get(key)
        if found is None:
            # It may be on its way from one place to another: only under the lock is None certain.
            with self._lock:
                found = self._waiting.get(key) or self._leaving.get(key)
        return found

    def settle(self) -> None:
        """Commit what waits, unless nothing does."""
        if self._waiting or self._leaving:
            self.flush()

    def flush(self) -> int:
        """Commit everything that waited when this was called; return how much that was.

        Raises why that failed; what could not be committed waits on. Inside of a transaction of
        this thread nothing happens: the file is locked for what others have waiting.
        """
        if self._in_transaction():
            return 0
        with self._flushing:
            with self._lock:
                self._leaving, self._waiting = self._waiting, {}
                self._bytes = 0
            count = len(self._leaving)
            try:
                self._commit_leaving()
            except DataStoreError as error:
                self._failure, self._untold = error, False
                self._take_back()
                raise
            self._failure, self._untold = None, False
        return count

    def _commit_leaving(self) -> None:
        leaving = self._leaving
        rows = list(leaving.values())
        for start in range(0, len(rows), GROUP):
            group = rows[start : start + GROUP]
            self._commit(group)
            if len(group) == len(rows):
                break
            for row in group:
                del leaving[row[0]]
        self._leaving = {}

    def _take_back(self) -> None:
        with self._lock:
            newer = self._waiting
            self._waiting = {**self._leaving, **newer}
            self._leaving = {}
            self._bytes = sum(len(row[4]) for row in self._waiting.values())

    def _tell(self) -> None:
        failure, self._untold = self._failure, False
        if failure is not None:
            raise type(failure)(
                f"{len(self._waiting)} sets of store {self._store!r} are not committed yet: "
                f"{failure.message}",
                **failure.facts,
            ) from failure

    def probe(self) -> Probe:
        """Return whether the last commit succeeded."""
        failure = self._failure
        if failure is None:
            return Probe("write-behind", ok=True, detail=f"{len(self._waiting)} sets wait")
        detail = f"{len(self._waiting)} sets cannot be committed: {failure.message}"
        return Probe("write-behind", ok=False, detail=detail)

    def close(self) -> None:
        """Commit what waits and end the thread; raise why that failed, but once."""
        self._closed = True
        self._ended.set()
        self._wanted.set()
        _left_open.discard(self)
        self.settle()

    # -- the thread

    def _wake(self) -> None:
        if self._thread is None and not self._closed:
            # A daemon: the end of the interpreter flushes, see below.
            self._thread = threading.Thread(
                target=self._run, name=f"dsfactory write-behind {self._store}", daemon=True
            )
            self._thread.start()
        self._wanted.set()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            if self._ended.wait(self._interval_s):
                return
            self._wanted.clear()
            try:
                self.settle()
            except DataStoreError:
                self._untold = True  # kept in _failure, for the next call
            if self._waiting:
                self._wanted.set()

    # -- forks: what waits is the parent's, and committed before

    def before_fork(self) -> None:
        """Commit what waits, and let nobody begin to commit until the fork is over."""
        try:
            self.settle()
        except DataStoreError:
            self._untold = True
        if not self._in_transaction():
            self._held_for_fork = self._flushing.acquire(timeout=FORK_PATIENCE_S)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._held_for_fork:
            self._held_for_fork = False
            self._flushing.release()

    def after_fork_in_child(self) -> None:
        """Begin with nothing: what the parent could not commit is still the parent's."""
        self._held_for_fork = False
        self._begin()


_left_open: weakref.WeakSet[Behind] = weakref.WeakSet()


@atexit.register
def _commit_what_is_left() -> None:
    for behind in list(_left_open):
        try:
            behind.settle()
        except DataStoreError:
            _log().exception("what waited to be written was lost at the end of the process")


def _log() -> Logger:
    import logging  # 3 ms at the start, for what hardly ever happens

    return logging.getLogger("dsfactory.stores")
