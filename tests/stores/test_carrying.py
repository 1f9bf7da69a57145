"""entries() and put_entries(): entries with their bookkeeping, out of a store and into another."""

from __future__ import annotations

import dataclasses

import pytest

import dsfactory as ds

KINDS = ["config", "metrics", "cache", "state", "custom"]


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(make_store, kind, clock):
    """Every kind gives its entries, and takes them as they were."""
    one, other = make_store(kind, "one"), make_store(kind, "other")
    for number in range(3):
        clock.advance(10)
        one.set("k", {"n": number}, tags=["a"])
    one[7] = {"n": 7}
    clock.advance(1000)
    assert other.put_entries(one.entries()).written == 2
    kept = [dataclasses.replace(entry, size_bytes=0) for entry in one.entries()]
    assert [dataclasses.replace(entry, size_bytes=0) for entry in other.entries()] == kept
    assert kept[1].version == 3
    assert other.put_entries(one.entries()).unchanged == 2
    assert other.check() == []


def test_of_one_moment(make_store):
    """What is written while the entries are read is not among them."""
    store = make_store("state")
    store.set_many({number: number for number in range(1200)})
    reading = store.entries(start=100)
    first = next(reading)
    store.clear()
    assert [first.key, *(entry.key for entry in reading)] == list(range(100, 1200))


def test_all_or_nothing(make_store):
    """One refused value undoes the others."""
    store = make_store("state", validator=lambda value: value != "bad")
    entries = [
        ds.Entry(key, key, 1, 1, 1, None, 0, compressed=False, tags=()) for key in ("good", "bad")
    ]
    with pytest.raises(ds.ValidationRefusedError):
        store.put_entries(entries)
    assert len(store) == 0


def test_hot_value_is_replaced(make_store):
    """A value that was read from memory before is the new one at once."""
    store = make_store("state")
    store["k"] = 1
    assert store["k"] == 1
    (entry,) = store.entries()
    store.put_entries([dataclasses.replace(entry, value=2, version=9)])
    assert (store["k"], store.entry("k").version) == (2, 9)
    store["k"] = 3
    assert store.entry("k").version == 10


def test_limits_hold(make_store):
    """A full cache stays within its limit."""
    cache = make_store("cache", max_entries=2)
    entries = [ds.Entry(key, key, 1, 1, 1, None, 0, compressed=False, tags=()) for key in range(5)]
    assert cache.put_entries(entries).written == 5
    assert len(cache) == 2


def test_later_life(make_store, clock):
    """After a delete the version goes on from what it was, whatever the entry says."""
    store = make_store("state")
    for number in range(4):
        store["k"] = number
    (entry,) = store.entries()
    del store["k"]
    store.put_entries([dataclasses.replace(entry, version=2)])
    assert store.entry("k").version > 4
