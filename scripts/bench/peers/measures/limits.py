"""Eviction under pressure: sets of new keys into a store that is full, beside one that is not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack

from peers.measures.growth import STEP
from peers.measures.sets import writing
from peers.records import record, records
from peers.rounds import Bench, Group, Task, Work, say
from peers.side import Side, Wanted

WHO = ("dsfactory", "diskcache")
SLOW = 100_000
"""More than this only ours is filled with: diskcache takes minutes for a million."""


def limits(bench: Bench) -> Iterator[Group]:
    """Measure at every size. Both stores of a pair hold as many entries in every round."""
    for entries in (100,) if bench.quick else (1000, 10_000, 100_000, 1_000_000):
        names = [n for n in WHO if n in bench.subjects and (n == WHO[0] or entries <= SLOW)]
        sets = bench.at_most(max(20, min(500, entries // 5)), 5)
        with ExitStack() as stack:
            tasks = {}
            for name in names:
                below = stack.enter_context(bench.opened([name], Wanted(limit=10 * entries)))[name]
                at = stack.enter_context(bench.opened([name], Wanted(limit=entries)))[name]
                fill(below, entries)
                fill(at, entries)
                restrict(name, at)
                tasks[f"{name}, below"] = _sets(below, sets, undo=True)
                tasks[f"{name}, at the limit"] = _sets(at, sets, undo=False)
            found = bench.interleaved(tasks)
        durability = {
            f"{name}, {where}": text
            for name, text in bench.durability(names).items()
            for where in ("below", "at the limit")
        }
        yield Group("eviction", f"{entries:,} entries", found, durability)


def fill(side: Side, entries: int) -> None:
    """Set as many entries."""
    if entries > SLOW:
        say(f"  filling a store with {entries:,} entries ...")
    for start in range(0, entries, STEP):
        side.set_many(records(min(STEP, entries - start), 100, first=start))


def restrict(name: str, side: Side) -> None:
    """Let diskcache hold what it holds and no more: its limit is the size of its file."""
    if name == "diskcache":
        side.inside.reset("size_limit", side.inside.volume())


def _sets(side: Side, sets: int, *, undo: bool) -> Task:
    def names(turn: int) -> list[str]:
        return [f"new:{n:016x}" for n in random.Random(turn).sample(range(2**60), sets)]

    def ready(turn: int) -> Work:
        return writing(side, {name: record(n, 100) for n, name in enumerate(names(turn))})

    def after(turn: int) -> None:
        if undo:
            side.delete_many(names(turn))

    return Task(ready, sets, after)
