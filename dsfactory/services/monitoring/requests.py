"""What the application tells of its requests, and what they came to."""

from __future__ import annotations

import functools
import inspect
import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from dsfactory.clock import END_OF_TIME, ticks_ns
from dsfactory.errors import DataStoreError
from dsfactory.services.monitoring.readings import RequestReading
from dsfactory.services.monitoring.settings import refused
from dsfactory.stores import MetricsStore

if TYPE_CHECKING:
    from logging import Logger

SECONDS = "request_seconds"
COUNT = "requests"
ERRORS = "request_errors"

LANES = 16
"""A series holds one sample a millisecond, so those of one millisecond go to series beside each
other, which a query puts together again. Beyond 16,000 a second, percentiles are of a part of the
requests; counts are of all."""

HOUR_MS = 3_600_000
WHOLE = END_OF_TIME // HOUR_MS * HOUR_MS
"""A step that holds every interval whole; a multiple of the rollups' width."""


P = ParamSpec("P")
R = TypeVar("R")


class Request:
    """A block that is timed as one request, or a decorator whose every call is."""

    def __init__(self, observe: Callable[..., None]) -> None:
        """Have *observe* told the seconds, and whether the request *failed*."""
        self._observe = observe
        self._began_ns = 0

    def __enter__(self) -> None:
        self._began_ns = ticks_ns()

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        self._observe((ticks_ns() - self._began_ns) / 1e9, failed=kind is not None)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return *function*, each call of which is timed to its end; generators are refused."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise refused("function", function, "no generator, which has not ended when it is made")

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def later(*args: P.args, **kwargs: P.kwargs) -> Any:
                with Request(self._observe):
                    return await function(*args, **kwargs)

            return later  # type: ignore[return-value]  # a coroutine function for one

        @functools.wraps(function)
        def now(*args: P.args, **kwargs: P.kwargs) -> R:
            with Request(self._observe):
                return function(*args, **kwargs)

        return now


class Requests:
    """Counts requests of this process, and reads those of all."""

    def __init__(self, store: MetricsStore[Any], place: str, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now
        self._lock = threading.Lock()
        labels = {"process": place}
        self._lanes = [{**labels, "lane": str(lane)} for lane in range(LANES)]
        self._count = store.counter(COUNT, labels=labels)
        self._errors = store.counter(ERRORS, labels=labels)
        self._last = self._used = 0
        self.trouble: str | None = None
        # From a zero on disk the first increase is counted, too.
        self._count.inc(0)
        self._errors.inc(0)
        store.flush()

    def note(self, seconds: float, *, failed: bool) -> None:
        """Count one request. What keeps it from being recorded is logged, and in *trouble*."""
        try:
            self._count.inc()
            if failed:
                self._errors.inc()
            self._record(seconds)
        except DataStoreError as error:
            if self.trouble is None:
                _log().warning("requests are not recorded: %s", error)
            self.trouble = str(error)

    def _record(self, seconds: float) -> None:
        with self._lock:
            now = self._now()
            if now > self._last:
                self._last, self._used = now, 0
            lane = self._used
            self._used += 1
        if lane < LANES:
            self._store.record(SECONDS, seconds, labels=self._lanes[lane], at=now)

    def read(self, window: int) -> RequestReading:
        """Return what all processes recorded within the last *window* milliseconds."""
        self._store.flush()  # of this process, all there is; before the time is asked
        now = self._now()
        start, end = max(0, now - window), now + 1
        return RequestReading(
            count=int(self._one(COUNT, "increase", start, end) or 0),
            errors=int(self._one(ERRORS, "increase", start, end) or 0),
            p50_s=self._one(SECONDS, "quantile(0.5)", start, end),
            p95_s=self._one(SECONDS, "quantile(0.95)", start, end),
            p99_s=self._one(SECONDS, "quantile(0.99)", start, end),
        )

    def _one(self, name: str, agg: str, start: int, end: int) -> float | None:
        results = self._store.query_all(name, start=start, end=end, step=WHOLE, agg=agg, by=())
        values = [float(value) for result in results for value in result.values]
        return values[0] if values and not math.isnan(values[0]) else None


NOTHING = RequestReading(0, 0, None, None, None)


def _log() -> Logger:
    import logging  # 3 ms at the start, for what hardly ever happens

    return logging.getLogger("dsfactory.services.monitoring")
