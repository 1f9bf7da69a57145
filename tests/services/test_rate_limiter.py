"""RateLimiter in one process: limits, keys, configuration, clocks, and ways to ask."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import dsfactory as ds
from dsfactory.services import RateLimiter
from dsfactory.services.limits import Limits, SavedLimits
from dsfactory.services.limits.rules import LIFE_MS

MINUTE = 60_000
DAY = 24 * 60 * MINUTE


def take(limiter: RateLimiter, times: int, key: str = "global") -> int:
    """Ask *times* times; return how often it was allowed."""
    return sum(limiter.check_and_increment(key).allowed for _ in range(times))


def test_margin_is_kept_back(factory: ds.DataStoreFactory) -> None:
    """Nine of ten permits are given out; the refusal says why and until when."""
    limiter = RateLimiter(factory, per_minute=10, per_day=1000)
    assert take(limiter, 9) == 9
    decision = limiter.check_and_increment()
    assert not decision
    assert decision.reason == "9 per minute reached"
    assert decision.remaining == {"minute": 0, "day": 891}
    assert decision.retry_after_ms == MINUTE - factory.clock.now_ms() % MINUTE


def test_margin_is_exact() -> None:
    """29 % of 100 are 29, which binary fractions would make 28; at least one permit is left."""
    limits = Limits(per_minute=100, per_hour=1, safety_margin=0.29)
    assert [rule.limit for rule in limits.rules()] == [29, 1]


def test_next_window_is_whole(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """When the minute is over there are permits again, but not more of the day."""
    limiter = RateLimiter(factory, per_minute=2, per_day=48, safety_margin=1)
    for minute in range(30):
        assert take(limiter, 3) == (2 if minute < 24 else 0)
        clock.advance(MINUTE)


def test_keys_count_alone(factory: ds.DataStoreFactory) -> None:
    """What one key takes is not another's."""
    limiter = RateLimiter(factory, per_minute=1)
    assert limiter.check_and_increment("user:1").allowed
    assert not limiter.check_and_increment("user:1").allowed
    assert limiter.check_and_increment("user:2").allowed
    assert limiter.keys() == ["user:1", "user:2"]


def test_several_keys_all_or_none(factory: ds.DataStoreFactory) -> None:
    """A global limit beside one for each user: nothing is taken unless both allow it."""
    limiter = RateLimiter(factory, per_minute=2, safety_margin=1)
    limiter.update_configuration(key="global", per_minute=3)
    both = ("global", "user:1")
    assert all(limiter.check_and_increment_all(both).values())
    assert all(limiter.check_and_increment_all(both).values())
    refused = limiter.check_and_increment_all(both)
    assert {key: d.allowed for key, d in refused.items()} == {"global": True, "user:1": False}
    assert limiter.status("global").windows["minute"].remaining == 1


def test_cost_above_one(factory: ds.DataStoreFactory) -> None:
    """A cost is taken whole or not at all; one that no window ever allows is told so."""
    limiter = RateLimiter(factory, per_minute=10)
    assert limiter.check_and_increment(cost=7).remaining == {"minute": 2}
    assert not limiter.check_and_increment(cost=3).allowed
    assert limiter.check_and_increment(cost=2).allowed
    never = limiter.check_and_increment(cost=10)
    assert never.retry_after_ms is None
    assert never.reason == "10 at once are more than 9 per minute ever allow"


def test_burst(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A burst is a bucket before the windows, filled at the pace of the shortest."""
    limiter = RateLimiter(factory, per_minute=60, burst=3, safety_margin=1)
    assert take(limiter, 5) == 3
    clock.advance(999)
    assert take(limiter, 1) == 0
    clock.advance(1)
    assert take(limiter, 2) == 1


def test_peek_and_status_take_nothing(factory: ds.DataStoreFactory) -> None:
    """Looking changes no count."""
    limiter = RateLimiter(factory, per_minute=10, per_hour=20)
    limiter.check_and_increment(cost=4)
    for _ in range(20):
        assert limiter.peek(cost=5).allowed
        assert not limiter.peek(cost=6).allowed
    assert limiter.peek().remaining == {"minute": 5, "hour": 14}
    minute = limiter.status().windows["minute"]
    assert (minute.limit, minute.used, minute.remaining) == (9, 4, 5)
    assert minute.resets_in_ms == MINUTE - factory.clock.now_ms() % MINUTE
    assert limiter.status("nobody").windows["hour"].resets_in_ms == 0
    assert limiter.keys() == ["global"]


def test_reset(factory: ds.DataStoreFactory) -> None:
    """A reset key has all of it again, also where this process remembered a refusal."""
    limiter = RateLimiter(factory, per_minute=2)
    for key in ("a", "b", "c"):
        take(limiter, 2, key)
    assert limiter.reset("a") == 1
    assert limiter.check_and_increment("a").allowed
    assert limiter.reset("nobody") == 0
    assert limiter.reset() == 3
    assert limiter.keys() == []
    assert limiter.limits() == Limits(per_minute=2)


# -- configuration


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("per_minute", 0, ds.OptionError),
        ("per_hour", -1, ds.OptionError),
        ("per_day", 1.5, ds.OptionTypeError),
        ("per_day", True, ds.OptionTypeError),
        ("per_day", 10**10, ds.OptionError),
        ("burst", 0, ds.OptionError),
        ("burst", 10**9, ds.OptionError),
        ("safety_margin", 0.09, ds.OptionError),
        ("safety_margin", 1.01, ds.OptionError),
        ("safety_margin", float("nan"), ds.OptionError),
        ("safety_margin", "0.9", ds.OptionTypeError),
        ("timezone", "Mars/Olympus", ds.OptionError),
        ("timezone", 1, ds.OptionTypeError),
        ("algorithm", "leaky", ds.OptionError),
        ("allow_uneven", 1, ds.OptionTypeError),
        ("per_minute", 42, ds.OptionError),
        ("per_second", 1, ds.OptionError),
    ],
)
def test_rules_of_configuration(
    factory: ds.DataStoreFactory, option: str, value: object, error: type[Exception]
) -> None:
    """What breaks a rule is refused by name, before anything is made or changed."""
    if option != "per_second":
        with pytest.raises(error, match=option):
            RateLimiter(factory, **{"per_minute": 10, "per_day": 1000, option: value})  # type: ignore[arg-type]
        assert factory.get_registered_stores() == []
    limiter = RateLimiter(factory, per_minute=10, per_day=1000)
    with pytest.raises(error, match=option):
        limiter.update_configuration(**{option: value})
    assert limiter.limits() == Limits(per_minute=10, per_day=1000)


def test_uneven_limits_when_allowed(factory: ds.DataStoreFactory) -> None:
    """A minute may take more than a 24th of the day when that is said."""
    limiter = RateLimiter(factory, per_minute=42, per_day=1000, allow_uneven=True)
    assert limiter.limits().per_minute == 42


def test_limiter_without_limits_is_refused(factory: ds.DataStoreFactory) -> None:
    """Nothing is admitted by a limiter that nobody gave limits."""
    with pytest.raises(ds.OptionError, match="needs a limit"):
        RateLimiter(factory)
    assert factory.get_registered_stores() == []


def test_another_store_is_refused(factory: ds.DataStoreFactory) -> None:
    """A store that is somebody else's is no limiter, and stays as it is."""
    factory.create_state_store("sessions")["a"] = 1
    with pytest.raises(ds.OptionError, match="no rate limiter"):
        RateLimiter(factory, name="sessions", per_minute=1)
    assert dict(factory.get_store("sessions")) == {"a": 1}


def test_cleared_store_admits_nothing(factory: ds.DataStoreFactory) -> None:
    """Without its limits a limiter refuses to decide."""
    limiter = RateLimiter(factory, per_minute=1)
    factory.get_store("rate-limits").clear()
    with pytest.raises(ds.ServiceError, match="holds no limits"):
        limiter.check_and_increment()


def test_changed_limits_outlive_a_restart(tmp_path: Path) -> None:
    """What was set at run time stays, until the program's own arguments change."""
    with ds.DataStoreFactory(tmp_path, maintenance="manual") as factory:
        RateLimiter(factory, per_minute=10).update_configuration(per_minute=20, burst=5)
    with ds.DataStoreFactory(tmp_path, maintenance="manual") as factory:
        assert RateLimiter(factory).limits() == Limits(per_minute=20, burst=5)
        assert RateLimiter(factory, per_minute=10).limits() == Limits(per_minute=20, burst=5)
        changed = RateLimiter(factory, per_minute=10, per_hour=50).limits()
        assert changed == Limits(per_minute=20, per_hour=50, burst=5)
        assert RateLimiter(factory, per_minute=11, per_hour=50).limits().per_minute == 11


def test_changed_limits_keep_counts(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Raising a limit gives the difference, lowering it takes what is not taken yet."""
    limiter = RateLimiter(factory, per_minute=10, safety_margin=1)
    assert take(limiter, 11) == 10
    limiter.update_configuration(per_minute=12)
    assert take(limiter, 5) == 2
    limiter.update_configuration(per_minute=3)
    assert limiter.status().windows["minute"].remaining == 0
    clock.advance(MINUTE)
    assert take(limiter, 5) == 3


def test_key_with_limits_of_its_own(factory: ds.DataStoreFactory) -> None:
    """A key follows the common limits in all that was not set for it."""
    limiter = RateLimiter(factory, per_minute=10)
    limiter.update_configuration(key="vip", per_minute=50)
    limiter.update_configuration(safety_margin=1)
    assert limiter.limits("vip") == Limits(per_minute=50, safety_margin=1)
    assert limiter.limits("other") == Limits(per_minute=10, safety_margin=1)
    assert limiter.keys_with_own_limits() == ["vip"]
    assert limiter.remove_limits("vip")
    assert not limiter.remove_limits("vip")
    assert limiter.limits("vip") == limiter.limits()


def test_two_limiters_see_each_other(tmp_path: Path) -> None:
    """Another handle's permits, limits and resets count at once."""
    with (
        ds.DataStoreFactory(tmp_path, maintenance="manual") as one,
        ds.DataStoreFactory(tmp_path, maintenance="manual") as other,
    ):
        mine, theirs = RateLimiter(one, per_day=4, safety_margin=1), RateLimiter(other)
        assert take(mine, 2) == 2
        assert take(theirs, 3) == 2
        assert take(mine, 1) == 0
        theirs.update_configuration(per_day=5)
        assert take(mine, 2) == 1
        theirs.reset()
        assert take(mine, 6) == 5


# -- time


def test_clock_set_back_admits_no_second_time(tmp_path: Path) -> None:
    """A clock that goes back gives no window again, not even to a new process."""
    clock = ds.ManualClock()
    with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=clock) as factory:
        assert take(RateLimiter(factory, per_minute=5, safety_margin=1), 6) == 5
    for jump in (-MINUTE, -DAY, MINUTE):
        clock.advance(jump)
        with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=clock) as factory:
            limiter = RateLimiter(factory)
            # The minute forward is a minute's pace, from where time had stood.
            assert take(limiter, 6) == (5 if jump > 0 else 0)


def test_clock_that_leapt_ahead_does_not_lock_for_a_year(
    factory: ds.DataStoreFactory, clock: ds.ManualClock
) -> None:
    """After a leap into next year and back, time goes on at the clock's pace."""
    limiter = RateLimiter(factory, per_minute=5, safety_margin=1)
    clock.advance(365 * DAY)
    assert take(limiter, 6) == 5
    clock.advance(-365 * DAY)
    assert take(limiter, 6) == 0
    clock.advance(MINUTE)
    assert take(limiter, 6) == 5


def test_day_of_25_hours(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Where clocks are set back the day's permits last an hour longer, and come once."""
    clock.advance(1_729_980_000_000 - clock.now_ms())  # 2024-10-27 00:00 in Berlin
    limiter = RateLimiter(factory, per_day=10, safety_margin=1, timezone="Europe/Berlin")
    assert take(limiter, 11) == 10
    clock.advance(25 * 60 * MINUTE - 1)
    assert take(limiter, 1) == 0
    clock.advance(1)
    assert take(limiter, 11) == 10


def test_other_time_zone_gives_no_second_day(
    factory: ds.DataStoreFactory, clock: ds.ManualClock
) -> None:
    """A day that was begun ends when it was said to, whatever zone is set meanwhile."""
    clock.advance(1_709_294_400_000 - clock.now_ms())  # 2024-03-01 12:00 UTC
    limiter = RateLimiter(factory, per_day=10, safety_margin=1)
    assert take(limiter, 11) == 10
    for zone in ("Asia/Tokyo", "Pacific/Kiritimati", "America/Los_Angeles"):
        limiter.update_configuration(timezone=zone)
        assert take(limiter, 1) == 0
        clock.advance(3 * 60 * MINUTE)
    clock.advance(3 * 60 * MINUTE)
    assert take(limiter, 11) == 10


def test_unused_keys_are_forgotten(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A key that is asked for stays; one that is not goes after 14 days; the limits never do."""
    limiter = RateLimiter(factory, per_minute=2)
    limiter.check_and_increment("idle")
    for _ in range(5):
        limiter.check_and_increment("busy")
        clock.advance(LIFE_MS // 2 - DAY)
    factory.maintain()
    assert limiter.keys() == ["busy"]
    assert RateLimiter(factory).limits() == Limits(per_minute=2)


# -- ways to ask


def test_context_manager_and_decorator(factory: ds.DataStoreFactory) -> None:
    """Each way in takes a permit, also where the work fails; without one nothing is begun."""
    limiter = RateLimiter(factory, per_minute=3, safety_margin=1)

    @limiter.limited(key=lambda user, **_kwargs: f"user:{user}")
    def work(user: int, *, fail: bool = False) -> int:
        if fail:
            raise ValueError("at work")
        return user

    assert work(7) == 7
    with pytest.raises(ValueError, match="at work"):
        work(7, fail=True)
    with limiter.limited("user:7") as decision:
        assert decision.remaining == {"minute": 0}
    with pytest.raises(ds.LimitExceededError) as refused:
        work(7)
    assert refused.value.facts["decision"].reason == "3 per minute reached"
    assert refused.value.facts["retry_after_ms"] > 0
    assert refused.value.exit_code == 14
    assert work(8) == 8
    with pytest.raises(ds.OptionTypeError), limiter.limited(key=str):
        pass


def test_coroutines(tmp_path: Path) -> None:
    """Waiting leaves the loop to others: every task gets its permit, at the limit's pace."""
    with ds.DataStoreFactory(tmp_path, maintenance="manual") as factory:
        limiter = RateLimiter(
            factory, per_minute=60_000, burst=2, safety_margin=1, algorithm="gcra"
        )

        @limiter.limited("work", timeout="30s")
        async def work(number: int) -> int:
            return number

        async def main() -> list[int]:
            async with limiter.limited("other"):
                pass
            await limiter.wait_async("work", cost=2)
            return await asyncio.gather(*(work(n) for n in range(8)))

        assert asyncio.run(main()) == list(range(8))
        assert limiter.wait("work").allowed


def test_async_generators_are_refused(factory: ds.DataStoreFactory) -> None:
    """Decorating one says at once what to do instead; a generator is limited when it is made."""
    limiter = RateLimiter(factory, per_day=1)

    async def later() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(ds.OptionTypeError, match="async with"):
        limiter.limited("work")(later)

    @limiter.limited("work")
    def numbers() -> Iterator[int]:
        yield 1

    assert list(numbers()) == [1]
    with pytest.raises(ds.LimitExceededError):
        numbers()


def test_waiting_is_given_up_at_once(factory: ds.DataStoreFactory) -> None:
    """Nobody waits for what cannot come in time, or never."""
    limiter = RateLimiter(factory, per_day=1)
    limiter.require()
    with pytest.raises(ds.LimitExceededError, match="Try again in"):
        limiter.wait(timeout="1s")
    with pytest.raises(ds.LimitExceededError, match="Ask for less"):
        limiter.wait(cost=2)
    with pytest.raises(ds.LimitExceededError):
        asyncio.run(limiter.wait_async(timeout="1s"))


@pytest.mark.parametrize("key", ["", "k" * 501, 7, None, b"k"])
def test_bad_key(factory: ds.DataStoreFactory, key: Any) -> None:
    """A key is text of 1 to 500 characters."""
    limiter = RateLimiter(factory, per_minute=1)
    for ask in (limiter.check_and_increment, limiter.peek, limiter.status, limiter.remove_limits):
        with pytest.raises(ds.KeyRefusedError):
            ask(key)


@pytest.mark.parametrize("cost", [0, -1, True, 1.0, "1", 10**10])
def test_bad_cost(factory: ds.DataStoreFactory, cost: Any) -> None:
    """A cost is a whole number from 1 on."""
    limiter = RateLimiter(factory, per_minute=1)
    with pytest.raises(ds.OptionError, match="cost"):
        limiter.check_and_increment(cost=cost)
    assert limiter.keys() == []


def test_refusals_are_no_failures_of_the_store(
    factory: ds.DataStoreFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """A limiter that refuses all day leaves the store's error counts at nothing."""
    limiter = RateLimiter(factory, per_minute=1)
    with caplog.at_level(logging.DEBUG):
        take(limiter, 50)
    operations = factory.get_store("rate-limits").get_metrics().operations
    assert sum(operation.errors for operation in operations.values()) == 0
    assert operations["update_with"].count == 2
    assert caplog.records == []


@pytest.mark.parametrize("keys", ["ab", 7, None])
def test_several_keys_are_no_text(factory: ds.DataStoreFactory, keys: Any) -> None:
    """One text is not taken for the keys that its letters would be."""
    limiter = RateLimiter(factory, per_minute=5)
    with pytest.raises(ds.KeyTypeError, match="Several keys"):
        limiter.check_and_increment_all(keys)
    assert limiter.keys() == []


def test_looking_at_saved_limits(factory: ds.DataStoreFactory) -> None:
    """Who looks sees what the limiter sees, takes nothing, and needs a limiter's store."""
    limiter = RateLimiter(factory, per_minute=10)
    limiter.update_configuration(key="b", per_minute=5)
    limiter.check_and_increment("a", 4)
    with SavedLimits.looked_at(factory) as saved:
        assert (saved.keys(), saved.keys_with_own_limits()) == (["a"], ["b"])
        assert saved.status("a") == limiter.status("a")
        assert saved.peek("a", 5).allowed
        assert saved.limits("b").per_minute == 5
    factory.create_state_store("other")
    with pytest.raises(ds.OptionError, match="other"), SavedLimits.looked_at(factory, "other"):
        pass
