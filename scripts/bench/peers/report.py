"""The figures as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from dsfactory.engine import connection
from peers.goals import Verdict, compared, judged
from peers.rounds import Group

NOTES = """\
Ratios are to the first row of each block, round by round: the median and, in brackets, the lowest
and highest. Above 1 is slower or larger than that row. CPU is the processor time of the process,
its threads included; of "mixed" that of all processes. All store the same records in msgpack,
decoded to the same msgspec.Struct. Who can tell lets entries expire after a year: dsfactory, bare
apsw, diskcache; LMDB, sqlitedict and dbm.sqlite3 know no expiry. Look at the durability, on the
right, before comparing."""

QUICK = "A quick run shows that everything works; its figures mean nothing, so no goal is judged."


class Row(NamedTuple):
    """One subject in one group."""

    measure: str
    case: str
    subject: str
    unit: str
    durability: str
    figure: float
    cpu_us: float | None
    ratio: float
    lowest: float
    highest: float
    cpu_ratio: float | None
    samples: list[float]


def rows(groups: Iterable[Group]) -> Iterator[Row]:
    """Return the medians of every group."""
    for group in groups:
        first = next(iter(group.samples.values()))
        for subject, samples in group.samples.items():
            ratios, cpu_ratio = compared(samples, first)
            cpu = [sample.cpu_us for sample in samples if sample.cpu_us is not None]
            yield Row(
                group.measure,
                group.case,
                subject,
                group.unit,
                group.durability.get(subject, ""),
                statistics.median(sample.figure for sample in samples),
                statistics.median(cpu) if cpu else None,
                statistics.median(ratios),
                min(ratios),
                max(ratios),
                cpu_ratio,
                [sample.figure for sample in samples],
            )


def table(groups: Iterable[Group], *, quick: bool = False) -> str:
    """Return all rows, a block for each group, and what was reached of the goals.

    A *quick* run is not held against the goals.
    """
    groups = list(groups)
    lines = [*machine().values(), "", NOTES]
    block = None
    for row in rows(groups):
        if block != (row.measure, row.case):
            block = (row.measure, row.case)
            title = f"{row.measure}, {row.case}" if row.case else row.measure
            lines += ["", f"{title:40}{row.unit:>10}{'CPU us':>10}{'ratio':>8}{'CPU':>8}"]
        cpu = f"{row.cpu_us:10.2f}" if row.cpu_us is not None else " " * 10
        cpu_ratio = f"{row.cpu_ratio:8.2f}" if row.cpu_ratio is not None else " " * 8
        spread = f"({row.lowest:.2f} - {row.highest:.2f})"
        line = f"  {row.subject:38}{row.figure:10.2f}{cpu}{row.ratio:8.2f}{cpu_ratio}"
        lines.append(f"{line}  {spread:19}{row.durability}".rstrip())
    found = [QUICK] if quick else verdicts(judged(groups))
    return "\n".join([*lines, "", *found])


def verdicts(judgements: Iterable[Verdict]) -> Iterator[str]:
    """Return a line for each goal that was measured."""
    measured = [verdict for verdict in judgements if verdict.ratio is not None]
    if measured:
        yield f"{'goal':40}{'bound':>10}{'ratio':>8}{'CPU':>8}  spread"
    for verdict in measured:
        goal = verdict.goal
        bound = f">= {goal.least:g}" if goal.least is not None else f"<= {goal.most:g}"
        cpu = f"{verdict.cpu_ratio:8.2f}" if verdict.cpu_ratio is not None else " " * 8
        spread = f"({verdict.lowest:.2f} - {verdict.highest:.2f})"
        held = "held" if verdict.held else "MISSED"
        yield f"  {goal.text:38}{bound:>10}{verdict.ratio:8.2f}{cpu}  {spread:19}{held}"


def machine() -> dict[str, str]:
    """Return what the figures were taken on."""
    busy = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, {busy}",
        "software": f"Python {platform.python_version()}, SQLite {connection.SQLITE_VERSION}",
    }


def as_json(groups: Iterable[Group], *, quick: bool = False) -> str:
    """Return everything, every round's figure included."""
    groups = list(groups)
    report: dict[str, Any] = {
        **machine(),
        "quick": quick,
        "rows": [row._asdict() for row in rows(groups)],
        "goals": [
            {
                "goal": v.goal.text,
                "at_least": v.goal.least,
                "at_most": v.goal.most,
                "ratio": v.ratio,
                "lowest": v.lowest,
                "highest": v.highest,
                "cpu_ratio": v.cpu_ratio,
                "held": v.held,
            }
            for v in judged([] if quick else groups)
            if v.held is not None
        ],
    }
    return json.dumps(report, indent=1)
