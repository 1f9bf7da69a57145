"""What is decided of each backup of one store, and which of them nothing may remove."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from dsfactory.model import Backup


@dataclass(slots=True, eq=False)
class Verdict:
    """One backup on its way through the rules."""

    backup: Backup
    position: int
    """0 is the newest of its store."""
    sound: bool
    """Nothing is known against it, nor against a backup that it needs."""
    future: bool
    """Whether it is dated after now: kept, and counted by nothing."""
    rules: int = 0
    """The rules that chose it, a bit each."""
    safe: tuple[str, ...] = ()
    """Why nothing may remove it."""
    fixed: bool = False
    """Whether it stays whatever the limits are: it is safe, or a safe one needs it."""
    kept: bool = False
    dependents: int = 0
    """How many kept backups need it."""
    because: str = ""
    """Why it is removed."""

    def counts(self) -> bool:
        """Whether it takes up room under a limit.

        One that is of no use and has to stay must not push out one that is.
        """
        return self.kept and not self.future and (self.sound or not self.fixed)


def verdicts_on(backups: Iterable[Backup], now: int) -> list[Verdict]:
    """Return an open verdict on each backup of one store, the newest first."""
    ordered = sorted(backups, key=attrgetter("created_at", "id"), reverse=True)
    sound = _sound_ids(ordered)
    return [
        Verdict(backup, position, sound[backup.id], backup.created_at > now)
        for position, backup in enumerate(ordered)
    ]


def _sound_ids(backups: Sequence[Backup]) -> dict[str, bool]:
    """Return which backups can be restored as far as anybody knows."""
    sound = {b.id: b.damaged_at is None for b in backups if b.base is None}
    based = [b for b in backups if b.base is not None]
    known = {b.id: b for b in backups} if based else {}
    for backup in based:
        path: dict[str, None] = {}
        step: Backup | None = backup
        while step is not None and step.id not in sound and step.id not in path:
            path[step.id] = None
            if step.damaged_at is not None:
                sound[step.id] = False
            else:
                step = known.get(step.base or "")
        # A base that is not there, or that needs itself in the end, brings nothing back.
        verdict = step is not None and sound.get(step.id, False)
        sound.update((i, verdict) for i in path if i not in sound)
    return sound


def protect(verdicts: list[Verdict]) -> None:
    """Say of each backup why nothing may remove it."""
    present = [v for v in verdicts if not v.future]
    sound = [v for v in present if v.sound]
    verified = [v for v in sound if v.backup.verified_at is not None]
    for reason, candidates in (("newest", present), ("newest verified", verified)):
        for verdict in candidates[:1]:
            verdict.safe += (reason,)
    if sound and sound[0] is not present[0]:
        sound[0].safe += ("newest undamaged",)
    for verdict in verdicts:
        if verdict.future:
            verdict.safe += ("dated in the future",)
        if verdict.backup.pinned:
            verdict.safe += ("pinned",)
        if verdict.backup.restoring:
            verdict.safe += ("being restored",)
        if verdict.backup.followed:
            verdict.safe += ("needed for point-in-time recovery",)


def settle(verdicts: list[Verdict]) -> None:
    """Keep what was chosen, what is safe, and every backup that one of these needs."""
    by_id = bases(verdicts)
    for verdict in verdicts:
        if verdict.safe:
            _fix(verdict, by_id)
    for verdict in verdicts:
        if verdict.rules or verdict.safe:
            _keep(verdict, by_id)
    for verdict in verdicts:
        if not verdict.kept:
            verdict.because = "no rule chose it" if verdict.sound else "damaged; no rule chose it"


def bases(verdicts: Sequence[Verdict]) -> dict[str | None, Verdict]:
    """Return the backups that another one needs, by id."""
    wanted = {v.backup.base for v in verdicts} - {None}
    return {v.backup.id: v for v in verdicts if v.backup.id in wanted} if wanted else {}


def _fix(verdict: Verdict | None, by_id: Mapping[str | None, Verdict]) -> None:
    while verdict is not None and not verdict.fixed:
        verdict.fixed = True
        verdict = by_id.get(verdict.backup.base)


def _keep(verdict: Verdict, by_id: Mapping[str | None, Verdict]) -> None:
    while not verdict.kept:
        verdict.kept = True
        base = by_id.get(verdict.backup.base)
        if base is None:
            return
        base.dependents += 1
        verdict = base
