"""Gets: of values read before, of keys that are absent, and of a store that was just opened."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

from peers.records import SIZES, Record, records
from peers.rounds import Bench, Group, Task, Work
from peers.side import USUAL, Side, Subject
from peers.subjects import PLAIN

ENTRIES = {"100 B": 5000, "1 KB": 2000, "20 KB": 400}
PASSES = 4
"""A round is long enough that what the one before left in the processor's caches counts little."""
COLD = ("dsfactory", "dsfactory, no hot tier", *PLAIN[1:])


def reading(get: Callable[[str], object], keys: list[str]) -> Work:
    """Return what gets every one of *keys*."""

    def work() -> None:
        for key in keys:
            get(key)

    return work


def hit_and_miss(bench: Bench) -> Iterator[Group]:
    """Get what is there, again and again, and what is not."""
    durability = bench.durability(PLAIN)
    for case, size_bytes in SIZES.items():
        values = records(bench.at_most(ENTRIES[case], 50), size_bytes)
        keys = random.Random(2).sample(list(values), len(values)) * PASSES
        with bench.opened(PLAIN) as sides:
            for name, side in sides.items():
                side.set_many(values)
                check(name, side, values)
            yield Group("get hit", case, bench.interleaved(tasks(sides, keys)), durability)
            if case == "100 B":
                absent = [f"absent:{key}" for key in keys]
                found = bench.interleaved(tasks(sides, absent))
                yield Group("get miss", "", found, durability)


def tasks(sides: dict[str, Side], keys: list[str]) -> dict[str, Task]:
    """Return the same reads for everybody."""
    works = {name: reading(side.get, keys) for name, side in sides.items()}
    return {name: Task(partial(same, work), len(keys)) for name, work in works.items()}


def same(work: Work, _turn: int) -> Work:
    """Return *work*, which is the same in every round."""
    return work


def check(name: str, side: Side, values: dict[str, Record]) -> None:
    """Make sure that everybody hands out the same typed values, and warm up."""
    for key, value in values.items():
        if side.get(key) != value:
            raise SystemExit(f"{name}: the value of {key} is not what was set")


def cold(bench: Bench) -> Iterator[Group]:
    """Open the store anew each round and get every value once: no memory helps but the system's."""
    for case in ("100 B", "1 KB"):
        values = records(bench.at_most(ENTRIES[case], 50), SIZES[case])
        keys = random.Random(3).sample(list(values), len(values))
        with ExitStack() as stack:
            subjects = {s.name: s for s in bench.chosen(COLD)}
            asked = {
                name: _reopening(bench, stack, subject, values, keys)
                for name, subject in subjects.items()
            }
            yield Group("get cold", case, bench.interleaved(asked), bench.durability(COLD))


def _reopening(
    bench: Bench, stack: ExitStack, subject: Subject, values: dict[str, Record], keys: list[str]
) -> Task:
    place = stack.enter_context(bench.place())
    side = subject.open(place, USUAL)
    side.set_many(values)
    side.close()
    opened: list[Side] = []

    def ready(_turn: int) -> Work:
        opened.append(subject.open(place, USUAL))
        opened[-1].get("absent")  # what connects only when it is asked is connected now
        return reading(opened[-1].get, keys)

    return Task(ready, len(keys), after=lambda _turn: opened.pop().close())
