"""Sets, each a commit of its own: updates and new keys; and the same with every commit synced."""

from __future__ import annotations

import random
from collections.abc import Iterator

from peers.records import SIZES, Record, key, record, records
from peers.rounds import Bench, Group, Task, Work
from peers.side import Side, Wanted
from peers.subjects import PLAIN

WHO = ("dsfactory", "dsfactory, no LRU", *PLAIN[1:])
ENTRIES = {"100 B": 10_000, "1 KB": 2000, "20 KB": 400}
SETS = {"100 B": 400, "1 KB": 300, "20 KB": 100}


def writing(side: Side, values: dict[str, Record]) -> Work:
    """Return what sets every one of *values*."""
    put, pairs = side.set, list(values.items())

    def work() -> None:
        for name, value in pairs:
            put(name, value)

    return work


def single(bench: Bench) -> Iterator[Group]:
    """Update values of each size, and set new keys."""
    durability = bench.durability(WHO)
    for case, size_bytes in SIZES.items():
        entries = bench.at_most(ENTRIES[case], 30)
        sets = bench.at_most(SETS[case], 10)
        with bench.opened(WHO) as sides:
            for side in sides.values():
                side.set_many(records(entries, size_bytes))
            found = bench.interleaved(
                {name: _updates(side, entries, sets, size_bytes) for name, side in sides.items()}
            )
            yield Group("set", f"{case}, update", found, durability)
            if case == "100 B":
                new = {name: _new(side, sets) for name, side in sides.items()}
                yield Group("set", f"{case}, new key", bench.interleaved(new), durability)


def _updates(side: Side, entries: int, sets: int, size_bytes: int) -> Task:
    def ready(turn: int) -> Work:
        chance = random.Random(turn)
        numbers = chance.sample(range(entries), sets)
        return writing(side, {key(n): record(n + turn, size_bytes) for n in numbers})

    return Task(ready, sets)


def _new(side: Side, sets: int) -> Task:
    def ready(turn: int) -> Work:
        numbers = random.Random(turn).sample(range(10**7), sets)
        return writing(side, {f"new:{turn}:{n:08d}": record(n, 100) for n in numbers})

    return Task(ready, sets)


def synced(bench: Bench) -> Iterator[Group]:
    """Update small values where each commit waits for the disk; ours is a state store."""
    wanted = Wanted(synced=True)
    entries, sets = bench.at_most(2000, 30), bench.at_most(60, 5)
    with bench.opened(PLAIN, wanted) as sides:
        for side in sides.values():
            side.set_many(records(entries, 100))
        tasks = {name: _updates(side, entries, sets, 100) for name, side in sides.items()}
        found = bench.interleaved(tasks)
    yield Group("set, synced", "100 B, update", found, bench.durability(PLAIN, wanted))
