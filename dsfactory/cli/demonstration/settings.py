"""The config store: how the demo goes about its work. The other stores really use it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from dsfactory.errors import ValueRefusedError
from dsfactory.factory import DataStoreFactory
from dsfactory.model import Version
from dsfactory.stores import ConfigStore, Difference

NAME = "demo-settings"
SHOWN_VERSIONS = 6


@dataclass(frozen=True, slots=True)
class Settings:
    """How the demo goes about its work."""

    threads: int = 2
    """Threads that write to the state store at once."""
    updates_per_thread: int = 60
    sample_every_ms: int = 100
    """How often the host is asked for its readings while the demo works."""
    cache_entries: int = 20_000
    """More than any standard library has source files."""
    keep_findings: str = "90d"


@dataclass(frozen=True, slots=True)
class Change:
    """One version out of the history, without the value."""

    version: int
    change: str
    changed_at: int
    who: str | None
    why: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class SettingsReport:
    """What happened in the config store."""

    settings: Settings
    versions: int
    history: tuple[Change, ...]
    """The newest versions, newest first."""
    differences: tuple[Difference, ...]
    """Between the settings in force and the trial that was rolled back."""
    refused: tuple[str, ...]
    """What the store said to values that it did not take."""


def work(factory: DataStoreFactory) -> SettingsReport:
    """Read the settings, fit them to this host, try a change, and roll it back."""
    store: ConfigStore[Settings] = factory.create_config_store(
        NAME, Settings, validator=is_sensible
    )
    settings = _fitted(store)
    refused = tuple(_refusals(store, settings))
    differences = _trial(store, settings)
    history = store.history()
    return SettingsReport(
        settings=settings,
        versions=len(history),
        history=tuple(map(_without_value, history[:SHOWN_VERSIONS])),
        differences=differences,
        refused=refused,
    )


def is_sensible(settings: Settings) -> bool:
    """Whether the numbers are within what a demo may ask of a machine."""
    return 1 <= settings.threads <= 64 and 10 <= settings.sample_every_ms <= 60_000


def _fitted(store: ConfigStore[Settings]) -> Settings:
    """The settings that are saved, made to fit this host; saved only where they differ."""
    settings = store.load()
    if settings is None:
        settings = Settings()
        store.save(settings, why="the defaults")
    processors = os.cpu_count() or 1
    fitting = replace(settings, threads=min(2 * processors, 16))
    if fitting != settings:
        store.save(fitting, why=f"{fitting.threads} threads for {processors} processors")
    return fitting


def _trial(store: ConfigStore[Settings], settings: Settings) -> tuple[Difference, ...]:
    """Save other settings, see what is different, and go back."""
    in_force = store.history(limit=1)[0].version
    trial = replace(settings, sample_every_ms=settings.sample_every_ms // 2)
    tried = store.save(trial, why="trial: sample twice as often")
    differences = store.diff(in_force, tried)
    store.rollback(in_force, why="the trial is over")
    return tuple(differences)


def _refusals(store: ConfigStore[Settings], settings: Settings) -> Iterator[str]:
    """Offer what the validator and what the type must refuse; return what they said."""
    wrong: Any = "many"
    offers: tuple[Callable[[], Settings], ...] = (
        lambda: replace(settings, threads=0),
        lambda: replace(settings, cache_entries=wrong),
    )
    for offer in offers:
        try:
            store.save(offer())
        except ValueRefusedError as error:
            yield str(error)


def _without_value(version: Version[Settings]) -> Change:
    return Change(
        version=version.version,
        change=version.change,
        changed_at=version.changed_at,
        who=version.who,
        why=version.why,
        sha256=version.sha256,
    )
