"""The options that every command shares, and the way from --root to an open factory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from dsfactory.errors import AbsentError, StoreAbsentError
from dsfactory.factory import DataStoreFactory
from dsfactory.model import StoreRecord
from dsfactory.places import METADATA, default_root

F = TypeVar("F", bound=Callable[..., Any])


def root_option(function: F) -> F:
    """Give a command ``--root``, as *root*: a Path, or None when nobody chose one."""
    return click.option(
        "--root",
        type=click.Path(path_type=Path),
        envvar="DSFACTORY_ROOT",
        show_envvar=True,
        metavar="DIR",
        callback=_expanded,
        help="The directory of the stores.",
    )(function)


def json_option(function: F) -> F:
    """Give a command ``--json``, as *as_json*."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object, for programs."
    )(function)


def _expanded(_ctx: click.Context, _parameter: click.Parameter, root: Path | None) -> Path | None:
    return None if root is None else root.expanduser()


def existing_root(root: Path | None) -> Path:
    """Return the directory that was chosen, or the usual one.

    Raises AbsentError when there are no stores in it: a mistyped --root must not make a directory.
    """
    chosen = root or default_root()
    if not (chosen / METADATA).exists():
        raise AbsentError(
            f"There are no stores at {chosen} (no {METADATA}). Give --root or set DSFACTORY_ROOT; "
            "an application makes them, or `dsfactory demo`.",
            path=str(chosen),
        )
    return chosen.resolve()


def existing_factory(root: Path | None) -> DataStoreFactory:
    """Return the factory of a directory that is one already, for looking at it.

    Nothing works in the background and no file is upgraded. Raises AbsentError where there is
    none.
    """
    return DataStoreFactory(existing_root(root), maintenance="manual", upgrade="never")


def required_record(factory: DataStoreFactory, name: str) -> StoreRecord:
    """Return what the registry knows of the store *name*; StoreAbsentError names those it has."""
    record = factory.get_registered_store(name)
    if record is None:
        raise unknown_store(name, factory.root, factory.get_registered_stores())
    return record


def unknown_store(name: str, root: Path, known: Iterable[StoreRecord]) -> StoreAbsentError:
    """Return what is raised for a name that no store of *root* has."""
    names = ", ".join(record.name for record in known)
    return StoreAbsentError(
        f"There is no store {name!r} in {root}; there are: {names or 'none'}.", store=name
    )
