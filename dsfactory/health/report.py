"""One report from the answers of all rooms. Each room offers its probes; the factory hands them
over, so that health imports nothing of what it questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from dsfactory.errors import DataStoreError
from dsfactory.model import HealthReport, Kind, Probe, StoreHealth


class Subject(NamedTuple):
    """A store to be asked about."""

    name: str
    kind: Kind
    path: Path
    ask: Callable[[], Sequence[Probe]]


def examine(
    subjects: Iterable[Subject], factory: Iterable[Callable[[], Sequence[Probe]]], at: int
) -> HealthReport:
    """Ask everybody; a question that fails is an answer too, and not a good one."""
    return HealthReport(
        checked_at=at,
        stores=tuple(StoreHealth(s.name, s.kind, s.path, _answers(s.ask)) for s in subjects),
        factory=tuple(probe for ask in factory for probe in _answers(ask)),
    )


def _answers(ask: Callable[[], Sequence[Probe]]) -> tuple[Probe, ...]:
    try:
        return tuple(ask())
    except DataStoreError as error:
        return (Probe("asked", ok=False, detail=str(error)),)
