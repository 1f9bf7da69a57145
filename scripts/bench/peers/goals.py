"""What the fast path is to reach: rows, each a ratio of two subjects of one group."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import NamedTuple

from peers.measures.sizes import ALLOWED
from peers.rounds import Group, Sample


class Goal(NamedTuple):
    """*of* divided by *to* is at least or at most a bound."""

    text: str
    measure: str
    case: str
    of: str
    to: str
    least: float | None = None
    most: float | None = None


OURS, BARE = "dsfactory", "bare apsw"
BEHIND, NO_LRU = "dsfactory, write-behind", "dsfactory, no LRU"

GOALS = (
    Goal("get, hot: LMDB / ours", "get hit", "100 B", "LMDB", OURS, least=1.0),
    Goal("get, hot: diskcache / ours", "get hit", "100 B", "diskcache", OURS, least=10.0),
    Goal("get, cold: ours / bare apsw", "get cold", "100 B", OURS, BARE, most=1.3),
    Goal("set, same columns: ours / bare", "set", "100 B, update", NO_LRU, BARE, most=1.25),
    Goal("set, cache with LRU: ours / bare", "set", "100 B, update", OURS, BARE, most=1.25),
    Goal("set: diskcache / ours", "set", "100 B, update", "diskcache", OURS, least=4.0),
    Goal("set_many, new: ours / bare", "set_many", "10,000 new", NO_LRU, BARE, most=1.3),
    Goal("set_many, new, cache: ours / bare", "set_many", "10,000 new", OURS, BARE, most=1.3),
    Goal("set_many, updates: ours / bare", "set_many", "10,000 updates", NO_LRU, BARE, most=1.3),
    Goal("set behind: diskcache / ours", "set behind", "calls", "diskcache", BEHIND, least=10.0),
    Goal("set behind: LMDB / ours", "set behind", "calls", "LMDB", BEHIND, least=1.0),
    *(
        Goal(
            f"evicting set / set, {entries}",
            "eviction",
            f"{entries} entries",
            f"{OURS}, at the limit",
            f"{OURS}, below",
            most=2.0,
        )
        for entries in ("1,000", "1,000,000")
    ),
    Goal("4 processes: diskcache / ours", "mixed 90/10", "4 processes", "diskcache", OURS, least=5),
    Goal(
        "size after churn / allowed",
        "file size",
        "1,000,000 sets, 100 a commit",
        OURS,
        ALLOWED,
        most=1.0,
    ),
)


class Verdict(NamedTuple):
    """How a goal fared; the ratio is the median of the rounds'."""

    goal: Goal
    ratio: float | None = None
    lowest: float | None = None
    highest: float | None = None
    cpu_ratio: float | None = None

    @property
    def held(self) -> bool | None:
        """Whether it was reached; None when it was not measured."""
        if self.ratio is None:
            return None
        if self.goal.least is not None:
            return self.ratio >= self.goal.least
        return self.goal.most is None or self.ratio <= self.goal.most


def judged(groups: Iterable[Group]) -> list[Verdict]:
    """Return the verdict on every goal."""
    found = {(group.measure, group.case): group.samples for group in groups}
    return [_judge(goal, found.get((goal.measure, goal.case), {})) for goal in GOALS]


def _judge(goal: Goal, samples: dict[str, list[Sample]]) -> Verdict:
    if goal.of not in samples or goal.to not in samples:
        return Verdict(goal)
    ratios, cpu = compared(samples[goal.of], samples[goal.to])
    return Verdict(goal, statistics.median(ratios), min(ratios), max(ratios), cpu)


def compared(those: list[Sample], these: list[Sample]) -> tuple[list[float], float | None]:
    """Return each round's ratio, and the median one of processor times where they are known."""
    pairs = list(zip(those, these, strict=True))
    cpu = [one.cpu_us / other.cpu_us for one, other in pairs if one.cpu_us and other.cpu_us]
    return [a.figure / b.figure for a, b in pairs], statistics.median(cpu) if cpu else None
