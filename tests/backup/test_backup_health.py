"""What health says of backups."""

from __future__ import annotations

from typing import Any

from spine_samples import filled, flip, kept

import dsfactory as ds

HOUR = 3_600_000


def probe(factory: ds.DataStoreFactory, name: str) -> ds.Probe:
    """The answer about the only store."""
    (health,) = factory.perform_health_check().stores
    return next(found for found in health.probes if found.name == name)


def test_without_a_schedule(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A store that asks for no backups is well without any."""
    filled(factory)
    clock.advance(1000 * HOUR)
    assert probe(factory, "backups").ok
    assert "none yet" in probe(factory, "backups").detail


def test_overdue(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A backup that was due a whole interval ago is overdue, and health says what to do."""
    store: Any = filled(factory, backup_every="6h")
    assert probe(factory, "backups").ok
    clock.advance(7 * HOUR)
    assert not probe(factory, "backups").ok
    store.backup()
    assert probe(factory, "backups").ok
    clock.advance(11 * HOUR)
    assert probe(factory, "backups").ok
    clock.advance(2 * HOUR)
    late = probe(factory, "backups")
    assert not late.ok
    assert "13 h ago" in late.detail
    assert "run --due" in late.detail
    factory.maintain()
    assert probe(factory, "backups").ok


def test_damaged(factory: ds.DataStoreFactory) -> None:
    """A backup that is known to be damaged is reported until there is no more of it."""
    backup = filled(factory).backup()
    flip(kept(factory, backup, ".db.zst"), 100)
    factory.verify()
    found = probe(factory, "whole backups")
    assert not found.ok
    assert backup.id in found.detail


def test_age_of_the_last_verified_restore(
    factory: ds.DataStoreFactory, clock: ds.ManualClock
) -> None:
    """Health says when a backup last passed a whole restore, also when that one is gone."""
    store = filled(factory, max_backups=1)
    store.backup()
    assert probe(factory, "verified restore").detail.startswith("never")
    factory.verify()
    clock.advance(50 * HOUR)
    store["n"] = 1
    store.backup()
    assert probe(factory, "verified restore").detail == "2 d ago"
