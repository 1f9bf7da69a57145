"""Which moments a store can be restored to, and what that takes. All of it is pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from dsfactory.backup.moments.segments import Segment
from dsfactory.errors import RestoreRefusedError
from dsfactory.stores.journal import Held, Position


class Base(NamedTuple):
    """A backup from which a journal can be replayed."""

    id: str
    position: Position
    """Where the journal stood in it."""


class Known(NamedTuple):
    """Everything that there is of a store's past."""

    store: str
    bases: Sequence[Base]
    segments: Sequence[Segment]
    held: Held | None
    """What the store itself has; None when it is lost, or records nothing."""
    now: int


class Stretch(NamedTuple):
    """Every moment from the first to the second, both included; milliseconds since the epoch."""

    from_ms: int
    to_ms: int


class Way(NamedTuple):
    """How to get back to a moment: a backup, and what is replayed on it."""

    store: str
    base: Base
    segments: tuple[Segment, ...]


def stretches(known: Known) -> list[Stretch]:
    """Return every moment that can be restored, as stretches without a gap; the oldest first."""
    found: list[Stretch] = []
    for base in sorted(known.bases, key=_age):
        covered = Stretch(base.position.at, _reach(known, base).until)
        if found and covered.from_ms <= found[-1].to_ms + 1:
            longest = max(covered.to_ms, found[-1].to_ms)
            found[-1] = Stretch(found[-1].from_ms, longest)
        else:
            found.append(covered)
    return found


def restorable_range(known: Known) -> Stretch | None:
    """Return the newest stretch that can be restored; None when there is no backup for it."""
    found = stretches(known)
    return found[-1] if found else None


def way_to(known: Known, at: int) -> Way:
    """Return how to get to the state after the last commit at or before *at*.

    What the store still holds has to be shipped before. Raises RestoreRefusedError, which says
    what can be restored.
    """
    for base in sorted(known.bases, key=_age, reverse=True):
        if base.position.at <= at:
            reach = _reach(known, base)
            if at <= reach.until:
                return Way(known.store, base, _up_to(reach.segments, at))
    raise RestoreRefusedError(
        f"Store {known.store!r} cannot be restored to {shown_moment(at)}; "
        f"{_shown(stretches(known))}. Choose such a moment, or a backup.",
        store=known.store,
        at=at,
        restorable=tuple(tuple(stretch) for stretch in stretches(known)),
    )


def needed_bases(known: Known, promise_ms: int) -> set[str]:
    """Return the ids of the backups without which less than *promise_ms* could be restored."""
    bases = sorted(known.bases, key=_age)
    horizon = known.now - promise_ms
    old = [base for base in bases if base.position.at <= horizon]
    needed = old[-1:]
    for base in bases[len(old) :]:
        if not needed or not _continues(known, needed[-1], base):
            needed.append(base)
    return {base.id for base in needed}


def idle_segments(known: Known, promise_ms: int) -> list[Segment]:
    """Return the segments that are of no use for the last *promise_ms*.

    None as long as no backup is old enough to begin with.
    """
    horizon = known.now - promise_ms
    old = [base for base in sorted(known.bases, key=_age) if base.position.at <= horizon]
    if not old:
        return []
    start = old[-1].position
    return [segment for segment in known.segments if _before(segment, start)]


def _before(segment: Segment, start: Position) -> bool:
    if segment.lineage == start.lineage:
        return segment.last <= start.seq
    return segment.until < start.at


def base_due(known: Known, promise_ms: int) -> bool:
    """Whether a backup has to be taken for the journal to go on from.

    There is none of this lineage, something is missing after the newest, or that is as old as what
    is promised: older segments and backups could never go.
    """
    held = known.held
    if held is None:
        return False
    own = [base for base in known.bases if base.position.lineage == held.lineage]
    if not own:
        return True
    newest = max(own, key=_age)
    if _reach(known, newest).seq < held.after:
        return True
    return newest.position.at <= known.now - promise_ms and newest.position.seq < held.seq


def _up_to(segments: Sequence[Segment], at: int) -> tuple[Segment, ...]:
    """Return those that tell what was committed up to *at*."""
    enough = next((n for n, s in enumerate(segments, 1) if s.until >= at), len(segments))
    return tuple(segments[:enough])


class _Reach(NamedTuple):
    segments: tuple[Segment, ...]
    seq: int
    until: int


def _reach(known: Known, base: Base) -> _Reach:
    """Return how far the journal goes on from *base* without a gap."""
    seq, until = base.position.seq, base.position.at
    used = []
    for segment in sorted(known.segments, key=lambda s: (s.first, s.last)):
        if segment.lineage != base.position.lineage or segment.last <= seq:
            continue
        if segment.first > seq + 1:
            break
        used.append(segment)
        seq, until = segment.last, max(until, segment.until)
    held = known.held
    if held is not None and held.lineage == base.position.lineage and seq >= held.after:
        seq, until = max(seq, held.seq), max(until, known.now)  # the store itself has the rest
    return _Reach(tuple(used), seq, until)


def _continues(known: Known, one: Base, other: Base) -> bool:
    """Whether what begins with *one* reaches *other*."""
    reach = _reach(known, one)
    same = one.position.lineage == other.position.lineage
    return same and other.position.seq <= reach.seq


def _age(base: Base) -> tuple[int, int]:
    return base.position.at, base.position.seq


def _shown(found: Iterable[Stretch]) -> str:
    texts = [f"{shown_moment(one.from_ms)} to {shown_moment(one.to_ms)}" for one in found]
    if not texts:
        return "it has no backup that a journal goes on from"
    return f"it can be from {', '.join(texts)}"


def shown_moment(at: int) -> str:
    """Return *at*, milliseconds since the epoch, as people write it."""
    seconds, milliseconds = divmod(at, 1000)
    try:
        moment = datetime.fromtimestamp(seconds, tz=UTC)
    except (ValueError, OverflowError, OSError):  # a year that has no name
        return f"{at} ms"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"
