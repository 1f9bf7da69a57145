"""What a store's operations cost: counted exactly, latencies in buckets of at most 12.5 %."""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from dsfactory.clock import ticks_ns
from dsfactory.engine import forks
from dsfactory.engine.forks import Restarting
from dsfactory.model import OperationEvent, OperationStats, StoreMetrics

if TYPE_CHECKING:
    from logging import Logger

MonitoringHook = Callable[[OperationEvent], Any]

# A bucket is an octave and three more bits: the upper bound of a bucket is at most an eighth
# above its lower one. 64 octaves of 8 hold every 64-bit count of nanoseconds.
_BUCKETS = 64 * 8


def _bucket(nanoseconds: int) -> int:
    octave = nanoseconds.bit_length()
    if octave < 4:
        return nanoseconds
    return (octave << 3) | ((nanoseconds >> (octave - 4)) & 7)


def _upper_ns(bucket: int) -> int:
    octave, eighth = bucket >> 3, bucket & 7
    return (9 + eighth) << (octave - 4) if octave >= 4 else bucket


class _Latencies:
    __slots__ = ("buckets", "count", "errors", "maximum", "total")

    def __init__(self) -> None:
        self.buckets = [0] * _BUCKETS
        self.count = self.errors = self.total = self.maximum = 0

    def add(self, nanoseconds: int) -> None:
        """Count one more."""
        self.buckets[_bucket(nanoseconds)] += 1
        self.count += 1
        self.total += nanoseconds
        self.maximum = max(self.maximum, nanoseconds)

    def quantile_ms(self, q: float) -> float:
        """The upper bound of the bucket that holds the q-th latency."""
        rank, seen = q * self.count, 0
        for bucket, n in enumerate(self.buckets):
            seen += n
            if n and seen >= rank:
                return min(_upper_ns(bucket), self.maximum) / 1e6
        return 0.0

    def stats(self) -> OperationStats:
        """Return what was counted."""
        return OperationStats(
            count=self.count,
            errors=self.errors,
            p50_ms=self.quantile_ms(0.50),
            p95_ms=self.quantile_ms(0.95),
            p99_ms=self.quantile_ms(0.99),
            max_ms=self.maximum / 1e6,
            total_ms=self.total / 1e6,
        )


class Monitor(Restarting):
    """The counters of one store handle."""

    def __init__(self, store: str) -> None:
        self.store = store
        self.hits = self.misses = self.evicted = self.expired = 0
        self._lock = threading.Lock()
        self._hooks: list[MonitoringHook] = []
        self._start()
        forks.watch(self)

    def _start(self) -> None:
        self._operations: dict[str, _Latencies] = {}
        self._errors: Counter[str] = Counter()
        self._read = self._written = self._hook_failures = 0
        self.hits = self.misses = 0

    def after_fork_in_child(self) -> None:
        """Forget a lock that a thread of the parent may have held."""
        self._lock = threading.Lock()

    def add_hook(self, hook: MonitoringHook) -> None:
        """Call *hook* with an OperationEvent after every operation."""
        self._hooks.append(hook)

    def done(self, operation: str, started: int, error: BaseException | None = None) -> None:
        """Count one operation that began at *started*."""
        nanoseconds = ticks_ns() - started
        with self._lock:
            latencies = self._operations.get(operation)
            if latencies is None:
                latencies = self._operations[operation] = _Latencies()
            latencies.add(nanoseconds)
            if error is not None:
                latencies.errors += 1
                self._errors[type(error).__name__] += 1
        if self._hooks:
            self._tell(operation, nanoseconds, error)

    def found(self, size: int) -> None:
        """Count a lookup that found *size* encoded bytes."""
        with self._lock:
            self.hits += 1
            self._read += size

    def missed(self) -> None:
        """Count a lookup that found nothing."""
        with self._lock:
            self.misses += 1

    def wrote(self, size: int) -> None:
        """Count *size* encoded bytes on their way to the file."""
        with self._lock:
            self._written += size

    def removed(self, *, evicted: int = 0, expired: int = 0) -> None:
        """Count entries that went for want of room or because their time was up."""
        with self._lock:
            self.evicted += evicted
            self.expired += expired

    def metrics(self, retries: int) -> StoreMetrics:
        """Return the counts since the last reset."""
        with self._lock:
            return StoreMetrics(
                operations={name: kept.stats() for name, kept in sorted(self._operations.items())},
                errors=dict(self._errors),
                bytes_read=self._read,
                bytes_written=self._written,
                retries=retries,
                hits=self.hits,
                misses=self.misses,
                hook_failures=self._hook_failures,
            )

    def reset(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self._start()

    def _tell(self, operation: str, nanoseconds: int, error: BaseException | None) -> None:
        event = OperationEvent(
            self.store, operation, nanoseconds / 1e6, type(error).__name__ if error else None
        )
        for hook in tuple(self._hooks):
            try:
                hook(event)
            except Exception:  # noqa: BLE001 -- the operation is done: its caller must not pay
                _log().exception("a monitoring hook of store %s failed", self.store)
                with self._lock:
                    self._hook_failures += 1


def _log() -> Logger:
    import logging  # 3 ms at the start, for what hardly ever happens

    return logging.getLogger("dsfactory.stores")


F = TypeVar("F", bound=Callable[..., Any])


def measured(method: F) -> F:
    """Count *method* with its latency and its errors, under its own name."""
    operation = method.__name__.strip("_")

    @functools.wraps(method)
    def counted(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        started = ticks_ns()
        try:
            result = method(self, *args, **kwargs)
        except BaseException as error:
            self._monitor.done(operation, started, error)
            raise
        self._monitor.done(operation, started)
        return result

    return cast("F", counted)
