"""memoize: functions whose results a store keeps, found by their arguments."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import combinations
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest
from contract.common import MakeStore, Store, in_threads, nothing_written, stranger
from hypothesis import given, settings
from hypothesis import strategies as st

import dsfactory as ds
from dsfactory.stores.canonical import canonical
from dsfactory.stores.flights import Lease


class Colour(Enum):
    """Members are told apart by name."""

    RED = 1
    BLUE = 2


@dataclass(frozen=True)
class Point:
    """Told apart by its fields."""

    x: int
    y: int = 0


class Pair(NamedTuple):
    """Not the plain tuple of its fields."""

    x: int
    y: int


class Struct(msgspec.Struct):
    """Told apart by its fields."""

    x: int


class Named:
    """Says itself what it is told apart by."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __memo_key__(self) -> str:
        return self.name


DIFFERENT: list[Any] = [
    None, True, False, 0, 1, -1, 2**70, 0.0, -0.0, 1.0, float("inf"), "", "1", "a", "a,b", "None",
    b"", b"a", (), [], {}, set(), (1,), [1], {1}, (1, 2), ((1,), 2), (1, (2,)), ["a", "b"],
    ["a,1'b"], {1: 2}, {2: 1}, {"a": None}, {"a"}, [[]], [()], date(2024, 1, 2),
    datetime(2024, 1, 2), datetime(2024, 1, 2, tzinfo=UTC), time(1), timedelta(1), Decimal(1),
    Decimal("1.0"), UUID(int=1), Colour.RED, Colour.BLUE, Point(1), Point(2), Pair(1, 0), Struct(1),
    Named("a"), Named("b"), PurePosixPath("a"), "\ud800", "\n",
]  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    """A cache."""
    return make_store("cache")


def test_different_arguments_differ() -> None:
    """No two different values have the same text."""
    for one, other in combinations(DIFFERENT, 2):
        assert canonical(one) != canonical(other), (one, other)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(VALUES, VALUES)
def test_text_tells_values_apart(one: Any, other: Any) -> None:
    """Texts are equal exactly where values and their types are."""
    assert canonical([one, other]) == canonical([one, other])
    assert (canonical(one) == canonical(other)) == (strict(one) == strict(other))


def strict(value: object) -> str:
    """A text that tells values and their types apart, dicts in the order of their keys."""
    if isinstance(value, dict):
        return "{" + repr(sorted((key, strict(inner)) for key, inner in value.items())) + "}"
    if isinstance(value, (list, tuple)):
        return type(value).__name__ + repr([strict(inner) for inner in value])
    return repr(value)


@pytest.mark.parametrize("same", [({1, 2, 3}, {3, 2, 1}), ({"a": 1, "b": 2}, {"b": 2, "a": 1})])
def test_order_that_does_not_matter(same: tuple[object, object]) -> None:
    """Sets and dicts have no order."""
    assert canonical(same[0]) == canonical(same[1])


def endless() -> list[Any]:
    """A list inside of itself."""
    inner: list[Any] = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize("wrong", [object(), len, lambda: 1, iter([]), [object()], endless()])
def test_argument_without_form(store: Store, wrong: object) -> None:
    """What has no canonical form is refused by its type, before anything is computed."""

    @store.memoize()
    def never(argument: object) -> None:
        raise AssertionError

    with nothing_written(store), pytest.raises(ds.KeyTypeError, match="key="):
        never(wrong)


def test_function_is_called_once(store: Store, clock: ds.ManualClock) -> None:
    """However arguments are given, equal ones are computed once, until the ttl is over."""
    calls: list[tuple[int, int]] = []

    @store.memoize(ttl="1m", name="add")
    def add(a: int, b: int = 2) -> int:
        """Add."""
        calls.append((a, b))
        return a + b

    assert add(1) == add(1, 2) == add(a=1, b=2) == add(b=2, a=1) == 3
    assert add(2, 1) == 3
    assert calls == [(1, 2), (2, 1)]
    clock.advance(60_000)
    assert add(1) == 3
    assert len(calls) == 3
    assert add.__wrapped__(5) == 7
    assert (add.__name__, add.__doc__) == ("add", "Add.")
    assert str(inspect.signature(add)) == "(a: 'int', b: 'int' = 2) -> 'int'"
    with pytest.raises(TypeError):
        add()  # type: ignore[call-arg]


def test_none_is_a_result(store: Store) -> None:
    """None is kept as any other result."""
    calls: list[int] = []

    @store.memoize()
    def nothing() -> None:
        calls.append(1)

    assert nothing() is nothing() is None
    assert calls == [1]


def test_results_are_in_the_file(make_store: MakeStore) -> None:
    """What one handle computed, the next one has: the name and the arguments are the key."""

    def square(n: int) -> int:
        return n * n

    first = make_store("cache")
    assert first.memoize()(square)(3) == 9
    first.close()
    again = make_store("cache")

    def never(n: int) -> int:
        raise AssertionError

    remembered = again.memoize(name=f"{square.__module__}.{square.__qualname__}")(never)
    assert remembered(3) == 9
    assert list(again) == [remembered.key_for(3)]


def test_forget(store: Store) -> None:
    """One result can be forgotten, or all; other functions and entries stay."""

    @store.memoize(name="f")
    def f(n: int, text: str = "") -> int:
        return n

    @store.memoize(name="ff")
    def other(n: int) -> int:
        return n

    store["f"] = 0
    for n in range(5):
        f(n), f(n, "long" * 1000), other(n)
    assert f.forget(3)
    assert not f.forget(3)
    assert f.forget_all() == 9
    assert f.forget_all() == 0
    assert len(store) == 6


def test_long_arguments(store: Store) -> None:
    """Arguments that make no key as they are, are hashed; nothing is refused for its length."""

    @store.memoize(name="length")
    def length(text: str) -> int:
        return len(text)

    for text in ("x" * 100_000, "x" * 99_999 + "y", "\ud800", "line\nline", "é" * 500):
        assert length(text) == length(text) == len(text)
    assert len(store) == 5
    assert all(len(key) < 1024 for key in store)


class Service:
    """A class with remembered methods."""

    store: Store

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls = 0


def test_methods(store: Store) -> None:
    """A method counts its instance as an argument: by __memo_key__, or by what key= makes."""

    class Shop(Service):
        def __memo_key__(self) -> str:
            return self.name

        @store.memoize()
        def price(self, item: str) -> str:
            self.calls += 1
            return f"{self.name} {item}"

    class Anonymous(Service):
        @store.memoize(key=lambda _self, item: item)
        def price(self, item: str) -> str:
            return f"{self.name} {item}"

        @store.memoize()
        def refused(self) -> int:
            return 1

    one, other = Shop("one"), Shop("other")
    assert one.price("tea") == one.price(item="tea") == "one tea"
    assert other.price("tea") == "other tea"
    assert (one.calls, other.calls) == (1, 1)
    assert one.price.forget("tea")
    assert not one.price.forget("tea")
    assert Anonymous("a").price("tea") == Anonymous("b").price("tea") == "a tea"
    with pytest.raises(ds.KeyTypeError, match="__memo_key__"):
        Anonymous("a").refused()


def test_coroutine_function(store: Store) -> None:
    """Of the tasks that await one call, one computes while the event loop goes on."""
    calls: list[int] = []

    @store.memoize(ttl="1h", tags=["t"])
    async def slow(n: int) -> int:
        calls.append(n)
        await asyncio.sleep(0)
        if n < 0:
            raise ValueError(n)
        return n

    async def main() -> list[int]:
        got = await asyncio.gather(*[slow(n % 3) for n in range(9)])
        with pytest.raises(ValueError, match="-1"):
            await slow(-1)
        return [*got, await slow(2)]

    assert asyncio.run(main()) == [0, 1, 2] * 3 + [2]
    assert sorted(calls) == [-1, 0, 1, 2]
    assert store.evict_tag("t") == 3
    assert asyncio.run(slow.__wrapped__(7)) == 7


def test_coroutine_computed_by_another_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was stored just before the lease was ours is the answer, and stays as it is."""
    take = Lease.take
    keys: list[ds.Key] = []

    def take_after_another(claim: Lease, now: int) -> bool:
        keys.append(claim._key)
        store.set(claim._key, 5, ttl=1000)
        return take(claim, now)

    @store.memoize(ttl="1h")
    async def number() -> int:
        raise AssertionError("computed")

    monkeypatch.setattr(Lease, "take", take_after_another)
    assert asyncio.run(number()) == 5
    (key,) = keys
    entry = store.entry(key)
    assert entry is not None
    assert entry.version == 1
    assert store.ttl(key) == 1000
    with stranger(store) as other:
        assert other.execute("SELECT * FROM lease").fetchall() == []


def test_coroutine_refreshed_ahead(store: Store, clock: ds.ManualClock) -> None:
    """A coroutine's result, too, is computed anew before its end."""
    calls: list[int] = []

    @store.memoize(ttl=1000, refresh_ahead=100)
    async def number() -> int:
        calls.append(1)
        return len(calls)

    assert asyncio.run(number()) == 1
    clock.advance(950)
    assert asyncio.run(number()) == 2
    assert asyncio.run(number()) == 2


def test_cancelled_coroutine(store: Store) -> None:
    """A task that is cancelled, whenever, leaves the key to the next one."""

    @store.memoize()
    async def answer(hang: list[int]) -> int:
        while hang:
            await asyncio.sleep(0)
        return 1

    async def main(steps: int) -> int:
        task = asyncio.ensure_future(answer(key := [steps]))
        for _ in range(steps):
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        key.clear()
        with stranger(store) as other:
            assert other.execute("SELECT * FROM lease").fetchall() == []
        return await answer([])

    for steps in range(6):
        assert asyncio.run(main(steps)) == 1
        store.clear()


def test_threads_call_once(store: Store) -> None:
    """Threads that call at once get one computation's result."""
    calls: list[int] = []

    @store.memoize()
    def once() -> int:
        calls.append(1)
        return len(calls)

    in_threads(*[lambda: calls.__len__() or once()] * 4)
    assert once() == 1


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", 3])
def test_wrong_names(store: Store, name: Any) -> None:
    """A name that makes no key is refused at once; so is what is no function."""
    with pytest.raises(ds.OptionError):
        store.memoize(name=name)(test_forget)
    with pytest.raises(ds.OptionTypeError, match="memoize"):
        store.memoize()(3)  # type: ignore[arg-type]
