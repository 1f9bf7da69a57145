"""DataStore: what callers hold."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import (
    Callable,
    ItemsView,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    ValuesView,
)
from types import TracebackType
from typing import Any, Self, TypeVar

from dsfactory.checks import checked_count
from dsfactory.engine import pinned_by
from dsfactory.engine.files import file_size
from dsfactory.errors import BusyError, FeatureError, StorageError
from dsfactory.model import (
    Backup,
    Key,
    Probe,
    StoreHealth,
    StoreMetrics,
    StoreStats,
    Violation,
)
from dsfactory.profiles import contents
from dsfactory.stores import checking, probing, sql
from dsfactory.stores.batch import Batch, Step
from dsfactory.stores.carrying import CarryingStore
from dsfactory.stores.monitor import measured
from dsfactory.stores.room import sweep

T = TypeVar("T")

DOCUMENT = "document"
"""The key under which save() and load() keep the store's one document."""


class Rollback(Exception):
    """Raise it inside of ``with store.transaction()`` to undo everything without an error."""


class DataStore(CarryingStore[T], MutableMapping[Key, T]):
    """A durable, typed mapping in one SQLite file, shared by threads and processes.

    Made by a DataStoreFactory. Every operation is atomic; what it acknowledged is committed.
    Keys are str, int or bytes; values are of the store's type. Entries that expired are absent
    everywhere at once. Iteration is in key order.
    """

    # -- transactions

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Self]:
        """Everything that this thread does with the store inside of the block, or nothing.

        An exception undoes the block and goes on to the caller; Rollback undoes it quietly. A
        block inside of a block is a savepoint: it can be undone alone. Other threads and
        processes see the changes when the outermost block has ended; those that write wait.
        """
        with contextlib.suppress(Rollback), self._database.write():
            yield self

    def batch(self) -> Batch[T]:
        """Return an empty batch: changes collected now and written together at commit()."""
        return Batch(self)

    @measured
    def _apply(self, steps: Iterable[Step], size: int) -> None:
        with self._database.write() as tx:
            for step in steps:
                step(tx)
        self._monitor.wrote(size)

    # -- the store as one document

    def save(self, value: T) -> int:
        """Write *value* as the store's document; return its version."""
        return self.set(DOCUMENT, value)

    def load(self) -> T | None:
        """Return the store's document; None when none was saved."""
        return self.get(DOCUMENT)

    # -- time and room

    @measured
    def expire(self, *, stopping: Callable[[], bool] = lambda: False) -> int:
        """Delete every entry whose time is up, in small transactions; return how many.

        *stopping* is asked between them: True leaves the rest for another time.
        """
        total = 0
        while True:
            with self._database.write() as tx:
                if not total:
                    tx.aside(sql.OLD_LEASES, (tx.now,))
                swept = sweep(tx)
            total += swept
            self._monitor.removed("swept", swept)
            if not swept or stopping():
                return total

    @measured
    def evict(self) -> int:
        """Bring the store within its limits now; return how many entries were evicted.

        Every write does that by itself: this is for limits that were lowered since.
        """
        with self._database.write() as tx:
            self._hot.expect(tx)
            evicted = self._room.enforce(tx)
            self._hot.wrote(tx, *self._room.gone())
        return evicted

    @measured
    def evict_tag(self, tag: str) -> int:
        """Delete every entry with *tag*; return how many of them were live."""
        self._checked_tags((tag,))
        with self._database.write() as tx:
            rows = tx.rows(sql.EVICT_TAG, (tag, tx.now))
            tx.when_committed(lambda: self._monitor.removed("tag", len(rows)))
        return sum(live for (live,) in rows)

    @measured
    def train_dictionary(self, *, samples: int = 1000) -> bool:
        """Learn from the newest values how to compress small ones; return whether it helps.

        Values written from now on use the new dictionary; those already stored keep theirs.
        """
        if "compression" not in self.options.features:
            raise FeatureError(
                f"Store {self.name!r} was made without the feature 'compression'.",
                store=self.name,
            )
        wanted = checked_count("samples", samples, minimum=1)
        return checking.train(self._database, self._values, self._now(), wanted)

    def has_dictionary(self) -> bool:
        """Whether new values are compressed with a trained dictionary."""
        return self._values.has_dictionary

    # -- what it is and how it does

    def stats(self) -> StoreStats:
        """Return what the store holds and has done, without reading its entries."""
        (row,) = self._database.rows(sql.TOTALS, (self._now(),))
        entries, stored, unpacked, expired, expired_stored, expired_unpacked, free = row
        return StoreStats(
            name=self.name,
            kind=self.kind,
            entries=entries - expired,
            size_bytes=stored - expired_stored,
            unpacked_bytes=unpacked - expired_unpacked,
            expired_entries=expired,
            file_bytes=file_size(self.path),
            wal_bytes=file_size(f"{self.path}-wal"),
            free_bytes=free,
            max_entries=self.options.max_entries,
            max_bytes=self.options.max_bytes,
            hits=self._monitor.hits,
            misses=self._monitor.misses,
            removed=dict(self._monitor.removals),
            pinned_by=pinned_by(self.path),
        )

    def get_metrics(self) -> StoreMetrics:
        """Return what this handle's operations have cost since the last reset."""
        return self._monitor.metrics(self._database.retries)

    def reset_metrics(self) -> None:
        """Count this handle's operations anew."""
        self._monitor.reset()
        self._database.retries = 0

    def check(self) -> list[Violation]:
        """Return every broken invariant: of the file, of the bookkeeping, of each value.

        Reads the whole store, as it was at one moment; an empty list means that all is well.
        """
        features = contents(self.kind, self.options.features)
        return list(checking.violations(self._database, self._values, features))

    def repair(self) -> list[Violation]:
        """Mend the bookkeeping that check() complains of; return what is still wrong.

        For stores that another program wrote to. Damaged pages and values cannot be mended.
        """
        with self._database.write() as tx:
            checking.repair(tx, contents(self.kind, self.options.features))
        return self.check()

    def health_check(self) -> StoreHealth:
        """Return whether the file is there, readable, writable, at head and sound.

        Asks through connections of its own and moves none of the store's counters.
        """
        health = probing.store_health(self._parts)
        return dataclasses.replace(health, probes=(*health.probes, *self.own_probes()))

    def own_probes(self) -> list[Probe]:
        """Return what only the open store can say of itself, beside what its file says."""
        return [] if self._behind is None else [self._behind.probe()]

    def backup(self, reason: str = "manual", tags: Iterable[str] = ()) -> Backup:
        """Copy the store while everybody goes on writing, and return the backup.

        Nothing changed since the newest one: that is returned. Raises CorruptError for a damaged
        store, BackupPlaceError when nothing can be kept.
        """
        if self._parts.backup is None:
            raise FeatureError(
                f"Store {self.name!r} was opened without a factory, which keeps the backups.",
                store=self.name,
            )
        return self._parts.backup(reason, tags)

    def maintain(self) -> tuple[int, int]:
        """Write the order of use, copy the WAL back, give freed pages to the file system.

        Return the pages copied and the pages freed. The factory's maintenance calls this.
        """
        self._flush_touches()
        freed = checking.give_back(self._database)
        return self._database.checkpoint(truncate=True), freed

    def scrub(self) -> None:
        """Write the file anew from what is live, so that nothing deleted or expired is left in
        it: not in free pages, not in the gaps of others, not in the log.

        For deletions that somebody has a right to: it reads and writes the whole store, takes
        memory for a copy of what is live, and writers wait meanwhile. Dictionaries made of values
        stay (compression=False makes none), and so does what the history, the record for pitr and
        backups hold.

        Raises BusyError when somebody reads or writes for longer than busy_timeout_ms, and
        TransactionError inside of a transaction.
        """
        if "expiry" in self.options.features:
            self.expire()
        self._database.rebuild()
        self._hot.wipe()

    def flush(self) -> int:
        """Commit the sets that wait because of write_behind; return how many.

        Raises why that failed; what could not be committed waits on. Without write_behind
        nothing ever waits. Inside of a transaction of this thread nothing happens.
        """
        return 0 if self._behind is None else self._behind.flush()

    # -- the end

    def close(self) -> None:
        """Write what is held in memory and close the file; a second close does nothing.

        When sets that wait because of write_behind cannot be written, they are lost, and the
        error is raised once the file is closed.
        """
        if self._ended:
            return
        try:
            if not self._database.closed:
                self._write_last_notes()
        finally:
            self._database.close()
            self._hot.release()
            self._ended = True
            self._parts.closed()

    def _write_last_notes(self) -> None:
        if self._database.in_transaction or self._parts.looking:
            return  # closing will be refused; looking leaves no trace
        if self._behind is not None:
            self._behind.close()
        # Notes about use and time only: whoever holds the lock, or a full disk, must not keep
        # the file open.
        with contextlib.suppress(BusyError, StorageError):
            self._flush_touches()
            self._keep_time()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- the rest of a mapping

    def update(self, other: Any = (), /, **entries: T) -> None:
        """Write all pairs of *other* and *entries*, or none when one of them is refused."""
        pairs: Iterable[tuple[Key, T]] = other
        if hasattr(other, "keys"):  # as dict.update decides
            pairs = [(key, other[key]) for key in other.keys()]  # noqa: SIM118
        self.set_many([*pairs, *entries.items()])

    def items(self) -> ItemsView[Key, T]:
        """Return a live view of (key, value), iterated as scan() does."""
        return _Items(self)

    def values(self) -> ValuesView[T]:
        """Return a live view of the values, in key order."""
        return _Values(self)

    def __eq__(self, other: object) -> bool:
        """Whether *other* is a mapping with the same live entries."""
        if not isinstance(other, Mapping):
            return NotImplemented
        return self is other or dict(self.items()) == dict(other.items())

    __hash__ = None  # type: ignore[assignment]  # mutable and equal by content, as a dict

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<{type(self).__name__} {self.name!r}{state}>"


class _Items(ItemsView[Key, T]):
    _mapping: DataStore[T]

    def __iter__(self) -> Iterator[tuple[Key, T]]:
        return self._mapping.scan()


class _Values(ValuesView[T]):
    _mapping: DataStore[T]

    def __iter__(self) -> Iterator[T]:
        return (value for _, value in self._mapping.scan())
