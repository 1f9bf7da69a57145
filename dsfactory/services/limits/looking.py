"""The limits and counts of one limiter as they stand, without taking anything."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dsfactory.checks import checked_count
from dsfactory.errors import KeyTypeError, OptionError
from dsfactory.model import Kind
from dsfactory.services.limits.algorithms import BY_NAME
from dsfactory.services.limits.configured import Configured
from dsfactory.services.limits.deciding import NOBODY, Decision, State, decide, left, standing
from dsfactory.services.limits.rules import BUCKETS, LARGEST, LIFE_MS, Limits, Rule

if TYPE_CHECKING:
    from dsfactory.clock import Clock
    from dsfactory.factory import DataStoreFactory
    from dsfactory.stores import DataStore

PREFIX = "used:"
"""Keys of the store under which counts are kept: the prefix and the limiter's key."""


@dataclass(frozen=True, slots=True)
class WindowStatus:
    """One limit of a key, as it stands."""

    limit: int
    """Permits a period, the safety margin taken off; of a burst: permits at once."""
    used: int
    remaining: int
    resets_in_ms: int
    """When all of it will be there again if nobody takes anything."""


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """Where a key stands."""

    key: str
    limits: Limits
    windows: dict[str, WindowStatus]
    """By window: minute, hour, day, burst."""


class SavedLimits:
    """What a limiter's store says of limits and counts; nothing here writes."""

    def __init__(self, store: DataStore[Any], clock: Clock, configured: Configured) -> None:
        self._store = store
        self._clock = clock
        self._configured = configured

    @classmethod
    @contextlib.contextmanager
    def looked_at(
        cls, factory: DataStoreFactory, name: str = "rate-limits"
    ) -> Iterator[SavedLimits]:
        """Lend the limiter *name* for looking: no time of use is noted.

        Raises StoreAbsentError when there is no such store, OptionError when it is no limiter's.
        """
        with factory.look(name) as store:
            require_limits(store)
            yield SavedLimits(store, factory.clock, Configured(store))

    @property
    def name(self) -> str:
        """The name of the state store that keeps the counts."""
        return self._store.name

    def peek(self, key: str = "global", cost: int = 1) -> Decision:
        """Return what check_and_increment() would say now, and take nothing.

        ``remaining`` is what is there now.
        """
        check(key, cost)
        decision, _ = self._looked(key, cost)
        if not decision.allowed:
            return decision
        return decision._replace(
            remaining={name: n + cost for name, n in decision.remaining.items()}
        )

    def status(self, key: str = "global") -> KeyStatus:
        """Return where *key* stands in each of its windows; one never asked for is unused."""
        check(key, 1)
        known = self._configured.current()
        rules = known.rules_of(key)
        state = self._store.get(PREFIX + key, NOBODY)
        at, _, memories = standing(rules, state, self._clock.now_ms())
        free = left(rules, memories, at)
        windows = {
            rule.name: _status(rule, memory, at, free[rule.name])
            for rule, memory in zip(rules, memories, strict=True)
        }
        return KeyStatus(key, known.limits_of(key), windows)

    def keys(self) -> list[str]:
        """Return the keys with counts, sorted; a key unused for 14 days is forgotten."""
        return [str(key)[len(PREFIX) :] for key, _ in self._store.scan(prefix=PREFIX)]

    def limits(self, key: str | None = None) -> Limits:
        """Return the limits of *key*, or those of all keys without their own."""
        known = self._configured.current()
        return known.limits if key is None else known.limits_of(key)

    def keys_with_own_limits(self) -> list[str]:
        """Return the keys that update_configuration() gave limits of their own, sorted."""
        return sorted(self._configured.current().own)

    def _looked(self, key: str, cost: int) -> tuple[Decision, State | None]:
        rules = self._configured.current().rules_of(key)
        state = self._store.get(PREFIX + key, NOBODY)
        return decide(rules, state, self._clock.now_ms(), cost)


def require_limits(store: DataStore[Any]) -> None:
    """Raise OptionError for a store that no limiter made."""
    if store.kind is not Kind.STATE or store.options.ttl != LIFE_MS:
        raise OptionError(
            f"Store {store.name!r} is no rate limiter's. Choose another name.",
            option="name",
            store=store.name,
        )


def check(key: str, cost: int) -> None:
    """Raise KeyTypeError for what is no key, OptionError for what is no cost."""
    if not isinstance(key, str) or not 0 < len(key) <= 500:
        raise KeyTypeError(
            f"A rate limiter's key has to be text of 1 to 500 characters, not "
            f"{type(key).__name__}{f' of {len(key)}' if isinstance(key, str) else ''}.",
        )
    # Not checked_count(): in most calls this comparison is all.
    if type(cost) is not int or not 0 < cost <= LARGEST:
        checked_count("cost", cost, minimum=1)
        raise OptionError(f"Option cost is at most {LARGEST}.", option="cost")


def _status(rule: Rule, memory: list[int], at: int, free: int) -> WindowStatus:
    whole = rule.capacity if rule.algorithm in BUCKETS else rule.limit
    resets = BY_NAME[rule.algorithm].wait_ms(rule, memory, at, whole) if free < whole else 0
    return WindowStatus(whole, whole - free, free, resets)
