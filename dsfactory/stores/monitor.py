"""What a store's operations cost: counted exactly, latencies in buckets of at most 12.5 %."""

from __future__ import annotations

import functools
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from dsfactory.clock import ticks_ns
from dsfactory.engine import forks
from dsfactory.engine.forks import Restarting
from dsfactory.model import Key, OperationEvent, OperationStats, StoreMetrics

if TYPE_CHECKING:
    from logging import Logger

REASONS = ("max_entries", "max_bytes", "tag", "swept", "expired")
"""Why entries go without being deleted; see StoreStats.removed."""

MonitoringHook = Callable[[OperationEvent], Any]

# A bucket is an octave and three more bits: the upper bound of a bucket is at most an eighth
# above its lower one. 64 octaves of 8 hold every 64-bit count of nanoseconds.
_BUCKETS = 64 * 8

_BATCH = 256


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

    def add(self, nanoseconds: int, times: int = 1) -> None:
        """Count one more, or as many as *times* that took as long."""
        self.buckets[_bucket(nanoseconds)] += times
        self.count += times
        self.total += nanoseconds * times
        if nanoseconds > self.maximum:  # noqa: PLR1730 -- half of what max() takes, at every read
            self.maximum = nanoseconds

    def add_all(self, times: list[int]) -> None:
        """Count each of *times*: half of what as many calls of add() take."""
        buckets = self.buckets
        for nanoseconds in times:
            octave = nanoseconds.bit_length()
            if octave < 4:
                buckets[nanoseconds] += 1
            else:
                buckets[(octave << 3) | ((nanoseconds >> (octave - 4)) & 7)] += 1
        self.count += len(times)
        self.total += sum(times)
        self.maximum = max(self.maximum, *times)

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


Held = tuple[int, Callable[[Any], Any] | None, Any, Key, int]
"""An entry in memory: the nanosecond at which it expires, what decodes it (None: it is decoded),
the value, the key, its encoded bytes before compression."""

MISSED = -1


class Lookups:
    """The lookups of one operation, noted by an append each and counted later, many at once."""

    __slots__ = ("hits", "operation", "sample_ns", "sizes", "times")

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.hits: list[Held] = []
        """Found on the quick way, where asking for the time would take a fifth of the time."""
        self.sample_ns = 0
        """How long one of these took that was measured, the latest."""
        self.times: list[int] = []
        """The nanoseconds that the others took."""
        self.sizes: list[int] = []
        """Their encoded bytes, or MISSED. Two lists of numbers, and no pairs for the collector."""


class Monitor(Restarting):
    """The counters of one store handle."""

    def __init__(self, store: str) -> None:
        self.store = store
        self.gets = Lookups("get")
        self.items = Lookups("getitem")
        self._hits = self._misses = 0
        self.removals = dict.fromkeys(REASONS, 0)
        self._lock = threading.Lock()
        self.times: defaultdict[str, list[int]] = defaultdict(list)
        """What operations took that are not counted yet, by operation."""
        self._sizes: list[int] = []
        self.hooks: list[MonitoringHook] = []
        """Who wants to hear of every operation."""
        self._start()
        forks.watch(self)

    def _start(self) -> None:
        self._operations: dict[str, _Latencies] = {}
        self._errors: Counter[str] = Counter()
        self._read = self._written = self._hook_failures = 0
        self._hits = self._misses = 0

    def after_fork_in_child(self) -> None:
        """Forget a lock that a thread of the parent may have held."""
        self._lock = threading.Lock()

    def add_hook(self, hook: MonitoringHook) -> None:
        """Call *hook* with an OperationEvent after every operation."""
        self.hooks.append(hook)

    @property
    def hits(self) -> int:
        """Lookups that found something."""
        self.settle()
        return self._hits

    @property
    def misses(self) -> int:
        """Lookups that found nothing."""
        self.settle()
        return self._misses

    def tell(self, lookups: Lookups, started: int) -> None:
        """Tell the hooks of a lookup that began at *started*."""
        self._tell(lookups.operation, ticks_ns() - started, None)

    def waiting(self) -> bool:
        """Whether settle() has something to do that is worth it."""
        gets, items = self.gets, self.items
        return bool(gets.hits or items.hits) or len(gets.times) + len(items.times) >= _BATCH

    def settle(self) -> None:
        """Count what was only noted."""
        with self._lock:
            self._settle(self.gets)
            self._settle(self.items)
            for operation, noted in list(self.times.items()):
                if times := _taken(noted):
                    self._latencies(operation).add_all(times)
            self._written += sum(_taken(self._sizes))

    def _settle(self, lookups: Lookups) -> None:
        if hits := _taken(lookups.hits):
            self._latencies(lookups.operation).add(lookups.sample_ns, len(hits))
            self._count([held[4] for held in hits])
        if times := _taken(lookups.times):
            self._latencies(lookups.operation).add_all(times)
        self._count(_taken(lookups.sizes))

    def _count(self, sizes: list[int]) -> None:
        if not sizes:
            return
        misses = sizes.count(MISSED)
        self._hits += len(sizes) - misses
        self._misses += misses
        self._read += sum(sizes) - misses * MISSED

    def _latencies(self, operation: str) -> _Latencies:
        found = self._operations.get(operation)
        if found is None:
            found = self._operations[operation] = _Latencies()
        return found

    def done(self, operation: str, started: int) -> None:
        """Count one operation that began at *started*."""
        nanoseconds = ticks_ns() - started
        noted = self.times[operation]
        noted.append(nanoseconds)
        if len(noted) >= _BATCH:
            self.settle()
        if self.hooks:
            self._tell(operation, nanoseconds, None)

    def failed(self, operation: str, started: int, error: BaseException) -> None:
        """Count one operation that began at *started* and ended with *error*."""
        nanoseconds = ticks_ns() - started
        with self._lock:
            latencies = self._latencies(operation)
            latencies.add(nanoseconds)
            latencies.errors += 1
            self._errors[type(error).__name__] += 1
        if self.hooks:
            self._tell(operation, nanoseconds, error)

    def found(self, size: int) -> None:
        """Count a lookup that found *size* encoded bytes."""
        with self._lock:
            self._hits += 1
            self._read += size

    def missed(self) -> None:
        """Count a lookup that found nothing."""
        with self._lock:
            self._misses += 1

    def wrote(self, size: int) -> None:
        """Count *size* encoded bytes on their way to the file."""
        self._sizes.append(size)
        if len(self._sizes) >= _BATCH:
            self.settle()

    def removed(self, reason: str, entries: int) -> None:
        """Count entries that went, for one of REASONS."""
        with self._lock:
            self.removals[reason] += entries

    def metrics(self, retries: int) -> StoreMetrics:
        """Return the counts since the last reset."""
        self.settle()
        with self._lock:
            return StoreMetrics(
                operations={name: kept.stats() for name, kept in sorted(self._operations.items())},
                errors=dict(self._errors),
                bytes_read=self._read,
                bytes_written=self._written,
                retries=retries,
                hits=self._hits,
                misses=self._misses,
                hook_failures=self._hook_failures,
            )

    def reset(self) -> None:
        """Begin to count anew."""
        self.settle()
        with self._lock:
            self._start()

    def _tell(self, operation: str, nanoseconds: int, error: BaseException | None) -> None:
        event = OperationEvent(
            self.store, operation, nanoseconds / 1e6, type(error).__name__ if error else None
        )
        for hook in tuple(self.hooks):
            try:
                hook(event)
            except Exception:  # noqa: BLE001 -- the operation is done: its caller must not pay
                _log().exception("a monitoring hook of store %s failed", self.store)
                with self._lock:
                    self._hook_failures += 1


def _log() -> Logger:
    import logging  # 3 ms at the start, for what hardly ever happens

    return logging.getLogger("dsfactory.stores")


N = TypeVar("N")


def _taken(noted: list[N]) -> list[N]:
    """Empty *noted*, in place, since others may append meanwhile; return what was in it."""
    taken = noted[:]
    del noted[: len(taken)]
    return taken


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
            self._monitor.failed(operation, started, error)
            raise
        self._monitor.done(operation, started)
        return result

    return cast("F", counted)
