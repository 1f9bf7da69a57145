"""Counters, gauges and histograms: states that hot paths change and flushes sample.

An instrument that changed gives one sample a window, at the time of the flush: a million
increments a second are one sample a second. Each process has its own; a restart begins at zero,
which rate and increase take for the reset that it is. Where several processes count the same
thing, a label (such as worker="3") keeps their series apart. Once its store is closed an
instrument still counts, and nothing samples it.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from dsfactory.clock import ticks_ns
from dsfactory.errors import OptionError, SampleRefusedError, SeriesConflictError
from dsfactory.series.names import Identity, identity
from dsfactory.series.samples import checked_value

if TYPE_CHECKING:
    from dsfactory.series.collecting import Pot
    from dsfactory.series.engine import SeriesEngine

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Prometheus' standard, made for latencies in seconds."""

Labels = Mapping[str, str] | None


class Instrument:
    """What all instruments have: a name, and a place among those that changed."""

    kind = "unknown"

    def __init__(self, owner: Instruments, who: Identity, unit: str) -> None:
        self.identity = who
        self.unit = unit
        self._owner = owner
        self._lock = threading.Lock()
        self._changed = False
        self._pots = self._made_pots(owner.engine)

    def _made_pots(self, engine: SeriesEngine) -> list[Pot]:
        return [engine.pot(self.identity, kind=self.kind, unit=self.unit)]

    def _note(self) -> None:
        """Join those that the next flush samples; called under the lock."""
        if not self._changed:
            self._changed = True
            self._owner.note(self)

    def readings(self) -> Sequence[float]:
        """Return the state, a value for each pot."""
        raise NotImplementedError

    def sample(self, at: int) -> list[tuple[Pot, int, float]]:
        """Return the state as samples, and wait for the next change."""
        with self._lock:
            self._changed = False
            found = self.readings()
        return [(pot, at, value) for pot, value in zip(self._pots, found, strict=True)]

    def begin_anew(self) -> None:
        """In a forked child: from zero, with nothing to be sampled."""
        self._lock = threading.Lock()
        self._changed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.identity}>"


class Counter(Instrument):
    """A number that only rises, from zero."""

    kind = "counter"

    def __init__(self, owner: Instruments, who: Identity, unit: str) -> None:
        super().__init__(owner, who, unit)
        self._value = 0.0

    def inc(self, by: float = 1.0) -> None:
        """Rise by *by*; a fall, NaN or an infinity raises SampleRefusedError."""
        if not 0 <= by < float("inf"):
            raise SampleRefusedError("A counter only rises. Use a gauge for what falls as well.")
        with self._lock:
            self._value += by
            if not self._changed:
                self._note()

    @property
    def value(self) -> float:
        """What was counted by this process."""
        return self._value

    def readings(self) -> Sequence[float]:
        """Return what was counted."""
        return (self._value,)

    def begin_anew(self) -> None:
        """In a forked child: from zero."""
        super().begin_anew()
        self._value = 0.0


class Gauge(Instrument):
    """A number that rises and falls. Of several values in one window the last is sampled."""

    kind = "gauge"

    def __init__(self, owner: Instruments, who: Identity, unit: str) -> None:
        super().__init__(owner, who, unit)
        self._value = 0.0

    def set(self, value: float) -> None:
        """Be *value*."""
        if type(value) is not float:
            value = checked_value(value)
        with self._lock:
            self._value = value
            if not self._changed:
                self._note()

    def inc(self, by: float = 1.0) -> None:
        """Rise by *by*."""
        with self._lock:
            self._value += by
            if not self._changed:
                self._note()

    def dec(self, by: float = 1.0) -> None:
        """Fall by *by*."""
        self.inc(-by)

    @property
    def value(self) -> float:
        """What it stands at; 0 before it was set."""
        return self._value

    def readings(self) -> Sequence[float]:
        """Return what it stands at."""
        return (self._value,)


class Histogram(Instrument):
    """How many observations were at most so large, for each bound: cumulative, as Prometheus'.

    Its series are NAME_bucket with the label le (the last is "+Inf"), NAME_sum and NAME_count.
    """

    kind = "histogram"

    def __init__(
        self, owner: Instruments, who: Identity, unit: str, buckets: Sequence[float]
    ) -> None:
        self.bounds = _checked_bounds(buckets)
        self._counts = [0] * (len(self.bounds) + 1)
        self._sum = 0.0
        super().__init__(owner, who, unit)

    def _made_pots(self, engine: SeriesEngine) -> list[Pot]:
        name, labels = self.identity.name, dict(self.identity.labels)
        found = [
            engine.pot(identity(f"{name}_bucket", {**labels, "le": le}), kind="histogram")
            for le in (*map(_shown, self.bounds), "+Inf")
        ]
        of_sum = engine.pot(identity(f"{name}_sum", labels), kind="histogram", unit=self.unit)
        of_count = engine.pot(identity(f"{name}_count", labels), kind="histogram")
        return [*found, of_sum, of_count]

    def observe(self, value: float) -> None:
        """Count *value*; NaN raises SampleRefusedError."""
        if value != value:  # noqa: PLR0124 -- NaN
            raise SampleRefusedError("A histogram counts numbers; NaN belongs to no bucket.")
        bucket = bisect_left(self.bounds, value)
        with self._lock:
            self._counts[bucket] += 1
            self._sum += value
            if not self._changed:
                self._note()

    def time(self) -> Timer:
        """Return a context manager that observes how many seconds its block took."""
        return Timer(self)

    def readings(self) -> Sequence[float]:
        """Return the cumulative counts, the sum and the count."""
        counts = list(accumulate(self._counts))
        return [*map(float, counts), self._sum, float(counts[-1])]

    def begin_anew(self) -> None:
        """In a forked child: from zero."""
        super().begin_anew()
        self._counts = [0] * len(self._counts)
        self._sum = 0.0


def _shown(bound: float) -> str:
    """Return *bound* as short as it reads back the same: 1e+06, but 1000001."""
    short = f"{bound:g}"
    return short if float(short) == bound else repr(bound).removesuffix(".0")


def _checked_bounds(buckets: Sequence[float]) -> tuple[float, ...]:
    allowed = "1 to 200 finite numbers, ascending"
    try:
        bounds = tuple(map(checked_value, buckets))
    except (TypeError, SampleRefusedError):
        bounds = ()
    rising = all(a < b for a, b in pairwise(bounds))
    if not 1 <= len(bounds) <= 200 or not rising or not max(map(abs, bounds)) < float("inf"):
        raise OptionError(f"buckets are not allowed; allowed: {allowed}.", option="buckets")
    return bounds


class Timer:
    """Observes how long its block took, in seconds; what fails takes time as well."""

    __slots__ = ("_histogram", "_started")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram

    def __enter__(self) -> Self:
        self._started = ticks_ns()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._histogram.observe((ticks_ns() - self._started) / 1e9)


AnInstrument = TypeVar("AnInstrument", bound=Instrument)


class Instruments:
    """The instruments of one store: one of each series, however often it is asked for."""

    def __init__(self, engine: SeriesEngine) -> None:
        self.engine = engine
        self._made: dict[Identity, Instrument] = {}
        self._changed: list[Instrument] = []
        self._lock = threading.Lock()

    def counter(self, name: str, labels: Labels, unit: str) -> Counter:
        """Return the counter of a series, always the same one."""
        who = identity(name, labels)
        return self._one(who, Counter, lambda: Counter(self, who, unit))

    def gauge(self, name: str, labels: Labels, unit: str) -> Gauge:
        """Return the gauge of a series, always the same one."""
        who = identity(name, labels)
        return self._one(who, Gauge, lambda: Gauge(self, who, unit))

    def histogram(
        self, name: str, labels: Labels, unit: str, buckets: Sequence[float] | None
    ) -> Histogram:
        """Return the histogram of a name and labels, always the same one; without *buckets*,
        those that it has, or the standard ones.
        """
        who = identity(name, labels)
        bounds = BUCKETS if buckets is None else buckets
        found = self._one(who, Histogram, lambda: Histogram(self, who, unit, bounds))
        if buckets is not None and found.bounds != _checked_bounds(buckets):
            raise SeriesConflictError(
                f"The histogram {who} has other buckets. Use those, or another name.",
                series=str(who),
            )
        return found

    def _one(
        self, who: Identity, wanted: type[AnInstrument], make: Callable[[], AnInstrument]
    ) -> AnInstrument:
        found = self._made.get(who)
        if found is None:
            made = make()
            with self._lock:
                found = self._made.setdefault(who, made)
        if not isinstance(found, wanted):
            raise SeriesConflictError(
                f"The series {who} is a {found.kind} here, not a {wanted.kind}. Use that, or "
                "another name.",
                series=str(who),
            )
        return found

    @property
    def waiting(self) -> bool:
        """Whether one has changed since it was sampled."""
        return bool(self._changed)

    def note(self, instrument: Instrument) -> None:
        """Let the next flush sample *instrument*."""
        with self._lock:
            self._changed.append(instrument)
            first = len(self._changed) == 1
        if first:
            self.engine.wake()

    def sample(self, at: int) -> None:
        """Collect a sample of each that changed."""
        with self._lock:
            changed, self._changed = self._changed, []
        for instrument in changed:
            for pot, time, value in instrument.sample(at):
                self.engine.collect(pot, time, value)

    def begin_anew(self) -> None:
        """In a forked child: all from zero."""
        self._lock = threading.Lock()
        self._changed = []
        for instrument in self._made.values():
            instrument.begin_anew()
