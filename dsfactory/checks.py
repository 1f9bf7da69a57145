"""How options are checked: each check returns the value in its stored form or refuses it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dsfactory.durations import ALLOWED, duration_ms
from dsfactory.errors import OptionError, OptionTypeError, shown
from dsfactory.model import FEATURES

LARGEST_COUNT = 2**53
"""As many entries, bytes or backups as nobody has: what JSON still counts exactly."""

Check = Callable[[str, object], Any]


def refused(name: str, value: object, allowed: str, *, of_type: bool = False) -> OptionError:
    """Return the error for an option that is not allowed, or is of the wrong type."""
    error = OptionTypeError if of_type else OptionError
    return error(
        f"Option {name}={shown(value)} is not allowed; allowed: {allowed}.",
        option=name,
        allowed=allowed,
    )


def integer(minimum: int, maximum: int = LARGEST_COUNT, *, optional: bool = False) -> Check:
    """Return the check for an int within limits; *optional* also takes None."""
    allowed = f"an int of at least {minimum} and at most {maximum}"
    if optional:
        allowed += ", or None (no limit)"

    def check(name: str, value: object) -> int | None:
        if value is None and optional:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise refused(name, value, allowed, of_type=True)
        if not minimum <= value <= maximum:
            raise refused(name, value, allowed)
        return value

    return check


def checked_count(name: str, value: object, *, minimum: int = 0) -> int:
    """Return *value*, a parameter of a call that has to be an int of at least *minimum*."""
    count: int = integer(minimum)(name, value)
    return count


def checked_choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Return *value*, a parameter of a call that has to be one of *choices*."""
    if not isinstance(value, str) or value not in choices:
        allowed = ", ".join(map(repr, choices))
        raise refused(name, value, allowed, of_type=not isinstance(value, str))
    return value


def flag(name: str, value: object) -> bool:
    """Take True or False."""
    if not isinstance(value, bool):
        raise refused(name, value, "True or False", of_type=True)
    return value


def one_of(*choices: str) -> Check:
    """Return the check for one of several words, in whatever case."""
    allowed = "one of " + ", ".join(map(repr, choices))

    def check(name: str, value: object) -> str:
        if not isinstance(value, str):
            raise refused(name, value, allowed, of_type=True)
        for choice in choices:
            if value.casefold() == choice.casefold():
                return choice
        raise refused(name, value, allowed)

    return check


def duration(name: str, value: object) -> int:
    """Take a duration; return milliseconds."""
    return duration_ms(value, name)


def optional_duration(name: str, value: object) -> int | None:
    """Take a duration or None; return milliseconds or None."""
    if value is None:
        return None
    if isinstance(value, float):
        raise refused(name, value, ALLOWED, of_type=True)
    return duration_ms(value, name)


_TIERS_ALLOWED = (
    "up to 8 pairs of a bucket's width and how long to keep it, such as "
    '("5m", "90d"), ("1h", "2y"); each width of at least a second and a multiple of the one '
    "before, each kept longer"
)


def rollups(name: str, value: object) -> tuple[tuple[int, int], ...]:
    """Take tiers of rollups; return widths and how long each is kept, in milliseconds."""
    if not isinstance(value, (list, tuple)):
        raise refused(name, value, _TIERS_ALLOWED, of_type=True)
    if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in value):
        raise refused(name, value, _TIERS_ALLOWED)
    tiers = tuple((duration(name, width), duration(name, keep)) for width, keep in value)
    ascending = all(
        wider % width == 0 and wider > width and longer > keep
        for (width, keep), (wider, longer) in itertools.pairwise(tiers)
    )
    if not ascending or len(tiers) > 8 or any(w < 1000 or keep < w for w, keep in tiers):
        raise refused(name, value, _TIERS_ALLOWED)
    return tiers


def features(name: str, value: object) -> tuple[str, ...]:
    """Take a set of features; return them sorted."""
    allowed = "a set out of " + ", ".join(sorted(FEATURES))
    if isinstance(value, str) or not isinstance(value, (set, frozenset, list, tuple)):
        raise refused(name, value, allowed, of_type=True)
    unknown = [f for f in value if not isinstance(f, str) or f not in FEATURES]
    if unknown:
        raise refused(name, unknown, allowed)
    return tuple(sorted(set(value)))


def folder(name: str, value: object) -> str | None:
    """Take an existing folder or None; return its whole path."""
    allowed = "an existing folder of Alembic revisions, or None"
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)):
        raise refused(name, value, allowed, of_type=True)
    try:
        folder = Path(value).resolve(strict=True)
    except (OSError, ValueError) as error:  # missing, out of reach, too long, with a NUL
        raise refused(name, value, allowed) from error
    if not folder.is_dir():
        raise refused(name, value, allowed)
    return str(folder)


def _keep_count(name: str, value: object) -> int | None:
    allowed = "an int of at least 0, or -1 (all of them)"
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise refused(name, value, allowed, of_type=True)
    if not -1 <= value <= LARGEST_COUNT:
        raise refused(name, value, allowed)
    return value


def _keep_tags(name: str, value: object) -> list[list[str]]:
    allowed = 'lists of tags, such as [["a", "b"], ["c"]]: a and b, or c'
    if value is None:
        return []
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise refused(name, value, allowed, of_type=True)
    for tags in value:
        if isinstance(tags, str) or not isinstance(tags, Sequence):
            raise refused(name, value, allowed, of_type=True)
        if not tags or not all(isinstance(tag, str) for tag in tags):
            raise refused(name, value, allowed)
    return [list(tags) for tags in value]


def _time_zone(name: str, value: object) -> str:
    allowed = 'the name of a time zone, such as "UTC" or "Europe/Berlin"'
    if not isinstance(value, str):
        raise refused(name, value, allowed, of_type=True)
    if value != "UTC":
        from zoneinfo import ZoneInfo  # hardly ever needed

        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:  # unknown, climbing out, a folder
            raise refused(name, value, allowed) from error
    return value


KEEP_CHECKS: Mapping[str, Check] = {
    "last": _keep_count,
    "hourly": _keep_count,
    "daily": _keep_count,
    "weekly": _keep_count,
    "monthly": _keep_count,
    "yearly": _keep_count,
    "within": optional_duration,
    "within_hourly": optional_duration,
    "within_daily": optional_duration,
    "within_weekly": optional_duration,
    "within_monthly": optional_duration,
    "within_yearly": optional_duration,
    "tags": _keep_tags,
    "timezone": _time_zone,
}
"""The rules that choose which backups are kept; what each means: backup/retention/policy.py."""


def _limit(name: str, value: object) -> int | None:
    allowed = "an int of at least 1, or None or -1 (no limit)"
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise refused(name, value, allowed, of_type=True)
    if value == -1:
        return None
    if not 1 <= value <= LARGEST_COUNT:
        raise refused(name, value, allowed)
    return value


LIMIT_CHECKS: Mapping[str, Check] = {
    "max_backups": _limit,
    "max_age": optional_duration,
    "max_total_bytes": _limit,
}
"""The limits of a retention policy, which cut what its rules chose."""


def keep_rules(name: str, value: object) -> dict[str, Any] | None:
    """Take rules for which backups stay; return them in their stored form."""
    allowed = f"a mapping of {', '.join(KEEP_CHECKS)} (such as {{'daily': 7}}), or None"
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise refused(name, value, allowed, of_type=True)
    unknown = [rule for rule in value if rule not in KEEP_CHECKS]
    if unknown:
        raise refused(name, unknown[0], allowed)
    rules = {
        rule: check(f"{name}[{rule!r}]", value[rule])
        for rule, check in KEEP_CHECKS.items()
        if rule in value
    }
    if not any(rules[rule] for rule in rules if rule != "timezone"):
        raise refused(name, value, f"{allowed}; at least one rule has to keep something")
    return rules
