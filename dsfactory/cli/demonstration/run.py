"""The day's work from beginning to end, and its report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsfactory.cli.demonstration import findings as findings_store
from dsfactory.cli.demonstration import sessions as sessions_store
from dsfactory.cli.demonstration import settings as settings_store
from dsfactory.cli.demonstration import sources
from dsfactory.cli.demonstration import syntax_cache as cache_store
from dsfactory.cli.demonstration import telemetry as telemetry_store
from dsfactory.clock import ticks_ns
from dsfactory.factory import DataStoreFactory
from dsfactory.model import HealthReport, MaintenanceReport, RegistryStats, StoreStats
from dsfactory.stores import DataStore

STORES = (
    settings_store.NAME,
    telemetry_store.NAME,
    cache_store.NAME,
    sessions_store.NAME,
    findings_store.NAME,
)

Watch = Callable[[int], AbstractContextManager[cache_store.Watcher]]
"""Told how many files there are; gives what is told of each."""


@dataclass(frozen=True, slots=True)
class StoreSummary:
    """One store after the work: what it holds, and what was asked of it."""

    stats: StoreStats
    operations: int
    elapsed_ms: float
    """Spent on this store's part of the work; telemetry is written beside the others."""


@dataclass(frozen=True, slots=True)
class Work:
    """What was done, store by store."""

    folder: Path
    """Whose source files were read."""
    settings: settings_store.SettingsReport
    telemetry: telemetry_store.TelemetryReport
    syntax: cache_store.SyntaxReport
    parsing_ms: float | None
    """What parsing took, each file when it was parsed last; from the metrics store."""
    sessions: sessions_store.SessionsReport
    findings: findings_store.FindingsReport
    elapsed_ms: Mapping[str, float]
    """By the store's name."""


@dataclass(frozen=True, slots=True)
class Report:
    """The work, and how the stores are after it."""

    root: Path
    work: Work
    stores: tuple[StoreSummary, ...]
    maintenance: MaintenanceReport
    registry: RegistryStats
    health: HealthReport
    elapsed_ms: float


class Steps:
    """Times the steps of the work."""

    def __init__(self) -> None:
        self.took: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time one step."""
        began = ticks_ns()
        yield
        self.took[name] = (ticks_ns() - began) / 1e6


def demonstrate(factory: DataStoreFactory, at_most: int | None, watch: Watch) -> Report:
    """Do the day's work in *factory*, on at most so many source files, and look at the stores."""
    steps = Steps()
    with steps.timed("everything"):
        work = _work(factory, at_most, watch)
        stores = tuple(_summary(factory, name, work.elapsed_ms[name]) for name in STORES)
        maintenance = factory.maintain()
        registry = factory.get_registry_stats()
        health = factory.perform_health_check()
    return Report(
        root=factory.root,
        work=work,
        stores=stores,
        maintenance=maintenance,
        registry=registry,
        health=health,
        elapsed_ms=steps.took["everything"],
    )


def _work(factory: DataStoreFactory, at_most: int | None, watch: Watch) -> Work:
    steps, folder = Steps(), sources.standard_library()
    with steps.timed(settings_store.NAME):
        chosen = settings_store.work(factory)
    telemetry = telemetry_store.Telemetry(factory)
    cache = cache_store.SyntaxCache(factory, chosen.settings)
    with telemetry.sampling(chosen.settings.sample_every_ms):
        with steps.timed(cache_store.NAME):
            syntax = _read_syntax(cache, sources.source_files(folder, at_most), watch)
        with steps.timed(sessions_store.NAME):
            sessions = sessions_store.work(factory, cache.summaries, chosen.settings)
        with steps.timed(findings_store.NAME):
            found = findings_store.work(
                factory, cache.summaries, folder, chosen.settings.keep_findings
            )
    telemetry.timings({**steps.took, **cache.parsed})
    took = {**steps.took, telemetry_store.NAME: telemetry.elapsed_ms}
    parsing_ms = telemetry.last_timings(summary.path for summary in cache.summaries)
    return Work(folder, chosen, telemetry.report(), syntax, parsing_ms, sessions, found, took)


def _read_syntax(
    cache: cache_store.SyntaxCache, paths: list[Path], watch: Watch
) -> cache_store.SyntaxReport:
    with watch(len(paths)) as watcher:
        return cache.work(paths, watcher)


def _summary(factory: DataStoreFactory, name: str, took: float) -> StoreSummary:
    store: DataStore[Any] = factory.get_store(name)
    operations = sum(operation.count for operation in store.get_metrics().operations.values())
    return StoreSummary(store.stats(), operations, took)
