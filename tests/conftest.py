"""What every test may use. A store handed out here is checked when the test has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import dsfactory as ds

# Enough to find what is wrong over many runs; `--hypothesis-profile=long` looks harder at once.
settings.register_profile("short", max_examples=30, deadline=None)
settings.register_profile("long", max_examples=1000, deadline=None)
settings.load_profile("short")


@pytest.fixture
def clock() -> ds.ManualClock:
    """A clock that moves only when the test says so."""
    return ds.ManualClock()


@pytest.fixture
def factory(tmp_path: Path, clock: ds.ManualClock) -> Iterator[ds.DataStoreFactory]:
    """A factory without a maintenance thread; every store left open is checked at the end."""
    with ds.DataStoreFactory(tmp_path / "data", maintenance="manual", clock=clock) as made:
        yield made
        for record in made.get_registered_stores():
            if record.path.exists() and record.path.stat().st_size:
                assert made.get_store(record.name).check() == []


@pytest.fixture
def make_store(factory: ds.DataStoreFactory) -> Callable[..., ds.DataStore[Any]]:
    """Make a store of a kind by its name: make_store("cache", max_entries=3)."""

    def make(kind: str, name: str = "under-test", **options: Any) -> ds.DataStore[Any]:
        if kind == "config" and "schema" not in options:
            options.setdefault("validator", lambda _value: True)
        return getattr(factory, f"create_{kind}_store")(name, **options)

    return make
