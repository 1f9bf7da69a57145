"""What a monitor says of the past: histories, alerts, actions, and what has become worse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dsfactory.clock import Ratchet
from dsfactory.model import Event
from dsfactory.services.monitoring import baselines, exporting, histories
from dsfactory.services.monitoring.baselines import Baseline, Regression
from dsfactory.services.monitoring.checking import checked_period
from dsfactory.services.monitoring.histories import METRICS, RAW_MS, Track
from dsfactory.services.monitoring.readings import Alert, Snapshot
from dsfactory.services.monitoring.requests import HOUR_MS
from dsfactory.services.monitoring.settings import Settings, checked_duration, refused

if TYPE_CHECKING:
    from dsfactory.durations import Duration
    from dsfactory.stores import MetricsStore

BASELINE = "baseline"
ALERTS, ACTIONS = "alert/", "action/"

Time = int | datetime


class Reviewing:
    """The part of HealthMonitor that reads what it kept."""

    _store: MetricsStore[Any]
    _time: Ratchet

    @property
    def settings(self) -> Settings:
        """What the monitor goes by."""
        raise NotImplementedError

    def current(self) -> Snapshot:
        """Return how everything stands now."""
        raise NotImplementedError

    def history(
        self,
        start: Time,
        end: Time,
        *,
        step: Duration | None = None,
        names: Sequence[str] = tuple(METRICS),
    ) -> list[Track]:
        """Return what was recorded from *start* up to but not including *end*, a Track a series.

        Points are of *step* each: without it, of the interval of snapshots within the last 24
        hours, of an hour before. Empty where nothing was recorded. Raises MonitoringError.
        """
        begin, stop = checked_period(start, end)
        if step is None:
            now = self._time.now_ms()
            width = histories.step_for(begin, stop, now, self.settings.interval)
        else:
            width = checked_duration("step", step)
        return histories.read(self._store, names, begin, stop, width)

    def alerts(self, start: Time = 0, end: Time | None = None) -> list[Alert]:
        """Return the alerts that were told from *start* on and before *end*, oldest first."""
        return [Alert(**record) for record in self._notes(ALERTS, start, end)]

    def actions(self, start: Time = 0, end: Time | None = None) -> list[Event]:
        """Return the self-healing actions from *start* on and before *end*, oldest first."""
        return [Event(**record) for record in self._notes(ACTIONS, start, end)]

    def _notes(self, prefix: str, start: Time, end: Time | None) -> Iterator[dict[str, Any]]:
        begin, stop = checked_period(start, self._soon() if end is None else end)
        for _, record in self._store.scan(
            start=f"{prefix}{begin:015d}", end=f"{prefix}{stop:015d}"
        ):
            yield record

    def _soon(self) -> int:
        return self._time.now_ms() + 1

    def export(
        self, format: str = "json", *, start: Time | None = None, end: Time | None = None
    ) -> str:
        """Return history() as text, of the last 24 hours unless told: "json" or "csv".

        JSON has current() and alerts() beside it; CSV is a line a point: at, name, unit, store,
        process, value.
        """
        if format not in exporting.FORMATS:
            raise refused("format", format, " or ".join(exporting.FORMATS))
        begin, stop = self._period(start, end)
        tracks = self.history(begin, stop)
        if format == "csv":
            return exporting.as_csv(tracks)
        return exporting.as_json(self.current(), self.alerts(begin, stop), tracks)

    def _period(self, start: Time | None, end: Time | None) -> tuple[int, int]:
        stop = self._soon() if end is None else end
        _, until = checked_period(0, stop)
        return checked_period(max(0, until - RAW_MS) if start is None else start, stop)

    # -- what is usual

    def baseline(self, start: Time | None = None, end: Time | None = None) -> Baseline:
        """Take what was recorded from *start* up to *end* as usual, and keep it.

        The last 24 hours unless told. Raises MonitoringError when nothing was recorded then.
        """
        begin, stop = self._period(start, end)
        levels = baselines.levels(self._store, begin, stop)
        if not levels:
            raise refused("start", begin, "a time within which snapshots were taken")
        made = Baseline(self._time.now_ms(), begin, stop, levels)
        self._store.set(BASELINE, baselines.to_record(made), ttl="never")
        return made

    def kept_baseline(self) -> Baseline | None:
        """Return what baseline() kept last; None when it never did."""
        record = self._store.get(BASELINE)
        return None if record is None else baselines.from_record(record)

    def regressions(
        self, start: Time | None = None, end: Time | None = None, *, tolerance: float = 0.5
    ) -> list[Regression]:
        """Return what is worse than the baseline, the worst first.

        Worse by over *tolerance* (0.5: half as much again) and by over three standard deviations.
        Compared is the time from *start* to *end*: the last hour unless told. Raises
        MonitoringError without a baseline.
        """
        kept = self.kept_baseline()
        if kept is None:
            raise refused("baseline", None, "one that baseline() kept before")
        if isinstance(tolerance, bool) or not isinstance(tolerance, (int, float)) or tolerance < 0:
            raise refused("tolerance", tolerance, "a number of at least 0")
        stop = self._soon() if end is None else end
        _, until = checked_period(0, stop)
        begin, until = checked_period(max(0, until - HOUR_MS) if start is None else start, stop)
        now = baselines.levels(self._store, begin, until)
        return baselines.regressions(kept.levels, now, tolerance)
