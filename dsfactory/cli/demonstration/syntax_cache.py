"""The cache store: summaries of the standard library's syntax trees, computed once and served."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dsfactory.cli.demonstration.settings import Settings
from dsfactory.cli.demonstration.syntax import Summary, summarise
from dsfactory.clock import ticks_ns
from dsfactory.factory import DataStoreFactory
from dsfactory.stores import CacheStore

NAME = "demo-syntax"

Watcher = Callable[[int], None]
"""Told after each file how many are done."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Asking the cache once for each file."""

    lookups: int
    missing: int
    """Files without an answer; the first pass parses them."""
    elapsed_ms: float

    @property
    def hit_ratio(self) -> float | None:
        """Answers that were there already, of all lookups."""
        return 1 - self.missing / self.lookups if self.lookups else None


@dataclass(frozen=True, slots=True)
class SyntaxReport:
    """What the cache did."""

    files: int
    lines: int
    definitions: int
    unreadable: int
    """Files that are no Python of this version; they are not cached."""
    first: Pass
    second: Pass


class SyntaxCache:
    """Answers with summaries, out of the store where it can."""

    def __init__(self, factory: DataStoreFactory, settings: Settings) -> None:
        self.store: CacheStore[Summary] = factory.create_cache_store(
            NAME, Summary, max_entries=settings.cache_entries, ttl="30d", compression=True
        )
        self.summaries: list[Summary] = []
        self.parsed: dict[str, float] = {}
        """Milliseconds for each file that was not there."""

    def work(self, paths: Sequence[Path], watcher: Watcher) -> SyntaxReport:
        """Ask for every file twice: the first pass computes what is missing."""
        keys = {_key(path): path for path in paths}
        first = self._fill(keys, watcher)
        second = self._serve(keys)
        return SyntaxReport(
            files=len(self.summaries),
            lines=sum(summary.lines for summary in self.summaries),
            definitions=sum(len(summary.definitions) for summary in self.summaries),
            unreadable=len(paths) - len(self.summaries),
            first=first,
            second=second,
        )

    def _fill(self, keys: Mapping[str, Path], watcher: Watcher) -> Pass:
        began = ticks_ns()
        for done, (key, path) in enumerate(keys.items(), 1):
            with suppress(SyntaxError, ValueError):  # counted as unreadable
                self.summaries.append(self.store.get_or_set(key, partial(self._parse, path)))
            watcher(done)
        return Pass(len(keys), len(self.parsed), _milliseconds_since(began))

    def _serve(self, keys: Mapping[str, Path]) -> Pass:
        began = ticks_ns()
        missing = [key for key in keys if self.store.get(key) is None]
        return Pass(len(keys), len(missing), _milliseconds_since(began))

    def _parse(self, path: Path) -> Summary:
        began = ticks_ns()
        try:
            return summarise(path)
        finally:
            self.parsed[str(path)] = _milliseconds_since(began)


def _key(path: Path) -> str:
    """A file that was changed is another file; its old summary goes unused and expires."""
    status = path.stat()
    return f"{path}|{status.st_mtime_ns}|{status.st_size}"


def _milliseconds_since(began: int) -> float:
    return (ticks_ns() - began) / 1e6
