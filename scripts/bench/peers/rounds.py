"""Interleaved rounds: everybody does the same work in turns, and who begins changes each time."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import NamedTuple

from dsfactory.clock import cpu_ns, ticks_ns
from peers.side import USUAL, Side, Subject, Wanted

Work = Callable[[], object]


class Sample(NamedTuple):
    """What one round found: a figure in the unit of its group, and processor time if there is."""

    figure: float
    cpu_us: float | None = None


class Task(NamedTuple):
    """What one subject does in every round."""

    ready: Callable[[int], Work]
    """Given the round, prepare and return what is timed."""
    operations: int
    after: Callable[[int], object] = lambda _turn: None
    """Given the round, clean up; not timed."""


class Group(NamedTuple):
    """Samples of the same work, by subject; the first is what the others are compared with."""

    measure: str
    case: str
    samples: dict[str, list[Sample]]
    durability: Mapping[str, str]
    unit: str = "us"


@dataclass(slots=True)
class Bench:
    """What the measures work with."""

    root: Path
    subjects: dict[str, Subject]
    rounds: int
    quick: bool
    _places: Iterator[int] = field(default_factory=count)

    def at_most(self, full: int, quick: int) -> int:
        """Return *full*, or in the short form *quick*."""
        return quick if self.quick else full

    def chosen(self, names: Iterable[str], wanted: Wanted = USUAL) -> list[Subject]:
        """Return those of *names* that are there, and that can be opened as *wanted*."""
        there = [self.subjects[name] for name in names if name in self.subjects]
        return [s for s in there if not wanted.synced or s.durability_synced]

    @contextmanager
    def place(self) -> Iterator[Path]:
        """Give a new directory, removed afterwards."""
        path = self.root / f"{next(self._places):03d}"
        path.mkdir(parents=True)
        try:
            yield path
        finally:
            shutil.rmtree(path)

    @contextmanager
    def opened(self, names: Iterable[str], wanted: Wanted = USUAL) -> Iterator[dict[str, Side]]:
        """Open those of *names* that are there, each in a directory of its own."""
        with ExitStack() as stack:
            sides = {}
            for subject in self.chosen(names, wanted):
                sides[subject.name] = subject.open(stack.enter_context(self.place()), wanted)
                stack.callback(sides[subject.name].close)
            yield sides

    def durability(self, names: Iterable[str], wanted: Wanted = USUAL) -> dict[str, str]:
        """Return what the report says of each one's durability."""
        return {subject.name: subject.durable(wanted) for subject in self.chosen(names, wanted)}

    def interleaved(self, tasks: Mapping[str, Task]) -> dict[str, list[Sample]]:
        """Let every task run once a round; the first round, which warms up, is not kept."""
        samples: dict[str, list[Sample]] = {name: [] for name in tasks}
        for turn in range(self.rounds + (not self.quick)):
            for name in rotated(list(tasks), turn):
                samples[name].append(timed(tasks[name], turn))
        return {name: all_of[-self.rounds :] for name, all_of in samples.items()}


def rotated(names: list[str], turn: int) -> list[str]:
    """Return *names* from another beginning each turn, and backwards every second time around."""
    start = turn % len(names)
    order = names[start:] + names[:start]
    return order[::-1] if turn // len(names) % 2 else order


def timed(task: Task, turn: int) -> Sample:
    """Run the work of one round; return microseconds an operation, of the wall and of the CPU."""
    work = task.ready(turn)
    started, cpu_started = ticks_ns(), cpu_ns()
    work()
    took, cpu_took = ticks_ns() - started, cpu_ns() - cpu_started
    task.after(turn)
    return Sample(took / 1000 / task.operations, cpu_took / 1000 / task.operations)


def say(text: str) -> None:
    """Tell whoever waits how far it is."""
    print(text, file=sys.stderr, flush=True)
