"""The table of defaults at the end of DESIGN.md, row by row."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from factory_traces import create

import dsfactory as ds
from dsfactory.engine import checksums
from dsfactory.model import Kind

DAY = 86_400_000


class Row(NamedTuple):
    """One row of the table."""

    max_backups: int
    compression: bool
    compression_threshold: int | None
    max_retries: int
    retry_delay_ms: int
    ttl: int | None
    max_entries: int | None


TABLE = {
    Kind.CONFIG: Row(10, True, 1024, 3, 100, None, None),
    Kind.METRICS: Row(5, True, 10_000, 2, 50, 30 * DAY, None),
    Kind.CACHE: Row(3, False, None, 1, 25, 365 * DAY, 100),
    Kind.STATE: Row(5, True, 2048, 3, 100, None, None),
    Kind.CUSTOM: Row(5, True, 10_240, 3, 100, None, None),
}
SYNCHRONOUS = {
    Kind.CONFIG: "FULL",
    Kind.METRICS: "NORMAL",
    Kind.CACHE: "NORMAL",
    Kind.STATE: "FULL",
}


def row_of(options: Any) -> Row:
    """The row that *options* amount to."""
    threshold = options["compression_threshold"] if options["compression"] else None
    return Row(*(options[name] for name in Row._fields))._replace(compression_threshold=threshold)


@pytest.mark.parametrize("kind", Kind)
def test_row_in_factory_config(factory: ds.DataStoreFactory, kind: Kind) -> None:
    """The factory reports the defaults of each kind as the table has them."""
    assert row_of(factory.get_factory_config().defaults[kind]) == TABLE[kind]


@pytest.mark.parametrize("kind", Kind)
def test_row_in_store(factory: ds.DataStoreFactory, kind: Kind) -> None:
    """A store that was made without options has those of the table, here and in the registry."""
    store = create(factory, kind)
    record = factory.get_registered_store("x")
    assert row_of(store.options._asdict()) == TABLE[kind]
    assert record is not None
    assert record.options == store.options


@pytest.mark.parametrize(("kind", "synchronous"), SYNCHRONOUS.items())
def test_synchronous(factory: ds.DataStoreFactory, kind: Kind, synchronous: str) -> None:
    """What must not be lost is synced at every commit; samples and caches are not."""
    assert create(factory, kind).options.synchronous == synchronous


@pytest.mark.skipif(not checksums.available(), reason="this apsw ships no cksumvfs")
@pytest.mark.parametrize("kind", Kind)
def test_page_checksums(opened: Callable[[], ds.DataStoreFactory], kind: Kind) -> None:
    """The files of config and state stores carry page checksums, the others do not."""
    factory = opened()
    store = create(factory, kind)
    factory.close()
    # https://www.sqlite.org/fileformat.html#the_database_header: bytes reserved on each page
    reserved = store.path.read_bytes()[20]
    assert store.options.page_checksums is (kind in {Kind.CONFIG, Kind.STATE})
    assert reserved == (checksums.RESERVED_BYTES if store.options.page_checksums else 0)


def test_without_the_checksum_extension(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where apsw ships no cksumvfs, stores are made without checksums, unless asked for by name."""
    monkeypatch.setattr("dsfactory.shelf.checksums_available", lambda: False)
    monkeypatch.setattr("dsfactory.registry.registry.available", lambda: False)
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        store = create(factory, "state")
        store["a"] = 1
        assert store.options.page_checksums is False
        assert factory.perform_health_check().healthy


@pytest.mark.parametrize("kind", [Kind.METRICS, Kind.CACHE, Kind.STATE])
def test_auto_cleanup(factory: ds.DataStoreFactory, kind: Kind) -> None:
    """Metrics, cache and state stores are cleaned up by themselves."""
    assert create(factory, kind).options.auto_cleanup is True


@pytest.mark.parametrize("kind", [Kind.CONFIG, Kind.CUSTOM])
def test_no_auto_cleanup(factory: ds.DataStoreFactory, kind: Kind) -> None:
    """The table promises no cleaning up for config and custom stores."""
    assert create(factory, kind).options.auto_cleanup is False


@pytest.mark.parametrize("kind", Kind)
def test_least_recently_used_goes_first(factory: ds.DataStoreFactory, kind: Kind) -> None:
    """Only a cache keeps the order of use unless the feature is asked for."""
    assert ("access" in create(factory, kind).options.features) is (kind is Kind.CACHE)


@pytest.mark.parametrize("kind", Kind)
def test_history_is_for_settings(factory: ds.DataStoreFactory, kind: Kind) -> None:
    """Only a config store keeps versions unless the feature is asked for."""
    assert ("history" in create(factory, kind).options.features) is (kind is Kind.CONFIG)


def test_cache_holds_a_hundred(factory: ds.DataStoreFactory) -> None:
    """With the 101st entry, a cache without options lets the least recently used go."""
    cache = factory.create_cache_store("thumbs")
    cache.set_many((number, "x") for number in range(101))
    assert len(cache) == 100
    assert 0 not in cache


@pytest.mark.parametrize(("kind", "days"), [("metrics", 30), ("cache", 365)])
def test_default_ttl(
    factory: ds.DataStoreFactory, clock: ds.ManualClock, kind: str, days: int
) -> None:
    """What is written without a ttl expires after the kind's, to the millisecond."""
    store = create(factory, kind)
    store["a"] = 1
    clock.advance(days * DAY - 1)
    assert store["a"] == 1
    clock.advance(1)
    assert "a" not in store


def test_standard_backup(factory: ds.DataStoreFactory) -> None:
    """The standard backup: 5 backups, 30 days, compressed."""
    standard = factory.get_standard_backup_config()
    assert standard == ds.BackupConfig(max_backups=5, retention_ms=30 * DAY, compression=True)
    assert factory.get_factory_config().backup == standard


def test_factory_config(root: Path) -> None:
    """The factory's configuration says where it is and how it maintains its stores."""
    with ds.DataStoreFactory(root, maintenance="manual", maintenance_interval="5m") as factory:
        config = factory.get_factory_config()
        assert (config.root, config.maintenance) == (root.resolve(), "manual")
        assert config.maintenance_interval_ms == 300_000
        assert set(config.defaults) == set(Kind)


def test_factory_config_cannot_be_changed(factory: ds.DataStoreFactory) -> None:
    """Nobody changes the defaults through what was handed out."""
    handed_out: Any = factory.get_factory_config().defaults[Kind.CACHE]
    with contextlib.suppress(TypeError):
        handed_out["max_entries"] = 5
    assert factory.get_factory_config().defaults[Kind.CACHE]["max_entries"] == 100
