"""RateLimiter: may this be done now?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from dsfactory.clock import pause, ticks_ns
from dsfactory.durations import Duration, duration_ms
from dsfactory.errors import KeyTypeError, LimitExceededError
from dsfactory.services.limits.configured import Configured
from dsfactory.services.limits.deciding import NOBODY, Decision, State, decide
from dsfactory.services.limits.gate import Gate
from dsfactory.services.limits.looking import PREFIX, SavedLimits, check, require_limits
from dsfactory.services.limits.rules import LIFE_MS, Limits

if TYPE_CHECKING:
    from dsfactory.factory import DataStoreFactory
    from dsfactory.stores import StateStore

REFUSED_KEPT = 1024
"""Keys of which this process remembers that they were refused last."""

LONGEST_NAP_MS = 1000
"""How long a wait sleeps before it looks again: limits may be raised or reset meanwhile."""


class RateLimiter(SavedLimits):
    """Quotas that outlive restarts and kill -9, shared by all threads and processes of the host.

    Each key has its own counts under the same limits, unless it was given others. One decision is
    one transaction on the state store *name*.
    """

    def __init__(  # noqa: PLR0913 -- names, not positions
        self,
        factory: DataStoreFactory,
        *,
        name: str = "rate-limits",
        per_minute: int | None = None,
        per_hour: int | None = None,
        per_day: int | None = None,
        burst: int | None = None,
        safety_margin: float = 0.9,
        timezone: str = "UTC",
        algorithm: str = "fixed",
        allow_uneven: bool = False,
        synchronous: str | None = None,
    ) -> None:
        """Open the limiter *name*, or make it with these limits; see Limits for what they mean.

        Stored limits, changed by update_configuration(), stay until these arguments are others
        than the last time. Without any limit, those that are stored count; OptionError when there
        are none. *synchronous*: "NORMAL" for a new limiter, which keeps every count through a
        crash of the process; with "FULL" also through a power failure.
        """
        given = {
            "per_minute": per_minute,
            "per_hour": per_hour,
            "per_day": per_day,
            "burst": burst,
            "safety_margin": safety_margin,
            "timezone": timezone,
            "algorithm": algorithm,
            "allow_uneven": allow_uneven,
        }
        known = factory.get_registered_store(name)
        if known is None or any(limit is not None for limit in (per_minute, per_hour, per_day)):
            Limits(**given)  # type: ignore[arg-type]  # refused before there is a file
        store = _opened(factory, name, synchronous, new=known is None)
        super().__init__(store, factory.clock, Configured(store, given))
        self._refused: dict[str, None] = {}

    # -- deciding

    def check_and_increment(self, key: str = "global", cost: int = 1) -> Decision:
        """Take *cost* permits of *key* if every window has as many; all of them, or none.

        What was allowed is committed. A cost that no window ever allows is refused with
        retry_after_ms None. Raises OptionError for a cost below 1, KeyRefusedError for a key that
        is no text of 1 to 500 characters.
        """
        check(key, cost)
        if key in self._refused:
            # A refusal needs no lock: it was right at a moment of this call.
            decision, after = self._looked(key, cost)
            if not decision.allowed and after is None:
                return decision
            self._refused.pop(key, None)
        decision = self._take(key, cost)
        if not decision.allowed:
            self._note_refused(key)
        return decision

    def check_and_increment_all(self, keys: Iterable[str], cost: int = 1) -> dict[str, Decision]:
        """Take *cost* permits of each of *keys* in one transaction, or none if one refuses.

        For a global limit beside those of users: ("global", "user:7"). Returns what each key says
        by itself; permits were taken when all are allowed.
        """
        if isinstance(keys, str) or not isinstance(keys, Iterable):
            raise KeyTypeError(f"Several keys are wanted, not {type(keys).__name__}.")
        chosen = list(dict.fromkeys(keys))
        for key in chosen:
            check(key, cost)
        with self._store.transaction():
            looked = {key: self._looked(key, cost) for key in chosen}
            allowed = all(decision.allowed for decision, _ in looked.values())
            for key, (decision, after) in looked.items():
                if allowed or not (decision.allowed or after is None):
                    self._take(key, cost)
        return {key: decision for key, (decision, _) in looked.items()}

    def _take(self, key: str, cost: int) -> Decision:
        row, decisions = PREFIX + key, []

        def step(state: State) -> State:
            # Limits and time are read under the write lock: those of the order of commits.
            rules = self._configured.current().rules_of(key)
            decision, new = decide(rules, state, self._clock.now_ms(), cost)
            decisions.append(decision)
            if new is None:
                return state
            return self._renewed(row, new) if new["until"] - new["at"] < LIFE_MS // 2 else new

        self._store.update_with(row, step, NOBODY)
        return decisions[-1]

    def _renewed(self, row: str, state: State) -> State:
        self._store.touch(row, LIFE_MS)
        return {**state, "until": state["at"] + LIFE_MS}

    def _note_refused(self, key: str) -> None:
        if len(self._refused) >= REFUSED_KEPT:
            self._refused.clear()
        self._refused[key] = None

    # -- changing

    def reset(self, key: str | None = None) -> int:
        """Forget the counts of *key*, or of every key; return how many keys had any.

        Limits stay as they are.
        """
        if key is not None:
            check(key, 1)
            return int(self._store.delete(PREFIX + key))
        with self._store.transaction():
            return self._store.delete_many(PREFIX + key for key in self.keys())

    def update_configuration(self, *, key: str | None = None, **changes: Any) -> Limits:
        """Change limits by name, for all processes and for good; return the new ones.

        With *key* for that key alone, which keeps following the common limits in what was not
        named. Counts stay: what was taken is taken. Every decision that begins after this has
        returned goes by the new limits. Raises OptionError when they break a rule; nothing is
        changed then.
        """
        if key is not None:
            check(key, 1)
        return self._configured.change(key, changes)

    def remove_limits(self, key: str) -> bool:
        """Let *key* have the common limits again; return whether it had its own."""
        check(key, 1)
        return self._configured.forget(key)

    # -- around work

    def limited(
        self,
        key: str | Callable[..., str] = "global",
        cost: int = 1,
        *,
        timeout: Duration | None = None,
    ) -> Gate:
        """Return a decorator and context manager, for functions and coroutines.

        ``with limiter.limited("user:7"):`` and ``@limiter.limited(key=lambda user: user.name)``
        take permits on the way in and raise LimitExceededError when there are none; what fails
        inside gives none back. With *timeout* they wait that long. Decorating an async generator
        raises OptionTypeError: use the block inside of it.
        """
        if not callable(key):
            check(key, cost)
        waiting_ms = None if timeout is None else duration_ms(timeout, "timeout")
        return Gate(self, key, cost, waiting_ms)

    def require(self, key: str = "global", cost: int = 1) -> Decision:
        """As check_and_increment(), but raise LimitExceededError when it is refused."""
        decision = self.check_and_increment(key, cost)
        if not decision.allowed:
            raise exceeded(self.name, key, decision)
        return decision

    def wait(
        self, key: str = "global", cost: int = 1, *, timeout: Duration | None = None
    ) -> Decision:
        """Wait until *cost* permits were taken; return the decision.

        Raises LimitExceededError at once when that would take longer than *timeout*, or can never
        be. Nobody is in a queue: who asks when there are permits gets them.
        """
        patience = _Patience(timeout)
        while not (decision := self.check_and_increment(key, cost)).allowed:
            pause(patience.nap_ms(self.name, key, decision) / 1000)
        return decision

    async def wait_async(
        self, key: str = "global", cost: int = 1, *, timeout: Duration | None = None
    ) -> Decision:
        """As wait(), leaving the event loop free; a cancelled wait has taken nothing, or all."""
        patience = _Patience(timeout)
        while True:
            decision = await asyncio.to_thread(self.check_and_increment, key, cost)
            if decision.allowed:
                return decision
            await asyncio.sleep(patience.nap_ms(self.name, key, decision) / 1000)

    def __repr__(self) -> str:
        return f"<RateLimiter {self.name!r}>"


class _Patience:
    """How long somebody goes on waiting."""

    def __init__(self, timeout: Duration | None) -> None:
        self._left_ms = None if timeout is None else duration_ms(timeout, "timeout")
        self._started = ticks_ns()

    def nap_ms(self, limiter: str, key: str, refusal: Decision) -> int:
        """Return how long to sleep after *refusal*, or raise LimitExceededError."""
        wait_ms = refusal.retry_after_ms
        waited_ms = (ticks_ns() - self._started) // 1_000_000
        if wait_ms is None or (self._left_ms is not None and waited_ms + wait_ms > self._left_ms):
            raise exceeded(limiter, key, refusal)
        return max(1, min(wait_ms, LONGEST_NAP_MS))


def exceeded(limiter: str, key: str, decision: Decision) -> LimitExceededError:
    """Return the error for a refusal."""
    wait = decision.retry_after_ms
    advice = "Ask for less." if wait is None else f"Try again in {wait} ms."
    return LimitExceededError(
        f"Rate limiter {limiter!r} refused {key!r}: {decision.reason}. {advice}",
        limiter=limiter,
        key=key,
        decision=decision,
        retry_after_ms=wait,
    )


def _opened(
    factory: DataStoreFactory, name: str, synchronous: str | None, *, new: bool
) -> StateStore[Any]:
    options: dict[str, Any] = {}
    if new:
        options = {"ttl": LIFE_MS, "synchronous": synchronous or "NORMAL"}
    elif synchronous is not None:
        options = {"synchronous": synchronous}
    store = factory.create_state_store(name, **options)
    require_limits(store)
    return store
