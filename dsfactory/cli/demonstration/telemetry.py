"""The metrics store: this host's readings while the demo works, and the timings of the run."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from dsfactory.cli.demonstration.host import readings
from dsfactory.clock import SystemClock, ticks_ns
from dsfactory.factory import DataStoreFactory
from dsfactory.stores import MetricsStore

NAME = "demo-telemetry"


@dataclass(frozen=True, slots=True)
class Event:
    """One number that was read or measured. Its key is source/name/at."""

    source: str
    """"host" or "run"."""
    name: str
    value: float
    unit: str
    at: int


@dataclass(frozen=True, slots=True)
class Series:
    """One reading over the run, as the store gave it back."""

    label: str
    unit: str
    values: tuple[float, ...]
    """In the order of time; of a counter its increases."""
    counter: bool


@dataclass(frozen=True, slots=True)
class TelemetryReport:
    """What the metrics store recorded in this run."""

    samples: int
    events: int
    series: tuple[Series, ...]


# Label, name of the reading, whether it only ever grows.
SHOWN = (
    ("load, 1 minute", "load.1min", False),
    ("memory available", "memory.MemAvailable", False),
    ("memory of the demo", "process.memory", False),
    ("peak memory", "process.memory.peak", False),
    ("CPU of the demo", "process.cpu.user", True),
    ("CPU of all, user", "cpu.user", True),
    ("CPU of all, idle", "cpu.idle", True),
    ("context switches", "kernel.ctxt", True),
    ("written by the demo", "process.io.write_bytes", True),
)


class Telemetry:
    """Writes the events of one run. Call timings() when nothing samples any more."""

    def __init__(self, factory: DataStoreFactory) -> None:
        self.store: MetricsStore[Event] = factory.create_metrics_store(NAME, Event)
        self._now = SystemClock().now_ms
        self._began = self._now()
        self.samples = self.events = 0
        self.elapsed_ms = 0.0

    def sample(self) -> None:
        """Record every reading of the host, in one transaction."""
        self._write("host", ((r.name, r.value, r.unit) for r in readings()))
        self.samples += 1
        if not self.store.has_dictionary():
            # A hundred small records suffice to learn how the others can be packed.
            self.store.train_dictionary()

    def timings(self, measured: Mapping[str, float]) -> None:
        """Record how many milliseconds each thing took in this run, in one transaction."""
        self._write("run", ((name, took, "ms") for name, took in measured.items()))

    def _write(self, source: str, numbers: Iterable[tuple[str, float, str]]) -> None:
        began, at = ticks_ns(), self._now()
        events = {
            f"{source}/{name}/{at}": Event(source, name, float(value), unit, at)
            for name, value, unit in numbers
        }
        self.store.set_many(events)
        self.events += len(events)
        self.elapsed_ms += (ticks_ns() - began) / 1e6

    @contextmanager
    def sampling(self, every_ms: int) -> Iterator[None]:
        """Sample at the beginning, every *every_ms* in a thread of its own, and at the end."""
        stop = threading.Event()

        def sample_until_stopped() -> None:
            while not stop.wait(every_ms / 1000):
                self.sample()

        self.sample()
        with ThreadPoolExecutor(1, thread_name_prefix="demo-telemetry") as pool:
            sampler = pool.submit(sample_until_stopped)
            try:
                yield
            finally:
                stop.set()
        sampler.result()
        self.sample()

    def last_timings(self, names: Iterable[str]) -> float | None:
        """Return the sum of what each of *names* took when it was last done, in any run.

        None when one of them is not known, or no longer.
        """
        total = 0.0
        for name in names:
            newest = self.store.scan(prefix=f"run/{name}/", reverse=True, limit=1)
            event = next((event for _, event in newest), None)
            if event is None:
                return None
            total += event.value
        return total

    def report(self) -> TelemetryReport:
        """Read this run back from the store, without what never moved or was never there."""
        series = (self._series(*shown) for shown in SHOWN)
        moving = tuple(s for s in series if any(s.values))
        return TelemetryReport(self.samples, self.events, moving)

    def _series(self, label: str, name: str, counter: bool) -> Series:
        prefix = f"host/{name}/"
        # Milliseconds since 2001 have 13 digits until 2286: they sort as text.
        scan = self.store.scan(prefix=prefix, start=f"{prefix}{self._began}")
        events = [event for _, event in scan]
        values = tuple(event.value for event in events)
        if counter:
            values = tuple(b - a for a, b in pairwise(values))
        return Series(label, events[0].unit if events else "", values, counter)
