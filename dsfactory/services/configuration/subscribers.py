"""Who wants to hear what happens to a configuration, and the thread that listens for others."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from dsfactory.errors import ClosedError, ConfigurationError, DataStoreError, shown
from dsfactory.services.configuration.records import ConfigurationEvent
from dsfactory.stores import ConfigStore

log = logging.getLogger("dsfactory.services.configuration")

EVENTS = ("validated", "changed", "reloaded", "rollback", "error")

Hearer = Callable[[ConfigurationEvent], object]

LISTEN_MS = 250
"""How long the listening thread may take to notice that it shall end."""
AFTER_ERROR_S = 5.0


class Subscribers:
    """Tells events one at a time, in order, to everybody who asked for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hearers: dict[object, tuple[Hearer, frozenset[str]]] = {}
        self._waiting: deque[ConfigurationEvent] = deque()
        self._telling = False

    def add(self, hearer: Hearer, events: Iterable[str]) -> Callable[[], None]:
        """Tell *hearer* of *events* (none: all) until the returned function is called."""
        wanted = frozenset(events) or frozenset(EVENTS)
        unknown = sorted(wanted - set(EVENTS))
        if unknown:
            raise ConfigurationError(
                f"There is no event {shown(unknown[0])}; there are {', '.join(EVENTS)}.",
                rule="known event",
            )
        token = object()
        with self._lock:
            self._hearers[token] = hearer, wanted

        def remove() -> None:
            with self._lock:
                self._hearers.pop(token, None)

        return remove

    def note(self, events: Iterable[ConfigurationEvent]) -> None:
        """Have *events* told by the next tell(), if anybody is there to hear."""
        with self._lock:
            if self._hearers:
                self._waiting.extend(events)

    def tell(self, events: Iterable[ConfigurationEvent] = ()) -> None:
        """Tell what waits, then *events*; while somebody is telling, that one goes on."""
        self.note(events)
        with self._lock:
            if self._telling or not self._waiting:
                return
            self._telling = True
        try:
            while self._tell_next():
                pass
        except BaseException:
            # Only then: at a good end _tell_next() has said so, and another may be telling by now.
            with self._lock:
                self._telling = False
            raise

    def after_fork(self) -> None:
        """Start over in a child: whoever was telling is not here."""
        self._lock = threading.Lock()
        self._waiting.clear()
        self._telling = False

    def _tell_next(self) -> bool:
        with self._lock:
            if not self._waiting:
                # Under the same lock as the question whether somebody tells: nothing stays behind.
                self._telling = False
                return False
            event = self._waiting.popleft()
            hearers = [hearer for hearer, wanted in self._hearers.values() if event.what in wanted]
        for hearer in hearers:
            _call(hearer, event)
        return True


def _call(hearer: Hearer, event: ConfigurationEvent) -> None:
    try:
        hearer(event)
    except Exception as error:  # noqa: BLE001 - the application's code; its fault stops no other
        # Without the traceback, whose last line may quote a setting.
        log.error("a subscriber failed at %r: %s", event.what, type(error).__name__)  # noqa: TRY400


class Listener:
    """A daemon thread that calls back when any process has written the configuration."""

    def __init__(
        self,
        store: ConfigStore[Any],
        key: str,
        wake: Callable[[], object],
        failed: Callable[[DataStoreError], object],
    ) -> None:
        self._store = store
        self._key = key
        self._wake = wake
        self._failed = failed
        self._stopping = threading.Event()
        name = f"dsfactory-configuration-{store.name}"
        self._thread = threading.Thread(target=self._listen, name=name, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                self._hear()
            except ClosedError:
                return
            except DataStoreError as error:
                self._failed(error)
                self._stopping.wait(AFTER_ERROR_S)

    def _hear(self) -> None:
        for _ in self._store.watch(prefix=self._key, timeout=LISTEN_MS):
            self._wake()
            if self._stopping.is_set():
                return
        # What was written between two watches.
        self._wake()

    def stop(self) -> None:
        """Ask the thread to end, and wait until it has (unless it is this one)."""
        self._stopping.set()
        if self._thread is not threading.current_thread():
            self._thread.join()
