"""What holds for retention whatever the backups and the policy are."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from retention_samples import NOON, a_backup, naively_chosen

from dsfactory.backup import RetentionPlan, RetentionPolicy, plan_retention
from dsfactory.backup.retention.buckets import local_times
from dsfactory.model import Backup

HOUR, DAY = 3_600_000, 86_400_000
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
COUNTS = ("last", "hourly", "daily", "weekly", "monthly", "yearly")

ages = st.one_of(
    st.integers(0, 3 * DAY),
    st.integers(0, 60).map(lambda n: n * HOUR),
    st.integers(20 * DAY, 35 * DAY),  # the change of the clocks in October
    st.integers(0, 4000 * DAY),
)
rules: dict[str, st.SearchStrategy[Any]] = (
    {f"keep_{name}": st.integers(-1, 6) for name in COUNTS}
    | {"keep_within": st.integers(1, 40 * DAY)}
    | {f"keep_within_{name}": st.integers(1, 900 * DAY) for name in COUNTS[1:]}
    | {"keep_tags": st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=2), max_size=2)}
)
limits: dict[str, st.SearchStrategy[Any]] = {
    "max_backups": st.integers(1, 12),
    "max_age": st.integers(1, 60 * DAY),
    "max_total_bytes": st.integers(1, 2000),
}
zones = {"timezone": st.sampled_from(ZONES)}


def policies(parts: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[RetentionPolicy]:
    """Policies with any of *parts*."""
    chosen = st.fixed_dictionaries({}, optional=parts)
    return chosen.map(lambda given: RetentionPolicy(**given))


@st.composite
def histories(draw: st.DrawFn, *, whole: bool = False) -> list[Backup]:
    """Some backups, the oldest first. If *whole*: nothing special about any of them."""
    moments = sorted(NOON - age for age in draw(st.lists(ages, min_size=1, max_size=40)))
    tags = st.lists(st.sampled_from("abc"), max_size=2).map(tuple)
    sizes = st.integers(0, 300)
    made = [
        a_backup(f"{n:03}", moment, tags=draw(tags), size_bytes=draw(sizes))
        for n, moment in enumerate(moments)
    ]
    return made if whole else [draw(special(backup, made)) for backup in made]


@st.composite
def special(draw: st.DrawFn, backup: Backup, others: list[Backup]) -> Backup:
    """The backup with what may be special about it."""
    seldom = st.sampled_from([False] * 7 + [True])
    changes: dict[str, Any] = {"pinned": draw(seldom), "restoring": draw(seldom)}
    if draw(seldom):
        changes["created_at"] = 2 * NOON - backup.created_at + 1  # as far ahead
    if draw(seldom):
        changes["base"] = draw(st.sampled_from(others)).id
    if draw(seldom):
        changes["verified_at"] = NOON
    if draw(seldom):
        changes["damaged_at"] = NOON
    return dataclasses.replace(backup, **changes)


def kept_ids(plan: RetentionPlan) -> set[str]:
    """The ids that the plan keeps."""
    return {kept.backup.id for kept in plan.keep}


@given(histories(), policies(rules | limits | zones))
def test_retention_loses_nothing(backups: list[Backup], policy: RetentionPolicy) -> None:
    """Each backup is either kept with a reason or removed with one; both lists newest first."""
    plan = plan_retention(backups, policy, now=NOON)
    assert sorted([*kept_ids(plan), *(b.id for b in plan.remove)]) == sorted(b.id for b in backups)
    assert all(kept.reasons for kept in plan.keep)
    assert set(plan.because) == {b.id for b in plan.remove}
    for part in ([kept.backup for kept in plan.keep], plan.remove):
        order = [(b.created_at, b.id) for b in part]
        assert order == sorted(order, reverse=True)


@given(histories(), policies(rules | limits | zones))
def test_retention_never_removes(backups: list[Backup], policy: RetentionPolicy) -> None:
    """The newest, the newest verified, pinned, restoring and future ones stay, and their bases."""
    kept = kept_ids(plan_retention(backups, policy, now=NOON))
    by_id = {b.id: b for b in backups}
    present = sorted((b.created_at, b.id) for b in backups if b.created_at <= NOON)
    assert not present or present[-1][1] in kept
    whole = [b for b in backups if b.damaged_at is None and b.base is None]
    verified = [(b.created_at, b.id) for b in whole if b.verified_at and b.created_at <= NOON]
    bases = [b for b in backups if b.base is not None and b.verified_at]
    assert not verified or bases or max(verified)[1] in kept
    for backup in backups:
        if backup.pinned or backup.restoring or backup.created_at > NOON:
            assert backup.id in kept
        if backup.id in kept and backup.base is not None:
            assert by_id[backup.base].id in kept


@given(histories(), policies(rules | limits | zones), st.randoms())
def test_retention_order_is_of_no_matter(
    backups: list[Backup], policy: RetentionPolicy, random: Any
) -> None:
    """The order of the backups, and one named twice, change nothing."""
    shuffled = random.sample([*backups, backups[0]], len(backups) + 1)
    assert plan_retention(shuffled, policy, now=NOON) == plan_retention(backups, policy, now=NOON)


@given(histories(), policies(rules | limits | zones))
def test_retention_twice(backups: list[Backup], policy: RetentionPolicy) -> None:
    """What was kept is kept again: pruning twice removes nothing more."""
    first = plan_retention(backups, policy, now=NOON)
    again = plan_retention([kept.backup for kept in first.keep], policy, now=NOON)
    assert again.remove == []


@given(histories(whole=True), policies(rules | zones))
def test_retention_against_a_naive_one(backups: list[Backup], policy: RetentionPolicy) -> None:
    """Keep rules choose what a slow implementation, written from their description, chooses."""
    chosen = naively_chosen(backups, policy, ZoneInfo(policy.timezone))
    newest = max(backups, key=lambda b: (b.created_at, b.id)).id
    assert kept_ids(plan_retention(backups, policy, now=NOON)) == chosen | {newest}


@given(histories(whole=True), st.fixed_dictionaries({}, optional=rules), zones["timezone"])
def test_retention_is_the_union_of_its_rules(
    backups: list[Backup], chosen: dict[str, Any], zone: str
) -> None:
    """Several rules keep what each of them keeps by itself."""
    together = RetentionPolicy(**chosen, timezone=zone)
    alone = [RetentionPolicy(**{name: value}, timezone=zone) for name, value in chosen.items()]
    each = [kept_ids(plan_retention(backups, p, now=NOON)) for p in alone if p.has_rules]
    if each:
        assert kept_ids(plan_retention(backups, together, now=NOON)) == set().union(*each)


@given(histories(whole=True), st.sampled_from(COUNTS), st.integers(1, 8), zones["timezone"])
def test_retention_grows_with_its_counts(
    backups: list[Backup], name: str, count: int, zone: str
) -> None:
    """A higher count keeps at least what a lower one keeps; no end keeps at least any count."""
    plans = [
        kept_ids(
            plan_retention(backups, RetentionPolicy(**{f"keep_{name}": n}, timezone=zone), now=NOON)
        )
        for n in (count, count + 1, -1)
    ]
    assert plans[0] <= plans[1] <= plans[2]


@given(histories(), policies(rules | limits | zones), policies(limits))
def test_limits_only_cut(
    backups: list[Backup], policy: RetentionPolicy, tighter: RetentionPolicy
) -> None:
    """Without its limits a policy keeps at least as much."""
    free = dataclasses.replace(policy, max_backups=None, max_age=None, max_total_bytes=None)
    more = kept_ids(plan_retention(backups, free, now=NOON))
    assert kept_ids(plan_retention(backups, policy, now=NOON)) <= more
    limited = dataclasses.replace(
        free,
        max_backups=tighter.max_backups,
        max_age=tighter.max_age,
        max_total_bytes=tighter.max_total_bytes,
    )
    assert kept_ids(plan_retention(backups, limited, now=NOON)) <= more


@given(histories(whole=True), policies(limits))
def test_limits_hold(backups: list[Backup], policy: RetentionPolicy) -> None:
    """Of ordinary backups no more than the limits are kept, apart from the newest."""
    plan = plan_retention(backups, policy, now=NOON)
    older = [kept.backup for kept in plan.keep][1:]
    age, most, room = policy.limits
    assert most is None or len(plan.keep) <= most
    assert age is None or all(b.created_at >= NOON - age for b in older)
    size = sum(kept.backup.size_bytes for kept in plan.keep)
    assert room is None or not older or size <= room


@given(histories(whole=True), policies(rules | limits | zones), st.data())
def test_damage_removes_nothing_good(
    backups: list[Backup], policy: RetentionPolicy, data: st.DataObject
) -> None:
    """Whatever would be kept if the damaged ones were not there is kept while they are."""
    hurt = data.draw(st.sets(st.sampled_from([b.id for b in backups])))
    good = [b for b in backups if b.id not in hurt]
    both = [b if b in good else dataclasses.replace(b, damaged_at=NOON) for b in backups]
    kept = kept_ids(plan_retention(both, policy, now=NOON))
    assert kept_ids(plan_retention(good, policy, now=NOON)) == kept - hurt


@given(histories(), policies(rules | limits | zones))
def test_retention_store_by_store(backups: list[Backup], policy: RetentionPolicy) -> None:
    """Backups of one store never decide about those of another."""
    other = [dataclasses.replace(b, store="t", id=f"t{b.id}", base=None) for b in backups[::2]]
    plan = plan_retention([*other, *backups], policy, now=NOON)
    alone = plan_retention(backups, policy, now=NOON)
    assert [kept for kept in plan.keep if kept.backup.store == "s"] == alone.keep
    assert kept_ids(plan) - kept_ids(alone) == kept_ids(plan_retention(other, policy, now=NOON))


@given(
    st.sampled_from(ZONES),
    st.lists(st.integers(-(2**41), 2**42), max_size=20),
)
def test_wall_clock(zone: str, moments: list[int]) -> None:
    """Buckets are told by what the wall clock shows, on the days too on which it is changed."""
    change = 1_301_187_600_000  # 2011-03-27T01:00Z: Berlin goes an hour forward
    near = [change - 1, change, change + 1, *moments]
    shown = [
        datetime.fromtimestamp(moment // 1000, tz=ZoneInfo(zone)).replace(tzinfo=UTC)
        for moment in near
    ]
    assert [local // 1000 for local in local_times(near, zone)] == [s.timestamp() for s in shown]
