"""Every option that a store can be made with: its check, and its default for each kind.

Options are rows, not branches: a new one is a field of StoreOptions, a row in CHECKS and, where
a kind differs, an entry in BY_KIND.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from dsfactory.clock import END_OF_TIME
from dsfactory.durations import ALLOWED, duration_ms
from dsfactory.errors import OptionError, OptionTypeError, shown
from dsfactory.model import FEATURES, Kind

DAY_MS = 86_400_000
MIB = 1024 * 1024

LARGEST_COUNT = 2**53
"""As many entries, bytes or backups as nobody has: what JSON still counts exactly."""
HOT_ENTRIES = 32_768
"""Of which those read lately are found at once: 10 MB or so when they are full of small values."""

LARGEST_VALUE = 1_000_000_000 - 4096
"""SQLite holds no value of 1 GB or more (its MAX_LENGTH)."""


class StoreOptions(NamedTuple):
    """How one store behaves. Durations are milliseconds, sizes bytes, None means no limit."""

    codec: str = "json"
    features: tuple[str, ...] = ()
    page_checksums: bool = False
    synchronous: str = "FULL"
    compression: bool = True
    compression_threshold: int = 1024
    max_retries: int = 3
    retry_delay_ms: int = 100
    busy_timeout_ms: int = 5000
    ttl: int | None = None
    max_entries: int | None = None
    max_bytes: int | None = None
    policy: str = "none"
    max_wal_bytes: int = 1024 * MIB
    write_behind: int | None = None
    max_value_bytes: int = 64 * MIB
    hot_entries: int = 0
    hot_bytes: int = 16 * MIB
    max_versions: int | None = None
    auto_cleanup: bool = False
    max_backups: int = 5
    backup_retention: int = 30 * DAY_MS
    backup_compression: bool = True
    backup_every: int | None = None
    backup_format: str = "full"
    backup_keep: Mapping[str, Any] | None = None
    backup_max_bytes: int | None = None
    on_corruption: str = "raise"
    pitr: int | None = None
    migrations: str | None = None


RECORDABLE = frozenset({Kind.CONFIG, Kind.STATE})
"""The kinds whose every change can be recorded, to be restored to any moment (option pitr)."""
EVICTION_POLICIES = ("lru", "fifo", "lfu", "sieve", "s3fifo", "none")
"""Which entry goes when the store is full; see stores/policies.py."""

STRUCTURAL = frozenset({"codec", "features", "page_checksums"})
"""Fixed when the file is made; opening a store with others is a conflict, not a change."""

BY_KIND: Mapping[Kind, Mapping[str, Any]] = {
    Kind.CONFIG: {
        "features": ("compression", "history", "tags"),
        "page_checksums": True,
        "hot_entries": HOT_ENTRIES,
        "max_backups": 10,
    },
    Kind.METRICS: {
        "codec": "msgpack",
        "features": ("compression", "expiry", "tags"),
        "synchronous": "NORMAL",
        "compression_threshold": 10_000,
        "max_retries": 2,
        "retry_delay_ms": 50,
        "ttl": 30 * DAY_MS,
        "auto_cleanup": True,
    },
    Kind.CACHE: {
        "codec": "msgpack",
        "features": ("access", "compression", "expiry", "tags"),
        "synchronous": "NORMAL",
        "compression": False,
        "max_retries": 1,
        "retry_delay_ms": 25,
        "ttl": 365 * DAY_MS,
        "max_entries": 100,
        "policy": "lru",
        "hot_entries": HOT_ENTRIES,
        "auto_cleanup": True,
        "max_backups": 3,
    },
    Kind.STATE: {
        "features": ("compression", "expiry", "tags"),
        "page_checksums": True,
        "compression_threshold": 2048,
        "hot_entries": HOT_ENTRIES,
        "auto_cleanup": True,
    },
    Kind.CUSTOM: {
        "features": ("compression", "expiry", "tags"),
        "compression_threshold": 10_240,
    },
}

Check = Callable[[str, object], Any]


def _refuse(name: str, value: object, allowed: str, *, of_type: bool = False) -> OptionError:
    error = OptionTypeError if of_type else OptionError
    return error(
        f"Option {name}={shown(value)} is not allowed; allowed: {allowed}.",
        option=name,
        allowed=allowed,
    )


def _integer(minimum: int, maximum: int = LARGEST_COUNT, *, optional: bool = False) -> Check:
    allowed = f"an int of at least {minimum} and at most {maximum}"
    if optional:
        allowed += ", or None (no limit)"

    def check(name: str, value: object) -> int | None:
        if value is None and optional:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise _refuse(name, value, allowed, of_type=True)
        if not minimum <= value <= maximum:
            raise _refuse(name, value, allowed)
        return value

    return check


def checked_count(name: str, value: object, *, minimum: int = 0) -> int:
    """Return *value*, a parameter of a call that has to be an int of at least *minimum*."""
    count: int = _integer(minimum)(name, value)
    return count


def checked_choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Return *value*, a parameter of a call that has to be one of *choices*."""
    if not isinstance(value, str) or value not in choices:
        allowed = ", ".join(map(repr, choices))
        raise _refuse(name, value, allowed, of_type=not isinstance(value, str))
    return value


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _refuse(name, value, "True or False", of_type=True)
    return value


def _one_of(*choices: str) -> Check:
    allowed = "one of " + ", ".join(map(repr, choices))

    def check(name: str, value: object) -> str:
        if not isinstance(value, str):
            raise _refuse(name, value, allowed, of_type=True)
        for choice in choices:
            if value.casefold() == choice.casefold():
                return choice
        raise _refuse(name, value, allowed)

    return check


def _duration(name: str, value: object) -> int:
    return duration_ms(value, name)


def _optional_duration(name: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, float):
        raise _refuse(name, value, ALLOWED, of_type=True)
    return duration_ms(value, name)


def _features(name: str, value: object) -> tuple[str, ...]:
    allowed = "a set out of " + ", ".join(sorted(FEATURES))
    if isinstance(value, str) or not isinstance(value, (set, frozenset, list, tuple)):
        raise _refuse(name, value, allowed, of_type=True)
    unknown = [f for f in value if not isinstance(f, str) or f not in FEATURES]
    if unknown:
        raise _refuse(name, unknown, allowed)
    return tuple(sorted(set(value)))


def _folder(name: str, value: object) -> str | None:
    allowed = "an existing folder of Alembic revisions, or None"
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)):
        raise _refuse(name, value, allowed, of_type=True)
    try:
        folder = Path(value).resolve(strict=True)
    except (OSError, ValueError) as error:  # missing, out of reach, too long, with a NUL
        raise _refuse(name, value, allowed) from error
    if not folder.is_dir():
        raise _refuse(name, value, allowed)
    return str(folder)


def _keep_count(name: str, value: object) -> int | None:
    allowed = "an int of at least 0, or -1 (all of them)"
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refuse(name, value, allowed, of_type=True)
    if not -1 <= value <= LARGEST_COUNT:
        raise _refuse(name, value, allowed)
    return value


def _keep_tags(name: str, value: object) -> list[list[str]]:
    allowed = 'lists of tags, such as [["a", "b"], ["c"]]: a and b, or c'
    if value is None:
        return []
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _refuse(name, value, allowed, of_type=True)
    for tags in value:
        if isinstance(tags, str) or not isinstance(tags, Sequence):
            raise _refuse(name, value, allowed, of_type=True)
        if not tags or not all(isinstance(tag, str) for tag in tags):
            raise _refuse(name, value, allowed)
    return [list(tags) for tags in value]


def _time_zone(name: str, value: object) -> str:
    allowed = 'the name of a time zone, such as "UTC" or "Europe/Berlin"'
    if not isinstance(value, str):
        raise _refuse(name, value, allowed, of_type=True)
    if value != "UTC":
        from zoneinfo import ZoneInfo  # hardly ever needed

        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:  # unknown, climbing out, a folder
            raise _refuse(name, value, allowed) from error
    return value


KEEP_CHECKS: Mapping[str, Check] = {
    "last": _keep_count,
    "hourly": _keep_count,
    "daily": _keep_count,
    "weekly": _keep_count,
    "monthly": _keep_count,
    "yearly": _keep_count,
    "within": _optional_duration,
    "within_hourly": _optional_duration,
    "within_daily": _optional_duration,
    "within_weekly": _optional_duration,
    "within_monthly": _optional_duration,
    "within_yearly": _optional_duration,
    "tags": _keep_tags,
    "timezone": _time_zone,
}
"""The rules that choose which backups are kept; what each means: backup/retention/policy.py."""


def _limit(name: str, value: object) -> int | None:
    allowed = "an int of at least 1, or None or -1 (no limit)"
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refuse(name, value, allowed, of_type=True)
    if value == -1:
        return None
    if not 1 <= value <= LARGEST_COUNT:
        raise _refuse(name, value, allowed)
    return value


LIMIT_CHECKS: Mapping[str, Check] = {
    "max_backups": _limit,
    "max_age": _optional_duration,
    "max_total_bytes": _limit,
}
"""The limits of a retention policy, which cut what its rules chose."""


def _keep(name: str, value: object) -> dict[str, Any] | None:
    allowed = f"a mapping of {', '.join(KEEP_CHECKS)} (such as {{'daily': 7}}), or None"
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise _refuse(name, value, allowed, of_type=True)
    unknown = [rule for rule in value if rule not in KEEP_CHECKS]
    if unknown:
        raise _refuse(name, unknown[0], allowed)
    rules = {
        rule: check(f"{name}[{rule!r}]", value[rule])
        for rule, check in KEEP_CHECKS.items()
        if rule in value
    }
    if not any(rules[rule] for rule in rules if rule != "timezone"):
        raise _refuse(name, value, f"{allowed}; at least one rule has to keep something")
    return rules


CHECKS: Mapping[str, Check] = {
    "codec": _one_of("json", "msgpack", "raw"),
    "features": _features,
    "page_checksums": _flag,
    "synchronous": _one_of("FULL", "NORMAL"),
    "compression": _flag,
    "compression_threshold": _integer(0),
    "max_retries": _integer(0, 1000),
    "retry_delay_ms": _integer(0, 60_000),
    "busy_timeout_ms": _integer(0, 3_600_000),
    "ttl": _optional_duration,
    "max_entries": _integer(1, optional=True),
    "max_bytes": _integer(1, optional=True),
    "policy": _one_of(*EVICTION_POLICIES),
    "max_wal_bytes": _integer(16 * MIB),
    "write_behind": _optional_duration,
    "max_value_bytes": _integer(1, LARGEST_VALUE),
    "hot_entries": _integer(0),
    "hot_bytes": _integer(0),
    "max_versions": _integer(1, optional=True),
    "auto_cleanup": _flag,
    "max_backups": _integer(1),
    "backup_retention": _duration,
    "backup_compression": _flag,
    "backup_every": _optional_duration,
    "backup_format": _one_of("full", "pack"),
    "backup_keep": _keep,
    "backup_max_bytes": _integer(1, optional=True),
    "on_corruption": _one_of("raise", "restore"),
    "pitr": _optional_duration,
    "migrations": _folder,
}

# Options that need a feature: giving one to a store without it could only be a mistake.
NEEDS = {"ttl": "expiry", "max_versions": "history", "compression": "compression"}


def defaults(kind: Kind) -> StoreOptions:
    """Return the options of *kind* when nothing is overridden."""
    return StoreOptions(**BY_KIND[kind])


def all_defaults() -> Mapping[Kind, Mapping[str, Any]]:
    """Return the options of every kind when nothing is overridden, for reading only."""
    return MappingProxyType({kind: MappingProxyType(as_record(defaults(kind))) for kind in Kind})


def checked(kind: Kind, overrides: Mapping[str, object]) -> dict[str, Any]:
    """Return *overrides* in their stored form.

    An unknown name, a wrong type or a value out of range raises OptionError naming the option,
    the value and what is allowed.
    """
    unknown = sorted(set(overrides) - set(CHECKS))
    if unknown:
        raise OptionError(
            f"Unknown option {shown(unknown[0])}; allowed: {', '.join(CHECKS)}.", option=unknown[0]
        )
    if "features" in overrides and kind is not Kind.CUSTOM:
        raise OptionError(
            f"Option features is for custom stores; a {kind} store always has "
            f"{', '.join(defaults(kind).features)}.",
            option="features",
        )
    if overrides.get("write_behind") is not None and kind not in (Kind.CACHE, Kind.METRICS):
        raise OptionError(
            f"Option write_behind is for cache and metrics stores; what a {kind} store "
            "acknowledged must not be lost.",
            option="write_behind",
        )
    if "migrations" in overrides and kind is not Kind.CUSTOM:
        raise OptionError(
            f"Option migrations is for custom stores; a {kind} store has only our tables.",
            option="migrations",
        )
    if overrides.get("pitr") is not None and kind not in RECORDABLE:
        raise OptionError(
            f"Option pitr is for config and state stores; the changes of a {kind} store are not "
            "recorded. Leave it out, and take backups more often.",
            option="pitr",
        )
    chosen = {name: CHECKS[name](name, value) for name, value in overrides.items()}
    if chosen.get("backup_keep"):
        # The standard limits would cut what the rules choose: seven days, four weeks are eleven.
        chosen = {"max_backups": LARGEST_COUNT, "backup_retention": END_OF_TIME, **chosen}
    return chosen


def combined(base: StoreOptions, chosen: Mapping[str, Any]) -> StoreOptions:
    """Return *base* with the checked options *chosen*; refuse combinations without sense."""
    options = base._replace(**chosen)
    if "compression" not in options.features and "compression" not in chosen:
        options = options._replace(compression=False)  # the kind's default, not a wish
    if "access" in chosen.get("features", ()) and "policy" not in chosen:
        options = options._replace(policy=base.policy if base.policy != "none" else "lru")
    for name, feature in NEEDS.items():
        if getattr(options, name) and feature not in options.features:
            raise OptionError(
                f"Option {name} needs the feature {feature!r}, which this store does not have.",
                option=name,
            )
    if options.policy != "none" and "access" not in options.features:
        raise OptionError(
            f"Option policy={options.policy!r} needs the feature 'access', which this store does "
            "not have.",
            option="policy",
        )
    return options


def as_record(options: StoreOptions) -> dict[str, Any]:
    """Return *options* as plain JSON types, for the registry."""
    return options._asdict()


def from_record(record: object) -> StoreOptions:
    """Return the options that the registry recorded; names of later releases are passed over.

    What is no record of options raises TypeError.
    """
    if not isinstance(record, Mapping):
        raise TypeError("options are recorded as a mapping")
    known = StoreOptions._fields
    values = {name: value for name, value in record.items() if name in known}
    values["features"] = tuple(values.get("features", ()))
    if "access" in values["features"]:
        values.setdefault("policy", "lru")  # there was no other
    return StoreOptions(**values)
