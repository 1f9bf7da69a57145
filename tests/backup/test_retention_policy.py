"""A policy is checked like options; what the options of a store say becomes one."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from retention_samples import NOON, a_backup

import dsfactory as ds
from dsfactory import backup, options
from dsfactory.backup import STANDARD, RetentionPolicy, plan_retention, policy_of
from dsfactory.model import Kind

HOUR, DAY = 3_600_000, 86_400_000

REFUSED = [
    ("keep_last", -2),
    ("keep_hourly", -5),
    ("keep_daily", True),
    ("keep_weekly", 1.0),
    ("keep_monthly", "7"),
    ("keep_yearly", 2**53 + 1),
    ("keep_within", 0),
    ("keep_within", -1),
    ("keep_within_hourly", "7"),
    ("keep_within_daily", float("nan")),
    ("keep_within_weekly", "7q"),
    ("keep_within_monthly", timedelta(0)),
    ("keep_within_yearly", True),
    ("keep_tags", "a"),
    ("keep_tags", ["a"]),
    ("keep_tags", [["a"], []]),
    ("keep_tags", [[1]]),
    ("keep_tags", 5),
    ("max_backups", 0),
    ("max_backups", -2),
    ("max_backups", 1.5),
    ("max_age", "never"),
    ("max_age", -1),
    ("max_total_bytes", 0),
    ("max_total_bytes", "1G"),
    ("timezone", "Europe"),
    ("timezone", "Mars/Olympus"),
    ("timezone", "../etc/passwd"),
    ("timezone", ""),
    ("timezone", "a\0b"),
    ("timezone", "\udc80"),
    ("timezone", None),
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_policy_refuses(name: str, value: Any) -> None:
    """A bad value is refused by name, value and what is allowed."""
    with pytest.raises(ds.OptionError, match="allowed") as refused:
        RetentionPolicy(**{name: value})
    assert name in str(refused.value)
    assert refused.value.facts["option"] == name


@pytest.mark.parametrize("value", ["2d", 2 * DAY, timedelta(days=2)])
def test_policy_durations(value: Any) -> None:
    """Durations are written as everywhere, and kept in milliseconds."""
    policy = RetentionPolicy(keep_within=value, max_age=value)
    assert (policy.keep_within, policy.max_age) == (2 * DAY, 2 * DAY)


def test_policy_without_end() -> None:
    """-1 is no end of a count, and no limit."""
    policy = RetentionPolicy(keep_daily=-1, max_backups=-1, max_total_bytes=-1)
    assert policy.counts == {"daily": -1}
    assert policy.limits == (None, None, None)


def test_policy_is_a_value() -> None:
    """Policies are frozen, equal by what they say, and usable as keys."""
    policy = RetentionPolicy(keep_tags=[["a", "b"], ["c"]])
    assert policy == RetentionPolicy(keep_tags=(("a", "b"), ("c",)))
    assert len({policy, dataclasses.replace(policy)}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.keep_last = 1  # type: ignore[misc]


@pytest.mark.parametrize("now", [-1, 1.5, None, "now"])
def test_plan_refuses_now(now: Any) -> None:
    """The time is milliseconds since the epoch."""
    with pytest.raises(ds.OptionError, match="now"):
        plan_retention([], STANDARD, now=now)


def test_plan_of_nothing() -> None:
    """Without backups there is nothing to keep, to remove or to warn of."""
    plan = plan_retention(iter(()), STANDARD, now=NOON)
    assert (plan.keep, plan.remove, plan.because, plan.warnings) == ([], [], {}, ())


def test_plan_warns_of_the_future() -> None:
    """One dated in the future is kept, and the warning names its store and the furthest one."""
    ahead = [a_backup("a", NOON + 1), a_backup("b", NOON + DAY), a_backup("c", NOON)]
    plan = plan_retention(ahead, RetentionPolicy(max_backups=1), now=NOON)
    assert len(plan.keep) == 3
    (warning,) = plan.warnings
    assert "2 dated in the future (b is the furthest)" in warning


def test_plan_warns_of_damage() -> None:
    """Damaged backups are warned of."""
    backups = [a_backup("a", NOON - DAY), a_backup("b", NOON, damaged_at=NOON)]
    (warning,) = plan_retention(backups, STANDARD, now=NOON).warnings
    assert "1 damaged (b is the newest)" in warning


@pytest.mark.parametrize("limit", ["max_backups", "max_total_bytes"])
def test_plan_warns_of_a_limit_out_of_reach(limit: str) -> None:
    """When what may never be removed is more than a limit allows, a warning says so."""
    backups = [a_backup(str(n), NOON - n, pinned=True) for n in range(3)]
    (warning,) = plan_retention(backups, RetentionPolicy(**{limit: 2}), now=NOON).warnings
    assert limit in warning


@pytest.mark.parametrize("moment", [-(10**30), -1, 0])
def test_plan_of_absurd_moments(moment: int) -> None:
    """A moment that no calendar has, from a manifest that somebody changed, harms nothing."""
    policy = RetentionPolicy(keep_monthly=1, keep_hourly=2, timezone="Asia/Tokyo")
    plan = plan_retention([a_backup("a", moment), a_backup("b", NOON)], policy, now=NOON)
    assert [kept.backup.id for kept in plan.keep] == ["b", "a"]
    ends = plan_retention([a_backup("z", 10**30)], policy, now=10**15)
    assert [kept.reasons for kept in ends.keep] == [("dated in the future",)]


@pytest.mark.parametrize("kind", Kind)
def test_policy_of_standard_options(kind: Kind) -> None:
    """Without rules, a store keeps as many backups as its kind says, none older than 30 days."""
    made = options.defaults(kind)
    assert policy_of(made) == RetentionPolicy(max_backups=made.max_backups, max_age="30d")
    assert RetentionPolicy(max_backups=5, max_age="30d") == STANDARD


def test_policy_of_rules() -> None:
    """backup_keep and backup_max_bytes become rules and a limit."""
    keep = {"daily": 7, "within": "2d", "tags": [["a", "b"]], "timezone": "Europe/Berlin"}
    given = {"backup_keep": keep, "backup_max_bytes": 10**9, "max_backups": 20}
    chosen = options.checked(Kind.STATE, given | {"backup_retention": "90d"})
    assert policy_of(options.defaults(Kind.STATE)._replace(**chosen)) == RetentionPolicy(
        keep_daily=7,
        keep_within="2d",
        keep_tags=[["a", "b"]],
        timezone="Europe/Berlin",
        max_backups=20,
        max_age="90d",
        max_total_bytes=10**9,
    )


def test_rules_without_limits() -> None:
    """Rules that are given without limits are not cut by the standard ones."""
    chosen = options.checked(Kind.STATE, {"backup_keep": {"monthly": 12}})
    policy = policy_of(options.defaults(Kind.STATE)._replace(**chosen))
    backups = [a_backup(f"{n:02}", NOON - n * 31 * DAY) for n in range(12)]
    assert plan_retention(backups, policy, now=NOON).remove == []


def test_names_of_the_room() -> None:
    """Every public name of dsfactory.backup is there, and no other."""
    assert all(getattr(backup, name) is not None for name in backup.__all__)
    assert set(backup.__all__) <= set(dir(backup))
    with pytest.raises(AttributeError, match="nothing_like_it"):
        backup.nothing_like_it  # noqa: B018
