"""factory.maintain(): what one round does to each store, open or not."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from maintenance_samples import OwnHost, on

import dsfactory as ds
from dsfactory.maintenance import Maintainer

Opener = Callable[..., ds.DataStoreFactory]
DAY = 86_400_000


def similar(number: int) -> dict[str, Any]:
    """A small value that has much in common with the others."""
    return {"user": f"user-{number:04}", "mail": f"user-{number:04}@example.org", "active": True}


def test_nothing_to_do(factory: ds.DataStoreFactory) -> None:
    """A round over no stores ran and did nothing."""
    assert factory.maintain() == ds.MaintenanceReport(ran=True)


@pytest.mark.parametrize("was_open", [True, False])
def test_sweeps(factory: ds.DataStoreFactory, clock: ds.ManualClock, was_open: bool) -> None:
    """Expired entries go from the disk, however many; live ones stay."""
    store = factory.create_state_store("x")
    store.set_many({n: n for n in range(1200)}, ttl=1000)
    store.set("live", 1)
    if not was_open:
        store.close()
    clock.advance(1000)
    assert factory.maintain().expired == 1200
    stats = factory.get_store("x").stats()
    assert (stats.entries, stats.expired_entries) == (1, 0)


def test_evicts(factory: ds.DataStoreFactory) -> None:
    """A limit that was lowered is kept from the next round on, the least recent going first."""
    factory.create_cache_store("x", max_entries=10).set_many({n: n for n in range(10)})
    factory.get_store("x").close()
    store = factory.create_cache_store("x", max_entries=3)
    assert factory.maintain().evicted == 7
    assert list(store) == [7, 8, 9]
    assert factory.maintain().evicted == 0


def test_no_automatic_cleanup(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Without auto_cleanup, expired entries stay on disk until somebody sweeps; so do others."""
    store = factory.create_cache_store("x", auto_cleanup=False, max_entries=5)
    store.set_many({n: n for n in range(5)}, ttl=1000)
    clock.advance(1000)
    report = factory.maintain()
    assert (report.expired, report.evicted) == (0, 0)
    assert store.stats().expired_entries == 5
    assert store.expire() == 5


def test_gives_pages_back(factory: ds.DataStoreFactory) -> None:
    """After many deletes the file shrinks, and the freed pages are reported."""
    store = factory.create_state_store("x", compression=False)
    store.set_many(dict.fromkeys(range(2000), "x" * 2000))
    factory.maintain()
    before = store.stats().file_bytes
    store.delete_many(range(1990))
    report = factory.maintain()
    after = store.stats()
    assert after.file_bytes < before / 10
    # The pages of SQLite's own bookkeeping shrink along with them.
    assert 0.99 < report.pages_freed * 4096 / (before - after.file_bytes) <= 1
    assert after.free_bytes == 0


def test_cuts_the_wal(factory: ds.DataStoreFactory) -> None:
    """The WAL is copied into the file and cut to nothing; the copied pages are reported."""
    store = factory.create_state_store("x")
    store.set_many(dict.fromkeys(range(100), "x"))
    assert store.stats().wal_bytes > 0
    report = factory.maintain()
    assert store.stats().wal_bytes == 0
    assert report.checkpointed > 0


@pytest.mark.parametrize(("values", "trained"), [(99, 0), (100, 1)])
@pytest.mark.parametrize("was_open", [True, False])
def test_learns(factory: ds.DataStoreFactory, values: int, trained: int, was_open: bool) -> None:
    """From 100 values on a dictionary is trained, once, and used by the store that is open."""
    store = factory.create_state_store("x")
    store.set_many({n: similar(n) for n in range(values)})
    if not was_open:
        store.close()
    assert factory.maintain().dictionaries == trained
    assert factory.maintain().dictionaries == 0
    again = factory.get_store("x")
    assert again.has_dictionary() is bool(trained)
    again["new"] = similar(5)
    entry = again.entry("new")
    assert entry is not None
    assert entry.compressed is bool(trained)
    assert dict(again)[5] == similar(5)


@pytest.mark.parametrize(
    ("kind", "options"), [("cache", {"max_entries": 500}), ("state", {"compression": False})]
)
def test_learns_nothing(factory: ds.DataStoreFactory, kind: str, options: dict[str, Any]) -> None:
    """A store that does not compress gets no dictionary."""
    store = getattr(factory, f"create_{kind}_store")("x", **options)
    store.set_many({n: similar(n) for n in range(200)})
    assert factory.maintain().dictionaries == 0
    assert store.has_dictionary() is False


def test_every_kind(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """One round cares for stores of all kinds, and all are well after it."""
    factory.create_config_store("config", dict)["a"] = {}
    factory.create_custom_store("custom", features={"expiry"}).set("a", 1, ttl=1000)
    factory.create_custom_store("plain", features=set())["a"] = 1
    factory.create_metrics_store("metrics").set("a", 1, ttl=1000)
    clock.advance(1000)
    report = factory.maintain()
    assert report.failures == ()
    assert "a" not in factory.get_store("metrics")
    assert factory.get_store("plain")["a"] == 1


def test_stores_of_others(opened: Opener) -> None:
    """Stores that another program made and has open are cared for too."""
    mine, theirs = opened(), opened()
    store = theirs.create_state_store("x")
    store.set_many({n: similar(n) for n in range(100)})
    assert mine.maintain().dictionaries == 1
    assert store.check() == []


def test_closed_stores_stay_closed(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Maintenance is no access, and leaves a closed store closed."""
    factory.create_state_store("x").close()
    before = factory.get_registered_store("x")
    clock.advance(DAY)
    factory.maintain()
    assert factory.get_registered_store("x") == before
    # An open store would refuse another option.
    assert factory.create_state_store("x", max_retries=9).options.max_retries == 9


def test_damaged_store(factory: ds.DataStoreFactory, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged store is reported and logged; the ones before and after it are cared for."""
    for name in ("a", "b", "c"):
        factory.create_state_store(name).set_many({n: similar(n) for n in range(100)})
    broken = factory.get_store("b")
    broken.close()
    os.truncate(broken.path, 0)
    with caplog.at_level(logging.WARNING, "dsfactory.maintenance"):
        report = factory.maintain()
    assert report.dictionaries == 2
    assert len(report.failures) == 1
    assert report.failures[0].startswith("b: ")
    assert "cut to nothing" in report.failures[0]
    assert [(line.levelname, "store b failed" in line.message) for line in caplog.records] == [
        ("WARNING", True)
    ]
    factory.unregister_store("b")


class Full:
    """A store on a disk too full to delete anything."""

    def __init__(self, store: ds.DataStore[Any]) -> None:
        self._store = store

    def expire(self, **_options: Any) -> int:
        raise ds.DiskFullError("no space left")

    def __len__(self) -> int:
        return len(self._store)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class FullHost(OwnHost):
    """Lends such stores."""

    @contextlib.contextmanager
    def borrowed(self, name: str) -> Iterator[ds.DataStore[Any]]:
        yield cast("ds.DataStore[Any]", Full(self.factory.get_store(name)))


def test_failed_task_hinders_no_other(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Where nothing can be swept the log is copied back and cut all the same."""
    factory.create_state_store("x").set_many(dict.fromkeys(range(100), "x"))
    host = FullHost(factory, clock)
    report = Maintainer(host, clock.now_ms).run()
    host.close()
    assert report.failures == ("x: no space left",)
    assert report.checkpointed > 0


def test_failures_reach_health(factory: ds.DataStoreFactory) -> None:
    """Health repeats what failed in the last round, until a round goes well."""
    factory.create_state_store("x").close()
    path = factory.root / "stores" / "x.db"
    path.unlink()
    assert all(probe.ok for probe in factory.perform_health_check().factory)
    factory.maintain()
    report = factory.perform_health_check()
    (failed,) = [probe for probe in report.factory if not probe.ok]
    assert failed.name == "maintenance"
    assert "x: " in failed.detail
    assert any(line.startswith("maintenance: x: ") for line in report.problems)
    factory.unregister_store("x")
    factory.maintain()
    assert factory.perform_health_check().healthy


def test_store_unregistered_meanwhile(factory: ds.DataStoreFactory) -> None:
    """A store that is unregistered during the round is no failure of it."""
    factory.create_state_store("b").close()
    first = factory.create_state_store("a")
    first.add_monitoring_hook(on("expire", lambda: factory.unregister_store("b")))
    assert factory.maintain() == ds.MaintenanceReport(ran=True)


def test_store_closed_meanwhile(factory: ds.DataStoreFactory) -> None:
    """A store that is closed in the middle of its turn is no failure of the round."""
    store = factory.create_state_store("x")
    store.add_monitoring_hook(on("expire", store.close))
    report = factory.maintain()
    assert (report.ran, report.failures) == (True, ())


def test_tidies_directories(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Half-made files of killed processes go after an hour; younger and other files stay."""
    old_s = clock.now_ms() / 1000 - 2 * 3600
    young_s = clock.now_ms() / 1000 - 60
    files = {
        factory.root / ".metadata.db.0011.unfinished": old_s,
        factory.root / "stores" / ".x.db.0011.unfinished": old_s,
        factory.root / "stores" / ".x.db.0011.unfinished-journal": old_s,
        factory.root / "stores" / ".y.db.0022.unfinished": young_s,
        factory.root / "stores" / "z.unfinished": old_s,
        factory.root / "notes.txt": old_s,
    }
    for path, changed_s in files.items():
        path.touch()
        os.utime(path, (changed_s, changed_s))
    factory.maintain()
    left = [path.name for path in files if path.exists()]
    assert left == [".y.db.0022.unfinished", "z.unfinished", "notes.txt"]
