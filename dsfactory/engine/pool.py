"""The readers of one file: lent to one thread at a time, opened when all are out."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable

import apsw


class ReaderPool:
    """Connections that only read. Lending takes no lock: a deque's ends are atomic."""

    def __init__(self, open_reader: Callable[[], apsw.Cursor]) -> None:
        """*open_reader* opens one more connection, or raises why none may be opened."""
        self._open_reader = open_reader
        self._gate = threading.Lock()
        self.idle: deque[apsw.Cursor] = deque()
        """Who is in a hurry takes one from here by pop(), and lend() when there is none."""
        self._held: deque[apsw.Cursor] = deque()
        self.back = self.idle
        """Where readers come back to; take_back() when closed."""
        self.closed = False
        self.opened = 0

    def lend(self) -> apsw.Cursor:
        """Return a reader for this thread alone; give it back with take_back()."""
        try:
            return self.idle.pop()
        except IndexError:
            with self._gate:
                cursor = self._open_reader()
                self.opened += 1
                return cursor

    def take_back(self, cursor: apsw.Cursor) -> None:
        """Keep *cursor* for the next; close it when the pool was closed meanwhile."""
        self.back.append(cursor)
        if self.closed:
            self.close_idle()

    def close(self) -> None:
        """Close what is idle now, and what is out when it comes back."""
        with self._gate:
            self.closed = True
            self._close_idle()

    def close_idle(self) -> None:
        """Close those that came back after the end."""
        with self._gate:
            self._close_idle()

    def _close_idle(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self.idle.pop().connection.close(True)
                self.opened -= 1

    # -- forks; see forks.py

    def shut_gate(self) -> None:
        """Let nobody open a reader until open_gate(), and lend none that comes back.

        Threads that read all the time would otherwise never be found without one.
        """
        self._gate.acquire()
        self.back = self._held

    def open_gate(self) -> None:
        """Let readers be opened and lent again."""
        self.back = self.idle
        _move(self._held, self.idle)
        self._gate.release()

    def all_in(self) -> bool:
        """Whether all readers have come back since the gate was shut."""
        _move(self.idle, self._held)
        return len(self._held) >= self.opened

    def empty(self) -> list[apsw.Cursor]:
        """Hand over the readers that have come back, to be closed."""
        cursors = list(self._held)
        self._held.clear()
        self.opened = 0
        return cursors


def _move(source: deque[apsw.Cursor], target: deque[apsw.Cursor]) -> None:
    with contextlib.suppress(IndexError):
        while True:
            target.append(source.pop())
