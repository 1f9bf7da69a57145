"""Which of the monitoring processes this one is: the lowest number that no living one has.

A label that outlives restarts: series go on where the process before left off.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping
from typing import Any, Protocol

from dsfactory.services.monitoring.process import alive, birth, boot
from dsfactory.stores import MetricsStore

KEY = "places"


class Holder(Protocol):
    """A monitor of this process."""

    @property
    def over(self) -> bool:
        """Whether it was closed, or its factory was."""
        ...


holders: weakref.WeakValueDictionary[str, Holder] = weakref.WeakValueDictionary()
"""Those of this process, by their ids: one that is over or forgotten holds no place."""


def _me(monitor: str) -> list[Any]:
    pid = os.getpid()
    return [pid, birth(pid), boot(), monitor]


def _lives(holder: list[Any]) -> bool:
    pid, born, booted, monitor = holder
    if pid == os.getpid() and booted == boot():
        here = holders.get(monitor)
        return here is not None and not here.over
    return booted == boot() and alive(pid) and birth(pid) == born


def taken(store: MetricsStore[Any], monitor: str) -> str:
    """Take the lowest free place for *monitor*; those of dead processes are free."""
    with store.transaction():
        kept: Mapping[str, list[Any]] = store.get(KEY) or {}
        living = {place: holder for place, holder in kept.items() if _lives(holder)}
        number = next(n for n in range(1, len(living) + 2) if str(n) not in living)
        store.set(KEY, {**living, str(number): _me(monitor)}, ttl="never")
    return str(number)


def living(store: MetricsStore[Any]) -> set[str]:
    """Return the places of living processes."""
    kept: Mapping[str, list[Any]] = store.get(KEY) or {}
    return {place for place, holder in kept.items() if _lives(holder)}


def left(store: MetricsStore[Any], place: str, monitor: str) -> None:
    """Give *place* back, unless somebody else has it by now."""
    with store.transaction():
        kept: Mapping[str, list[Any]] = store.get(KEY) or {}
        if place in kept and kept[place][3] == monitor:
            rest = {other: holder for other, holder in kept.items() if other != place}
            store.set(KEY, rest, ttl="never")
