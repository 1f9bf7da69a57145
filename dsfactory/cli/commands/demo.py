"""``dsfactory demo``: the main job, on this machine's own data."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from dsfactory import __version__
from dsfactory.cli import pages
from dsfactory.cli.commands import health, stats
from dsfactory.cli.demonstration import page, settings
from dsfactory.cli.demonstration.run import Report, Work, demonstrate
from dsfactory.cli.demonstration.syntax_cache import Watcher
from dsfactory.cli.opening import json_option, root_option
from dsfactory.cli.units import shown_duration
from dsfactory.factory import DataStoreFactory
from dsfactory.places import STORES, default_root


@click.command("demo")
@root_option
@json_option
@click.option(
    "--files", type=click.IntRange(min=1), help="Read at most so many source files.", metavar="N"
)
def command(root: Path | None, as_json: bool, files: int | None) -> None:
    """Do a day's work with all five kinds of store, on this machine's own data.

    Validated settings with their history, readings of this host, the syntax trees of Python's
    standard library, sessions that several threads write, and what is remarkable. Stores named
    demo-* stay in the directory; do it again to see the cache warm and the history grow. Without
    --root or DSFACTORY_ROOT the directory is "dsfactory-demo" beside the user's stores.
    """
    where = root or default_root().with_name("dsfactory-demo")
    if not as_json:
        pages.console().print(_heading(where), soft_wrap=True)
    with DataStoreFactory(where, maintenance="manual") as factory:
        report = demonstrate(factory, files, _watch)
    if as_json:
        pages.print_json(as_object(report))
    else:
        _print(report)


def _heading(root: Path) -> str:
    again = "again" if _database(root).exists() else "for the first time"
    return f"dsfactory {__version__}: a day's work in {root}, {again}\n"


@contextmanager
def _watch(total: int) -> Iterator[Watcher]:
    """Show a bar on a terminal; elsewhere, and for programs, say nothing."""
    stderr = Console(stderr=True)
    columns = (
        TextColumn("reading the standard library"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=stderr, transient=True, disable=not stderr.is_terminal
    ) as progress:
        task = progress.add_task("", total=total)
        yield lambda done: progress.update(task, completed=done)


def as_object(report: Report) -> dict[str, Any]:
    """Return *report* for JSON, with the figures that follow from others."""
    return {
        "root": report.root,
        "work": _work(report.work),
        "stores": [
            {
                **stats.stats_object(store.stats),
                "operations": store.operations,
                "elapsed_ms": store.elapsed_ms,
            }
            for store in report.stores
        ],
        "maintenance": report.maintenance,
        "registry": stats.registry_object(report.registry),
        "health": health.as_object(report.health),
        "elapsed_ms": report.elapsed_ms,
    }


def _work(work: Work) -> dict[str, Any]:
    made = asdict(work)
    made["syntax"]["first"]["hit_ratio"] = work.syntax.first.hit_ratio
    made["syntax"]["second"]["hit_ratio"] = work.syntax.second.hit_ratio
    made["sessions"]["exact"] = work.sessions.exact
    return made


def _print(report: Report) -> None:
    console = pages.console()
    page.print_report(console, report)
    console.rule(Text("registry and health", style="bold"), align="left", style="dim")
    stats.print_registry(report.registry)
    console.print()
    health.print_report(report.health)
    console.print(f"\nDone in {shown_duration(report.elapsed_ms)}. The files stay:")
    for line in _ways_on(report.root):
        console.print(f"  {line}", soft_wrap=True)


def _ways_on(root: Path) -> Iterator[str]:
    database = _database(root)
    query = "SELECT version, change, who, why FROM history"
    yield f"{root}"
    yield f"sqlite3 -header -column {shlex.quote(str(database))} {shlex.quote(query)}"
    # After scripts/quickstart the command is in .venv/bin, which is not in PATH.
    program = "dsfactory" if shutil.which("dsfactory") else f"{sys.executable} -m dsfactory"
    yield f"{program} stats --root {shlex.quote(str(root))}"


def _database(root: Path) -> Path:
    return root / STORES / f"{settings.NAME}.db"
