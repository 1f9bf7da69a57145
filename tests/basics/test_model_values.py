"""The nouns of model.py: frozen, and with answers worked out of what they hold."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from dsfactory import model
from dsfactory.model import (
    HealthReport,
    Kind,
    MaintenanceReport,
    Probe,
    StoreHealth,
    StoreStats,
    Violation,
)

RECORDS = [
    found
    for found in vars(model).values()
    if dataclasses.is_dataclass(found) and isinstance(found, type)
]
WELL = Probe("file", ok=True, detail="4096 bytes")
ILL = Probe("schema", ok=False, detail="revision 1, head is 2: upgrade")


def stats(**numbers: int) -> StoreStats:
    """Statistics of an empty store, except for *numbers*."""
    zero: dict[str, Any] = {field.name: 0 for field in dataclasses.fields(StoreStats)}
    return StoreStats(**(zero | {"name": "x", "kind": Kind.CACHE} | numbers))


def health(*probes: Probe) -> StoreHealth:
    """The health of a store that gave these answers."""
    return StoreHealth("thumbs", Kind.CACHE, Path("/data/thumbs.db"), probes)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_records_are_frozen(record: Any) -> None:
    """What rooms hand to each other cannot be changed, and has no dict to hang things on."""
    assert record.__dataclass_params__.frozen
    assert "__slots__" in vars(record)


def test_kinds_are_their_names() -> None:
    """The five kinds print and compare as their names."""
    assert [str(kind) for kind in Kind] == ["config", "metrics", "cache", "state", "custom"]
    assert Kind("cache") is Kind.CACHE
    assert Kind.CACHE == "cache"


@pytest.mark.parametrize(
    ("hits", "misses", "ratio"), [(0, 0, None), (0, 4, 0.0), (3, 1, 0.75), (5, 0, 1.0)]
)
def test_hit_ratio(hits: int, misses: int, ratio: float | None) -> None:
    """The hit ratio is hits per lookup, and None before the first lookup."""
    assert stats(hits=hits, misses=misses).hit_ratio == ratio


@pytest.mark.parametrize(("stored", "unpacked", "ratio"), [(0, 0, None), (100, 250, 2.5)])
def test_compression_ratio(stored: int, unpacked: int, ratio: float | None) -> None:
    """The compression ratio is bytes before per byte stored, and None of nothing."""
    assert stats(size_bytes=stored, unpacked_bytes=unpacked).compression_ratio == ratio


def test_violation_in_words() -> None:
    """A violation prints as the invariant and what was found."""
    assert str(Violation("I1 counts", "3, not 4")) == "I1 counts: 3, not 4"


@pytest.mark.parametrize(("probes", "healthy"), [((), True), ((WELL,), True), ((WELL, ILL), False)])
def test_store_healthy(probes: tuple[Probe, ...], healthy: bool) -> None:
    """A store is healthy when every answer is good."""
    assert health(*probes).healthy is healthy


def test_store_problems() -> None:
    """The problems of a store are its bad answers, a line each."""
    assert health(WELL, ILL).problems == ("schema: revision 1, head is 2: upgrade",)


@pytest.mark.parametrize(
    ("stores", "factory", "problems"),
    [
        ((health(WELL),), (WELL,), ()),
        ((health(ILL),), (WELL,), ("thumbs: schema: revision 1, head is 2: upgrade",)),
        ((health(WELL),), (ILL,), ("schema: revision 1, head is 2: upgrade",)),
    ],
)
def test_report_problems(
    stores: tuple[StoreHealth, ...], factory: tuple[Probe, ...], problems: tuple[str, ...]
) -> None:
    """A report is healthy when the stores and the factory are, and lists what is not."""
    report = HealthReport(1, stores, factory)
    assert report.problems == problems
    assert report.healthy is not bool(problems)


def test_maintenance_report_of_no_round() -> None:
    """A round that did not run achieved nothing."""
    assert MaintenanceReport(ran=False) == MaintenanceReport(False, *[0] * 9, ())
