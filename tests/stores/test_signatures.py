"""Who changed a config store and why: signatures by call, block, thread and transaction."""

from __future__ import annotations

import getpass
from typing import Any

import pytest
from contract.common import MakeStore, in_threads, nothing_written

import dsfactory as ds

Config = ds.ConfigStore[Any]


@pytest.fixture
def store(make_store: MakeStore) -> Config:
    """A config store for any value."""
    made = make_store("config")
    assert isinstance(made, ds.ConfigStore)
    return made


def signatures(store: Config, key: ds.Key = "document") -> list[tuple[str | None, str | None]]:
    """Who and why of each version, oldest first."""
    return [(version.who, version.why) for version in reversed(store.history(key))]


def test_signed_nesting(store: Config) -> None:
    """An inner signature hides the outer one, part by part, until its block ends."""
    with store.signed("ann", "work"):
        store.save(1)
        with store.signed("bob"):
            store.save(2)
        with store.signed(why="detail"):
            store.save(3)
        store.save(4, who="eve")
        store.save(5)
    store.save(6)
    assert signatures(store) == [
        ("ann", "work"),
        ("bob", "work"),
        ("ann", "detail"),
        ("eve", "work"),
        ("ann", "work"),
        (getpass.getuser(), None),
    ]


def test_signed_ends_with_exception(store: Config) -> None:
    """A block that fails leaves no signature behind."""
    with pytest.raises(ZeroDivisionError), store.signed("ann"):
        raise ZeroDivisionError
    store.save(1)
    assert signatures(store) == [(getpass.getuser(), None)]


def test_signed_per_thread(store: Config) -> None:
    """A signature is the thread's own."""
    with store.signed("ann"):
        in_threads(lambda: store.save(1))
        store.save(2)
    assert signatures(store) == [(getpass.getuser(), None), ("ann", None)]


def test_signed_transaction(store: Config) -> None:
    """A signature around a transaction signs all of it."""
    with store.signed("ann", "all"), store.transaction():
        store.save(1)
        store.set("k", 2)
        del store["k"]
    assert signatures(store) == [("ann", "all")]
    assert signatures(store, "k") == [("ann", "all")] * 2


def test_signatures_inside_transaction(store: Config) -> None:
    """Inside of a transaction every save keeps the signature that it was given."""
    store.save(0)
    with store.transaction():
        store.save(1, who="ann", why="first")
        store.save(2)
        with store.signed("bob"):
            store.set("k", 3)
        store.rollback(1, who="eve")
    nobody = (getpass.getuser(), None)
    assert signatures(store) == [nobody, ("ann", "first"), nobody, ("eve", None)]
    assert signatures(store, "k") == [("bob", None)]


def test_failed_block_inside_transaction(store: Config) -> None:
    """What a signed block did before it failed is its own, when the transaction goes on."""

    def fail() -> None:
        with store.signed("ann"):
            store.save(1)
            raise ZeroDivisionError

    with store.transaction():
        with pytest.raises(ZeroDivisionError):
            fail()
        store.save(2)
    assert signatures(store) == [("ann", None), (getpass.getuser(), None)]


def test_signature_after_undone_block(store: Config) -> None:
    """Changes that follow an undone block are signed like all others."""
    with store.transaction():
        with store.transaction():
            store.save(1, who="ann")
            store.save(2, who="ann")
            raise ds.Rollback
        store.save(3)
    assert signatures(store) == [(getpass.getuser(), None)]
    assert all(version.sha256 for version in store.history())


def test_versions_inside_transaction(store: Config) -> None:
    """A transaction sees its own versions; undone, none of them is left."""
    store.save(1)
    with store.transaction():
        store.save(2)
        assert [version.value for version in store.history()] == [2, 1]
        with store.transaction():
            store.rollback(1)
            raise ds.Rollback
        assert store.load() == 2
        store.save(3)
    assert [(v.version, v.value) for v in store.history()] == [(3, 3), (2, 2), (1, 1)]
    with store.transaction():
        store.save(4)
        raise ds.Rollback
    assert len(store.history()) == 3
    assert all(version.sha256 for version in store.history())


@pytest.mark.parametrize("who", [b"bytes", 5, "\ud800"])
def test_signature_refused(store: Config, who: Any) -> None:
    """Who and why are text."""
    with nothing_written(store), pytest.raises(ds.UsageError, match="who"):
        store.save(1, who=who)
    with nothing_written(store), pytest.raises(ds.UsageError, match="why"):
        store.save(1, why=who)


def test_unknown_user(monkeypatch: pytest.MonkeyPatch, store: Config) -> None:
    """A process whose user has no name signs as unknown."""

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", nameless)
    store.save(1)
    assert signatures(store) == [("unknown", None)]
