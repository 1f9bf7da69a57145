"""How cost grows: gets and sets of random keys in stores of 1,000 to 1,000,000 entries."""

from __future__ import annotations

import random
from collections.abc import Iterator

from peers.measures.gets import reading
from peers.measures.sets import writing
from peers.records import key, record, records
from peers.rounds import Bench, Group, Task, Work, say
from peers.side import Side
from peers.subjects import PLAIN

STEP = 10_000
WHO = tuple(name for name in PLAIN if name != "dbm.sqlite3")
"""dbm.sqlite3 commits every entry by itself: a million would take an hour."""


def growth(bench: Bench) -> Iterator[Group]:
    """Fill, measure, fill on. Every round asks for other keys; none is asked for twice in it."""
    durability = bench.durability(WHO)
    held = 0
    with bench.opened(WHO) as sides:
        for entries in (100, 200) if bench.quick else (1000, 10_000, 100_000, 1_000_000):
            fill(sides, held, entries)
            held = entries
            gets, sets = (min(n, held) for n in (bench.at_most(1000, 20), bench.at_most(200, 5)))
            label = f"{held:,} entries"
            tasks = {name: _gets(side, held, gets) for name, side in sides.items()}
            yield Group("growth, get", label, bench.interleaved(tasks), durability)
            tasks = {name: _sets(side, held, sets) for name, side in sides.items()}
            yield Group("growth, set", label, bench.interleaved(tasks), durability)


def fill(sides: dict[str, Side], first: int, end: int) -> None:
    """Make everybody hold the entries up to *end*."""
    if end - first > STEP * 10:
        say(f"  filling {len(sides)} stores with {end:,} entries ...")
    for start in range(first, end, STEP):
        values = records(min(STEP, end - start), 100, first=start)
        for side in sides.values():
            side.set_many(values)


def _gets(side: Side, held: int, gets: int) -> Task:
    def ready(turn: int) -> Work:
        numbers = random.Random(turn).sample(range(held), gets)
        return reading(side.get, [key(n) for n in numbers])

    return Task(ready, gets)


def _sets(side: Side, held: int, sets: int) -> Task:
    def ready(turn: int) -> Work:
        numbers = random.Random(turn).sample(range(held), sets)
        return writing(side, {key(n): record(n + turn, 100) for n in numbers})

    return Task(ready, sets)
