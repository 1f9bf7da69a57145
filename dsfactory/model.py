"""The nouns that rooms hand to each other: frozen values without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from dsfactory.options import StoreOptions

T = TypeVar("T")

Key = str | int | bytes
"""What an entry is found by. Text, integers and bytes never equal each other; they sort as
integers, then text by code point, then bytes."""

FEATURES = frozenset({"access", "compression", "expiry", "history", "tags"})
"""What a store's schema is composed of, beside the entries themselves."""


class Kind(StrEnum):
    """The five kinds of store."""

    CONFIG = "config"
    METRICS = "metrics"
    CACHE = "cache"
    STATE = "state"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One live entry with its bookkeeping."""

    key: Key
    value: T
    version: int
    """Grows with every write of this key, also across a delete: for compare-and-set."""
    created_at: int
    updated_at: int
    expires_at: int | None
    size_bytes: int
    """Bytes of the value as stored, after compression."""
    compressed: bool
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one key, as watch() tells it."""

    key: Key
    what: str
    """"set" or "delete": what the last change did."""
    version: int | None
    """The entry's version then; None for a delete."""


@dataclass(frozen=True, slots=True)
class Version(Generic[T]):
    """One saved version of a key, from the history of a config store."""

    version: int
    key: Key
    value: T | None
    """None when the change was a deletion."""
    change: str
    """"create", "update", "delete" or "rollback"."""
    changed_at: int
    who: str | None
    """None when the change was made by another program, past this package."""
    why: str | None
    sha256: str | None
    """Of the encoded value before compression; None with *who*, and for deletions."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken invariant that a check found."""

    invariant: str
    detail: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.detail}"


@dataclass(frozen=True, slots=True)
class StoreStats:
    """What a store holds and has done, counting live entries only."""

    name: str
    kind: Kind
    entries: int
    size_bytes: int
    """Bytes of all live values as stored."""
    unpacked_bytes: int
    """Bytes of the same values before compression."""
    expired_entries: int
    """Expired and not yet swept: absent for every reader, still on disk."""
    file_bytes: int
    wal_bytes: int
    free_bytes: int
    max_entries: int | None
    max_bytes: int | None
    hits: int
    misses: int
    removed: Mapping[str, int]
    """Entries that went other than by a delete, by this handle and reason: "max_entries" and
    "max_bytes" for want of room, "tag" by evict_tag(), "swept" and "expired" because their time
    was up: by expire() or maintenance, and by a write that needed the room."""
    pinned_by: tuple[str, ...] = ()
    """Processes that keep the log from being cut by reading on, when it is over 16 MiB."""
    series: int = 0
    """Numeric series of a metrics store; the rest of these is about their samples."""
    samples: int = 0
    """On disk; what was recorded in the last second is not."""
    blocks: int = 0
    series_bytes: int = 0
    """Bytes of the blocks and rollups as stored, and 20 for each sample that is not sealed yet."""

    @property
    def evicted(self) -> int:
        """Removed for want of room."""
        return self.removed["max_entries"] + self.removed["max_bytes"]

    @property
    def expired(self) -> int:
        """Removed because their time was up."""
        return self.removed["swept"] + self.removed["expired"]

    @property
    def hit_ratio(self) -> float | None:
        """Hits per lookup of this handle; None before the first."""
        lookups = self.hits + self.misses
        return self.hits / lookups if lookups else None

    @property
    def compression_ratio(self) -> float | None:
        """Bytes before compression per byte stored; None when nothing is stored."""
        return self.unpacked_bytes / self.size_bytes if self.size_bytes else None


@dataclass(frozen=True, slots=True)
class SeriesRecord:
    """A numeric series of a metrics store, and what the store holds of it."""

    name: str
    labels: Mapping[str, str]
    type: str
    """"counter", "gauge", "histogram" or "unknown"."""
    unit: str
    samples: int
    """Of those that are not sealed yet, one that overwrites an earlier one counts as well."""
    first_at: int | None
    """Time of the earliest sample, milliseconds; None when only rollups are left."""
    last_at: int | None


@dataclass(frozen=True, slots=True)
class OperationStats:
    """What one operation of one store has cost since the last reset. Latencies in milliseconds."""

    count: int
    errors: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    total_ms: float


@dataclass(frozen=True, slots=True)
class StoreMetrics:
    """The operations of one store handle since the last reset."""

    operations: Mapping[str, OperationStats]
    errors: Mapping[str, int]
    """How often each type of error was raised."""
    bytes_read: int
    """Encoded bytes, before compression."""
    bytes_written: int
    retries: int
    """Further attempts at a busy write lock."""
    hits: int
    misses: int
    hook_failures: int
    """Monitoring hooks that raised; each is logged."""


@dataclass(frozen=True, slots=True)
class OperationEvent:
    """What a monitoring hook is told after each operation."""

    store: str
    operation: str
    duration_ms: float
    error: str | None
    """The error's type name, or None."""


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """What the registry knows of one store."""

    id: str
    name: str
    kind: Kind
    path: Path
    options: StoreOptions
    schema: str | None
    """The qualified name of the value type, for people."""
    revision: int
    created_at: int
    accessed_at: int
    backup_at: int | None
    health_at: int | None
    health: str | None
    verified_at: int | None = None
    """When one of its backups last passed a whole restore to a scratch place."""


@dataclass(frozen=True, slots=True)
class RegistryStats:
    """All stores of one factory in numbers."""

    total: int
    by_kind: Mapping[Kind, int]
    oldest: StoreRecord | None
    newest: StoreRecord | None
    bytes: int
    entries: int


@dataclass(frozen=True, slots=True)
class Probe:
    """The answer to one question about one store."""

    name: str
    ok: bool
    detail: str
    """What was found; when not ok, also what to do."""


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """All answers about one store."""

    name: str
    kind: Kind
    path: Path
    probes: tuple[Probe, ...]

    @property
    def healthy(self) -> bool:
        """Whether every probe was answered well."""
        return all(probe.ok for probe in self.probes)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, a line each."""
        return tuple(f"{probe.name}: {probe.detail}" for probe in self.probes if not probe.ok)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """All answers about all stores, the registry and the maintenance thread."""

    checked_at: int
    stores: tuple[StoreHealth, ...]
    factory: tuple[Probe, ...]

    @property
    def healthy(self) -> bool:
        """Whether everything that was asked about is well."""
        return all(s.healthy for s in self.stores) and all(p.ok for p in self.factory)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, a line each, beginning with the store's name."""
        of_stores = (f"{s.name}: {line}" for s in self.stores for line in s.problems)
        return (*of_stores, *(f"{p.name}: {p.detail}" for p in self.factory if not p.ok))


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """What one round of maintenance did."""

    ran: bool
    """False when another process holds the lease: it does the work."""
    expired: int = 0
    evicted: int = 0
    pages_freed: int = 0
    dictionaries: int = 0
    checkpointed: int = 0
    backups: int = 0
    """Taken because they were due, or found to be of a store that did not change."""
    series_sealed: int = 0
    """Numeric series whose recent samples were put into blocks."""
    samples_dropped: int = 0
    """Samples that went with their blocks, past the ttl or for want of room."""
    chores: int = 0
    """Done of what this process registered with add_maintenance()."""
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UpgradeReport:
    """What bringing one file to another revision did."""

    name: str
    kind: str
    steps: tuple[str, ...]
    """The revisions that were run; none when the file was there already."""
    snapshot: Path | None
    """The copy from before; None when nothing was done."""
    error: str | None
    """Why it failed; the file is then as it was."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A kept copy of one store, as its manifest and the catalog tell of it."""

    id: str
    store: str
    created_at: int
    """The moment whose state the copy holds; milliseconds since the epoch."""
    reason: str
    """"manual", "scheduled", "before-upgrade", "before-restore", or the caller's own word."""
    size_bytes: int
    """What it takes where it is kept; of a packed one what it added."""
    sha256: str
    """Of the database file that restoring it gives, to the byte."""
    revision: int
    verified_at: int | None = None
    """When it was last restored to a scratch place and examined; None when never."""
    tags: tuple[str, ...] = ()
    pinned: bool = False
    """A pinned backup is never removed."""
    container: str = "full"
    """"full": a file of its own; "pack": pages shared with others of the store."""
    base: str | None = None
    """The id of another backup without which this one cannot be restored; None mostly."""
    group: str | None = None
    """The id of the set it was taken with: all stores at one moment."""
    restoring: bool = False
    """Whether a restore is reading it now."""
    unchanged_at: int | None = None
    """When the store was last found to be the same as this copy, so that no other was made."""
    flaws: tuple[str, ...] = ()
    """Invariants of the store that were broken when it was copied: repair() mends them."""
    damaged_at: int | None = None
    """When the kept copy was found to be damaged; None while nothing is known against it."""
    place: str = ""
    """Where it is kept: empty for the factory's own directory, else a URL."""
    followed: bool = False
    """Whether point-in-time recovery goes on from it, to a moment that was promised."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a store and that people have to hear of."""

    at: int
    store: str
    what: str
    """"quarantined", "restored", "backup failed" and the like."""
    detail: str


@dataclass(frozen=True, slots=True)
class BackupConfig:
    """How backups are kept. The standard: at most 5, none older than 30 days, compressed."""

    max_backups: int = 5
    retention_ms: int = 30 * 86_400_000
    compression: bool = True


@dataclass(frozen=True, slots=True)
class FactoryConfig:
    """How a factory was made, with the defaults of each kind."""

    root: Path
    maintenance: str
    maintenance_interval_ms: int
    defaults: Mapping[Kind, Mapping[str, Any]]
    backup: BackupConfig
