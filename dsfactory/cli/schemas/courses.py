"""Where a file stands in the lineage of its kind, and the way from there to a revision."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from dsfactory.errors import LineageError
from dsfactory.upgrade import Lineage, Target, lineage_of, pending

HEAD = "head"
BASE = "base"
_RELATIVE = re.compile(r"[+-]\d+")


class Goal(NamedTuple):
    """What an operator asked for."""

    to: str = HEAD
    """A revision, its beginning, its number, "head", or steps from here such as "-1"."""
    down: bool = False
    tried: bool = False
    """On a copy that is thrown away."""


class Course(NamedTuple):
    """Where a file stands, and its way to a goal."""

    before: str | None
    """Where it stands; None before the base."""
    left: tuple[str, ...]
    """What there is from here to head; nothing: the file is at head."""
    after: str | None
    to: str
    """*after* as upgrade_file takes it."""
    steps: tuple[str, ...] = ()
    """What would run, in this order; an application's own revisions last."""


def standing(target: Target) -> Course:
    """Return where a file stands: a way without steps. Raises what opening it raises."""
    ids = _ids(lineage_of(target.kind))
    left = pending(target)
    here = _named(ids, len(ids) - len(set(ids).intersection(left)))
    return Course(here, left, here, here or BASE)


def course(target: Target, here: Course, goal: Goal) -> Course:
    """Return the way of a file from where it stands; LineageError when there is none."""
    lineage = lineage_of(target.kind)
    ids = _ids(lineage)
    at = ids.index(here.before) + 1 if here.before else 0
    asked = _index(lineage, ids, at, goal.to)
    if goal.down:
        _require_behind(target, here, at, asked)
        end, steps = asked, tuple(reversed(ids[asked:at]))
    else:
        end = max(asked, at)
        steps = (*ids[at:end], *(step for step in here.left if step not in ids))
    to = _named(ids, asked) or BASE
    return here._replace(after=_named(ids, end), to=to, steps=steps)


def _require_behind(target: Target, here: Course, at: int, asked: int) -> None:
    if asked > at:
        raise LineageError(
            f"{target.path} is at {here.before or BASE}, which is behind what was asked for. "
            f"`dsfactory upgrade` goes that way.",
            path=str(target.path),
        )


def _ids(lineage: Lineage) -> list[str]:
    return [revision.id for revision in lineage.revisions()]


def _named(ids: Sequence[str], index: int) -> str | None:
    """Return the revision at which so many steps are done."""
    return ids[index - 1] if index else None


def _index(lineage: Lineage, ids: Sequence[str], at: int, to: str) -> int:
    if _RELATIVE.fullmatch(to):
        return _relative(lineage, ids, at, int(to))
    numbered = f"{lineage.name}_{int(to):04d}" if to.isdecimal() else to
    revision = lineage.resolve(numbered)
    return ids.index(revision) + 1 if revision is not None else 0


def _relative(lineage: Lineage, ids: Sequence[str], at: int, steps: int) -> int:
    if not 0 <= at + steps <= len(ids):
        raise LineageError(
            f"The migrations of {lineage.name} have no revision {steps:+d} from "
            f"{_named(ids, at) or BASE}; there are: {', '.join(ids)}.",
            lineage=lineage.name,
            revision=f"{steps:+d}",
        )
    return at + steps
