"""Each algorithm decides as its plainest description does, whatever comes when."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsfactory.services.limits.deciding import NOBODY, Decision, State, decide, moment_of
from dsfactory.services.limits.rules import ALGORITHMS, Limits, Rule

START = 1_700_000_000_000
MINUTE = 60_000

steps = st.lists(
    st.tuples(st.integers(0, 90_000) | st.just(0), st.integers(1, 5)), min_size=1, max_size=40
)
"""How long after the step before, and the cost."""


def rule(algorithm: str, limit: int, capacity: int | None = None) -> Rule:
    """A rule of a minute."""
    limits = Limits(per_minute=limit, burst=capacity, safety_margin=1, algorithm=algorithm)
    (made,) = [one for one in limits.rules() if one.name == "minute"]
    return made


class Run:
    """Decisions one after the other, as a limiter would store them."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = rules
        self.state: State = NOBODY
        self.now = START

    def ask(self, cost: int) -> Decision:
        decision, state = decide(self.rules, self.state, self.now, cost)
        self.state = state or self.state
        return decision


def in_window(taken: list[tuple[int, int]], now: int) -> int:
    """What a calendar minute has seen."""
    return sum(cost for at, cost in taken if at // MINUTE == now // MINUTE)


def model_fixed(taken: list[tuple[int, int]], now: int, cost: int, limit: int) -> bool:
    """A count per calendar minute."""
    return in_window(taken, now) + cost <= limit


def model_sliding(taken: list[tuple[int, int]], now: int, cost: int, limit: int) -> bool:
    """The last minute's count by the part of it that is less than a minute ago, and this one's."""
    part = Fraction(MINUTE - now % MINUTE, MINUTE)
    return in_window(taken, now - MINUTE) * part + in_window(taken, now) + cost <= limit


def model_bucket(taken: list[tuple[int, int]], now: int, cost: int, limit: int) -> bool:
    """A bucket of the limit's size, in fractions of permits."""
    level, last = Fraction(limit), START
    for at, paid in taken:
        level = min(Fraction(limit), level + Fraction((at - last) * limit, MINUTE)) - paid
        last = at
    return min(Fraction(limit), level + Fraction((now - last) * limit, MINUTE)) >= cost


MODELS: dict[str, Callable[..., bool]] = {
    "fixed": model_fixed,
    "sliding": model_sliding,
    "token-bucket": model_bucket,
    "gcra": model_bucket,
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(steps=steps, limit=st.integers(1, 12))
def test_decisions_are_those_of_the_model(
    algorithm: str, steps: list[tuple[int, int]], limit: int
) -> None:
    """What is allowed is what the model allows, at every step."""
    run = Run(rule(algorithm, limit))
    taken: list[tuple[int, int]] = []
    for later, cost in steps:
        run.now += later
        allowed = MODELS[algorithm](taken, run.now, cost, limit)
        assert run.ask(cost).allowed is allowed
        if allowed:
            taken.append((run.now, cost))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(steps=steps, limit=st.integers(5, 12), burst=st.integers(5, 20) | st.none())
def test_waiting_as_told_is_enough_and_needed(
    algorithm: str, steps: list[tuple[int, int]], limit: int, burst: int | None
) -> None:
    """A refusal's retry_after_ms is exact to the millisecond, several windows together."""
    limits = Limits(
        per_minute=limit, per_hour=limit * 7, burst=burst, safety_margin=1, algorithm=algorithm
    )
    run = Run(*limits.rules())
    for later, cost in steps:
        run.now += later
        decision = run.ask(cost)
        if not decision.allowed:
            assert decision.retry_after_ms
            run.now += decision.retry_after_ms - 1
            assert not run.ask(cost).allowed
            run.now += 1
            assert run.ask(cost).allowed


@given(steps=steps, limit=st.integers(1, 12), capacity=st.integers(5, 20))
def test_gcra_decides_as_token_bucket(
    steps: list[tuple[int, int]], limit: int, capacity: int
) -> None:
    """Both remember the same thing, in two ways."""
    one, other = Run(rule("gcra", limit, capacity)), Run(rule("token-bucket", limit, capacity))
    for later, cost in steps:
        one.now = other.now = one.now + later
        assert one.ask(cost) == other.ask(cost)


@given(steps=steps, limit=st.integers(1, 12), capacity=st.integers(1, 20))
def test_bucket_never_gives_more_than_burst_and_rate(
    steps: list[tuple[int, int]], limit: int, capacity: int
) -> None:
    """In every stretch of time: at most the burst and what came in meanwhile."""
    run = Run(rule("token-bucket", limit, capacity))
    taken: list[tuple[int, int]] = []
    for later, cost in steps:
        run.now += later
        if run.ask(cost).allowed:
            taken.append((run.now, cost))
    for first, (since, _) in enumerate(taken):
        total = 0
        for at, cost in taken[first:]:
            total += cost
            assert total <= capacity + Fraction((at - since) * limit, MINUTE)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(
    walls=st.lists(st.integers(-200_000, 200_000), max_size=40),
    limit=st.integers(1, 9),
)
def test_jumping_clock(algorithm: str, walls: list[int], limit: int) -> None:
    """However the clock jumps, a key's time never goes back behind what was taken, nor
    ahead by more than the clock did; and what is allowed is what the model allows at those times.
    """
    run = Run(rule(algorithm, limit))
    taken: list[tuple[int, int]] = []
    forward = START
    for jump in [0, *walls]:
        run.now += jump
        forward += max(0, jump)
        moment, _ = moment_of(run.state, run.now)
        assert run.state.get("at", START) <= moment <= forward
        for _ in range(3):
            allowed = MODELS[algorithm](taken, moment, 1, limit)
            assert run.ask(1).allowed is allowed
            taken.extend([(moment, 1)] * allowed)


@pytest.mark.parametrize("before", ALGORITHMS)
@pytest.mark.parametrize("after", ALGORITHMS)
def test_changed_algorithm_keeps_what_was_taken(before: str, after: str) -> None:
    """Another algorithm, or a burst, begins with what was taken under the one before."""
    run = Run(rule(before, 10))
    for _ in range(10):
        assert run.ask(1).allowed
    run.rules = (rule(after, 10),)
    assert not run.ask(1).allowed
    run.rules = (rule(after, 12, 12),)
    assert [run.ask(1).allowed for _ in range(3)] == [True, True, False]


def test_refusal_names_the_limit_that_lasts_longest() -> None:
    """With several limits used up, reason and waiting time are those of the last to come back."""
    limits = Limits(per_minute=2, per_hour=2, safety_margin=1)
    run = Run(*limits.rules())
    assert run.ask(2) == Decision(True, None, {"minute": 0, "hour": 0}, 0)
    refused = run.ask(1)
    assert refused.reason == "2 per hour reached"
    assert refused.retry_after_ms == 3_600_000 - START % 3_600_000
    assert run.ask(3) == Decision(
        False, "3 at once are more than 2 per minute ever allow", {"minute": 0, "hour": 0}, None
    )


def test_decision_is_true_when_allowed() -> None:
    """A decision is a condition."""
    run = Run(rule("fixed", 1))
    answers: list[Any] = [bool(run.ask(1)), bool(run.ask(1))]
    assert answers == [True, False]
