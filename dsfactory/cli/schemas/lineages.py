"""What is printed of lineages, and of where a store stands in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rich.text import Text

from dsfactory.cli import pages
from dsfactory.cli.schemas.courses import BASE, Course, standing
from dsfactory.cli.units import counted
from dsfactory.upgrade import Lineage, Revision, Target, application_lineage, lineage_of


class Standing(NamedTuple):
    """A store among the revisions of its kind."""

    target: Target
    course: Course


def found(target: Target) -> Standing:
    """Return where a file stands; it is not changed."""
    return Standing(target, standing(target))


def lineages_of(target: Target) -> list[Lineage]:
    """Return the lineage of a file's kind, and the application's own if it has one."""
    own = [] if target.application is None else [application_lineage(target.application)]
    return [lineage_of(target.kind), *own]


def as_object(lineages: Iterable[Lineage], store: Standing | None) -> dict[str, Any]:
    """Return lineages for JSON; the base comes first."""
    return {
        "lineages": [
            {
                "name": lineage.name,
                "head": lineage.head(),
                "revisions": [revision._asdict() for revision in lineage.revisions()],
            }
            for lineage in lineages
        ],
        "store": None
        if store is None
        else {
            "name": store.target.name,
            "kind": store.target.kind,
            "revision": store.course.before,
            "pending": store.course.left,
        },
    }


def print_lineages(lineages: Sequence[Lineage], store: Standing | None) -> None:
    """Print the revisions, the base first, with head marked and where the store stands."""
    console = pages.console()
    columns = ("Lineage", "Revision", "Title", "")
    listing = pages.table(*columns, *(() if store is None else (store.target.name,)))
    for lineage in lineages:
        for revision in lineage.revisions():
            head = Text("head", style="bold green") if revision.id == lineage.head() else ""
            there = () if store is None else (_reached(revision, store.course),)
            listing.add_row(lineage.name, revision.id, revision.title, head, *there)
    console.print(listing)
    if store is not None:
        console.print(f"\n{_summary(store)}", soft_wrap=True)


def _reached(revision: Revision, its: Course) -> Text:
    if revision.id == its.before:
        return Text("stands here", style="bold")
    pending = revision.id in its.left
    return Text("pending", style="yellow") if pending else Text("done", style="dim")


def _summary(store: Standing) -> str:
    name, its = store.target.name, store.course
    if not its.left:
        return f"{name} is at head."
    behind = counted(len(its.left), "revision is", "revisions are")
    return f"{name} is at {its.before or BASE}; {behind} pending: dsfactory upgrade {name}"
