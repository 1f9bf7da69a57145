"""perform_health_check(): what it finds, what it says to do, and that it disturbs nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from health_samples import (
    PATIENCE_S,
    answers,
    as_nobody,
    being_written,
    flip_a_byte,
    give_away,
    raw,
)

import dsfactory as ds
from dsfactory.engine import checksums
from dsfactory.model import Kind
from dsfactory.profiles import PROFILES

Opener = Callable[..., ds.DataStoreFactory]
PROBES = {"file", "readable", "writable", "schema"}
needs_checksums = pytest.mark.skipif(not checksums.available(), reason="no cksumvfs in this apsw")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")

OF_BACKUPS = ("backups", "whole backups", "verified restore")


def create(factory: ds.DataStoreFactory, kind: str, name: str = "x") -> ds.DataStore[Any]:
    """Make a store of *kind*; a config store with a type that takes any dict."""
    make = getattr(factory, f"create_{kind}_store")
    made: ds.DataStore[Any] = make(name, dict) if kind == "config" else make(name)
    return made


def test_of_nothing(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A factory without stores is well; the registry and maintenance have answered."""
    report = factory.perform_health_check()
    assert report.healthy
    assert (report.checked_at, report.stores) == (clock.now_ms(), ())
    names = {probe.name for probe in report.factory}
    assert {"registry file", "registry readable", "registry writable", "maintenance"} <= names


@pytest.mark.parametrize("was_open", [True, False])
def test_of_every_kind(factory: ds.DataStoreFactory, was_open: bool) -> None:
    """Stores of all kinds are well, with an answer to each question."""
    for kind in Kind:
        store = create(factory, kind, f"of-{kind}")
        store["a"] = {}
        if not was_open:
            store.close()
    report = factory.perform_health_check()
    assert report.problems == ()
    for kind in Kind:
        found = answers(report, f"of-{kind}")
        assert set(found) >= PROBES
        assert any("quick_check" in name for name in found)
        assert all(probe.detail for probe in found.values())


def test_store_asked_alone(factory: ds.DataStoreFactory) -> None:
    """A store answers for itself what the factory's check says of its file."""
    store = create(factory, "state")
    (of_factory,) = factory.perform_health_check().stores
    alone = store.health_check()
    assert of_factory.probes[: len(alone.probes)] == alone.probes
    assert (alone.name, alone.kind, alone.path) == (
        of_factory.name,
        of_factory.kind,
        of_factory.path,
    )


@pytest.mark.parametrize("kind", Kind)
def test_moves_no_counters(factory: ds.DataStoreFactory, kind: Kind) -> None:
    """Neither metrics nor statistics of an open store change by being checked."""
    store = create(factory, kind)
    store["a"] = {}
    assert store["a"] == {}
    assert store.get("b") is None
    before = (store.get_metrics(), store.stats())
    factory.perform_health_check()
    store.health_check()
    assert (store.get_metrics(), store.stats()) == before


def test_verdict_is_recorded(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """The registry keeps when each store was checked last, and how it was; nothing else changes."""
    create(factory, "state", "well")
    create(factory, "state", "ill").close()
    (factory.root / "stores" / "ill.db").unlink()
    before = {record.name: record for record in factory.get_registered_stores()}
    clock.advance(5_000)
    factory.perform_health_check()
    after = {record.name: record for record in factory.get_registered_stores()}
    assert {name: record.health for name, record in before.items()} == {"well": None, "ill": None}
    assert (after["well"].health, after["ill"].health) == ("healthy", "unhealthy")
    for name, record in after.items():
        assert record.health_at == clock.now_ms()
        assert record.accessed_at == before[name].accessed_at
    factory.unregister_store("ill")


def test_missing_file_is_not_made(factory: ds.DataStoreFactory) -> None:
    """A missing file is unhealthy each time it is looked for: it is never made."""
    store = create(factory, "state")
    store.close()
    store.path.unlink()
    for _ in range(2):
        found = answers(factory.perform_health_check(), "x")
        assert list(found) == ["file", *OF_BACKUPS]
        assert "gone. Restore a backup" in found["file"].detail
    assert not store.path.exists()
    factory.unregister_store("x")


@needs_checksums
def test_damaged_page(opened: Opener) -> None:
    """A flipped bit in a value is found by its page's checksum, though the structure is sound."""
    factory = opened()
    store = factory.create_state_store("x", compression=False)
    store["a"] = "some text that is easy to find"
    store.close()
    flip_a_byte(store.path, b"easy to find")
    report = factory.perform_health_check()
    assert not report.healthy
    assert "checksum" in report.problems[0]
    assert "estore a backup" in report.problems[0]


def test_damaged_structure(opened: Opener) -> None:
    """A damaged page of a store without checksums is found by quick_check."""
    factory = opened()
    store = factory.create_cache_store("x", max_entries=1000)
    store.set_many(dict.fromkeys(range(500), "x" * 100))
    store.close()
    contents = bytearray(store.path.read_bytes())
    # The cell pointers of a page in the middle, after its header of 8 or 12 bytes.
    page = len(contents) // 2 // 4096 * 4096
    contents[page + 12 : page + 40] = b"\xff" * 28
    store.path.write_bytes(contents)
    found = answers(factory.perform_health_check(), "x")
    assert found["quick_check"].ok is False
    assert "restore a backup" in found["quick_check"].detail


@pytest.mark.parametrize(("step", "advice"), [(1, "dsfactory"), (-1, "upgrade")])
def test_another_revision(opened: Opener, step: int, advice: str) -> None:
    """A file of another revision is reported with both, and with what has to be upgraded."""
    factory = opened(upgrade="never")
    store = create(factory, "state")
    store.close()
    head = PROFILES[Kind.STATE].revision
    with raw(store.path) as connection:
        connection.pragma("user_version", head + step)
    schema = answers(factory.perform_health_check(), "x")["schema"]
    assert schema.ok is False
    assert f"revision {head + step}, head is {head}" in schema.detail
    assert advice in schema.detail


def test_another_kinds_file(opened: Opener) -> None:
    """A file that belongs to another kind of store is reported with what to do."""
    factory = opened()
    store = create(factory, "state")
    store.close()
    with raw(store.path) as connection:
        connection.pragma("application_id", PROFILES[Kind.CACHE].application_id)
    schema = answers(factory.perform_health_check(), "x")["schema"]
    assert schema.ok is False
    assert "cache" in schema.detail
    assert "restore" in schema.detail.lower() or "move" in schema.detail.lower()


def test_busy_writer(factory: ds.DataStoreFactory) -> None:
    """A store that somebody writes to at the moment is not unhealthy."""
    create(factory, "state")
    store = factory.get_store("x")
    with being_written(store.path):
        found = answers(factory.perform_health_check(), "x")
        alone = store.health_check()
    assert found["writable"].ok
    assert "writes at the moment" in found["writable"].detail
    assert alone.healthy


def test_does_not_queue_behind_a_writer(factory: ds.DataStoreFactory) -> None:
    """The check does not wait for as long as the store itself would: it answers meanwhile."""
    store = factory.create_state_store("x", busy_timeout_ms=3_600_000)
    reports: list[ds.HealthReport] = []
    checking = threading.Thread(
        target=lambda: reports.append(factory.perform_health_check()), daemon=True
    )
    with being_written(store.path):
        checking.start()
        checking.join(3)
        answered = not checking.is_alive()
    checking.join(PATIENCE_S)
    assert answered
    assert reports[0].healthy


def test_registry_being_written(factory: ds.DataStoreFactory) -> None:
    """A registry that is being written does not keep the check from answering."""
    create(factory, "state")
    reports: list[ds.HealthReport] = []
    checking = threading.Thread(
        target=lambda: reports.append(factory.perform_health_check()), daemon=True
    )
    with being_written(factory.root / "metadata.db"):
        checking.start()
        checking.join(3)
        answered = not checking.is_alive()
    checking.join(PATIENCE_S)
    assert answered
    assert reports[0].stores[0].healthy


def test_damaged_registry(opened: Opener) -> None:
    """A registry that went bad while in use is a finding of the check, not its end."""
    factory = opened()
    create(factory, "state").close()
    with raw(factory.root / "metadata.db") as connection:
        connection.execute("DROP TABLE store")
    report = factory.perform_health_check()
    assert not report.healthy
    assert any("metadata.db" in line for line in report.problems)


def test_verdicts_that_cannot_be_kept(factory: ds.DataStoreFactory) -> None:
    """A registry that takes no verdicts is a finding; the report is there all the same."""
    create(factory, "state")
    registry = raw(factory.root / "metadata.db")
    refusing = "CREATE TRIGGER refusing BEFORE UPDATE ON store BEGIN SELECT RAISE(ABORT, ''); END"
    registry.execute(refusing)
    report = factory.perform_health_check()
    registry.execute("DROP TRIGGER refusing")
    registry.close()
    assert [store.healthy for store in report.stores] == [True]
    assert any("metadata.db" in line for line in report.problems)


@needs_fork
@pytest.mark.parametrize(
    ("mode", "directory_mode", "probe"), [(0o444, 0o755, "writable"), (0o644, 0o555, None)]
)
def test_read_only(reachable: Path, mode: int, directory_mode: int, probe: str | None) -> None:
    """A file or a directory that may not be written is reported as such, with what to do."""
    with ds.DataStoreFactory(reachable / "data", maintenance="manual") as factory:
        store = create(factory, "state")
        store["a"] = 1
    give_away(factory.root)
    store.path.chmod(mode)
    store.path.parent.chmod(directory_mode)

    def child() -> str:
        with ds.DataStoreFactory(factory.root, maintenance="manual") as again:
            return "\n".join(again.perform_health_check().problems)

    said = as_nobody(child)
    store.path.parent.chmod(0o755)
    assert "permission" in said.lower()
    assert "check" in said.lower()
    assert f"x: {probe or ''}" in said


@needs_fork
def test_read_only_registry(reachable: Path) -> None:
    """A registry that may not be written is a finding: the stores are reported all the same."""
    with ds.DataStoreFactory(reachable / "data", maintenance="manual") as factory:
        create(factory, "state")["a"] = 1
    give_away(factory.root)
    (factory.root / "metadata.db").chmod(0o444)

    def child() -> str:
        with ds.DataStoreFactory(factory.root, maintenance="manual") as again:
            report = again.perform_health_check()
            return f"{[s.healthy for s in report.stores]} {' '.join(report.problems)}"

    said = as_nobody(child)
    assert said.startswith("[True] ")
    assert "registry writable" in said


@needs_fork
def test_new_store_in_a_read_only_directory(reachable: Path) -> None:
    """A store that cannot be made for want of permission is a ReadOnlyError, and unregistered."""
    with ds.DataStoreFactory(reachable / "data", maintenance="manual") as factory:
        create(factory, "state", "warm-up").close()
    give_away(factory.root)
    (factory.root / "stores").chmod(0o555)

    def child() -> str:
        with ds.DataStoreFactory(factory.root, maintenance="manual") as again:
            try:
                create(again, "state", "new")
            except ds.ReadOnlyError:
                return f"refused, {[r.name for r in again.get_registered_stores()]}"
            return "made"

    said = as_nobody(child)
    (factory.root / "stores").chmod(0o755)
    assert said == "refused, ['warm-up']"
