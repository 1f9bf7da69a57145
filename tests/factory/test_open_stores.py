"""Which stores a factory has open, and looking at those that it has not."""

from __future__ import annotations

from pathlib import Path

import pytest

import dsfactory as ds


def test_open_stores_are_told_by_name(factory: ds.DataStoreFactory) -> None:
    """The open handles themselves, by name; one that failed is among them until it is let go."""
    later = factory.create_cache_store("later")
    early = factory.create_state_store("early")
    assert factory.open_stores() == [early, later]
    early._database.close()  # as after a failed fsync
    assert [store.closed for store in factory.open_stores()] == [True, False]
    early.close()
    assert factory.open_stores() == [later]


def test_looking_leaves_no_trace(tmp_path: Path, clock: ds.ManualClock) -> None:
    """A store that is looked at is read as it is, takes no write, and is not open afterwards."""
    with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=clock) as factory:
        factory.create_state_store("users")["eve"] = 1
        before = factory.get_registered_store("users")
    with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=clock) as factory:
        clock.advance(86_400_000)
        with factory.look("users") as store:
            assert store["eve"] == 1
            with pytest.raises(ds.ReadOnlyError):
                store["eve"] = 2
        assert factory.open_stores() == []
        assert factory.get_registered_store("users") == before


def test_closed_factory_has_no_stores(tmp_path: Path) -> None:
    """A closed factory refuses to tell."""
    factory = ds.DataStoreFactory(tmp_path, maintenance="manual")
    factory.close()
    with pytest.raises(ds.ClosedError):
        factory.open_stores()
