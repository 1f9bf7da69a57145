"""What is printed of walks: a line for each file, JSON, or SQL; and the exit code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click
from rich.text import Text

from dsfactory.cli import pages
from dsfactory.cli.schemas.courses import BASE
from dsfactory.cli.schemas.walks import Walk
from dsfactory.cli.units import NOTHING
from dsfactory.errors import UpgradeError


def exit_code(walks: Sequence[Walk]) -> int:
    """Return 0 when no file failed to be where it was asked to be."""
    return UpgradeError.exit_code if any(walk.error for walk in walks) else 0


def as_object(walks: Sequence[Walk]) -> dict[str, Any]:
    """Return *walks* for JSON."""
    return {
        "at_head": all(walk.at_head for walk in walks),
        "tried": any(walk.goal.tried for walk in walks),
        "files": [_file(walk) for walk in walks],
    }


def _file(walk: Walk) -> dict[str, Any]:
    return {
        "name": walk.target.name,
        "kind": walk.target.kind,
        "path": walk.target.path,
        "from": walk.before,
        "to": walk.after,
        "steps": walk.steps,
        "result": _result(walk)[0],
        "at_head": walk.at_head,
        "snapshot": walk.snapshot,
        "error": walk.error,
        "sql": list(_statements(walk)),
    }


def print_report(walks: Sequence[Walk]) -> None:
    """Print a line for each file, why some failed, and where the copies from before are."""
    console = pages.console()
    listing = pages.table("File", "Kind", "From", "To", "Steps", "Result", "Copy from before")
    for walk in walks:
        listing.add_row(*_cells(walk))
    console.print(listing, "")
    for walk in walks:
        if walk.error:
            console.print(_complaint(walk), style="red", soft_wrap=True)
    for folder in dict.fromkeys(w.snapshot.parent for w in walks if w.snapshot):
        console.print(f"Copies from before are in {folder}", soft_wrap=True)
    at_head = sum(walk.at_head for walk in walks)
    console.print(f"{at_head} of {len(walks)} at head")


def _cells(walk: Walk) -> Iterator[str | Text]:
    yield walk.target.name
    yield walk.target.kind
    yield _revision(walk, walk.before)
    yield _revision(walk, walk.after)
    yield ", ".join(walk.steps) or NOTHING
    result, style = _result(walk)
    yield Text(result, style=style)
    yield walk.snapshot.name if walk.snapshot else NOTHING


def _result(walk: Walk) -> tuple[str, str]:
    """Return what became of a file in a word or two, and its colour."""
    if walk.error:
        return "FAILED", "bold red"
    if not walk.steps:
        return ("at head", "green") if walk.at_head else ("unchanged", "yellow")
    if walk.goal.tried:
        return "works on a copy", "yellow"
    return ("downgraded", "yellow") if walk.goal.down else ("upgraded", "green")


def _complaint(walk: Walk) -> str:
    prefix = f"{walk.target.name}: "
    error = walk.error or ""
    return error if error.startswith(prefix) else prefix + error


def _revision(walk: Walk, revision: str | None) -> str:
    return (revision or BASE) if walk.planned else "?"


def print_sql(walks: Sequence[Walk]) -> None:
    """Print for each file the statements that would run, as a script; failures as well on stderr.

    A script is for one file: the comment above it says which.
    """
    for walk in walks:
        click.echo(f"-- {walk.target.name} ({walk.target.kind}): {_summary(walk)}")
        click.echo(f"-- {walk.target.path}")
        for statement in _statements(walk):
            click.echo(statement)
        click.echo()
        if walk.error:
            click.echo(f"dsfactory: {_complaint(walk)}", err=True)


def _summary(walk: Walk) -> str:
    before, after = _revision(walk, walk.before), _revision(walk, walk.after)
    return f"{before} -> {after}" if walk.steps else f"{_result(walk)[0]}, {before}"


def _statements(walk: Walk) -> Iterator[str]:
    """Yield what makes of the file what an upgrade would, all or nothing."""
    if not walk.statements:
        return
    # As upgrade_file does: with them on, dropping a table that is rebuilt deletes its children.
    yield "PRAGMA foreign_keys = OFF;"
    yield "BEGIN IMMEDIATE;"
    yield from (_ended(statement) for statement in walk.statements)
    yield "COMMIT;"


def _ended(statement: str) -> str:
    body = statement.rstrip().rstrip(";")
    comment = "--" in body.rpartition("\n")[2]
    return f"{body}\n;" if comment else f"{body};"
