"""What is usual, kept; and what has become worse than that."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dsfactory.services.monitoring.histories import METRICS, Metric
from dsfactory.services.monitoring.requests import WHOLE

if TYPE_CHECKING:
    from dsfactory.stores import MetricsStore

SPREAD = 3.0
"""Within so many standard deviations a number is as usual, however small these are beside it."""

SLACK: Mapping[str, float] = {
    "": 0.0,
    "bytes": 1024 * 1024,
    "milliseconds": 60_000,
    "percent": 5.0,
    "ratio": 0.01,
    "seconds": 0.01,
}
"""By unit: smaller differences are nobody's business, above all where the usual is 0."""

ERROR_RATE = "error_rate"
_RATE = Metric(ERROR_RATE, "ratio")


@dataclass(frozen=True, slots=True)
class Level:
    """What a number was usually."""

    mean: float
    """Of a request latency its quantile over the whole time, of failed requests their part."""
    deviation: float
    """Of the population; 0 for quantiles and the error rate."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was usual from *start* up to but not including *end*."""

    at: int
    start: int
    end: int
    levels: Mapping[str, Level]
    """By name, and store if it is about one: "wal_bytes{users}"."""


@dataclass(frozen=True, slots=True)
class Regression:
    """A number that has become worse."""

    name: str
    """As in the baseline's levels."""
    usual: float
    now: float

    @property
    def ratio(self) -> float:
        """Now as a multiple of the usual; infinite where that was 0."""
        return self.now / self.usual if self.usual else float("inf")


def levels(store: MetricsStore[Any], start: int, end: int) -> dict[str, Level]:
    """Return what each number came to, of those that can become worse."""
    found: dict[str, Level] = {}
    period = (start, end)
    for metric in METRICS.values():
        if metric.worse:
            spread = {} if metric.series else dict(_whole(store, metric, period, "stddev"))
            agg = metric.agg if metric.series else "avg"
            for key, value in _whole(store, metric, period, agg):
                found[key] = Level(value, spread.get(key, 0.0))
    count = dict(_whole(store, METRICS["requests"], period, "increase")).get("requests")
    if count:
        errors = dict(_whole(store, METRICS["request_errors"], period, "increase"))
        found[ERROR_RATE] = Level(errors.get("request_errors", 0.0) / count, 0.0)
    return found


def _whole(
    store: MetricsStore[Any], metric: Metric, period: tuple[int, int], agg: str
) -> Iterator[tuple[str, float]]:
    """Yield the one number that each store, or all processes, come to over the period."""
    by = tuple(label for label in metric.by if label != "process")
    start, end = period
    for result in store.query_all(
        metric.series or metric.name, start=start, end=end, step=WHOLE, agg=agg, by=by
    ):
        for value in result.values.tolist():
            if not math.isnan(value):
                yield _key(metric, result.labels), value


def regressions(
    usual: Mapping[str, Level], now: Mapping[str, Level], tolerance: float
) -> list[Regression]:
    """Return what is worse than usual by over *tolerance* and three deviations, worst first."""
    found = []
    for key, level in usual.items():
        if key not in now:
            continue
        metric = _metric(key)
        beyond = metric.worse * (now[key].mean - level.mean)
        noise = max(SPREAD * level.deviation, SLACK[metric.unit])
        if beyond > max(abs(level.mean) * tolerance, noise):
            found.append((beyond / (abs(level.mean) or 1e-9), key))
    return [Regression(key, usual[key].mean, now[key].mean) for _, key in sorted(found)[::-1]]


def _metric(key: str) -> Metric:
    return METRICS.get(key.partition("{")[0], _RATE)


def _key(metric: Metric, labels: Mapping[str, str]) -> str:
    store = labels.get("store")
    return metric.name if store is None else f"{metric.name}{{{store}}}"


def to_record(baseline: Baseline) -> dict[str, Any]:
    """Return *baseline* as plain values."""
    return dataclasses.asdict(baseline)


def from_record(record: Mapping[str, Any]) -> Baseline:
    """Return the baseline that was kept; numbers of other releases are passed over."""
    known = {
        key: Level(**level)
        for key, level in record["levels"].items()
        if key == ERROR_RATE or key.partition("{")[0] in METRICS
    }
    return Baseline(record["at"], record["start"], record["end"], known)
