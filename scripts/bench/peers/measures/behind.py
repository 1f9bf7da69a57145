"""Sets that are written behind: what the caller waits for, and until all is committed."""

from __future__ import annotations

from collections.abc import Iterator

from peers.measures.sets import writing
from peers.records import records
from peers.rounds import Bench, Group, Task, Work
from peers.side import Side

WHO = ("dsfactory, write-behind", "dsfactory", "LMDB", "diskcache")


def behind(bench: Bench) -> Iterator[Group]:
    """Set new keys, with and without waiting at the end; who writes at once has nothing to wait."""
    sets = bench.at_most(3000, 20)
    durability = bench.durability(WHO)
    for case, waits in (("calls", False), ("calls and flush", True)):
        with bench.opened(WHO) as sides:
            tasks = {name: _sets(side, sets, waits) for name, side in sides.items()}
            yield Group("set behind", case, bench.interleaved(tasks), durability)


def _sets(side: Side, sets: int, waits: bool) -> Task:
    def ready(turn: int) -> Work:
        work = writing(side, records(sets, 100, first=turn * sets))

        def whole() -> None:
            work()
            side.flush()

        return whole if waits else work

    return Task(ready, sets, after=lambda _turn: side.flush())
