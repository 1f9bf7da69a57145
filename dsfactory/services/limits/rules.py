"""What a limiter allows: checked limits, and the rules that follow from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import tzinfo
from decimal import Decimal
from typing import Any, NamedTuple, Self

from dsfactory.checks import checked_choice, checked_count
from dsfactory.errors import OptionError, OptionTypeError, shown
from dsfactory.services.limits.boundaries import DAY_MS, HOUR_MS, MINUTE_MS, zone_of

WINDOWS: Mapping[str, int] = {"minute": MINUTE_MS, "hour": HOUR_MS, "day": DAY_MS}
"""The windows, shortest first, with their lengths."""

ALGORITHMS = ("fixed", "sliding", "token-bucket", "gcra")
BUCKETS = ("token-bucket", "gcra")

LIFE_MS = 14 * DAY_MS
"""How long the counts of a key that nobody asks for are kept: whatever a limit remembers is over
in half of that."""

LARGEST = 1_000_000_000


class Rule(NamedTuple):
    """One limit, as the algorithms see it."""

    name: str
    """What it is called in ``remaining``: minute, hour, day or burst."""
    algorithm: str
    period_ms: int
    limit: int
    """Permits a period, the safety margin taken off."""
    capacity: int
    """Permits that are there at most at one moment."""
    zone: tzinfo

    def __str__(self) -> str:
        if self.name == "burst":
            return f"{self.capacity} at once"
        return f"{self.limit} per {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one key may take.

    *per_minute*, *per_hour*, *per_day*: permits, or None (no such limit). Of each only the part
    *safety_margin* is given out, but at least one. *burst*: how many may be taken at one moment.
    *timezone*: where fixed hours and days begin. *algorithm*: "fixed", "sliding", "token-bucket" or
    "gcra". *allow_uneven*: whether a minute may take more than a 24th of a day.
    """

    per_minute: int | None = None
    per_hour: int | None = None
    per_day: int | None = None
    burst: int | None = None
    safety_margin: float = 0.9
    timezone: str = "UTC"
    algorithm: str = "fixed"
    allow_uneven: bool = False

    def __post_init__(self) -> None:
        for name in ("per_minute", "per_hour", "per_day", "burst"):
            value = getattr(self, name)
            if value is not None and checked_count(name, value, minimum=1) > LARGEST:
                raise _refused(name, value, f"at most {LARGEST}")
        if not isinstance(self.allow_uneven, bool):
            raise OptionTypeError("Option allow_uneven has to be a bool.", option="allow_uneven")
        _check_margin(self.safety_margin)
        zone_of(self.timezone)
        checked_choice("algorithm", self.algorithm, ALGORITHMS)
        if not self.limited:
            raise OptionError(
                "A rate limiter needs a limit: per_minute, per_hour or per_day.",
                option="per_minute",
            )
        self._check_together()

    def _check_together(self) -> None:
        uneven = (
            self.per_minute is not None
            and self.per_day is not None
            and self.per_minute * 24 > self.per_day
        )
        if uneven and not self.allow_uneven:
            raise _refused(
                "per_minute",
                self.per_minute,
                f"at most a 24th of per_day={self.per_day}, or allow_uneven=True",
            )
        for rule in self.rules():
            if rule.algorithm in BUCKETS and rule.capacity * rule.period_ms * 2 > (
                LIFE_MS * rule.limit
            ):
                raise _refused("burst", self.burst, "what comes back within seven days")

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return not (self.per_minute is None and self.per_hour is None and self.per_day is None)

    def given_out(self, limit: int) -> int:
        """Return what the safety margin leaves of *limit*: rounded down, at least 1."""
        return max(1, int(limit * Decimal(str(self.safety_margin))))

    def rules(self) -> tuple[Rule, ...]:
        """Return a rule for each window, and one for the burst where windows only count."""
        zone, bucket = zone_of(self.timezone), self.algorithm in BUCKETS
        rules: list[Rule] = []
        for name, period_ms in WINDOWS.items():
            limit = getattr(self, f"per_{name}")
            if limit is not None:
                allowed = self.given_out(limit)
                # A burst is what the shortest window lets pass at once.
                capacity = self.burst or allowed if bucket and not rules else allowed
                rules.append(Rule(name, self.algorithm, period_ms, allowed, capacity, zone))
        if self.burst is not None and not bucket:
            first = rules[0]
            burst = Rule("burst", BUCKETS[0], first.period_ms, first.limit, self.burst, zone)
            rules.insert(0, burst)
        return tuple(rules)

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Return these limits with *changes*; OptionError names what is not allowed."""
        known = [field.name for field in fields(self)]
        for name in changes:
            if name not in known:
                raise OptionError(
                    f"Unknown option {shown(name)}; allowed: {', '.join(known)}.", option=name
                )
        return type(self)(**{**asdict(self), **changes})


def _check_margin(value: object) -> None:
    allowed = "a number from 0.1 to 1"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise OptionTypeError(
            f"Option safety_margin={shown(value)} is not allowed; allowed: {allowed}.",
            option="safety_margin",
        )
    if not math.isfinite(value) or not 0.1 <= value <= 1:
        raise _refused("safety_margin", value, allowed)


def _refused(name: str, value: object, allowed: str) -> OptionError:
    return OptionError(
        f"Option {name}={shown(value)} is not allowed; allowed: {allowed}.",
        option=name,
        allowed=allowed,
    )
