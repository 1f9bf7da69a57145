"""Every option that a store can be made with: its check, and its default for each kind.

Options are rows, not branches: a new one is a field of StoreOptions, a row in CHECKS and, where
a kind differs, an entry in BY_KIND.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from dsfactory import checks
from dsfactory.checks import LARGEST_COUNT
from dsfactory.clock import END_OF_TIME
from dsfactory.errors import OptionError, shown
from dsfactory.model import Kind

DAY_MS = 86_400_000
MIB = 1024 * 1024

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
    max_series: int = 1_000_000
    write_window: int = 1000
    rollups: tuple[tuple[int, int], ...] = ()


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

CHECKS: Mapping[str, checks.Check] = {
    "codec": checks.one_of("json", "msgpack", "raw"),
    "features": checks.features,
    "page_checksums": checks.flag,
    "synchronous": checks.one_of("FULL", "NORMAL"),
    "compression": checks.flag,
    "compression_threshold": checks.integer(0),
    "max_retries": checks.integer(0, 1000),
    "retry_delay_ms": checks.integer(0, 60_000),
    "busy_timeout_ms": checks.integer(0, 3_600_000),
    "ttl": checks.optional_duration,
    "max_entries": checks.integer(1, optional=True),
    "max_bytes": checks.integer(1, optional=True),
    "policy": checks.one_of(*EVICTION_POLICIES),
    "max_wal_bytes": checks.integer(16 * MIB),
    "write_behind": checks.optional_duration,
    "max_value_bytes": checks.integer(1, LARGEST_VALUE),
    "hot_entries": checks.integer(0),
    "hot_bytes": checks.integer(0),
    "max_versions": checks.integer(1, optional=True),
    "auto_cleanup": checks.flag,
    "max_backups": checks.integer(1),
    "backup_retention": checks.duration,
    "backup_compression": checks.flag,
    "backup_every": checks.optional_duration,
    "backup_format": checks.one_of("full", "pack"),
    "backup_keep": checks.keep_rules,
    "backup_max_bytes": checks.integer(1, optional=True),
    "on_corruption": checks.one_of("raise", "restore"),
    "pitr": checks.optional_duration,
    "migrations": checks.folder,
    "max_series": checks.integer(1),
    "write_window": checks.duration,
    "rollups": checks.rollups,
}

# Options that mean something to one kind only, and why.
ONLY: Mapping[str, tuple[Kind, str]] = {
    "max_series": (Kind.METRICS, "no other kind holds numeric series"),
    "write_window": (Kind.METRICS, "what other kinds acknowledge is committed at once"),
    "rollups": (Kind.METRICS, "no other kind holds numeric series"),
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
    for name in sorted(set(overrides) & set(ONLY)):
        only, why = ONLY[name]
        if kind is not only:
            raise OptionError(f"Option {name} is for {only} stores: {why}.", option=name)
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
    if options.rollups and options.ttl is not None and options.rollups[0][1] <= options.ttl:
        raise OptionError(
            f"Option rollups keeps its first tier for {options.rollups[0][1]} ms, no longer than "
            f"the samples themselves (ttl={options.ttl} ms). Keep it longer, or lower the ttl.",
            option="rollups",
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
    values["rollups"] = tuple(map(tuple, values.get("rollups", ())))
    return StoreOptions(**values)
