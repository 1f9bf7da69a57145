"""``dsfactory health``: how everything is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from dsfactory.cli import pages
from dsfactory.cli.opening import existing_factory, json_option, root_option
from dsfactory.model import HealthReport, Probe

UNHEALTHY = 1


@click.command("health")
@root_option
@json_option
def command(root: Path | None, as_json: bool) -> None:
    """Ask every store, the registry and maintenance how they are.

    Is the file there, readable, writable, at the newest schema, and sound? Exits with 1 when
    one answer is bad. Looks only: a file that is missing is not made anew.
    """
    with existing_factory(root) as factory:
        report = factory.perform_health_check()
    if as_json:
        pages.print_json(as_object(report))
    else:
        print_report(report)
    if not report.healthy:
        sys.exit(UNHEALTHY)


def as_object(report: HealthReport) -> dict[str, Any]:
    """Return *report* for JSON."""
    return {
        "healthy": report.healthy,
        "checked_at": report.checked_at,
        "problems": report.problems,
        "stores": [
            {
                "name": store.name,
                "kind": store.kind,
                "path": store.path,
                "healthy": store.healthy,
                "probes": store.probes,
            }
            for store in report.stores
        ],
        "factory": report.factory,
    }


def print_report(report: HealthReport) -> None:
    """Print a line for each store, one for the rest, and what is wrong with what to do."""
    console = pages.console()
    answers = pages.table("Health of", "Kind", "", "Answers")
    for store in report.stores:
        answers.add_row(
            store.name, store.kind, pages.verdict(store.healthy), _answers(store.probes)
        )
    well = all(probe.ok for probe in report.factory)
    answers.add_row("registry, maintenance", "", pages.verdict(well), _answers(report.factory))
    console.print(answers)
    for problem in report.problems:
        console.print(problem, style="red", soft_wrap=True)


def _answers(probes: tuple[Probe, ...]) -> str:
    good = sum(probe.ok for probe in probes)
    return f"{good} of {len(probes)} good"
