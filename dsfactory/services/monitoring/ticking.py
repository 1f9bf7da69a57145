"""The thread that takes a snapshot every interval."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from logging import Logger


class Ticked(Protocol):
    """What is done again and again."""

    def tick(self) -> int | None:
        """Do it; return the milliseconds until the next time, None when there is none."""
        ...


class Ticker:
    """Calls tick() at once and then whenever its interval is over, until stopped.

    Never keeps the interpreter or what it ticks alive, and ends with the factory.
    """

    def __init__(self, ticked: Ticked) -> None:
        self._bell: SimpleQueue[None] = SimpleQueue()
        ring = self._bell.put
        alive = weakref.ref(ticked, lambda _gone: ring(None))
        self._thread = threading.Thread(
            target=_loop, args=(alive, self._bell), name="dsfactory-monitoring", daemon=True
        )
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Stop, and wait until a snapshot under way is finished."""
        self._bell.put(None)
        if self._thread is not threading.current_thread() and self._thread.is_alive():
            self._thread.join()


RETRY_MS = 60_000


def _loop(alive: Callable[[], Ticked | None], bell: SimpleQueue[None]) -> None:
    pause_ms: int | None = 0
    while pause_ms is not None and not _rings(bell, pause_ms):
        ticked = alive()
        if ticked is None:
            return
        pause_ms = RETRY_MS
        try:
            pause_ms = ticked.tick()
        except Exception:  # noqa: BLE001 -- the boundary of this loop: logged, tried again
            _log().exception("a snapshot failed")
        del ticked


def _rings(bell: SimpleQueue[None], within_ms: int) -> bool:
    try:
        bell.get(timeout=min(within_ms / 1000, threading.TIMEOUT_MAX))
    except Empty:
        return False
    return True


def _log() -> Logger:
    import logging  # 3 ms at the start, for what hardly ever happens

    return logging.getLogger("dsfactory.services.monitoring")
