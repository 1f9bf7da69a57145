"""What maintenance does to a store: a row a task. Later rooms add rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dsfactory.stores import DataStore, MetricsStore

MINUTE_MS = 60_000

Stopping = Callable[[], bool]

DICTIONARY_SAMPLES = 100
"""As many values suffice to train a dictionary; with fewer none is tried."""


class Task(NamedTuple):
    """One kind of work. *run* returns what it achieved, by the field of MaintenanceReport.

    It is given a question to ask between its steps: when the answer is True, it leaves the rest.
    """

    name: str
    every_ms: int
    run: Callable[[DataStore[Any], Stopping], dict[str, int]]


def _clean_up(store: DataStore[Any], stopping: Stopping) -> dict[str, int]:
    if not store.options.auto_cleanup:
        return {}
    expired = store.expire(stopping=stopping) if "expiry" in store.options.features else 0
    evicted = store.evict() if "access" in store.options.features else 0
    return {"expired": expired, "evicted": evicted}


def _series(store: DataStore[Any], stopping: Stopping) -> dict[str, int]:
    if not isinstance(store, MetricsStore):
        return {}
    sealed, dropped = store.maintain_series(stopping=stopping)
    return {"series_sealed": sealed, "samples_dropped": dropped}


def _tidy(store: DataStore[Any], _stopping: Stopping) -> dict[str, int]:
    checkpointed, freed = store.maintain()
    return {"checkpointed": checkpointed, "pages_freed": freed}


def _learn(store: DataStore[Any], _stopping: Stopping) -> dict[str, int]:
    if not store.options.compression or store.has_dictionary():
        return {}
    if len(store) < DICTIONARY_SAMPLES:
        return {}
    return {"dictionaries": int(store.train_dictionary())}


TASKS = (
    Task("clean up", 0, _clean_up),
    Task("series", 5 * MINUTE_MS, _series),
    Task("tidy", 5 * MINUTE_MS, _tidy),
    Task("learn", 60 * MINUTE_MS, _learn),
)
