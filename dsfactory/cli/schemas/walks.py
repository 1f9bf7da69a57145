"""Bringing each file to another revision by itself, or trying it on a copy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from dsfactory.cli.boundary import message
from dsfactory.cli.schemas.courses import Course, Goal, course, standing
from dsfactory.errors import DataStoreError
from dsfactory.upgrade import Target, dry_run, upgrade_file
from dsfactory.upgrading import Progress


@dataclass(frozen=True, slots=True)
class Walk:
    """What was done, or tried on a copy, with one file."""

    target: Target
    goal: Goal
    planned: Course | None = None
    """None when the file could not be read."""
    moved: bool = False
    """Whether the file itself is where the plan leads; else it is where it was."""
    statements: tuple[str, ...] = ()
    """The SQL that was tried."""
    snapshot: Path | None = None
    """The copy from before."""
    error: str | None = None

    @property
    def before(self) -> str | None:
        """The revision at which the file was; None before the base."""
        return self.planned.before if self.planned else None

    @property
    def after(self) -> str | None:
        """The revision that was reached, by the copy if it was only tried."""
        return self.planned.after if self.planned and not self.error else self.before

    @property
    def steps(self) -> tuple[str, ...]:
        """The revisions that were run or tried; none after a failure, which undoes them all."""
        return self.planned.steps if self.planned and not self.error else ()

    @property
    def at_head(self) -> bool:
        """Whether the file itself is at head now."""
        if self.planned is None:
            return False
        left = set(self.planned.left)
        return not left - set(self.steps) and not self.goal.down if self.moved else not left


def walked(targets: Sequence[Target], goal: Goal) -> list[Walk]:
    """Bring each file to *goal*; one that fails is as it was, and hinders no other.

    A bar on standard error shows how far it is, when that is a terminal.
    """
    with _watch(len(targets)) as watcher:
        return [_walk(Walk(target, goal), watcher.begin(target.name)) for target in targets]


def _walk(walk: Walk, progress: Progress) -> Walk:
    try:
        here = standing(walk.target)
        walk = replace(walk, planned=here)
        planned = course(walk.target, here, walk.goal)
        walk = replace(walk, planned=planned)
        return _gone(walk, planned, progress) if planned.steps or _noting(walk) else walk
    except DataStoreError as error:
        return replace(walk, error=str(error), snapshot=_copy(error))
    except OSError as error:
        return replace(walk, error=message(error))


def _noting(walk: Walk) -> bool:
    # An application's folder that changed without a new revision is noted in the file.
    return walk.target.application is not None and not walk.goal.tried and not walk.goal.down


def _gone(walk: Walk, planned: Course, progress: Progress) -> Walk:
    down = walk.goal.down
    if walk.goal.tried:
        return replace(walk, statements=dry_run(walk.target, to=planned.to, down=down))
    report = upgrade_file(walk.target, to=planned.to, down=down, progress=progress)
    return replace(walk, moved=True, snapshot=report.snapshot)


def _copy(error: DataStoreError) -> Path | None:
    copy = error.facts.get("snapshot")
    return Path(copy) if copy else None


class _Watcher:
    """Shows which file of how many is at work, and its rows."""

    def __init__(self, bars: Bars, total: int) -> None:
        self._bars = bars
        self._files = bars.add_task("files", total=total)
        self._rows = bars.add_task("", total=None)
        self._begun = -1

    def begin(self, name: str) -> Progress:
        """Go on to the next file; return what is told of its rows."""
        self._begun += 1
        self._bars.update(self._files, completed=self._begun)
        self._bars.reset(self._rows, description=f"rows of {name}", total=None)
        return lambda done, total: self._bars.update(self._rows, completed=done, total=total)


@contextmanager
def _watch(total: int) -> Iterator[_Watcher]:
    stderr = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(
        *columns,
        TimeElapsedColumn(),
        console=stderr,
        transient=True,
        disable=not stderr.is_terminal,
    ) as bars:
        yield _Watcher(bars, total)
