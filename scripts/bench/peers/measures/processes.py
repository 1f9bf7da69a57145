"""Gets and sets by several processes on one store, as fast as they can: nine gets to a set by 1, 2,
4 and 8 processes, and 99 to a set by four."""

from __future__ import annotations

import multiprocessing
import queue
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dsfactory.clock import cpu_ns, ticks_ns
from peers.records import Record, key, record, records
from peers.rounds import Bench, Group, Sample, rotated, say
from peers.side import USUAL, Side
from peers.subjects import PLAIN, SUBJECTS

BLOCK = 20
PATIENCE_S = 90.0


class Task(NamedTuple):
    """What each process does."""

    entries: int
    run_ms: int
    operations_a_set: int


def mixed(bench: Bench) -> Iterator[Group]:
    """Let them run for the same time; the figure is microseconds an operation of all together."""
    names = [subject.name for subject in bench.chosen(PLAIN)]
    if bench.quick:  # a process takes a fifth of a second to start
        names = names[:1]
    often = Task(bench.at_most(5000, 50), bench.at_most(600, 10), 10)
    seldom = often._replace(operations_a_set=100)
    measures = [("mixed 90/10", often, n) for n in ((1,) if bench.quick else (1, 2, 4, 8))]
    if not bench.quick:
        measures.append(("mixed 99/1", seldom, 4))
    for measure, task, processes in measures:
        samples: dict[str, list[Sample]] = {name: [] for name in names}
        for turn in range(1 if bench.quick else 3):
            for name in rotated(list(samples), turn):
                with bench.place() as place:
                    fill(name, place, task.entries)
                    found = together(name, place, processes, task)
                if isinstance(found, str):
                    say(f"  {processes} processes, {name} is left out: {found}")
                    del samples[name]
                else:
                    samples[name].append(found)
        label = f"{processes} process" + "es" * (processes > 1)
        yield Group(measure, label, samples, bench.durability(names))


def fill(name: str, place: Path, entries: int) -> None:
    """Make what the processes work on."""
    side = SUBJECTS[name].open(place, USUAL)
    side.set_many(records(entries, 100))
    side.close()


def together(name: str, place: Path, processes: int, task: Task) -> Sample | str:
    """Run as many processes at once; return wall and processor time of one operation.

    Where one of them fails (some give up when others write), return what it said.
    """
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(processes), context.Queue()
    workers = [
        context.Process(target=worker, args=(name, str(place), (n, task), start, answers))
        for n in range(processes)
    ]
    for process in workers:
        process.start()
    try:
        results = [answers.get(timeout=PATIENCE_S) for _ in workers]
    except queue.Empty:
        return f"a process did not answer in {PATIENCE_S:.0f} s"
    finally:
        for process in workers:
            process.join(1)
            process.kill()
    if said := [result for result in results if isinstance(result, str)]:
        return said[0]
    done = sum(result[0] for result in results)
    took_ns = max(end for *_, end in results) - min(begun for _, _, begun, _ in results)
    return Sample(took_ns / 1000 / done, sum(cpu for _, cpu, _, _ in results) / 1000 / done)


def worker(name: str, place: str, work: tuple[int, Task], start: Any, answers: Any) -> None:
    """Be one of the processes: read everything once, wait for the others, then work."""
    try:
        side = SUBJECTS[name].open(Path(place), USUAL)
        answers.put(worked(side, *work, start))
        side.close()
    except Exception as error:  # noqa: BLE001 -- told to the parent, whatever it is
        start.abort()
        answers.put(f"{type(error).__name__}: {error}")


def worked(side: Side, number: int, task: Task, start: Any) -> tuple[int, int, int, int]:
    """Return how many operations there were, their processor time, the beginning and the end."""
    chance = random.Random(number)
    keys = [key(chance.randrange(task.entries)) for _ in range(50_000)]
    values = [record(n, 100) for n in range(100)]
    for n in range(task.entries):
        side.get(key(n))
    start.wait()
    began, cpu_began = ticks_ns(), cpu_ns()
    until_ns = began + task.run_ms * 1_000_000
    done = busy(side, keys, values, until_ns, task.operations_a_set)
    return done, cpu_ns() - cpu_began, began, ticks_ns()


def busy(
    side: Side, keys: list[str], values: list[Record], until_ns: int, operations_a_set: int
) -> int:
    """Get and set until it is time; return how many operations that were."""
    get, put = side.get, side.set
    done = 0
    while ticks_ns() < until_ns:
        for _ in range(BLOCK):
            name = keys[done % len(keys)]
            if done % operations_a_set:
                get(name)
            else:
                put(name, values[done % len(values)])
            done += 1
    return done
