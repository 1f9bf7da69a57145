"""The custom store: what is remarkable about the standard library. History, tags and expiry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dsfactory.cli.demonstration.sources import package_of
from dsfactory.cli.demonstration.syntax import Definition, Summary
from dsfactory.errors import VersionConflictError
from dsfactory.factory import DataStoreFactory
from dsfactory.stores import CustomStore

NAME = "demo-findings"
FEATURES = frozenset({"compression", "expiry", "history", "tags"})
LARGEST_PACKAGES = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One remarkable thing."""

    what: str
    where: str
    figure: int
    unit: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A finding as the store holds it."""

    finding: Finding
    version: int
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindingsReport:
    """What the custom store holds and did."""

    kept: tuple[Kept, ...]
    """The records, without the packages."""
    packages: int
    written: int
    """Findings that were new or different; the others were left as they were."""
    stale_refused: int
    """Writes that came from an old version and were refused."""
    drafts_evicted: int


Question = Callable[[Sequence[Summary], Path], Finding | None]


def work(
    factory: DataStoreFactory, summaries: Sequence[Summary], folder: Path, keep: str
) -> FindingsReport:
    """Write the findings that changed, and use what the features are for."""
    store: CustomStore[Finding] = factory.create_custom_store(NAME, Finding, features=FEATURES)
    packages = dict(_packages(summaries, folder))
    records = dict(_records(summaries, folder))
    written = _keep(store, records, "record", keep) + _keep(store, packages, "package", keep)
    stale_refused, drafts_evicted = _try_drafts(store, packages)
    return FindingsReport(
        kept=tuple(_kept(store, records)),
        packages=len(packages),
        written=written,
        stale_refused=stale_refused,
        drafts_evicted=drafts_evicted,
    )


def _keep(store: CustomStore[Finding], findings: Mapping[str, Finding], tag: str, ttl: str) -> int:
    written = 0
    for key, finding in findings.items():
        entry = store.entry(key)
        if entry is not None and entry.value == finding:
            store.touch(key, ttl)
            continue
        # Only if nobody else wrote it since it was looked at.
        version = entry.version if entry else 0
        store.set(key, finding, ttl=ttl, tags=(tag,), if_version=version, why="the files changed")
        written += 1
    return written


def _kept(store: CustomStore[Finding], keys: Mapping[str, Finding]) -> Iterator[Kept]:
    for key in keys:
        entry = store.entry(key)
        if entry is not None:
            yield Kept(entry.value, entry.version, entry.tags)


def _try_drafts(store: CustomStore[Finding], findings: Mapping[str, Finding]) -> tuple[int, int]:
    """Write drafts that would expire by themselves, and throw them away by their tag.

    Return how many stale writes were refused, and how many drafts were thrown away.
    """
    refused = 0
    with store.signed(why="a draft"):
        for key, finding in findings.items():
            first = store.set(f"draft/{key}", finding, ttl="1h", tags=("draft",))
            store.set(f"draft/{key}", finding, ttl="1h", tags=("draft",), if_version=first)
            try:  # what a program does that read long ago
                store.set(f"draft/{key}", finding, if_version=first)
            except VersionConflictError:
                refused += 1
    with store.signed(why="the drafts are over"):
        return refused, store.evict_tag("draft")


def _records(summaries: Sequence[Summary], folder: Path) -> Iterator[tuple[str, Finding]]:
    for key, answer in QUESTIONS.items():
        finding = answer(summaries, folder)
        if finding is not None:
            yield key, finding


def _packages(summaries: Sequence[Summary], folder: Path) -> Iterator[tuple[str, Finding]]:
    lines: Counter[str] = Counter()
    for summary in summaries:
        lines[package_of(summary.path, folder)] += summary.lines
    for name, count in lines.most_common(LARGEST_PACKAGES):
        yield f"package/{name}", Finding("lines of a package", name, count, "lines")


def _functions(summaries: Sequence[Summary]) -> Iterator[tuple[Definition, Summary]]:
    for summary in summaries:
        for function in summary.functions:
            yield function, summary


def _longest_function(summaries: Sequence[Summary], folder: Path) -> Finding | None:
    found = max(_functions(summaries), key=lambda pair: pair[0].lines, default=None)
    if found is None:
        return None
    return Finding("longest function", _place(*found, folder), found[0].lines, "lines")


def _deepest_function(summaries: Sequence[Summary], folder: Path) -> Finding | None:
    found = max(_functions(summaries), key=lambda pair: pair[0].nesting, default=None)
    if found is None:
        return None
    return Finding("deepest nesting", _place(*found, folder), found[0].nesting, "levels")


def _longest_file(summaries: Sequence[Summary], folder: Path) -> Finding | None:
    found = max(summaries, key=lambda summary: summary.lines, default=None)
    if found is None:
        return None
    return Finding("longest file", _inside(found, folder), found.lines, "lines")


def _most_defining(summaries: Sequence[Summary], folder: Path) -> Finding | None:
    found = max(summaries, key=lambda summary: len(summary.definitions), default=None)
    if found is None:
        return None
    return Finding(
        "most definitions", _inside(found, folder), len(found.definitions), "definitions"
    )


def _most_imported(summaries: Sequence[Summary], folder: Path) -> Finding | None:
    del folder
    imported = Counter(name for summary in summaries for name in summary.imports if name != ".")
    for name, count in imported.most_common(1):
        return Finding("most imported", name, count, "files")
    return None


def _place(found: Definition, summary: Summary, folder: Path) -> str:
    return f"{found.name} ({_inside(summary, folder)}:{found.line})"


def _inside(summary: Summary, folder: Path) -> str:
    return Path(summary.path).relative_to(folder).as_posix()


QUESTIONS: Mapping[str, Question] = {
    "record/longest-function": _longest_function,
    "record/deepest-nesting": _deepest_function,
    "record/longest-file": _longest_file,
    "record/most-definitions": _most_defining,
    "record/most-imported": _most_imported,
}
"""What is asked of all summaries. A new question is a row."""
