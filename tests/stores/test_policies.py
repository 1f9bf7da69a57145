"""Eviction policies: each as its paper has it, exact, and kept in the file."""

from __future__ import annotations

import importlib.util
import sys
from itertools import permutations
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from contract.common import MakeStore, Store, examples, nothing_written, stranger
from hypothesis import given, settings
from hypothesis import strategies as st

import dsfactory as ds
from dsfactory.options import EVICTION_POLICIES
from dsfactory.stores import policies, sql, touches

SIMULATION = Path(__file__).resolve().parents[2] / "scripts" / "bench" / "simulation.py"
EVICTING = [name for name in EVICTION_POLICIES if name != "none"]


def simulation() -> ModuleType:
    """The policies in memory, written from the papers without knowing the store."""
    if "simulation" not in sys.modules:
        spec = importlib.util.spec_from_file_location("simulation", SIMULATION)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules["simulation"] = module
        spec.loader.exec_module(module)
    return sys.modules["simulation"]


def ask(store: Store, key: ds.Key) -> bool:
    """Use *key* as a cache is used; return whether it was there."""
    if store.get(key) is not None:
        return True
    store.set(key, 1)
    return False


@pytest.mark.parametrize("policy", EVICTING)
@settings(examples, max_examples=60)
@given(
    trace=st.lists(st.one_of(st.integers(0, 5), st.integers(0, 40)), max_size=150),
    size=st.integers(1, 15),
    reopened=st.integers(0, 150),
)
def test_policy_against_simulation(
    make_store: MakeStore, policy: str, trace: list[int], size: int, reopened: int
) -> None:
    """Request by request, the store has what the paper's algorithm has, also after reopening."""
    options: dict[str, Any] = {"max_entries": size, "policy": policy}
    store = make_store("cache", **options)
    store.clear()
    twin = simulation().SIMULATIONS[policy](size)
    for turn, key in enumerate(trace):
        if turn == reopened and policy != "s3fifo":  # whose ghosts are the process's own
            store.close()
            store = make_store("cache", **options)
        assert ask(store, key) == twin.access(key), f"request {turn} of {key}"
    assert store.check() == []
    store.close()


@pytest.mark.parametrize("policy", EVICTING)
def test_policy_within_memory(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    """It does not matter when the noted uses are written."""
    monkeypatch.setattr(touches, "FLUSH_TOUCHES", 3)
    store = make_store("cache", max_entries=20, policy=policy)
    twin = simulation().SIMULATIONS[policy](20)
    for turn in range(2000):
        key = (turn * turn * 7919) % (17 if turn % 3 else 61)
        assert ask(store, key) == twin.access(key)


@pytest.mark.parametrize(("before", "after"), list(permutations(EVICTING, 2)))
def test_change_of_policy(make_store: MakeStore, before: str, after: str) -> None:
    """A cache reopened with another policy takes over its order, and soon does as the new one."""
    store = make_store("cache", max_entries=20, policy=before)
    for turn in range(300):
        ask(store, turn * turn % 37)
    store.close()
    store = make_store("cache", max_entries=20, policy=after)
    assert store.options.policy == after
    twin = simulation().SIMULATIONS[after](20)
    hits = expected = 0
    for turn in range(2000):
        key = turn * turn * 7919 % (17 if turn % 3 else 61)
        if turn < 1000:
            ask(store, key)
            twin.access(key)
        else:
            hits += ask(store, key)
            expected += twin.access(key)
        assert len(store) <= 20
    assert abs(hits - expected) <= 20
    assert store.stats().evicted > 0


def test_policy_is_recorded(make_store: MakeStore, factory: ds.DataStoreFactory) -> None:
    """The registry keeps the policy: reopening by name finds it again."""
    make_store("cache", policy="sieve").close()
    assert factory.get_store("under-test").options.policy == "sieve"


def test_default_policy(make_store: MakeStore) -> None:
    """Who has the feature "access" evicts the least recently used; who has not, nothing."""
    assert make_store("cache").options.policy == "lru"
    assert make_store("custom", "a", features={"access"}).options.policy == "lru"
    assert make_store("custom", "b", features={"tags"}).options.policy == "none"
    assert make_store("state", "c").options.policy == "none"


@pytest.mark.parametrize("wrong", ["arc", "", 1, None])
def test_unknown_policy(make_store: MakeStore, wrong: object) -> None:
    """A policy that does not exist is refused by a message that names those that do."""
    with pytest.raises(ds.OptionError, match="sieve") as caught:
        make_store("cache", policy=wrong)
    assert caught.value.facts["option"] == "policy"


def test_policy_without_access(make_store: MakeStore) -> None:
    """A store without the feature "access" has no order to evict in."""
    with pytest.raises(ds.OptionError, match="access"):
        make_store("state", policy="fifo")


def test_none_is_full(make_store: MakeStore) -> None:
    """With the policy "none" a full cache refuses new entries and changes old ones."""
    store = make_store("cache", max_entries=2, max_bytes=20, policy="none")
    store.update({"a": 1, "b": 2})
    with nothing_written(store), pytest.raises(ds.StoreFullError) as caught:
        store["c"] = 3
    assert caught.value.facts == {"max_entries": 2, "max_bytes": 20, "store": "under-test"}
    store["a"] = 10
    with nothing_written(store), pytest.raises(ds.StoreFullError):
        store["a"] = "v" * 19
    with nothing_written(store), pytest.raises(ds.StoreFullError):
        store.set_many({"b": 1, "c": 2})
    store.delete("b")
    store["c"] = 3
    assert store == {"a": 10, "c": 3}


def test_sieve_laps_begin_anew(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before laps and places run out they are numbered anew, the order being kept."""
    monkeypatch.setattr(policies, "FARTHEST", 3)
    store = make_store("cache", max_entries=3, policy="sieve")
    twin = simulation().SIMULATIONS["sieve"](3)
    hits = sum(ask(store, key) == twin.access(key) for key in [n * n % 7 for n in range(200)])
    assert hits > 150


@pytest.mark.parametrize(
    "statement",
    [
        sql.OLDEST,
        sql.AT_HAND,
        sql.SMALL_TAIL,
        sql.MAIN_TAIL,
        sql.SPANS,
        sql.LAST_SEQ,
        sql.USED_LAST,
        sql.USED_OFTEN,
        sql.INTO_MAIN,
        sql.NEW_SINCE,
        sql.ROOM,
        sql.COUNTERS,
        sql.REMOVE,
        sql.SWEEP,
        sql.EVICT_TAG,
    ],
)
def test_nothing_is_scanned(make_store: MakeStore, statement: str) -> None:
    """Every statement on the way of an eviction searches an index, or reads one in its order."""
    store = make_store("cache")
    wanted = (None,) * 3
    with stranger(store) as other:
        cursor = other.execute(
            "EXPLAIN QUERY PLAN " + statement, wanted[: statement_needs(statement)]
        )
        plan = [detail for *_, detail in cursor]
    scans = [line for line in plan if line.startswith("SCAN") and "meta" not in line]
    assert all("USING" in line and "INDEX access_order" in line for line in scans), plan
    assert not [line for line in plan if "TEMP B-TREE" in line], plan


def statement_needs(statement: str) -> int:
    """How many parameters a statement takes."""
    return max((number for number in (1, 2, 3) if f"?{number}" in statement), default=0)
