"""examine(): everybody is asked, and a question that fails is an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

import dsfactory as ds
from dsfactory.health import Subject, examine
from dsfactory.model import Kind, Probe

WELL = Probe("file", ok=True, detail="4096 bytes")
ILL = Probe("file", ok=False, detail="gone. Restore a backup.")


def subject(name: str, *answers: Probe) -> Subject:
    """A store that answers so."""
    return Subject(name, Kind.STATE, Path(f"/stores/{name}.db"), lambda: list(answers))


def refuse() -> list[Probe]:
    """A question that cannot even be asked."""
    raise ds.CorruptError("x.db is damaged. Restore a backup.")


def test_nobody_to_ask() -> None:
    """A report about nothing is a good one, and has its time."""
    report = examine([], [], 5)
    assert (report.checked_at, report.stores, report.factory) == (5, (), ())
    assert report.healthy


def test_answers_are_kept() -> None:
    """Every store's answers come in its own record, in the order in which they were asked."""
    report = examine([subject("b", WELL, ILL), subject("a", WELL)], [lambda: [WELL]], 5)
    assert [(store.name, store.kind, store.path) for store in report.stores] == [
        ("b", Kind.STATE, Path("/stores/b.db")),
        ("a", Kind.STATE, Path("/stores/a.db")),
    ]
    assert report.stores[0].probes == (WELL, ILL)
    assert report.factory == (WELL,)
    assert report.problems == ("b: file: gone. Restore a backup.",)


def test_question_that_fails() -> None:
    """A store that raises is unhealthy with the error's words; the others are asked as well."""
    broken = Subject("x", Kind.STATE, Path("/stores/x.db"), refuse)
    report = examine([broken, subject("y", WELL)], [refuse, lambda: [WELL]], 5)
    assert [store.healthy for store in report.stores] == [False, True]
    assert report.problems == (
        "x: asked: x.db is damaged. Restore a backup.",
        "asked: x.db is damaged. Restore a backup.",
    )


def test_mistake_of_ours() -> None:
    """What is not an error of ours is a mistake, and is not hidden in a report."""
    broken = Subject("x", Kind.STATE, Path("/stores/x.db"), lambda: [1 // 0])  # type: ignore[list-item]
    with pytest.raises(ZeroDivisionError):
        examine([broken], [], 5)
