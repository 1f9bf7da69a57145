"""The thread that commits what was collected, one window after the first sample."""

from __future__ import annotations

import threading
import weakref
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from dsfactory.clock import ticks_ns

if TYPE_CHECKING:
    from logging import Logger

    from dsfactory.series.recording import Recorder

_Bell = SimpleQueue[bool]


class Flusher:
    """Starts its thread with the first ring. Nothing recorded, nothing awake."""

    def __init__(self, engine: Recorder, window_ms: int) -> None:
        # The weak reference lets a store that was forgotten unclosed be collected.
        self._engine = weakref.ref(engine, lambda _gone: self._bell.put(False))
        self._window_s = min(window_ms / 1000, threading.TIMEOUT_MAX)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget the thread, which a forked child does not have."""
        self._bell: _Bell = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def ring(self) -> None:
        """Let the window begin."""
        if self._thread is None:
            self._start()
        self._bell.put(True)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._stopped:
                thread = threading.Thread(
                    target=_loop,
                    args=(self._engine, self._bell, self._window_s),
                    name="dsfactory-series",
                    daemon=True,
                )
                thread.start()  # where that fails, the next ring tries again
                self._thread = thread

    def stop(self) -> None:
        """Stop and wait until the flush in hand is done."""
        with self._lock:
            self._stopped = True
            thread, self._thread = self._thread, None
        self._bell.put(False)
        if thread is not None and thread is not threading.current_thread():
            thread.join()


def _log() -> Logger:
    import logging  # 3 ms at the start, for what hardly ever happens

    return logging.getLogger("dsfactory.series")


def _loop(engine: weakref.ref[Recorder], bell: _Bell, window_s: float) -> None:
    while bell.get():
        if _stopped(bell, window_s):
            return
        alive = engine()
        if alive is None:
            return
        # What failed is tried again a window later, whether or not somebody records.
        try:
            well = alive.flush_quietly()
        except Exception as error:  # noqa: BLE001 -- the boundary of this loop: logged, tried again
            alive.trouble = type(error).__name__
            well = False
            _log().exception("samples could not be written")
        if not well:
            bell.put(True)
        del alive


def _stopped(bell: _Bell, within_s: float) -> bool:
    """Wait a window long, however often the bell rings; return whether the thread has to end."""
    deadline = ticks_ns() + int(within_s * 1e9)
    while (left := deadline - ticks_ns()) > 0:
        try:
            if not bell.get(timeout=left / 1e9):
                return True
        except Empty:
            break
    return False
