"""File sizes: after filling and closing, and of a cache after many sets that each evicted one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from dsfactory.engine import Settings, open_connection
from peers.records import SIZES, encode, records
from peers.rounds import Bench, Group, Sample, say
from peers.side import USUAL, Wanted
from peers.subjects import PLAIN

CHURN_COMMIT = 100
SLACK = 4 * 1024 * 1024
ALLOWED = "allowed: 1.2 x live + 4 MiB"


def sizes(bench: Bench) -> Iterator[Group]:
    """Measure bytes in megabytes of everything in the directory."""
    for case in ("100 B", "1 KB"):
        values = records(bench.at_most(10_000, 100), SIZES[case])
        samples = {}
        for subject in bench.chosen(PLAIN):
            with bench.place() as place:
                side = subject.open(place, USUAL)
                side.set_many(values)
                side.close()
                samples[subject.name] = [Sample(weight(place) / 1e6)]
        payload = sum(len(name) + len(encode(value)) for name, value in values.items())
        samples["keys and values alone"] = [Sample(payload / 1e6)]
        yield Group("file size", f"{len(values):,} x {case}", samples, {}, "MB")
    if "dsfactory" in bench.subjects:
        yield churned(bench)


def weight(place: Path) -> int:
    """Return the bytes that are taken on disk, of holes nothing."""
    found = [path.stat() for path in place.rglob("*") if path.is_file()]
    return sum(min(status.st_size, status.st_blocks * 512) for status in found)


def churned(bench: Bench) -> Group:
    """Set new keys into a full cache; weigh it while it is open, WAL included, unmaintained."""
    entries, sets = bench.at_most(10_000, 50), bench.at_most(1_000_000, 500)
    step = min(CHURN_COMMIT, entries)
    if not bench.quick:
        say(f"  {sets:,} sets, each evicting one ...")
    with ExitStack() as stack:
        side = stack.enter_context(bench.opened(["dsfactory"], Wanted(limit=entries)))["dsfactory"]
        for first in range(0, sets, step):
            side.set_many(records(step, 100, first=first))
        path = Path(side.inside.path)
        held = path.stat().st_size + path.with_name(path.name + "-wal").stat().st_size
        packed = stack.enter_context(bench.place()) / "packed.db"
        connection = open_connection(path, Settings())
        stack.callback(connection.close)
        connection.pragma("query_only", "off")
        connection.execute("VACUUM INTO ?", (str(packed),))
        allowed = 1.2 * packed.stat().st_size + SLACK
    samples = {"dsfactory": [Sample(held / 1e6)], ALLOWED: [Sample(allowed / 1e6)]}
    return Group("file size", f"{sets:,} sets, {step} a commit", samples, {}, "MB")
