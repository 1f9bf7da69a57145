"""Many sets in one commit: as each one's documentation says to write many at once."""

from __future__ import annotations

import random
from collections.abc import Iterator

from peers.records import record, records
from peers.rounds import Bench, Group, Task, Work
from peers.side import Side
from peers.subjects import PLAIN

WHO = ("dsfactory", "dsfactory, no LRU", *PLAIN[1:])


def many(bench: Bench) -> Iterator[Group]:
    """Set 10,000 new keys in no order, then update 10,000 of them."""
    entries = bench.at_most(10_000, 50)
    durability = bench.durability(WHO)
    label = f"{entries:,}"
    with bench.opened(WHO) as sides:
        tasks = {name: _new(side, entries) for name, side in sides.items()}
        yield Group("set_many", f"{label} new", bench.interleaved(tasks), durability)
    with bench.opened(WHO) as sides:
        for side in sides.values():
            side.set_many(records(entries, 100))
        tasks = {name: _updates(side, entries) for name, side in sides.items()}
        yield Group("set_many", f"{label} updates", bench.interleaved(tasks), durability)


def _new(side: Side, entries: int) -> Task:
    def ready(turn: int) -> Work:
        numbers = random.Random(turn).sample(range(10**7), entries)
        values = {f"new:{turn}:{n:08d}": record(n, 100) for n in numbers}
        return lambda: side.set_many(values)

    return Task(ready, entries)


def _updates(side: Side, entries: int) -> Task:
    def ready(turn: int) -> Work:
        values = list(records(entries, 100, first=0).items())
        random.Random(turn).shuffle(values)
        changed = {name: record(value.requests + turn, 100) for name, value in values}
        return lambda: side.set_many(changed)

    return Task(ready, entries)
