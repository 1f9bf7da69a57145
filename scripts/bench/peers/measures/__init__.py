"""What is measured: one module each, one row here, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from peers.measures import behind, gets, growth, limits, many, processes, sets, sizes, startup
from peers.rounds import Bench, Group

MEASURES: dict[str, Callable[[Bench], Iterator[Group]]] = {
    "get": gets.hit_and_miss,
    "cold": gets.cold,
    "set": sets.single,
    "synced": sets.synced,
    "many": many.many,
    "behind": behind.behind,
    "processes": processes.mixed,
    "growth": growth.growth,
    "limits": limits.limits,
    "startup": startup.startup,
    "sizes": sizes.sizes,
}
