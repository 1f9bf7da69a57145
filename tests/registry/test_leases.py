"""Leases: one owner at a time, for a time, over one directory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import dsfactory as ds
from dsfactory.registry import Registry

MINUTE = 60_000


@pytest.fixture
def take(registry: Registry) -> Callable[[str], bool]:
    """Take the lease "work" for a minute."""
    return lambda owner: registry.take_lease("work", owner, MINUTE)


def test_exclusive(take: Callable[[str], bool]) -> None:
    """While one holds the lease, nobody else gets it."""
    assert [take("a"), take("b"), take("b")] == [True, False, False]


def test_across_registries(open_registry: Callable[[], Registry]) -> None:
    """The lease is the directory's: another handle sees it too."""
    first, second = open_registry(), open_registry()
    assert first.take_lease("work", "a", MINUTE)
    assert not second.take_lease("work", "b", MINUTE)


def test_by_name(registry: Registry) -> None:
    """Leases of different names have nothing to do with each other."""
    assert registry.take_lease("one", "a", MINUTE)
    assert registry.take_lease("two", "b", MINUTE)


def test_renewal(take: Callable[[str], bool], clock: ds.ManualClock) -> None:
    """Its holder renews it, from then on for the whole time."""
    assert take("a")
    clock.advance(MINUTE - 1)
    assert take("a")
    clock.advance(MINUTE - 1)
    assert not take("b")
    assert take("a")


@pytest.mark.parametrize(("passed", "free"), [(MINUTE - 1, False), (MINUTE, True)])
def test_expiry(
    take: Callable[[str], bool], clock: ds.ManualClock, passed: int, free: bool
) -> None:
    """A lease that was not renewed is free when its time is up, and not before."""
    assert take("a")
    clock.advance(passed)
    assert take("b") is free
    assert take("a") is not free


def test_drop(take: Callable[[str], bool], registry: Registry) -> None:
    """A lease that was given back is free at once."""
    assert take("a")
    registry.drop_lease("work", "a")
    assert take("b")


def test_drop_by_another(take: Callable[[str], bool], registry: Registry) -> None:
    """Nobody gives back a lease that is not theirs; an unknown one is no error."""
    assert take("a")
    registry.drop_lease("work", "b")
    registry.drop_lease("nothing", "a")
    assert not take("b")


def test_survives_its_process(open_registry: Callable[[], Registry]) -> None:
    """A lease outlives the handle that took it: closing gives nothing back."""
    registry = open_registry()
    assert registry.take_lease("work", "a", MINUTE)
    registry.close()
    assert not open_registry().take_lease("work", "b", MINUTE)


def test_clock_set_back(take: Callable[[str], bool], clock: ds.ManualClock) -> None:
    """A dead holder's lease lasts no longer because the clock was set back."""
    assert take("a")
    clock.advance(-365 * 24 * 60 * MINUTE)
    clock.advance(MINUTE)
    assert take("b")
