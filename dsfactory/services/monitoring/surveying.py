"""How every store stands, asked without moving a counter or opening a store for good."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from dsfactory import errors
from dsfactory.errors import (
    BusyError,
    ClosedError,
    DataStoreError,
    FileRefusedError,
    StorageError,
    StoreFullError,
)
from dsfactory.model import Backup, OperationStats, StoreMetrics, StoreRecord, StoreStats
from dsfactory.services.monitoring.readings import OperationReading, StoreReading

if TYPE_CHECKING:
    from dsfactory.factory import DataStoreFactory
    from dsfactory.stores import DataStore

LOADS = frozenset({"get", "getitem", "get_many", "entry"})
SAVES = frozenset(
    {
        *("set", "setitem", "set_many", "add", "apply", "setdefault", "update_with", "increment"),
        *("delete", "delitem", "delete_many", "pop", "popitem", "rollback"),
    }
)
TROUBLES = (BusyError, FileRefusedError, StorageError, StoreFullError)
"""What counts as a store's error; the others answer a question or refuse a mistake."""


class _Counted(NamedTuple):
    """What a handle had done at the snapshot before."""

    handle: int
    metrics: StoreMetrics


class Surveyor:
    """Asks the registry and the stores; remembers what each handle had done."""

    def __init__(self, factory: DataStoreFactory) -> None:
        self._factory = factory
        self._before: dict[str, _Counted] = {}

    def read(self, now: int, *, keep: bool) -> tuple[StoreReading, ...]:
        """Return a reading of each store; with *keep*, the next one counts operations from now.

        Raises DataStoreError when the registry cannot be read.
        """
        backups: dict[str, list[Backup]] = defaultdict(list)
        for backup in self._factory.backups():
            backups[backup.store].append(backup)
        handles = {store.name: store for store in self._factory.open_stores()}
        return tuple(
            self._one(record, handles.get(record.name), backups[record.name], now, keep=keep)
            for record in self._factory.get_registered_stores()
        )

    def _one(
        self,
        record: StoreRecord,
        handle: DataStore[Any] | None,
        backups: Iterable[Backup],
        now: int,
        *,
        keep: bool,
    ) -> StoreReading:
        stats, trouble = self._stats(record.name, handle)
        backed_up = _last(backups)
        every = record.options.backup_every
        age = now - (record.created_at if backed_up is None else backed_up)
        return StoreReading(
            name=record.name,
            kind=record.kind,
            operations=None if handle is None else self._operations(handle, keep=keep),
            entries=stats.entries if stats else None,
            expired_entries=stats.expired_entries if stats else None,
            size_bytes=stats.size_bytes if stats else None,
            file_bytes=stats.file_bytes if stats else None,
            wal_bytes=stats.wal_bytes if stats else None,
            free_bytes=stats.free_bytes if stats else None,
            backup_age_ms=_age(backed_up, now),
            backups_late=None if every is None else max(0, age) / every,
            verified_age_ms=_age(record.verified_at, now),
            health=record.health,
            health_age_ms=_age(record.health_at, now),
            failed=handle is not None and handle.closed,
            trouble=trouble,
        )

    def _stats(
        self, name: str, handle: DataStore[Any] | None
    ) -> tuple[StoreStats | None, str | None]:
        try:
            if handle is not None and not handle.closed:
                return handle.stats(), None
            with self._factory.look(name) as store:
                return store.stats(), None
        except (BusyError, ClosedError):
            return None, None  # at work, or closed meanwhile: nothing is known against it
        except DataStoreError as error:
            return None, str(error)

    def _operations(self, handle: DataStore[Any], *, keep: bool) -> OperationReading:
        now = handle.get_metrics()
        before = self._before.get(handle.name)
        same = before is not None and before.handle == id(handle)
        earlier = before.metrics if before is not None and same else None
        if earlier is not None and _total(earlier) > _total(now):
            earlier = None  # somebody reset it
        if keep:
            self._before[handle.name] = _Counted(id(handle), now)
        lookups = now.hits + now.misses
        return OperationReading(
            count=_total(now) - _total(earlier),
            errors=_troubles(now) - _troubles(earlier),
            save_s=_slowest(now, earlier, SAVES),
            load_s=_slowest(now, earlier, LOADS),
            hit_ratio=now.hits / lookups if lookups else None,
        )


def _last(backups: Iterable[Backup]) -> int | None:
    """When the store was last known to be kept whole."""
    moments = [b.unchanged_at or b.created_at for b in backups if b.damaged_at is None]
    return max(moments, default=None)


def _age(at: int | None, now: int) -> int | None:
    return None if at is None else max(0, now - at)


def _total(metrics: StoreMetrics | None) -> int:
    return 0 if metrics is None else sum(one.count for one in metrics.operations.values())


def _troubles(metrics: StoreMetrics | None) -> int:
    if metrics is None:
        return 0
    return sum(times for name, times in metrics.errors.items() if _is_trouble(name))


def _is_trouble(name: str) -> bool:
    found = getattr(errors, name, None)
    return isinstance(found, type) and issubclass(found, TROUBLES)


def _slowest(now: StoreMetrics, before: StoreMetrics | None, names: frozenset[str]) -> float | None:
    """Return seconds: of each operation the slowest if it is a new maximum, else the mean."""
    found = []
    for name, one in now.operations.items():
        earlier = None if before is None else before.operations.get(name)
        if name in names and one.count > (earlier.count if earlier else 0):
            found.append(_slow_ms(one, earlier))
    return max(found) / 1000 if found else None


def _slow_ms(now: OperationStats, before: OperationStats | None) -> float:
    if before is None or now.max_ms > before.max_ms:
        return now.max_ms
    return (now.total_ms - before.total_ms) / (now.count - before.count)
