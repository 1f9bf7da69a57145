"""What a monitor hands out: frozen values. Times are milliseconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass

from dsfactory.model import Kind, Probe

HEALTHY = "healthy"


@dataclass(frozen=True, slots=True)
class ProcessReading:
    """How this process and its disk stand."""

    cpu_percent: float | None
    """Of one processor, since the snapshot before; None at the first."""
    memory_bytes: int
    """Resident; where the system does not say, the most there ever was."""
    threads: int
    uptime_s: float
    disk_used: float
    """The part of the file system of the stores that is taken, 0 to 1."""
    disk_free_bytes: int


@dataclass(frozen=True, slots=True)
class RequestReading:
    """The requests that all processes were told of within the window. Latencies in seconds."""

    count: int
    errors: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None

    @property
    def error_rate(self) -> float | None:
        """Errors per request; None without requests."""
        return self.errors / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class OperationReading:
    """What the handle of one store in this process did since the snapshot before."""

    count: int
    errors: int
    """Of the disk, the file or the lock, or for want of room; a missing key is none."""
    save_s: float | None
    """The slowest write if it was the slowest ever, else their mean; None without any."""
    load_s: float | None
    """The same of lookups."""
    hit_ratio: float | None
    """Hits per lookup of the handle, since it was opened."""

    @property
    def error_rate(self) -> float | None:
        """Errors per operation; None without operations."""
        return self.errors / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class StoreReading:
    """How one store stands. What cannot be read is None, and *trouble* says why."""

    name: str
    kind: Kind
    operations: OperationReading | None
    """None when this process does not have the store open."""
    entries: int | None
    expired_entries: int | None
    size_bytes: int | None
    file_bytes: int | None
    wal_bytes: int | None
    free_bytes: int | None
    """Of pages on the freelist."""
    backup_age_ms: int | None
    """Since the last backup, or since the store was found to be the same; None: never."""
    backups_late: float | None
    """Age of the last backup, or of the store, in intervals of ``backup_every``; None without."""
    verified_age_ms: int | None
    """Since one of its backups last passed a whole restore; None: never."""
    health: str | None
    """The last verdict of a health check; None: never asked."""
    health_age_ms: int | None
    failed: bool
    """Whether the handle in this process closed by itself, as after a failed fsync."""
    trouble: str | None
    """Why the store could not be read just now."""

    @property
    def healthy(self) -> bool:
        """Whether it was found to be well, and nothing is known against it since."""
        return self.health == HEALTHY and self.trouble is None and not self.failed

    @property
    def sick(self) -> bool:
        """Whether something is known against it; a store never asked about is neither."""
        return self.trouble is not None or self.health not in (None, HEALTHY)


@dataclass(frozen=True, slots=True)
class Alert:
    """A threshold that was passed, or is kept again."""

    at: int
    state: str
    """"raised" or "cleared"."""
    rule: str
    """A name out of the settings' limits."""
    subject: str
    """A store, a probe of the application's, or nothing."""
    process: str | None
    """The monitor's place, when it is about one process."""
    value: float
    limit: float
    detail: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment."""

    at: int
    place: str
    """Which of the monitoring processes took it: "1", "2" and so on."""
    process: ProcessReading
    requests: RequestReading
    stores: tuple[StoreReading, ...]
    probes: tuple[Probe, ...]
    """The application's, and what the factory and the monitor say of themselves."""
    alerts: tuple[Alert, ...]
    """Those that stand, raised by whichever process."""

    @property
    def healthy(self) -> bool:
        """Whether every store was found well, every probe answered well, and no alert stands."""
        stores = all(store.healthy for store in self.stores)
        return stores and all(probe.ok for probe in self.probes) and not self.alerts

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, a line each."""
        stores = (f"{s.name}: {_complaint(s)}" for s in self.stores if not s.healthy)
        probes = (f"{p.name}: {p.detail}" for p in self.probes if not p.ok)
        return (*stores, *probes, *(alert.detail for alert in self.alerts))


def _complaint(store: StoreReading) -> str:
    if store.trouble is not None:
        return store.trouble
    if store.failed:
        return "its handle closed after a failure of the disk; open it again and check it"
    if store.health is None:
        return "no health check yet"
    return f"{store.health} at the last health check; perform_health_check() says why"
