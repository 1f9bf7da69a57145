"""Work that others ask maintenance to do: services, and the application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

Chore = Callable[[], object]


class _Row(NamedTuple):
    every_ms: int
    run: Chore


class Chores:
    """What one process registered, by name. It outlives forks; threads may register at any time."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._last_run: dict[str, int] = {}

    def add(self, name: str, run: Chore, every_ms: int) -> None:
        """Register *run*, in the stead of an earlier one of that name."""
        self._rows[name] = _Row(every_ms, run)

    def due(self, now: int, *, everything: bool) -> Iterator[tuple[str, Chore]]:
        """Yield what is due, or everything, and note that it ran now."""
        for name, row in list(self._rows.items()):
            last = self._last_run.get(name)
            # A clock that was set back is no reason to wait until it has caught up.
            waiting = last is not None and 0 <= now - last < row.every_ms
            if everything or not waiting:
                self._last_run[name] = now
                yield name, row.run
