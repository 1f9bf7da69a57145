"""Limits in every process, what they cost the file, and what statistics say of them."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import limit_workers
import pytest
from contract.common import MakeStore, Store, nothing_written, stranger

import dsfactory as ds
from dsfactory.options import EVICTION_POLICIES
from dsfactory.stores import touches
from dsfactory.stores.touches import Touches

EVICTING = [name for name in EVICTION_POLICIES if name != "none"]


def used_at(store: Store, key: ds.Key) -> int:
    """When the last use of *key* was written."""
    with stranger(store) as other:
        ((when,),) = other.execute(
            "SELECT used_at FROM access JOIN entry ON id = entry_id WHERE key = ?", (key,)
        ).fetchall()
        return int(when)


@pytest.mark.parametrize("policy", EVICTING)
def test_limits_between_processes(tmp_path: Path, policy: str) -> None:
    """However many processes write, no commit leaves more entries or bytes than allowed."""
    with ds.DataStoreFactory(tmp_path / "shared", maintenance="manual") as factory:
        store = factory.create_cache_store(policy, max_entries=30, max_bytes=400, policy=policy)
        spawn = multiprocessing.get_context("spawn")
        processes = [
            spawn.Process(
                target=limit_workers.write_beyond_limits, args=(tmp_path / "shared", worker, policy)
            )
            for worker in range(2)
        ]
        for process in processes:
            process.start()
        while any(process.is_alive() for process in processes):
            stats = store.stats()
            assert stats.entries <= 30
            assert stats.size_bytes <= 400
        assert [process.exitcode for process in processes] == [0, 0]
        assert len(store) > 5
        assert store.check() == []


def test_reasons(make_store: MakeStore, clock: ds.ManualClock) -> None:
    """stats() says why entries went: each once, and not before the commit."""
    store = make_store("cache", max_entries=4, max_bytes=40)
    store.update(dict.fromkeys("abcde", 1))
    store["f"] = "v" * 37
    store.set("g", 1, tags=["t"])
    with store.transaction():
        store.evict_tag("t")
        raise ds.Rollback
    store.evict_tag("t")
    store.clear()
    store.set_many({"a": 1, "b": 2}, ttl=10)
    clock.advance(10)
    store.update(dict.fromkeys("cdef", 1))
    store.set("a", 1, ttl=10)
    clock.advance(10)
    assert store.expire() == 1
    assert store.stats().removed == {
        "max_entries": 3,
        "max_bytes": 3,
        "tag": 1,
        "swept": 1,
        "expired": 2,
    }
    assert (store.stats().evicted, store.stats().expired) == (6, 3)


def test_hit_ratio(make_store: MakeStore) -> None:
    """Hits and misses are counted for every lookup."""
    store = make_store("cache")
    assert store.stats().hit_ratio is None
    store["a"] = 1
    for key in "aaab":
        store.get(key)
    stats = store.stats()
    assert (stats.hits, stats.misses, stats.hit_ratio) == (3, 1, 0.75)


def test_rows_are_used_again(make_store: MakeStore) -> None:
    """At the limit a new entry takes the row of the one that goes, and the file does not grow."""
    store = make_store("cache", max_entries=50)
    for number in range(60):
        store[number] = "v" * 100
    store.maintain()
    pages = store.stats().file_bytes
    for number in range(60, 1000):
        store[number] = "v" * 100
    store.maintain()
    assert store.stats().file_bytes <= pages + 8192
    with stranger(store) as other:
        ((highest,),) = other.execute("SELECT max(id) FROM entry").fetchall()
    assert highest == 50


def log_bytes_per_set(store: Store, keys: range) -> float:
    """How much the write-ahead log grows by a set of a new key."""
    wal = Path(f"{store.path}-wal")
    store.maintain()
    store["first"] = "v"
    before = wal.stat().st_size
    for number in keys:
        store[f"{number * 7919 % 1_000_003}"] = "v" * 50
    return (wal.stat().st_size - before) / len(keys)


def test_cost_of_eviction(make_store: MakeStore) -> None:
    """A set that evicts one writes less than twice the pages of one that does not, however many
    entries there are."""
    below = make_store("cache", "below", max_entries=10_000)
    free = log_bytes_per_set(below, range(50))
    for size in (200, 5000):
        at = make_store("cache", f"at-{size}", max_entries=size)
        at.set_many({f"{number * 7919 % 1_000_003}": "v" * 50 for number in range(-size, 0)})
        assert log_bytes_per_set(at, range(50)) < 1.8 * free
        assert at.stats().removed["max_entries"] == 51


def test_reads_never_write(make_store: MakeStore) -> None:
    """A use is noted in memory; the file stays as it is."""
    store = make_store("cache", max_entries=None)
    store.set_many({number: number for number in range(2000)})
    store.maintain()
    with nothing_written(store):
        for number in range(2000):
            store.get(number)


def test_uses_go_with_a_write(make_store: MakeStore, clock: ds.ManualClock) -> None:
    """Notes of use go with a write when they have waited, and not all at once."""
    store = make_store("cache", max_entries=None)
    store.set_many({number: number for number in range(1500)})
    store.maintain()
    began = clock.now_ms()
    clock.advance(1)
    store.get(1)
    store["a"] = 1
    assert used_at(store, 1) == began
    clock.advance(touches.FLUSH_AFTER_MS)
    store["a"] = 2
    assert used_at(store, 1) == clock.now_ms()
    clock.advance(1)
    for number in range(touches.FLUSH_TOUCHES + 1):
        store.get(number)
    store["a"] = 3
    assert used_at(store, 1) < clock.now_ms()
    clock.advance(touches.FLUSH_AFTER_MS)
    store["a"] = 4
    assert used_at(store, 1) == clock.now_ms()
    assert used_at(store, touches.FLUSH_TOUCHES) < clock.now_ms()  # the newest wait on


def test_uses_of_very_many_keys(make_store: MakeStore, clock: ds.ManualClock) -> None:
    """Notes that fill the memory for them go with the next write, whenever that is."""
    store = make_store("cache", max_entries=None)
    store.set_many({number: number for number in range(touches.MAX_TOUCHES)})
    store.maintain()
    clock.advance(1)
    for number in range(touches.MAX_TOUCHES - 1):
        store.get(number)
    store["a"] = 1
    assert used_at(store, 0) == clock.now_ms()


def test_uses_of_all_policies_survive(make_store: MakeStore) -> None:
    """close() writes what is noted, whatever the policy makes of it."""
    for policy in ("lru", "lfu", "sieve", "s3fifo"):
        store = make_store("cache", policy, max_entries=4, policy=policy)
        store.update(dict.fromkeys("abcd", 1))
        for _ in range(2):
            store.get("a")
        store.close()
        store = make_store("cache", policy, max_entries=4, policy=policy)
        store["e"] = 1
        assert "a" in store
        assert len(store) == 4


def test_growth_saves_itself(make_store: MakeStore) -> None:
    """Under every policy what was just written stays, and others make room for it."""
    for policy in EVICTING:
        store = make_store("cache", policy, max_bytes=30, policy=policy)
        store.update(dict.fromkeys("abc", "v" * 9))
        store["a"] = "v" * 19
        assert "a" in store
        assert len(store) == 2
        store.update_with("a", lambda old: old + "v" * 9)
        assert list(store) == ["a"]


def test_second_life_is_a_use(make_store: MakeStore, clock: ds.ManualClock) -> None:
    """What is written again after it had expired is the newest."""
    for write in ("add", "set"):
        store = make_store("cache", write, max_entries=3)
        store.set("a", 1, ttl=10)
        store.update({"b": 1, "c": 1})
        clock.advance(10)
        getattr(store, write)("a", 2)
        store["d"] = 1
        assert list(store) == ["a", "c", "d"]


def test_notes_by_threads() -> None:
    """Notes count uses by key, in the order of the last one, and forget the oldest."""
    notes = Touches()
    for turn in range(touches.MAX_TOUCHES * 2):
        notes.add(turn, 1)
        notes.add(0, 1)
    assert len(notes) == touches.MAX_TOUCHES
    assert 0 in notes
    assert 1 not in notes
    assert touches.MAX_TOUCHES * 2 - 1 in notes


def test_registry_of_an_earlier_release(factory: ds.DataStoreFactory) -> None:
    """A cache that was recorded before there were policies evicts as it did: lru."""
    from dsfactory.options import as_record, from_record

    options: dict[str, Any] = as_record(factory.create_cache_store("c").options)
    del options["policy"]
    assert from_record(options).policy == "lru"
    options["features"] = ["tags"]
    assert from_record(options).policy == "none"
