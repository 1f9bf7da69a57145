"""One decision: rules, what is remembered of a key, the time and a cost in; a verdict out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dsfactory.services.limits.algorithms import BY_NAME, Memory
from dsfactory.services.limits.rules import BUCKETS, LIFE_MS, Rule

State = Mapping[str, Any]
"""What is stored of a key: at, ahead (its time), until (its expiry), windows (name -> algorithm and
memory). Empty for a key that nobody has asked for."""

NOBODY: State = {}


class Decision(NamedTuple):
    """Whether something may be done now; true exactly when it is allowed."""

    allowed: bool
    reason: str | None
    """Which limit refused; None when allowed."""
    remaining: dict[str, int]
    """Permits that are left after this, by window: minute, hour, day, burst."""
    retry_after_ms: int | None
    """When it would be allowed if nobody took anything until then: 0 when it is, None for never."""

    def __bool__(self) -> bool:
        return self.allowed


class Standing(NamedTuple):
    """A key's memories at one moment."""

    at: int
    ahead: int
    memories: Sequence[Memory]


def moment_of(state: State, wall: int) -> tuple[int, int]:
    """Return a key's time, and how far it is ahead of the wall clock.

    It never goes back. A clock that was set back makes it go on at the clock's pace until the
    clock has caught up, as clock.Ratchet does; in the stored state, so that all processes agree.
    """
    last: int = state.get("at", wall)
    if wall >= last:
        return wall, 0
    at = max(last, wall + state["ahead"])
    return at, at - wall


def standing(rules: Sequence[Rule], state: State, wall: int) -> Standing:
    """Return what is remembered under *rules*, brought forward to *wall*."""
    at, ahead = moment_of(state, wall)
    windows = state.get("windows", NOBODY)
    memories = []
    for rule in rules:
        kept = windows.get(rule.name)
        if kept is None:
            memories.append(BY_NAME[rule.algorithm].begin(rule, at, 0))
        elif kept[0] == rule.algorithm:
            memories.append(BY_NAME[rule.algorithm].settle(rule, kept[1], at))
        else:
            memories.append(_translated(rule, kept[0], kept[1], at))
    return Standing(at, ahead, memories)


def _translated(rule: Rule, algorithm: str, memory: Memory, at: int) -> Memory:
    """The memory of another algorithm: what was taken then stays taken."""
    before = BY_NAME[algorithm]
    whole = rule.capacity if algorithm in BUCKETS else rule.limit
    used = max(0, whole - before.free(rule, before.settle(rule, memory, at), at))
    return BY_NAME[rule.algorithm].begin(rule, at, used)


def decide(
    rules: Sequence[Rule], state: State, wall: int, cost: int
) -> tuple[Decision, State | None]:
    """Return the decision about *cost* permits, and the state to store; None when it may stay.

    A refusal is stored only when the clock was set back: time has to go on from there.
    """
    at, ahead, memories = standing(rules, state, wall)
    windows: dict[str, list[Any]] = {}
    remaining: dict[str, int] = {}
    refused = False
    for rule, memory in zip(rules, memories, strict=True):
        algorithm = BY_NAME[rule.algorithm]
        left = remaining[rule.name] = algorithm.free(rule, memory, at) - cost
        if left < 0:
            refused = True
        elif not refused:
            windows[rule.name] = [rule.algorithm, algorithm.take(rule, memory, cost)]
    if refused:
        set_back = ahead > state.get("ahead", 0)
        after = {**state, "at": at, "ahead": ahead} if set_back else None
        return _refusal(rules, memories, at, cost), after
    until = state.get("until", at + LIFE_MS)
    return (
        Decision(True, None, remaining, 0),
        {"at": at, "ahead": ahead, "until": until, "windows": windows},
    )


def _refusal(rules: Sequence[Rule], memories: Sequence[Memory], at: int, cost: int) -> Decision:
    remaining, longest, reason = {}, 0, ""
    for rule, memory in zip(rules, memories, strict=True):
        algorithm = BY_NAME[rule.algorithm]
        free = algorithm.free(rule, memory, at)
        remaining[rule.name] = max(0, free)
        if cost > rule.capacity:
            never = f"{cost} at once are more than {rule} ever allow"
            return Decision(False, never, left(rules, memories, at), None)
        if cost > free and (wait := algorithm.wait_ms(rule, memory, at, cost)) > longest:
            longest, reason = wait, f"{rule} reached"
    return Decision(False, reason, remaining, longest)


def left(rules: Sequence[Rule], memories: Sequence[Memory], at: int) -> dict[str, int]:
    """Return the permits that are there, by window."""
    return {
        rule.name: max(0, BY_NAME[rule.algorithm].free(rule, memory, at))
        for rule, memory in zip(rules, memories, strict=True)
    }
