"""The stores of the factory, a line each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dsfactory.errors import DataStoreError

if TYPE_CHECKING:
    from dsfactory.factory import DataStoreFactory
    from dsfactory.model import StoreRecord
    from dsfactory.stores import DataStore


@dataclass(frozen=True, slots=True)
class StoreLine:
    """One store in numbers. What it did is of the handle that this process has open."""

    name: str
    kind: str
    entries: int = 0
    file_bytes: int = 0
    wal_bytes: int = 0
    free_bytes: int = 0
    hit_ratio: float | None = None
    operations: int = 0
    health: str | None = None
    """The last verdict of perform_health_check(); None when there was none."""
    backup_at: int | None = None
    """Milliseconds since the epoch; None when there is no backup."""
    problem: str | None = None
    """Why the store cannot be read: then the numbers are 0. None when it can."""


def store_lines(factory: DataStoreFactory) -> list[StoreLine]:
    """Return a line for every registered store, by name."""
    opened = {store.name: store for store in factory.open_stores()}
    return [
        _line(factory, record, opened.get(record.name))
        for record in factory.get_registered_stores()
    ]


def _line(
    factory: DataStoreFactory, record: StoreRecord, opened: DataStore[Any] | None
) -> StoreLine:
    line = StoreLine(record.name, record.kind, health=record.health, backup_at=record.backup_at)
    try:
        if opened is not None:
            return _filled(line, opened)
        with factory.look(record.name) as store:
            return _filled(line, store)
    except DataStoreError as error:
        return replace(line, problem=str(error))


def _filled(line: StoreLine, store: DataStore[Any]) -> StoreLine:
    stats, operations = store.stats(), store.get_metrics().operations
    return replace(
        line,
        entries=stats.entries,
        file_bytes=stats.file_bytes,
        wal_bytes=stats.wal_bytes,
        free_bytes=stats.free_bytes,
        hit_ratio=stats.hit_ratio,
        operations=sum(one.count for one in operations.values()),
    )
