"""What a monitor records: a row a number, as series of its store, and how they are read back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dsfactory.services.monitoring import requests
from dsfactory.services.monitoring.readings import Snapshot, StoreReading
from dsfactory.services.monitoring.requests import HOUR_MS
from dsfactory.services.monitoring.settings import refused

if TYPE_CHECKING:
    from dsfactory.stores import MetricsStore

Row = tuple[str, dict[str, str], int, float]
RAW_MS = 24 * HOUR_MS
POINTS = 1500
"""A day of minutes. Where a history would have more, its step is an hour."""


class Metric(NamedTuple):
    """One number that is kept."""

    name: str
    unit: str
    by: tuple[str, ...] = ()
    agg: str = "avg"
    worse: int = 1
    """1: more is worse, -1: less is worse, 0: neither."""
    series: str = ""
    """The series that it is read from, if it is another."""


@dataclass(frozen=True, slots=True)
class Track:
    """The points of one number, in the order of time; moments without one are left out."""

    name: str
    unit: str
    labels: Mapping[str, str]
    """"store" and "process", where it is about one of them."""
    timestamps: tuple[int, ...]
    values: tuple[float, ...]


_BY_STORE, _BY_HANDLE = ("store",), ("store", "process")

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("cpu_percent", "percent", ("process",)),
        Metric("memory_bytes", "bytes", ("process",)),
        Metric("threads", "", ("process",)),
        Metric("uptime_s", "seconds", ("process",), "max", 0),
        Metric("disk_used", "ratio"),
        Metric("disk_free_bytes", "bytes", (), "avg", -1),
        Metric("requests", "", (), "increase", 0),
        Metric("request_errors", "", (), "increase", 0),
        Metric("request_p50_s", "seconds", (), "quantile(0.5)", 1, requests.SECONDS),
        Metric("request_p95_s", "seconds", (), "quantile(0.95)", 1, requests.SECONDS),
        Metric("request_p99_s", "seconds", (), "quantile(0.99)", 1, requests.SECONDS),
        Metric("operations", "", _BY_HANDLE, "sum", 0),
        Metric("operation_errors", "", _BY_HANDLE, "sum"),
        Metric("save_s", "seconds", _BY_HANDLE, "max"),
        Metric("load_s", "seconds", _BY_HANDLE, "max"),
        Metric("hit_ratio", "ratio", _BY_HANDLE, "avg", -1),
        Metric("entries", "", _BY_STORE, "avg", 0),
        Metric("expired_entries", "", _BY_STORE),
        Metric("size_bytes", "bytes", _BY_STORE, "avg", 0),
        Metric("file_bytes", "bytes", _BY_STORE),
        Metric("wal_bytes", "bytes", _BY_STORE),
        Metric("free_bytes", "bytes", _BY_STORE),
        Metric("backup_age_ms", "milliseconds", _BY_STORE, "max"),
        Metric("verified_age_ms", "milliseconds", _BY_STORE, "max", 0),
        Metric("healthy", "", _BY_STORE, "min", -1),
    )
}


def rows(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the samples of a snapshot; what is unknown gives none."""
    place = {"process": snapshot.place}
    for name, value in dataclasses.asdict(snapshot.process).items():
        if value is not None:
            yield name, place if METRICS[name].by else {}, snapshot.at, value
    for store in snapshot.stores:
        for name, value in _numbers(store).items():
            if value is not None:
                both = {"store": store.name, **place}
                yield name, {label: both[label] for label in METRICS[name].by}, snapshot.at, value


def _numbers(store: StoreReading) -> dict[str, float | None]:
    whole = dataclasses.asdict(store)
    done = whole.pop("operations") or {}
    kept = {name: value for name, value in whole.items() if name in METRICS}
    if done:
        kept.update(operations=done.pop("count"), operation_errors=done.pop("errors"), **done)
    return {**kept, "healthy": float(store.healthy)}


def read(
    store: MetricsStore[Any], names: Sequence[str], start: int, end: int, step: int
) -> list[Track]:
    """Return the tracks of these numbers from *start* up to but not including *end*."""
    found = []
    for name in names:
        metric = _metric(name)
        for result in store.query_all(
            metric.series or name, start=start, end=end, step=step, agg=metric.agg, by=metric.by
        ):
            points = zip(result.timestamps.tolist(), result.values.tolist(), strict=True)
            there = [(at, value) for at, value in points if not math.isnan(value)]
            if there:
                times, values = zip(*there, strict=True)
                found.append(Track(name, metric.unit, dict(result.labels), times, values))
    return found


def step_for(start: int, end: int, now: int, interval: int) -> int:
    """Return the interval of snapshots where samples of all of it are kept, else an hour."""
    recent = start >= now - RAW_MS and end - start <= POINTS * interval
    return interval if recent else HOUR_MS


def _metric(name: str) -> Metric:
    if name not in METRICS:
        raise refused("names", name, f"out of {', '.join(METRICS)}")
    return METRICS[name]
