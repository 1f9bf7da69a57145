"""A cache's limits: exact after every commit, in the order of use, nothing more than needed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import pytest
from contract.common import MakeStore, Store, examples, in_threads, nothing_written, stranger
from hypothesis import given
from hypothesis import strategies as st

import dsfactory as ds
from dsfactory.stores import touches

KEYS = st.sampled_from("abcdef")
STEPS = st.one_of(
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("get_many"), st.lists(KEYS, max_size=3)),
    st.tuples(st.just("look"), KEYS),
    st.tuples(st.just("set"), KEYS, st.integers(0, 30), st.sampled_from([None, 10, 20])),
    st.tuples(st.just("set_many"), st.dictionaries(KEYS, st.integers(0, 20), max_size=4)),
    st.tuples(st.just("increment"), KEYS),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("advance"), st.integers(1, 15)),
    st.tuples(st.just("reopen")),
)


@dataclass
class Model:
    """What a cache keeps, from its docstring: an ordered dict, the least recently used first."""

    max_entries: int
    max_bytes: int
    now: int = 0
    kept: OrderedDict[str, tuple[Any, int, int]] = field(default_factory=OrderedDict)

    def live(self, key: str) -> bool:
        """Whether the key has an entry whose time is not up."""
        return key in self.kept and self.kept[key][2] > self.now

    def use(self, key: str) -> object:
        """Return the value of a live entry, and make it the most recently used."""
        if not self.live(key):
            return None
        self.kept.move_to_end(key)
        return self.kept[key][0]

    def write(self, key: str, value: Any, ttl: int | None) -> None:
        """Write an entry as the most recently used, without looking at the limits."""
        expires_at = self.now + (ttl or 365 * 86_400_000)
        self.kept[key] = (value, len(msgspec.msgpack.encode(value)), expires_at)
        self.kept.move_to_end(key)

    def change(self, key: str) -> None:
        """Count an entry up; it keeps its expiry."""
        ttl = self.kept[key][2] - self.now if self.live(key) else None
        old = self.kept[key][0] if self.live(key) else 0
        self.write(key, old + 1, ttl)

    def keep_limits(self) -> None:
        """Expired entries go first, then one after the other while there are too many."""
        if self.excess():
            for key in [key for key in self.kept if not self.live(key)]:
                del self.kept[key]
        while self.excess():
            self.kept.popitem(last=False)

    def excess(self) -> bool:
        """Whether there are too many entries or bytes."""
        size = sum(size for _, size, _ in self.kept.values())
        return len(self.kept) > self.max_entries or size > self.max_bytes

    def contents(self) -> dict[str, Any]:
        """The live entries."""
        return {key: value for key, (value, _, _) in self.kept.items() if self.live(key)}


def act(store: Store, model: Model, step: tuple[Any, ...]) -> None:
    """Do one step to both, and compare what it returns."""
    match step:
        case "get", key:
            assert store.get(key) == model.use(key)
        case "get_many", keys:
            assert store.get_many(keys) == {k: model.use(k) for k in keys if model.live(k)}
        case "look", key:
            assert (key in store) == (store.entry(key) is not None) == model.live(key)
        case "set", key, length, ttl:
            store.set(key, "v" * length, ttl=ttl)
            model.write(key, "v" * length, ttl)
        case "set_many", lengths:
            store.set_many({key: "v" * length for key, length in lengths.items()})
            for key, length in lengths.items():
                model.write(key, "v" * length, None)
        case "increment", key:
            if isinstance(model.contents().get(key, 0), int):
                store.increment(key)
                model.change(key)
        case "delete", key:
            assert store.delete(key) == model.live(key)
            model.kept.pop(key, None)
    if step[0] in {"set", "set_many", "increment"}:
        model.keep_limits()


@examples
@given(steps=st.lists(STEPS, max_size=25), max_entries=st.integers(1, 4))
def test_limits_against_model(
    make_store: MakeStore,
    clock: ds.ManualClock,
    steps: list[tuple[Any, ...]],
    max_entries: int,
) -> None:
    """After every step exactly those entries are there that the limits and the uses leave."""

    def opened() -> Store:
        return make_store("cache", max_entries=max_entries, max_bytes=60)

    store = opened()
    store.clear()
    model = Model(max_entries, 60, clock.now_ms())
    for step in steps:
        if step[0] == "advance":
            clock.advance(step[1])
            model.now = clock.now_ms()
        elif step[0] == "reopen":
            store.close()
            store = opened()
        else:
            act(store, model, step)
        assert dict(store) == model.contents()
        assert len(store) <= max_entries
        assert store.stats().size_bytes <= 60
    assert store.check() == []
    store.close()


@pytest.fixture
def three(make_store: MakeStore) -> Store:
    """A full cache of three entries, written in the order a, b, c."""
    store = make_store("cache", max_entries=3)
    for key in "abc":
        store[key] = 1
    return store


USES: dict[str, Callable[[Store], object]] = {
    "get": lambda store: store.get("a"),
    "[]": lambda store: store["a"],
    "get_many": lambda store: store.get_many(["a", "absent"]),
    "get_or_set": lambda store: store.get_or_set("a", lambda: 2),
    "setdefault": lambda store: store.setdefault("a", 2),
    "set": lambda store: store.set("a", 2),
    "set_many": lambda store: store.set_many({"a": 2}),
    "increment": lambda store: store.increment("a"),
    "update_with": lambda store: store.update_with("a", lambda old: old),
    "batch": lambda store: store.batch().set("a", 2).commit(),
}
LOOKS: dict[str, Callable[[Store], object]] = {
    "in": lambda store: "a" in store,
    "entry": lambda store: store.entry("a"),
    "ttl": lambda store: store.ttl("a"),
    "iteration": list,
    "scan": lambda store: list(store.scan()),
    "len": len,
    "check": lambda store: store.check(),
    "failed add": lambda store: store.add("a", 2),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_use_saves_entry(three: Store, use: Callable[[Store], object]) -> None:
    """What was used last stays, although the clock stands still."""
    use(three)
    three["d"] = 1
    assert sorted(three) == ["a", "c", "d"]
    assert three.stats().evicted == 1


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_look_is_no_use(three: Store, look: Callable[[Store], object]) -> None:
    """Looking at an entry without asking for its value does not save it."""
    look(three)
    three["d"] = 1
    assert sorted(three) == ["b", "c", "d"]


def test_uses_survive_reopening(three: Store, make_store: MakeStore) -> None:
    """The order of use is written when the store is closed."""
    three.get("a")
    three.close()
    again = make_store("cache", max_entries=3)
    again["d"] = 1
    assert sorted(again) == ["a", "c", "d"]


def test_uses_within_memory(monkeypatch: pytest.MonkeyPatch, make_store: MakeStore) -> None:
    """Uses are kept in memory up to a limit only, whichever way they come."""
    monkeypatch.setattr(touches, "MAX_TOUCHES", 5)
    store = make_store("cache", max_entries=50)
    notes = store._room.touches
    assert notes is not None
    store.set_many({number: number for number in range(20)})
    assert len(notes) <= 5
    for number in range(20):
        store.get(number)
        assert len(notes) <= 5
    store.get_many(range(19))
    assert len(notes) <= 5
    store.close()
    again = make_store("cache", max_entries=2)
    assert again.evict() == 18
    assert sorted(again) == [17, 18]


def test_eviction_in_rolled_back_transaction(three: Store) -> None:
    """A transaction that is undone evicts nothing."""
    with nothing_written(three), three.transaction():
        three.update({"d": 1, "e": 1})
        assert len(three) == 3
        raise ds.Rollback
    assert sorted(three) == ["a", "b", "c"]


def test_count_of_undone_evictions(three: Store) -> None:
    """Evictions that a rollback undid are not counted."""
    with three.transaction():
        three.update({"d": 1, "e": 1})
        raise ds.Rollback
    assert three.stats().evicted == 0


def test_many_beyond_limit(three: Store) -> None:
    """Of more values than fit the last ones stay."""
    three.set_many({number: number for number in range(10)})
    assert list(three) == [7, 8, 9]
    assert three.stats().evicted == 10


def test_expired_go_before_live(make_store: MakeStore, clock: ds.ManualClock) -> None:
    """What has expired makes room, however recently it was used; nothing live is evicted."""
    store = make_store("cache", max_entries=3)
    store["old"] = 1
    store.set_many({"x": 1, "y": 1}, ttl=1000)
    store.get("x")
    clock.advance(1000)
    store["new"] = 1
    assert sorted(store) == ["new", "old"]
    stats = store.stats()
    assert (stats.evicted, stats.expired, stats.expired_entries) == (0, 2, 0)


@pytest.mark.parametrize("other", [0, 5])
def test_value_over_max_bytes(make_store: MakeStore, other: int) -> None:
    """A value that can never fit is refused, and nothing is evicted for it."""
    store = make_store("cache", max_bytes=100)
    store.set_many(dict.fromkeys(range(other), "v" * 9))
    with nothing_written(store), pytest.raises(ds.ValueTooLargeError, match="max_bytes") as caught:
        store["k"] = "v" * 100
    assert caught.value.facts == {"key": "k", "size": 102, "limit": 100}
    store["k"] = "v" * 98
    assert list(store) == ["k"]
    assert store.stats().size_bytes == 100


def test_bytes_evict_no_more_than_needed(make_store: MakeStore) -> None:
    """Entries go one after the other until the new value fits."""
    store = make_store("cache", max_bytes=40)
    store.set_many(dict.fromkeys("abcd", "v" * 9))
    store["e"] = "v" * 10
    assert sorted(store) == ["c", "d", "e"]
    store["f"] = "v" * 7
    assert sorted(store) == ["c", "d", "e", "f"]
    assert store.stats().size_bytes == 39


def test_bytes_after_growth(make_store: MakeStore) -> None:
    """An entry that grows in place evicts others, not itself."""
    store = make_store("cache", max_bytes=30)
    store.set_many({"a": "v" * 9, "b": "v" * 9, "c": "v" * 9})
    store.update_with("a", lambda old: old + "v")
    assert sorted(store) == ["a", "c"]


def test_lowered_limits(make_store: MakeStore) -> None:
    """A store that is opened with lower limits meets them at evict() or at the next write."""
    store = make_store("cache")
    store.set_many({number: number for number in range(50)})
    store.get(0)
    store.close()
    store = make_store("cache", max_entries=10)
    assert len(store) == 50
    assert store.evict() == 40
    assert list(store) == [0, *range(41, 50)]
    assert store.evict() == 0
    store.close()
    store = make_store("cache", max_entries=3)
    store["new"] = 1
    assert list(store) == [0, 49, "new"]
    assert store.stats().evicted == 8


def test_limit_while_threads_write(make_store: MakeStore) -> None:
    """However many threads write, no commit ever leaves more entries than allowed."""
    store = make_store("cache", max_entries=10)
    seen: list[int] = []
    writing = [True] * 3

    def write(number: int) -> None:
        for turn in range(40):
            store.set_many({f"{number} {turn} {part}": turn for part in range(3)})
        writing.pop()

    def watch() -> None:
        while writing:
            seen.append(len(store))

    in_threads(*(partial(write, number) for number in range(3)), watch)
    assert max(seen) <= 10
    assert len(store) == 10
    assert store.stats().evicted == 3 * 40 * 3 - 10


def test_get_while_locked(monkeypatch: pytest.MonkeyPatch, make_store: MakeStore) -> None:
    """A value can be read while somebody else writes, also when uses are to be noted."""
    monkeypatch.setattr(touches, "MAX_TOUCHES", 1)
    store = make_store("cache", busy_timeout_ms=0, max_retries=0)
    store["k"] = 1
    with stranger(store) as other:
        other.execute("BEGIN IMMEDIATE")
        assert store.get("k") == 1
        assert store["k"] == 1
        assert store.get_many(["k"]) == {"k": 1}
        other.execute("ROLLBACK")


def test_close_while_locked(make_store: MakeStore) -> None:
    """A store whose order of use cannot be written closes all the same."""
    store = make_store("cache", busy_timeout_ms=0, max_retries=0)
    store["k"] = 1
    with stranger(store) as other:
        other.execute("BEGIN IMMEDIATE")
        with suppress(ds.BusyError):
            store.close()
        assert store.closed
        other.execute("ROLLBACK")


def test_lost_order_of_use(three: Store, make_store: MakeStore) -> None:
    """Without its access rows a cache refuses to guess; repair() makes an order again."""
    three.close()
    store = make_store("cache", max_entries=2)
    with stranger(store) as other:
        other.execute("DELETE FROM access")
    with nothing_written(store), pytest.raises(ds.CorruptError, match="repair"):
        store.evict()
    assert [violation.invariant[:2] for violation in store.check()] == ["I5"] * 3
    assert store.repair() == []
    assert store.evict() == 1
    assert sorted(store) == ["b", "c"]
