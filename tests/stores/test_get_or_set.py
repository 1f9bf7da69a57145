"""get_or_set: one thread computes, the others wait for what it finds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Barrier, Event
from typing import Any

import pytest
from contract.common import MakeStore, Store, in_threads, nothing_written, stranger

import dsfactory as ds


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    """A cache."""
    return make_store("cache")


def never() -> object:
    """Fail: the value should have been there."""
    raise AssertionError("computed although the value was there")


def test_value_that_is_there(store: Store) -> None:
    """What is there is returned, None included, and nothing is computed or written."""
    store.update({"a": 1, "none": None})
    with nothing_written(store):
        assert store.get_or_set("a", never) == 1
        assert store.get_or_set("none", never) is None


def test_value_that_is_absent(store: Store, clock: ds.ManualClock) -> None:
    """An absent value is computed once and stored, with the ttl that was given."""
    assert store.get_or_set("k", lambda: [1], ttl=1000) == [1]
    assert store.get_or_set("k", never) == [1]
    assert store.ttl("k") == 1000
    clock.advance(1000)
    assert store.get_or_set("k", lambda: [2], ttl="never") == [2]
    assert store.ttl("k") is None


def test_threads_wait_for_one(store: Store) -> None:
    """Of the threads that ask for one absent key, one computes and all get its value."""
    together, release = Barrier(5), Event()
    computed: list[int] = []
    got: list[object] = []

    def compute() -> int:
        computed.append(1)
        assert release.wait(10)
        return len(computed)

    def ask() -> None:
        together.wait(10)
        got.append(store.get_or_set("k", compute))

    def let_go() -> None:
        together.wait(10)
        release.set()

    in_threads(*[ask] * 4, let_go)
    assert computed == [1]
    assert got == [1] * 4
    assert store["k"] == 1


def test_keys_do_not_wait_for_each_other(store: Store) -> None:
    """While one key is computed, another can be: each needs the other here."""
    began = {"a": Event(), "b": Event()}

    def compute(key: str, other: str) -> str:
        began[key].set()
        assert began[other].wait(10)
        return key

    in_threads(
        lambda: store.get_or_set("a", partial(compute, "a", "b")),
        lambda: store.get_or_set("b", partial(compute, "b", "a")),
    )
    assert store == {"a": "a", "b": "b"}


def test_function_that_fails(store: Store) -> None:
    """The caller gets the exception; nothing is stored, and the next one computes."""
    with pytest.raises(ZeroDivisionError):
        store.get_or_set("k", lambda: 1 // 0)
    assert len(store) == 0
    assert store.get_or_set("k", lambda: 2) == 2


def test_waiting_thread_takes_over(store: Store) -> None:
    """When the one that computes fails, one of those that wait computes."""
    computing, asked = Event(), Event()
    got: list[object] = []

    def fail() -> int:
        computing.set()
        assert asked.wait(10)
        raise ZeroDivisionError

    def first() -> None:
        with pytest.raises(ZeroDivisionError):
            store.get_or_set("k", fail)

    def second() -> None:
        assert computing.wait(10)
        asked.set()
        got.append(store.get_or_set("k", lambda: 2))

    in_threads(first, second)
    assert got == [2]
    assert store["k"] == 2


def test_function_that_uses_store(store: Store) -> None:
    """The function may use the store, for other keys of get_or_set as well."""

    def compute() -> int:
        return 1 + store.get_or_set("inner", lambda: 1)

    assert store.get_or_set("outer", compute) == 2
    assert store == {"inner": 1, "outer": 2}


def test_function_runs_outside_of_transaction(store: Store) -> None:
    """Another thread can write while the value is computed."""

    def compute() -> int:
        in_threads(lambda: store.set("other", 1))
        return 2

    assert store.get_or_set("k", compute) == 2
    assert store["other"] == 1


@pytest.mark.parametrize(
    ("compute", "error"),
    [(object, ds.ValueShapeError), (lambda: "v" * 2000, ds.ValueTooLargeError)],
)
def test_value_that_is_refused(
    make_store: MakeStore, compute: Callable[[], Any], error: type[Exception]
) -> None:
    """A computed value that cannot be stored is refused, and the key is free again."""
    store = make_store("state", max_value_bytes=1000)
    with pytest.raises(error):
        store.get_or_set("k", compute)
    assert len(store) == 0
    assert store.get_or_set("k", lambda: 1) == 1


def test_nothing_left_behind(store: Store) -> None:
    """No lock and no lease is kept for a key that nobody computes."""
    for number in range(10):
        store.get_or_set(number, lambda: 1)
    with pytest.raises(ZeroDivisionError):
        store.get_or_set("k", lambda: 1 // 0)
    assert store._flights._flying == {}
    with stranger(store) as other:
        assert other.execute("SELECT * FROM lease").fetchall() == []
