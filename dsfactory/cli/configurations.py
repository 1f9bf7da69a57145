"""Configurations at the command line: found by name, changed only by their schema."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.table import Table

from dsfactory.cli import pages
from dsfactory.cli.entries.opening import imported
from dsfactory.cli.opening import existing_factory, required_record
from dsfactory.errors import UsageError
from dsfactory.services.configuration import ConfigurationManager, SavedConfiguration
from dsfactory.stores import Difference

F = TypeVar("F", bound=Callable[..., Any])

SCHEMA_HELP = "The application's schema, as MODULE:NAME; from the working directory too."


def reveal_option(function: F) -> F:
    """Give a command ``--reveal``."""
    return click.option("--reveal", is_flag=True, help="Show secrets as they are.")(function)


def changing_options(function: F) -> F:
    """Give a command what every change is told: ``--schema``, ``--who`` and ``--why``."""
    for option in (
        click.option("--why", help="The reason, for the audit."),
        click.option("--who", help="Who changes it; the user that runs this, if not said."),
        click.option(
            "--schema", envvar="DSFACTORY_CONFIG_SCHEMA", show_envvar=True, help=SCHEMA_HELP
        ),
    ):
        function = option(function)
    return function


@contextlib.contextmanager
def saved(root: Path | None, name: str) -> Iterator[SavedConfiguration[Any]]:
    """Yield the configuration *name* for reading."""
    with existing_factory(root) as factory:
        required_record(factory, name)
        with SavedConfiguration.looked_at(factory, name) as configuration:
            yield configuration


@contextlib.contextmanager
def managed(
    root: Path | None, name: str, schema: str | None
) -> Iterator[ConfigurationManager[Any]]:
    """Yield the configuration *name* for changing it, validated by *schema*."""
    if schema is None:
        raise UsageError(
            "A configuration is changed only by its schema: give --schema MODULE:NAME, "
            "or set DSFACTORY_CONFIG_SCHEMA."
        )
    found = imported(schema, "schema")
    with existing_factory(root) as factory:
        required_record(factory, name)
        with ConfigurationManager(factory, found, name=name) as manager:
            yield manager


def shown(value: Any) -> str:
    """Return a plain value as people read it: JSON on one line."""
    return json.dumps(value, ensure_ascii=False)


def difference_table(differences: Sequence[Difference]) -> Table:
    """Return a table of differences, a row each."""
    made = pages.table("Path", "Change", "Before", "After")
    for one in differences:
        made.add_row(one.path, one.change, shown(one.old), shown(one.new))
    return made


def print_version(name: str, version: int, *, as_json: bool) -> None:
    """Print which version is current after a change."""
    if as_json:
        pages.print_json({"name": name, "version": version})
    else:
        pages.console().print(f"{name} is at version {version}.")
