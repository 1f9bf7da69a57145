"""Every kind of store, with what is special about it, goes into a backup and comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from spine_samples import content

import dsfactory as ds

Make = Callable[[ds.DataStoreFactory], Any]


def config(factory: ds.DataStoreFactory) -> Any:
    """A config store with three versions."""
    store = factory.create_config_store("x", dict[str, int])
    for n in range(3):
        store.set("limits", {"n": n})
    return store


def cache(factory: ds.DataStoreFactory) -> Any:
    """A full cache that writes behind, with tags and times to live."""
    store = factory.create_cache_store("x", max_entries=20, write_behind="1h", policy="s3fifo")
    for n in range(30):
        store.set(n, {"n": n}, tags=["even"] if n % 2 == 0 else (), ttl="1h")
    return store


def state(factory: ds.DataStoreFactory) -> Any:
    """A state store with compressed values and all kinds of keys."""
    store = factory.create_state_store("x")
    store.set_many({"text": "x" * 10_000, 7: [1, 2], b"\x00\xff": {"deep": {"er": None}}})
    return store


def metrics(factory: ds.DataStoreFactory) -> Any:
    """A metrics store with events, sealed blocks, and samples that are not committed yet."""
    store = factory.create_metrics_store("x", rollups=[("1m", "90d")])
    store["event"] = {"what": "started"}
    now = factory.get_registered_stores()[0].created_at
    store.record_many("load", [n / 10 for n in range(5000)], at=range(now - 5000, now))
    store.maintain_series()
    store.record("load", 7.5, at=now)
    return store


def custom(factory: ds.DataStoreFactory) -> Any:
    """A custom store with every feature."""
    features = {"access", "compression", "expiry", "history", "tags"}
    store = factory.create_custom_store("x", features=features, codec="msgpack")
    store.set("a", {"n": 1}, tags=["t"])
    store.set("a", {"n": 2})
    return store


KINDS: list[Make] = [config, cache, state, metrics, custom]


def told(store: Any) -> dict[str, Any]:
    """What a caller can see of a store."""
    seen: dict[str, Any] = {"entries": content(store)}
    if hasattr(store, "history"):
        seen["history"] = [(v.key, v.version, v.value) for v in store.history()]
    if isinstance(store, ds.MetricsStore):
        (samples,) = store.query_all("load", start=0, end=2**45)
        seen["samples"] = (samples.timestamps.tolist(), samples.values.tolist())
    return seen


@pytest.mark.parametrize("form", ["full", "pack"])
@pytest.mark.parametrize("make", KINDS, ids=[make.__name__ for make in KINDS])
def test_there_and_back(factory: ds.DataStoreFactory, make: Make, form: str) -> None:
    """What this process has written is in the backup, all of it, and comes back as it was."""
    store = make(factory)
    name, options = store.name, store.options
    store.close()
    with getattr(factory, f"create_{store.kind}_store")(
        name,
        **({"validator": lambda _: True} if store.kind is ds.Kind.CONFIG else {}),
        backup_format=form,
    ) as again:
        before = told(again)
        backup = again.backup()
        again.clear()
    (report,) = factory.verify(name)
    assert report.problem is None
    factory.restore(name, backup.id)
    restored = factory.get_store(name)
    assert told(restored) == before
    assert restored.options.policy == options.policy


def test_what_waits_is_in_it(
    factory: ds.DataStoreFactory, clock: ds.ManualClock, tmp_path: Path
) -> None:
    """Sets that wait to be committed, and samples, are committed before the copy."""
    waiting = cache(factory)
    recorded = metrics_of(factory, clock.now_ms())
    made = factory.backup()
    root = tmp_path / "other"
    with ds.DataStoreFactory(root, maintenance="manual", clock=clock) as other:
        for backup in made:
            factory.restore(backup.store, backup.id, to=root / "stores" / f"{backup.store}.db")
        beside: Any = other.create_cache_store("x", max_entries=20, policy="s3fifo")
        assert content(beside) == content(waiting)
        samples: Any = other.create_metrics_store("m")
        assert samples.query("load", start=0, end=2**45).values.tolist() == [1.0, 2.0]
    assert recorded.flush() == 0


def metrics_of(factory: ds.DataStoreFactory, now: int) -> Any:
    """A metrics store with two samples that are not committed yet."""
    store = factory.create_metrics_store("m")
    store.record("load", 1, at=now - 10)
    store.record("load", 2, at=now - 5)
    return store
