"""HealthMonitor: takes snapshots, keeps them, judges them, and acts on what it finds."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from dsfactory.clock import Ratchet
from dsfactory.errors import ClosedError, DataStoreError, ForkedError
from dsfactory.model import HealthReport, Probe
from dsfactory.services.monitoring import (
    healing,
    histories,
    judging,
    places,
    settings,
)
from dsfactory.services.monitoring.checking import checked_callable, checked_word
from dsfactory.services.monitoring.process import ProcessMeter
from dsfactory.services.monitoring.readings import Snapshot, StoreReading
from dsfactory.services.monitoring.requests import NOTHING, Request, Requests
from dsfactory.services.monitoring.reviewing import ACTIONS, ALERTS, Reviewing
from dsfactory.services.monitoring.settings import Settings, refused
from dsfactory.services.monitoring.surveying import Surveyor
from dsfactory.services.monitoring.telling import AlertHook, Ask, Listeners, Probes
from dsfactory.services.monitoring.ticking import Ticker

if TYPE_CHECKING:
    from dsfactory.factory import DataStoreFactory
    from dsfactory.stores import MetricsStore

SETTINGS, KEPT = "settings", "kept"

CLOSING_MS = 500
"""After so long the thread looks again when the factory, or its own store, was being closed."""


class HealthMonitor(Reviewing):
    """Watches process, requests and stores of one factory, and keeps what it saw.

    Thread-safe. Several processes may monitor one directory: numbers of a process carry its place
    ("1", "2"; the lowest that is free), and what they all see is alerted by one of them. Numbers
    and alerts are in a metrics store: samples for 24 hours, hours for 30 days, alerts for 30 days.
    Taking a snapshot moves no store's counters but its own, and opens no store for good. After a
    fork the child makes a monitor of its own. Needs the extra ``dsfactory[metrics]``.
    """

    def __init__(self, factory: DataStoreFactory, *, name: str = "health") -> None:
        """Open the monitor kept in the metrics store *name*, made when it is new.

        Nothing happens until start(), or snapshot() is called.
        """
        self._factory, self._name = factory, name
        self._pid, self._id = os.getpid(), secrets.token_hex(8)
        self._ended = False
        places.holders[self._id] = self
        self._store = self._opened()
        self.place = places.taken(self._store, self._id)
        # Back to no earlier time than that of the last snapshot: cooldowns go by it.
        self._time = Ratchet(factory.clock, self._kept().at)
        self._requests = Requests(self._store, self.place, self._time.now_ms)
        self._fallback = judging.Kept()
        self._known = Settings()
        self._meter = ProcessMeter(factory.root)
        self._surveyor = Surveyor(factory)
        self._healer = healing.Healer(factory)
        self._probes = Probes()
        self._listeners = Listeners()
        self._lock = threading.RLock()
        self._ticker: Ticker | None = None
        self._trouble: str | None = None
        self._report: HealthReport | None = None

    def _opened(self) -> MetricsStore[Any]:
        return self._factory.create_metrics_store(self._name, ttl="24h", rollups=(("1h", "30d"),))

    def _revive(self) -> None:
        """Open the store anew when its handle is closed: restored, or after a failed fsync."""
        self._require_own()
        if self._ended:
            raise ClosedError("This monitor is closed. Make another HealthMonitor.")
        if self._store.closed:
            self._store = self._opened()
            self._requests = Requests(self._store, self.place, self._time.now_ms)

    # -- on an interval

    def start(self) -> Self:
        """Take a snapshot now and every ``interval`` in a daemon thread; again does nothing."""
        with self._lock:
            self._revive()
            if self._ticker is None or not self._ticker.alive:
                self._ticker = Ticker(self)
        return self

    def stop(self) -> None:
        """End the thread when the snapshot under way is finished; start() begins again."""
        ticker, self._ticker = self._ticker, None
        if ticker is not None:
            ticker.stop()

    def close(self) -> None:
        """Stop, commit what was recorded, and give the place back; the store stays open.

        The monitor is not used again: snapshots raise ClosedError.
        """
        self.stop()
        self._ended = True
        if os.getpid() == self._pid and not self._store.closed:
            with contextlib.suppress(ClosedError):
                places.left(self._store, self.place, self._id)
                self._store.flush()

    @property
    def over(self) -> bool:
        """Whether the monitor was closed, or its factory was."""
        return self._ended or self._factory.closed

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.close()

    def tick(self) -> int | None:
        """Take a snapshot; return the milliseconds until the next one, None without a factory."""
        try:
            self.snapshot()
        except ClosedError:
            return None if self._factory.closed else CLOSING_MS
        return self._known.interval

    # -- what the application tells

    def observe(self, seconds: float, *, failed: bool = False) -> None:
        """Count one request that took so many seconds; 10 us or so.

        A SIGKILL loses what was told in the last second. Raises MonitoringError for what is no
        duration; that it cannot be recorded fails no request, but is in the next snapshot.
        """
        if (
            isinstance(seconds, bool)
            or not isinstance(seconds, (int, float))
            or not 0 <= seconds < 1e9
        ):
            raise refused("seconds", seconds, "a number of at least 0")
        self._require_own()
        self._requests.note(float(seconds), failed=failed)

    def request(self) -> Request:
        """Count the block, or each call of what is decorated, as a request.

        An exception is its error. Functions and coroutine functions can be decorated; decorating
        a generator raises MonitoringError: use the block inside of it.
        """
        return Request(self.observe)

    def add_probe(self, name: str, ask: Ask) -> None:
        """Ask *ask* at every snapshot: True, False or a Probe; an earlier one of *name* goes.

        An exception is a bad answer and is logged. It should answer soon: the snapshot waits.
        """
        self._probes.add(checked_word("name", name), checked_callable("ask", ask))

    def remove_probe(self, name: str) -> bool:
        """Ask no more; return False when there is no such probe."""
        return self._probes.remove(name)

    def on_alert(self, hook: AlertHook) -> Callable[[], None]:
        """Call *hook* with every Alert that this process raises or clears; return what ends that.

        It is called once the alert is kept, by the thread of the snapshot. What it raises is
        logged; a process killed in between leaves the alert in alerts(), untold.
        """
        return self._listeners.add(checked_callable("hook", hook))

    def opener(self, store: str, open_store: Callable[[], object]) -> None:
        """Have the action "reopen" call *open_store*, which asks the factory with its schema."""
        self._healer.openers[checked_word("store", store)] = checked_callable(
            "open_store", open_store
        )

    # -- settings

    @property
    def settings(self) -> Settings:
        """What the monitor goes by, the same for all processes; the defaults until configure()."""
        record = self._store.get(SETTINGS)
        return Settings() if record is None else settings.from_record(record)

    def configure(self, **changes: object) -> Settings:
        """Change settings, for all processes and for good; return them.

        interval, health_every, window and cooldown are durations; limits and healing change the
        rules and actions that they name: ``configure(limits={"memory": 2e9, "p95": None})``.
        Raises MonitoringError, naming field, type and rule; nothing is changed then.
        """
        with self._store.transaction():
            chosen = self.settings.changed(changes)
            self._store.set(SETTINGS, dataclasses.asdict(chosen), ttl="never")
        return chosen

    # -- snapshots

    def current(self) -> Snapshot:
        """Return how everything stands now; nothing is recorded, judged or done."""
        with self._lock:
            self._revive()
            return self._read(self._read_settings(), keep=False)

    def snapshot(self, *, check: bool = False) -> Snapshot:
        """Take a snapshot: record it, judge it, tell its alerts and run the actions they call for.

        With *check*, and when the last one is older than ``health_every``, after a health check of
        all stores. What keeps the snapshot from being recorded is a probe of it, "monitor".
        """
        with self._lock:
            self._revive()
            chosen = self._read_settings()
            self._check(chosen, now=check)
            snapshot = self._read(chosen, keep=True)
            snapshot, verdict = self._judged(snapshot, chosen)
            self._record(snapshot)
        for alert in verdict.news:
            self._listeners.tell(alert)
        for action, store in verdict.actions:
            self._act(action, store, snapshot.at)
        return snapshot

    def _read_settings(self) -> Settings:
        try:
            self._known = self.settings
        except ClosedError:
            raise
        except DataStoreError as error:
            self._trouble = str(error)  # the last known ones do
        return self._known

    def _check(self, chosen: Settings, *, now: bool) -> None:
        try:
            records = self._factory.get_registered_stores()
        except ClosedError:
            raise
        except DataStoreError:
            return  # _read says what ails the registry
        oldest = min((record.health_at or 0 for record in records), default=0)
        if now or not 0 <= self._time.now_ms() - oldest < chosen.health_every:
            self._report = self._factory.perform_health_check()

    def _read(self, chosen: Settings, *, keep: bool) -> Snapshot:
        now = self._time.now_ms()
        probes = self._own_probes()
        stores: tuple[StoreReading, ...] = ()
        try:
            stores = self._surveyor.read(now, keep=keep)
        except ClosedError:
            raise
        except DataStoreError as error:
            probes.append(Probe("registry", ok=False, detail=str(error)))
        requests = NOTHING
        alerts = tuple(self._fallback.standing.values())
        try:
            requests = self._requests.read(chosen.window)
            alerts = tuple(self._kept().standing.values())
        except ClosedError:
            raise
        except DataStoreError as error:
            probes.append(Probe("monitor", ok=False, detail=str(error)))
        process = self._meter.read(keep=keep)
        asked = (*probes, *self._probes.ask())
        return Snapshot(now, self.place, process, requests, stores, asked, alerts)

    def _own_probes(self) -> list[Probe]:
        trouble = self._requests.trouble or self._trouble
        self._requests.trouble = None
        probes = [] if trouble is None else [Probe("monitor", ok=False, detail=trouble)]
        return probes + [p for p in (self._report.factory if self._report else ()) if not p.ok]

    def _judged(self, snapshot: Snapshot, chosen: Settings) -> tuple[Snapshot, judging.Verdict]:
        try:
            with self._store.transaction():
                living = places.living(self._store) | {self.place}
                verdict = judging.judge(self._kept(), snapshot, chosen, living)
                self._store.set(KEPT, judging.to_record(verdict.kept), ttl="never")
                for alert in verdict.news:
                    self._note(ALERTS, alert.at, dataclasses.asdict(alert))
            self._trouble = None
        except ClosedError:
            raise
        except DataStoreError as error:
            # Judged all the same: a full disk must not silence its own alert.
            self._trouble = str(error)
            verdict = judging.judge(self._fallback, snapshot, chosen, ())
        self._fallback = verdict.kept
        standing = tuple(verdict.kept.standing.values())
        return dataclasses.replace(snapshot, alerts=standing), verdict

    def _record(self, snapshot: Snapshot) -> None:
        try:
            self._store.record_rows(histories.rows(snapshot))
            self._store.flush()
        except ClosedError:
            raise
        except DataStoreError as error:
            self._trouble = str(error)

    def _act(self, action: str, store: str, now: int) -> None:
        done = self._healer.run(action, store, now)
        if done is None:
            return
        try:
            self._note(ACTIONS, now, dataclasses.asdict(done))
        except DataStoreError as error:
            self._trouble = str(error)  # what was done is in the log of the process as well

    def _note(self, prefix: str, at: int, record: dict[str, Any]) -> None:
        self._store.set(f"{prefix}{at:015d}/{secrets.token_hex(4)}", record, ttl="30d")

    def _kept(self) -> judging.Kept:
        return judging.from_record(self._store.get(KEPT))

    def _require_own(self) -> None:
        if os.getpid() != self._pid:
            raise ForkedError(
                "This monitor belongs to the process that was forked. Make another HealthMonitor "
                "in the child."
            )
