"""Which backups are kept, and why: a pure function of the catalog, a policy and the time.

Two kinds of rule. *Keep rules* choose, in the meaning that restic's ``forget`` gives them
(https://restic.readthedocs.io, "Removing snapshots according to a policy"); *limits* cut what was
chosen. Without keep rules everything is chosen; without either nothing is removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from dsfactory.backup.retention.choosing import Rules, choose
from dsfactory.backup.retention.cutting import Cutting
from dsfactory.backup.retention.verdicts import Verdict, protect, settle, verdicts_on
from dsfactory.checks import KEEP_CHECKS, LIMIT_CHECKS, checked_count
from dsfactory.durations import Duration, duration_ms
from dsfactory.model import Backup
from dsfactory.options import DAY_MS, StoreOptions


@dataclass(frozen=True, kw_only=True)
class RetentionPolicy:
    """Which backups of a store are kept. Nothing set means: all of them.

    Rules are independent of each other, and a backup that one of them chooses is chosen.
    ``keep_last`` to ``keep_yearly`` choose the newest backup in each of that many hours, days, ISO
    weeks, months or years that have one, and the oldest of all when the count is not used up
    there. 0 or None is no rule, -1 has no end. ``keep_within`` and its kin measure a duration back
    from the newest backup that is not dated in the future, and not from now. ``keep_tags`` chooses
    what has all tags of one of its lists; the tag "" stands for having none.

    ``max_backups`` and ``max_age`` (back from now) then cut the oldest, ``max_total_bytes`` the
    lowest in rank (see `plan_retention`); None or -1 is no limit.

    Bad values raise OptionError, or OptionTypeError, naming the field.
    """

    keep_last: int | None = None
    keep_hourly: int | None = None
    keep_daily: int | None = None
    keep_weekly: int | None = None
    keep_monthly: int | None = None
    keep_yearly: int | None = None
    keep_within: Duration | None = None
    """Durations are milliseconds once the policy is made."""
    keep_within_hourly: Duration | None = None
    keep_within_daily: Duration | None = None
    keep_within_weekly: Duration | None = None
    keep_within_monthly: Duration | None = None
    keep_within_yearly: Duration | None = None
    keep_tags: Sequence[Sequence[str]] = ()
    max_backups: int | None = None
    max_age: Duration | None = None
    max_total_bytes: int | None = None
    timezone: str = "UTC"
    """Whose hours, days, weeks, months and years are counted."""

    def __post_init__(self) -> None:
        for name in (each.name for each in fields(self)):
            object.__setattr__(self, name, _CHECKS[name](name, getattr(self, name)))
        object.__setattr__(self, "keep_tags", tuple(map(tuple, self.keep_tags)))

    @property
    def counts(self) -> Mapping[str, int]:
        """The counting rules that are set, by bucket: {"daily": 7}."""
        return {name: count for name in _BUCKETS if (count := getattr(self, f"keep_{name}"))}

    @property
    def spans(self) -> Mapping[str, int]:
        """The durations that are set, in milliseconds by bucket; every backup's is "last"."""
        named = {"last": "keep_within"} | {b: f"keep_within_{b}" for b in _BUCKETS[1:]}
        return {name: span for name, rule in named.items() if (span := getattr(self, rule))}

    @property
    def has_rules(self) -> bool:
        """Whether any keep rule is set; without one every backup is chosen."""
        return bool(self.counts or self.spans or self.keep_tags)

    @property
    def limits(self) -> Limits:
        """The limits, None where there is none."""
        age = None if self.max_age is None else duration_ms(self.max_age)
        return Limits(age, self.max_backups, self.max_total_bytes)


class Limits(NamedTuple):
    """What cuts that which was chosen."""

    age_ms: int | None
    backups: int | None
    total_bytes: int | None


_BUCKETS = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
_CHECKS = {
    (rule if rule == "timezone" else f"keep_{rule}"): check for rule, check in KEEP_CHECKS.items()
} | dict(LIMIT_CHECKS)

STANDARD = RetentionPolicy(max_backups=5, max_age=30 * DAY_MS)
"""At most 5 backups, none older than 30 days."""


def policy_of(options: StoreOptions) -> RetentionPolicy:
    """Return the policy that a store's options ask for."""
    rules = options.backup_keep or {}
    return RetentionPolicy(
        **{(r if r == "timezone" else f"keep_{r}"): value for r, value in rules.items()},
        max_backups=options.max_backups,
        max_age=options.backup_retention,
        max_total_bytes=options.backup_max_bytes,
    )


class Kept(NamedTuple):
    """A backup that stays, and why."""

    backup: Backup
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """What to keep and what to remove, each with its reasons. The newest come first."""

    keep: list[Kept]
    remove: list[Backup]
    because: Mapping[str, str] = field(default_factory=dict)
    """Why each backup that is removed is removed, by its id."""
    warnings: tuple[str, ...] = ()
    """What the operator should look into."""


def plan_retention(
    backups: Iterable[Backup], policy: RetentionPolicy, *, now: int
) -> RetentionPlan:
    """Return which of *backups* to keep under *policy*, in any order given; nothing is done.

    *now* is milliseconds since the epoch. Backups of several stores are judged store by store.

    Never removed, whatever the rules: the newest, the newest that is not known to be damaged, the
    newest verified, pinned ones, one that is being restored, one that a kept one needs, and those
    dated after *now*, which a warning names. What may not be removed counts under the limits like
    everything else, except for what is of no use: damaged ones and those dated in the future.

    Rank, for ``max_total_bytes``: damaged backups are below all others; then one that fewer rules
    chose is below one that more rules chose; then the older is below the newer.
    """
    checked_count("now", now)
    stores: dict[str, dict[str, Backup]] = {}
    for backup in backups:
        stores.setdefault(backup.store, {})[backup.id] = backup
    plans = [_plan(of_one.values(), policy, now) for _, of_one in sorted(stores.items())]
    if len(plans) == 1:
        return plans[0]
    return RetentionPlan(
        keep=sorted((k for p in plans for k in p.keep), key=lambda k: _age(k[0]), reverse=True),
        remove=sorted((b for p in plans for b in p.remove), key=_age, reverse=True),
        because={i: why for p in plans for i, why in p.because.items()},
        warnings=tuple(warning for p in plans for warning in p.warnings),
    )


def _age(backup: Backup) -> tuple[int, str]:
    return backup.created_at, backup.id


def _plan(backups: Iterable[Backup], policy: RetentionPolicy, now: int) -> RetentionPlan:
    verdicts = verdicts_on(backups, now)
    rules = choose(verdicts, policy)
    protect(verdicts)
    settle(verdicts)
    exceeded = list(Cutting(verdicts).cut(policy, now))
    needed_by = {v.backup.base: v.backup.id for v in reversed(verdicts) if v.kept and v.backup.base}
    removed = [v for v in verdicts if not v.kept]
    return RetentionPlan(
        keep=[Kept(v.backup, _reasons(v, rules, needed_by)) for v in verdicts if v.kept],
        remove=[v.backup for v in removed],
        because={v.backup.id: v.because for v in removed},
        warnings=tuple(_warnings(verdicts, exceeded)),
    )


def _reasons(verdict: Verdict, rules: Rules, needed_by: Mapping[str, str]) -> tuple[str, ...]:
    needing = needed_by.get(verdict.backup.id)
    return (
        *rules.names(verdict.rules),
        *verdict.safe,
        *([f"base of {needing}"] if needing else []),
    )


def _warnings(verdicts: Sequence[Verdict], exceeded: Iterable[str]) -> Iterator[str]:
    ahead = [v.backup for v in verdicts if v.future]
    if ahead:
        yield (
            f"{ahead[0].store}: {len(ahead)} dated in the future ({ahead[0].id} is the furthest): "
            "kept, and counted by no rule. Check the clock; delete by hand what has no use."
        )
    damaged = [v.backup for v in verdicts if not v.sound]
    if damaged:
        yield (
            f"{damaged[0].store}: {len(damaged)} damaged ({damaged[0].id} is the newest): no rule "
            "counts them. Take a new backup, and look after the disk."
        )
    for limit in exceeded:
        yield f"{verdicts[0].backup.store}: what may never be removed is more than {limit} allows."
