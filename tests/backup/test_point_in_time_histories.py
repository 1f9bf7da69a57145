"""Any history of a store can be restored to the moment of any of its commits."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_tools import Content, Recorded, made, opened_as_store, recorded

import dsfactory as ds
from dsfactory.backup.moments.stretches import Base

Step = tuple[Any, ...]

KEYS = st.sampled_from(["a", "b", 3, b"c"])
VALUES = st.one_of(st.integers(-5, 5), st.text("xyz", max_size=3), st.just("long " * 600))

CHANGES = st.one_of(
    st.tuples(st.just("set"), KEYS, VALUES, st.sampled_from([(), ("t",), ("t", "u")])),
    st.tuples(st.just("set_ttl"), KEYS, VALUES, st.integers(1, 40)),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("clear")),
    st.tuples(st.just("update"), KEYS),
    st.tuples(st.just("touch"), KEYS),
    st.tuples(st.just("evict_tag"), st.just("t")),
)
STEPS = st.one_of(
    CHANGES,
    st.tuples(st.just("transaction"), st.lists(CHANGES, max_size=4), st.booleans()),
    st.tuples(st.just("advance"), st.integers(0, 30)),
    st.tuples(st.just("expire")),
    st.tuples(st.just("ship")),
    st.tuples(st.just("base")),
)


def change(store: ds.DataStore[Any], step: Step) -> None:
    """Do one change; what the kind of store has no feature for is passed over."""
    name, *rest = step
    if name == "set":
        store.set(rest[0], rest[1], tags=rest[2])
    elif name == "set_ttl" and "expiry" in store.options.features:
        store.set(rest[0], rest[1], ttl=rest[2])
    elif name == "update":
        store.update_with(rest[0], lambda value: [value][:1], default="none")
    elif name == "touch" and "expiry" in store.options.features:
        store.touch(rest[0], 1000)
    elif name in ("delete", "clear", "evict_tag"):
        getattr(store, name)(*rest)


def transaction(store: ds.DataStore[Any], changes: list[Step], *, undone: bool) -> None:
    """Do several changes at once, the last of them in a savepoint that is undone."""
    with store.transaction():
        for each in changes[:-1]:
            change(store, each)
        with store.transaction():
            for each in changes[-1:]:
                change(store, each)
            if undone:
                raise ds.Rollback
    # Wholly undone: nothing of it may be replayed.
    with contextlib.suppress(ValueError), store.transaction():
        for each in changes:
            change(store, each)
        raise ValueError


class Story:
    """Plays steps on a store that two handles have open, and remembers each moment."""

    def __init__(self, kind: str, root: Path) -> None:
        self.clock = ds.ManualClock()
        self.factories = [
            ds.DataStoreFactory(root / "data", maintenance="manual", clock=self.clock)
            for _ in range(2)
        ]
        options: dict[str, Any] = {"pitr": "24h", "synchronous": "NORMAL"}
        if kind == "config":
            options["max_versions"] = 3
        self.handles = [made(factory, kind, **options) for factory in self.factories]
        self.means: Recorded = recorded(self.factories[0], "s", root / "scratch", self.clock)
        self.bases: list[Base] = [self.means.base("first")]
        self.moments: dict[int, tuple[Content, dict[Any, Any]]] = {}

    def play(self, turn: int, step: Step) -> None:
        """Do one step with one of the handles."""
        store = self.handles[turn % 2]
        name, *rest = step
        if name == "advance":
            self.clock.advance(rest[0])
        elif name == "ship":
            self.means.ship()
        elif name == "base":
            self.bases.append(self.means.base(f"after-{turn}"))
        elif name == "expire":
            store.expire()
        elif name == "transaction":
            transaction(store, rest[0], undone=rest[1])
        else:
            change(store, step)
        self.moments[self.clock.now_ms()] = (self.means.content(), dict(store.items()))

    def end(self) -> None:
        """Close everything."""
        for factory in self.factories:
            factory.close()


@pytest.mark.parametrize("kind", ["state", "config"])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(st.tuples(st.integers(0, 1), STEPS), min_size=1, max_size=14))
def test_restore_to_every_moment(kind: str, steps: list[tuple[int, Step]]) -> None:
    """Restored to any moment, a store has the rows of that moment, each to the bit."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        story = Story(kind, root)
        try:
            for n, (handle, step) in enumerate(steps):
                story.play(2 * n + handle, step)
            require_every_moment(kind, story, root)
        finally:
            story.end()


def require_every_moment(kind: str, story: Story, root: Path) -> None:
    """Restore to each moment that was seen, and compare."""
    means = story.means
    means.ship()
    known = means.known(*story.bases)
    for at, (rows, live) in story.moments.items():
        image, _ = means.restored(known, at)
        assert means.content(image) == rows
        clock = ds.ManualClock(at)
        root_then = root / "restored" / str(at)
        with opened_as_store(image, kind, root_then, clock) as factory:
            store = factory.get_store("s")
            assert store.check() == []
            assert dict(store.items()) == live
        shutil.rmtree(root_then)
