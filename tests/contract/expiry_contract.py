"""What stores with the feature "expiry" promise: the expired is absent, everywhere and at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from contract.common import MakeStore, Store, nothing_written

import dsfactory as ds
from dsfactory.clock import END_OF_TIME

DAY = 86_400_000

TTL_OPERATIONS: dict[str, Callable[[Store, Any], object]] = {
    "set": lambda store, ttl: store.set("k", 5, ttl=ttl),
    "add": lambda store, ttl: store.add("new", 5, ttl=ttl),
    "set_many": lambda store, ttl: store.set_many({"k": 5, "new": 5}, ttl=ttl),
    "increment": lambda store, ttl: store.increment("k", ttl=ttl),
    "increment absent": lambda store, ttl: store.increment("new", ttl=ttl),
    "update_with": lambda store, ttl: store.update_with("k", lambda old: old, ttl=ttl),
    "touch": lambda store, ttl: store.touch("k", ttl),
    "get_or_set": lambda store, ttl: store.get_or_set("new", lambda: 5, ttl=ttl),
    "batch": lambda store, ttl: store.batch().set("k", 5, ttl=ttl).commit(),
}
REFUSED = {
    "zero": 0,
    "negative": -1,
    "not a number": float("nan"),
    "infinite": float("inf"),
    "a float": 1.5,
    "bool": True,
    "past year 9999": END_OF_TIME - 1_600_000_000_000,
    "past all bounds": 2**80,
    "zero as text": "0s",
    "negative text": "-5m",
    "empty": "",
    "no unit": "5",
    "unknown unit": "5q",
    "fraction": "1.5h",
    "words": "soon",
    "digits of another script": "٣d",
    "timedelta zero": timedelta(0),
    "timedelta negative": timedelta(days=-1),
    "timedelta without end": timedelta.max,
    "bytes": b"5m",
}
FORMS = {
    5: 5,
    "500ms": 500,
    "90s": 90_000,
    "15m": 900_000,
    " 12 h ": 43_200_000,
    "30d": 30 * DAY,
    "2w": 14 * DAY,
    timedelta(seconds=1.5): 1500,
    timedelta(microseconds=1): 1,
}
READS: dict[str, Callable[[Store], bool]] = {
    "get": lambda store: store.get("k", "gone") == "gone",
    "in": lambda store: "k" not in store,
    "len": lambda store: len(store) == 1,
    "iteration": lambda store: list(store) == ["live"],
    "items": lambda store: dict(store.items()) == {"live": 2},
    "values": lambda store: list(store.values()) == [2],
    "scan": lambda store: dict(store.scan(prefix="k")) == {},
    "scan reversed": lambda store: list(store.scan(reverse=True)) == [("live", 2)],
    "get_many": lambda store: store.get_many(["k", "live"]) == {"live": 2},
    "entry": lambda store: store.entry("k") is None,
    "ttl": lambda store: store.ttl("k") is None,
    "stats": lambda store: (store.stats().entries, store.stats().expired_entries) == (1, 1),
    "sizes": lambda store: store.stats().size_bytes == store.stats().unpacked_bytes == 1,
    "touch": lambda store: store.touch("k", 5000) is False,
    "==": lambda store: store == {"live": 2},
}
WRITES: dict[str, Callable[[Store], bool]] = {
    "pop": lambda store: store.pop("k", "gone") == "gone",
    "popitem": lambda store: store.popitem() == ("live", 2),
    "delete": lambda store: store.delete("k") is False,
    "delete_many": lambda store: store.delete_many(["k", "live"]) == 1,
    "add": lambda store: store.add("k", 3) is True,
    "setdefault": lambda store: store.setdefault("k", 3) == 3,
    "increment": lambda store: store.increment("k") == 1,
    "update_with": lambda store: store.update_with("k", lambda old: old, "new") == "new",
    "get_or_set": lambda store: store.get_or_set("k", lambda: 3) == 3,
    "if_version": lambda store: store.set("k", 3, if_version=0) > 1,
    "evict_tag": lambda store: store.evict_tag("t") == 0,
}
LATER_WRITES: dict[str, Callable[[Store], object]] = {
    "sweep": lambda store: store.expire(),
    "new key": lambda store: store.set("new", 1, ttl="never"),
    "overwrite": lambda store: store.set("live", 3, ttl="never"),
    "larger": lambda store: store.set("live", "a longer value", ttl="never"),
    "many": lambda store: store.set_many({"live": 3}, ttl="never"),
    "increment": lambda store: store.increment("live"),
    "touch": lambda store: store.touch("live", "never"),
    "delete": lambda store: store.delete("live"),
}


def expiry_of(store: Store, key: ds.Key) -> int | None:
    """When an entry that is there expires."""
    entry = store.entry(key)
    assert entry is not None
    return entry.expires_at


class ExpiryContract:
    """Time to live; to be inherited beside StoreContract."""

    kind: str

    @pytest.fixture
    def expired(self, store: Store, clock: ds.ManualClock) -> Store:
        """A store with one entry that expired at this very moment, and one that never does."""
        store.set("k", "value", ttl=1000, tags=["t"])
        store.set("live", 2, ttl="never")
        clock.advance(1000)
        return store

    def test_reading_expired_entry(self, expired: Store, subtests: pytest.Subtests) -> None:
        """An expired entry is absent before any sweep, whatever is asked."""
        for name, absent in READS.items():
            with subtests.test(name), nothing_written(expired):
                assert absent(expired)

    def test_reading_expired_entry_inside_transaction(
        self, expired: Store, subtests: pytest.Subtests
    ) -> None:
        """The same holds inside of a transaction."""
        with expired.transaction():
            for name, absent in READS.items():
                with subtests.test(name):
                    assert absent(expired)

    @pytest.mark.parametrize("absent", WRITES.values(), ids=WRITES)
    def test_writing_expired_entry(self, expired: Store, absent: Callable[[Store], bool]) -> None:
        """An expired entry is absent before any sweep, whatever is done."""
        assert absent(expired)

    @pytest.mark.parametrize(
        "take", [lambda s: s["k"], lambda s: s.pop("k"), lambda s: s.__delitem__("k")]
    )
    def test_expired_entry_is_key_error(self, expired: Store, take: Any) -> None:
        """[], pop and del say that there is no such key."""
        with pytest.raises(ds.KeyAbsentError):
            take(expired)

    def test_expiry_boundary(self, store: Store, clock: ds.ManualClock) -> None:
        """An entry lives for exactly its ttl: there one millisecond before, gone at it."""
        now = clock.now_ms()
        store.set("k", 1, ttl=1000)
        assert expiry_of(store, "k") == now + 1000
        clock.advance(999)
        assert store["k"] == 1
        assert store.ttl("k") == 1
        assert len(store) == 1
        clock.advance(1)
        assert "k" not in store
        assert len(store) == 0

    def test_second_life(self, expired: Store, clock: ds.ManualClock) -> None:
        """What is written under an expired key begins anew: its time, without its tags."""
        expired.set("k", "second")
        entry = expired.entry("k")
        assert entry is not None
        assert entry.created_at == entry.updated_at == clock.now_ms()
        assert (entry.version, entry.tags) == (2, ())

    def test_add_over_expired(self, expired: Store, clock: ds.ManualClock) -> None:
        """add begins anew as well."""
        assert expired.add("k", "second", ttl=10)
        entry = expired.entry("k")
        assert entry is not None
        assert (entry.created_at, entry.version, entry.tags) == (clock.now_ms(), 2, ())

    @pytest.mark.parametrize(("ttl", "milliseconds"), FORMS.items(), ids=map(str, FORMS))
    def test_ttl_forms(
        self, store: Store, clock: ds.ManualClock, ttl: Any, milliseconds: int
    ) -> None:
        """Milliseconds, text and timedelta all mean the same."""
        store.set("k", 1, ttl=ttl)
        assert store.ttl("k") == milliseconds
        assert expiry_of(store, "k") == clock.now_ms() + milliseconds

    def test_ttl_refused(self, store: Store, subtests: pytest.Subtests) -> None:
        """Every operation that takes a ttl refuses a bad one by name, and nothing is written."""
        store["k"] = 1
        for (name, ttl), operation in product(REFUSED.items(), TTL_OPERATIONS):
            with (
                subtests.test(f"{operation}: {name}"),
                nothing_written(store),
                pytest.raises(ds.OptionError, match="ttl"),
            ):
                TTL_OPERATIONS[operation](store, ttl)

    @pytest.mark.parametrize("ttl", ["0s", -1, 1.5, "soon"])
    def test_default_ttl_refused(self, make_store: MakeStore, ttl: Any) -> None:
        """The same holds for the ttl that a store is made with."""
        with pytest.raises(ds.OptionError, match="ttl"):
            make_store(self.kind, ttl=ttl)

    def test_default_ttl(self, make_store: MakeStore) -> None:
        """Every operation without a ttl takes the store's; "never" is stronger."""
        store = make_store(self.kind, ttl="1h")
        store["set"] = 1
        store.add("add", 1)
        store.set_many({"many": 1})
        store.setdefault("setdefault", 1)
        store.increment("increment")
        store.update_with("update_with", lambda old: old, 1)
        store.get_or_set("get_or_set", lambda: 1)
        store.batch().set("batch", 1).commit()
        assert {store.ttl(key) for key in store} == {3_600_000}
        store.set("set", 1, ttl="never")
        store.add("add never", 1, ttl="never")
        store.touch("many", "never")
        assert [store.ttl(key) for key in ("set", "add never", "many")] == [None] * 3

    def test_last_moment_of_calendar(self, store: Store, clock: ds.ManualClock) -> None:
        """The last millisecond of the year 9999 is allowed, the next is not."""
        left = END_OF_TIME - clock.now_ms()
        store.set("k", 1, ttl=left)
        assert expiry_of(store, "k") == END_OF_TIME
        with pytest.raises(ds.OptionError, match="9999"):
            store.set("k", 1, ttl=left + 1)

    def test_touch_existing(self, store: Store, clock: ds.ManualClock) -> None:
        """touch counts from now and leaves value, version and tags alone."""
        store.set("k", 1, ttl=1000, tags=["t"])
        before = store.entry("k")
        clock.advance(900)
        assert store.touch("k", 1000)
        after = store.entry("k")
        assert before is not None
        assert after is not None
        assert after.expires_at == clock.now_ms() + 1000
        assert (after.version, after.updated_at) == (before.version, before.updated_at)
        assert (after.value, after.tags) == (1, ("t",))
        assert store.touch("k", "never")
        assert store.ttl("k") is None
        assert not store.touch("absent", 1000)

    def test_change_keeps_expiry(self, store: Store, clock: ds.ManualClock) -> None:
        """increment and update_with keep the expiry unless they are given a ttl."""
        store.set("k", 1, ttl=1000)
        clock.advance(400)
        store.increment("k")
        store.update_with("k", lambda old: old + 1)
        assert store.ttl("k") == 600
        store.increment("k", ttl=5000)
        assert store.ttl("k") == 5000
        store.update_with("k", lambda old: old + 1, ttl=7000)
        assert store.ttl("k") == 7000
        store.increment("k", ttl="never")
        assert store.ttl("k") is None
        assert store["k"] == 6

    def test_set_replaces_expiry(self, make_store: MakeStore) -> None:
        """A set without a ttl takes the store's default, whatever the entry had."""
        store = make_store(self.kind, ttl=None)
        store.set("k", 1, ttl=1000)
        store["k"] = 2
        assert store.ttl("k") is None

    def test_expire_sweeps(self, roomy: Store, clock: ds.ManualClock) -> None:
        """expire deletes what has expired, more than one transaction's worth, and nothing else."""
        roomy.set_many({number: number for number in range(1203)}, ttl=1000)
        roomy.set("live", 1, ttl="never")
        assert roomy.expire() == 0
        clock.advance(1000)
        assert roomy.stats().expired_entries == 1203
        assert roomy.expire() == 1203
        assert roomy.expire() == 0
        stats = roomy.stats()
        assert (stats.expired_entries, stats.expired, stats.entries) == (0, 1203, 1)

    def test_clock_set_back(self, expired: Store, clock: ds.ManualClock) -> None:
        """What was absent once stays absent when the clock is set back."""
        assert "k" not in expired
        clock.advance(-5000)
        assert "k" not in expired
        assert len(expired) == 1
        assert not expired.touch("k", 1000)
        assert expired.expire() == 1

    def test_clock_set_back_goes_on(self, store: Store, clock: ds.ManualClock) -> None:
        """After a step back the store's time goes on at the clock's pace."""
        store.set("k", 1, ttl=1000)
        clock.advance(500)
        assert store.ttl("k") == 500
        clock.advance(-3_600_000)
        assert store.ttl("k") == 500
        clock.advance(400)
        assert store.ttl("k") == 100
        clock.advance(100)
        assert "k" not in store

    @pytest.mark.parametrize("write", LATER_WRITES.values(), ids=LATER_WRITES)
    def test_clock_set_back_over_reopening(
        self,
        expired: Store,
        make_store: MakeStore,
        clock: ds.ManualClock,
        write: Callable[[Store], object],
    ) -> None:
        """A clock that was set back does not resurrect what had expired at the last write."""
        write(expired)
        assert "k" not in expired
        expired.close()
        clock.advance(-900)
        again = make_store(self.kind)
        assert "k" not in again
        assert again.get("k") is None

    def test_expired_entry_does_not_read(self, expired: Store) -> None:
        """Looking for what has expired is a miss."""
        expired.get("k")
        metrics = expired.get_metrics()
        assert (metrics.hits, metrics.misses, metrics.bytes_read) == (0, 1, 0)
