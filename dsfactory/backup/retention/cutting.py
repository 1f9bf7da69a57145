"""Limits: what they cut of that which was chosen."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from dsfactory.backup.retention.verdicts import Verdict, bases

if TYPE_CHECKING:
    from dsfactory.backup.retention.policy import RetentionPolicy

# Ranks are one number, for speed: as many backups as nobody has, and more rules than there are.
_SPAN = 2**40
_RULES = 2**20


def by_age(verdict: Verdict) -> int:
    """Rank damaged backups below all others, and then the older below the newer.

    The number grows from the highest rank to the lowest.
    """
    return verdict.position - verdict.sound * _SPAN


def by_worth(verdict: Verdict) -> int:
    """Rank as by age, but a backup that fewer rules chose below one that more rules chose.

    One that is the newest of its day, week and month at once stands in for three.
    """
    return verdict.position - (verdict.sound * _RULES + verdict.rules.bit_count()) * _SPAN


class Cutting:
    """The kept backups of one store, and how much they are."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        self._verdicts = verdicts
        self._bases = bases(verdicts)
        counted = [v for v in verdicts if v.counts()]
        self.count = len(counted)
        self.size_bytes = sum(v.backup.size_bytes for v in counted)

    def cut(self, policy: RetentionPolicy, now: int) -> Iterator[str]:
        """Apply the limits of *policy*; yield those that what may not be removed still exceeds."""
        age, most, room = policy.limits
        if age is not None:
            oldest = now - age
            self._cut("older than max_age", by_age, lambda v: v.backup.created_at < oldest)
        if most is not None:
            self._cut("more than max_backups", by_age, lambda _: self.count > most)
            if self.count > most:
                yield "max_backups"
        if room is not None:
            self._cut("more than max_total_bytes", by_worth, lambda _: self.size_bytes > room)
            if self.size_bytes > room:
                yield "max_total_bytes"

    def _cut(
        self, why: str, rank: Callable[[Verdict], int], excess: Callable[[Verdict], bool]
    ) -> None:
        """Remove the lowest in rank first, as long as *excess* says that there is too much."""
        # The lowest in rank stand last; a base that is freed mostly comes near them.
        waiting = sorted(filter(_removable, self._verdicts), key=rank)
        while waiting:
            verdict = waiting.pop()
            if not excess(verdict):
                continue
            freed = self._remove(verdict, why)
            if freed is not None:
                insort(waiting, freed, key=rank)

    def _remove(self, verdict: Verdict, why: str) -> Verdict | None:
        """Remove the backup; return its base if that is now one that a limit may remove."""
        while True:
            if verdict.counts():
                self.count -= 1
                self.size_bytes -= verdict.backup.size_bytes
            verdict.kept, verdict.because = False, why
            base = self._bases.get(verdict.backup.base)
            if base is None:
                return None
            base.dependents -= 1
            if not _removable(base):
                return None
            if base.rules:
                return base
            verdict, why = base, "no kept backup needs it any more"


def _removable(verdict: Verdict) -> bool:
    return verdict.kept and not verdict.fixed and verdict.dependents == 0
