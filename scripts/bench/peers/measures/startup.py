"""Cold start: a fresh process that imports, opens a store that is there, and gets one value."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from dsfactory.clock import ticks_ns
from peers.records import key, records
from peers.rounds import Bench, Group, Sample, rotated
from peers.side import USUAL
from peers.subjects import PLAIN

NOTHING = "an empty Python"


def startup(bench: Bench) -> Iterator[Group]:
    """Start everybody in turns. The figure is milliseconds."""
    with ExitStack() as stack:
        programs = {}
        for subject in bench.chosen(PLAIN[:1] if bench.quick else PLAIN):
            place = stack.enter_context(bench.place())
            side = subject.open(place, USUAL)
            side.set_many(records(1000, 100))
            side.close()
            programs[subject.name] = f"place, key = {str(place)!r}, {key(7)!r}\n{subject.cold}"
        programs[NOTHING] = "pass"
        samples: dict[str, list[Sample]] = {name: [] for name in programs}
        for turn in range(1 if bench.quick else bench.rounds + 1):
            for name in rotated(list(programs), turn):
                samples[name].append(run(programs[name]))
        samples = {name: all_of[-bench.rounds :] for name, all_of in samples.items()}
    yield Group("cold start", "", samples, bench.durability(PLAIN), "ms")


def run(program: str) -> Sample:
    """Run *program* in a fresh interpreter."""
    # As installed packages are: with compiled bytecode.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[4])
    before, started = children_cpu_us(), ticks_ns()
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    return Sample((ticks_ns() - started) / 1e6, children_cpu_us() - before)


def children_cpu_us() -> float:
    """Return the processor time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1e6
