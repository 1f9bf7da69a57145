"""When backups are due, and taking those that are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st
from retention_samples import NOON, a_backup

import dsfactory as ds
from dsfactory.backup.schedule import FAILED, due_at, last_confirmed
from dsfactory.model import Backup

HOUR = 3_600_000

# every, last confirmed (hours before now), due (hours before now; None: never)
DUE = [
    (None, None, None),
    (None, 5, None),
    (6, None, 0),
    (6, 0, -6),
    (6, 1, -5),
    (6, 6, 0),
    (6, 100, 94),
    (6, -1, 0),
]


@pytest.mark.parametrize(("every", "last", "due"), DUE)
def test_due_at(every: int | None, last: int | None, due: int | None) -> None:
    """Due is one period after the last; without one, or with one of the future, at once."""
    found = due_at(
        None if every is None else every * HOUR, None if last is None else NOON - last * HOUR, NOON
    )
    assert found == (None if due is None else NOON - due * HOUR)


def test_last_confirmed() -> None:
    """The store being found the same counts; damage and the future do not."""
    same = a_backup("a", NOON - 9 * HOUR, unchanged_at=NOON - 2 * HOUR)
    assert last_confirmed([], NOON) is None
    assert last_confirmed([same, a_backup("b", NOON - 5 * HOUR)], NOON) == NOON - 2 * HOUR
    assert last_confirmed([a_backup("b", NOON - HOUR, damaged_at=NOON)], NOON) is None
    assert last_confirmed([a_backup("b", NOON + 1)], NOON) is None
    ahead = a_backup("a", NOON - 9 * HOUR, unchanged_at=NOON + HOUR)
    assert last_confirmed([ahead], NOON) == NOON - 9 * HOUR


def tick(backups: list[Backup], now: int) -> bool:
    """Look once at *now*, with backup_every=6h; whether a backup was taken."""
    due = due_at(6 * HOUR, last_confirmed(backups, now), now)
    assert due is not None
    if due <= now:
        backups.append(a_backup(str(len(backups)), now))
    return due <= now


jumps = st.lists(
    st.one_of(st.just(HOUR), st.integers(0, 30 * HOUR), st.integers(-400 * HOUR, -1)), max_size=60
)


@given(jumps)
def test_no_storm_whatever_the_clock_does(steps: list[int]) -> None:
    """There is at most one backup a period, and one more each time that the clock is set back."""
    backups: list[Backup] = []
    now = NOON
    taken = sum([tick(backups, now)] + [tick(backups, now := now + step) for step in steps])
    forward = sum(step for step in steps if step > 0)
    assert taken <= forward // (6 * HOUR) + sum(step < 0 for step in steps) + 1


@given(jumps)
def test_no_stall_whatever_the_clock_did(steps: list[int]) -> None:
    """A period after the last date that any backup has, one is due, wherever the clock went.

    Set back, it comes by the dates of backups that it took before, which then count again.
    """
    backups: list[Backup] = []
    now = NOON
    for step in steps:
        tick(backups, now := now + step)
    latest = max([now, *(backup.created_at for backup in backups)])
    assert tick(backups, latest + 6 * HOUR)


def test_run_due_survives_restarts(tmp_path: Path, clock: ds.ManualClock) -> None:
    """A program that is started anew every hour takes a backup every six hours."""
    taken = []
    for hour in range(25):
        with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=clock) as factory:
            factory.create_state_store("s", backup_every="6h")["key"] = hour
            taken += [hour for _ in factory.run_due_backups()]
        clock.advance(HOUR)
    assert taken == [0, 6, 12, 18, 24]


def test_run_due_to_the_millisecond(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Nothing is due a millisecond early, unless *early* allows that much."""
    store = factory.create_state_store("s", backup_every="6h")
    assert [r.due_at for r in factory.run_due_backups()] == [clock.now_ms()]
    store["key"] = 1
    clock.advance(6 * HOUR - 1)
    assert factory.run_due_backups() == []
    (report,) = factory.run_due_backups(early=1)
    assert report.due_at == clock.now_ms() + 1
    assert report.backup is not None
    assert report.backup.reason == "scheduled"


def test_run_due_of_unchanged_store(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A store that did not change is looked at once a period, and not copied."""
    factory.create_state_store("s", backup_every="6h")
    for _ in range(3):
        (report,) = factory.run_due_backups()
        assert factory.run_due_backups() == []
        clock.advance(6 * HOUR)
    (backup,) = factory.backups("s")
    assert report.backup == backup
    assert backup.unchanged_at == clock.now_ms() - 6 * HOUR


def test_run_due_after_manual_backup(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A backup for any reason is one: the next is due a period after it."""
    store = factory.create_state_store("s", backup_every="6h")
    clock.advance(HOUR)
    store.backup()
    clock.advance(5 * HOUR)
    assert factory.run_due_backups() == []
    clock.advance(HOUR)
    assert len(factory.run_due_backups()) == 1


def test_run_due_without_a_schedule(factory: ds.DataStoreFactory) -> None:
    """A store without backup_every is never due."""
    factory.create_state_store("s")
    assert factory.run_due_backups() == []
    assert factory.backups() == []


def test_run_due_clock_set_back(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """After a year too far ahead the schedule goes on at once, and backups of then stay."""
    store = factory.create_state_store("s", backup_every="6h", max_backups=2)
    clock.advance(365 * 24 * HOUR)
    store["key"] = "ahead"
    factory.run_due_backups()
    clock.advance(-365 * 24 * HOUR)
    for n in range(3):
        store["key"] = n
        assert len(factory.run_due_backups()) == 1
        assert factory.run_due_backups() == []
        clock.advance(6 * HOUR)
    assert len(factory.backups("s")) == 3  # two, and the one that is dated ahead


def test_run_due_prunes(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """After each backup the store's rules are applied."""
    store = factory.create_state_store("s", backup_every="1h", backup_keep={"last": 2})
    reports = []
    for n in range(3):
        store["key"] = n
        reports += factory.run_due_backups()
        clock.advance(HOUR)
    pruned = reports[2].pruned
    assert pruned is not None
    assert [pruned.removed] == [(reports[0].backup.id,)]  # type: ignore[union-attr]


def spoil(path: Path) -> None:
    """Make a store's file nothing that SQLite would open."""
    path.write_bytes(os.urandom(8192))


def test_run_due_with_a_sick_store(tmp_path: Path, clock: ds.ManualClock) -> None:
    """A store that cannot be copied is reported and recorded, loses no backup, hinders no other."""
    options: dict[str, Any] = {"backup_every": "1h", "max_backups": 1}
    with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=clock) as factory:
        for name in ("sick", "well"):
            factory.create_state_store(name, **options)["key"] = 1
        before = [r.backup for r in factory.run_due_backups() if r.store == "sick"]
        path = factory.get_store("sick").path
    spoil(path)
    clock.advance(HOUR)
    with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=clock) as factory:
        reports = {report.store: report for report in factory.run_due_backups()}
        assert reports["well"].backup is not None
        assert reports["sick"].backup is None
        assert reports["sick"].error
        assert factory.backups("sick") == before
        assert [(e.store, e.what) for e in factory.events()] == [("sick", FAILED)]
        assert factory.run_due_backups(retry="15m") == []
        clock.advance(16 * 60_000)
        assert [r.store for r in factory.run_due_backups(retry="15m")] == ["sick"]


def test_run_due_longest_overdue_first(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """What waits longest comes first."""
    for name, every in (("a", "3h"), ("b", "1h"), ("c", "2h")):
        factory.create_state_store(name, backup_every=every)
    factory.run_due_backups()
    clock.advance(4 * HOUR)
    assert [report.store for report in factory.run_due_backups()] == ["b", "c", "a"]


def test_run_due_includes_what_waits(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """Sets and samples that are not committed yet are in the backup that is due."""
    cache = factory.create_cache_store("c", write_behind="1h", backup_every="1h")
    metrics = factory.create_metrics_store("m", backup_every="1h")
    cache["key"] = "value"
    metrics.record("requests", 1)
    assert [report.error for report in factory.run_due_backups()] == [None, None]
    for name in ("c", "m"):
        factory.restore(name, to=tmp_path / f"{name}.db")
    kept = [
        apsw.Connection(str(tmp_path / file)).execute(count).get
        for file, count in (
            ("c.db", "SELECT count(*) FROM entry"),
            ("m.db", "SELECT count(*) FROM series"),
        )
    ]
    assert kept == [1, 1]
