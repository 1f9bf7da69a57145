"""``dsfactory init``: a directory for stores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from dsfactory.cli import pages
from dsfactory.cli.opening import json_option, root_option
from dsfactory.errors import ConflictError
from dsfactory.factory import DataStoreFactory
from dsfactory.keys import checked_name
from dsfactory.model import Kind
from dsfactory.options import checked
from dsfactory.places import METADATA, checked_root


def _stores(
    _context: click.Context, _parameter: click.Parameter, given: Sequence[str]
) -> dict[str, Kind]:
    chosen = {}
    for text in given:
        name, _, kind = text.partition(":")
        if kind not in list(Kind):
            raise click.BadParameter(f"{text!r} has to be NAME:KIND; kinds: {', '.join(Kind)}.")
        chosen[checked_name(name)] = Kind(kind)
    return chosen


def _options(
    _context: click.Context, _parameter: click.Parameter, given: Sequence[str]
) -> dict[str, dict[str, Any]]:
    chosen: dict[str, dict[str, Any]] = {}
    for text in given:
        place, equals, value = text.partition("=")
        name, _, option = place.rpartition(".")
        if not (name and option and equals):
            raise click.BadParameter(f"{text!r} has to be NAME.OPTION=VALUE.")
        chosen.setdefault(name, {})[option] = _value(value)
    return chosen


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # "7d" needs no quotes


@click.command("init")
@click.option(
    "--store",
    "stores",
    multiple=True,
    callback=_stores,
    metavar="NAME:KIND",
    help="Also make this store; may be repeated.",
)
@click.option(
    "--option",
    "options",
    multiple=True,
    callback=_options,
    metavar="NAME.OPTION=VALUE",
    help="An option of one of them, such as thumbs.max_entries=1000; may be repeated.",
)
@root_option
@json_option
def command(
    *,
    stores: dict[str, Kind],
    options: dict[str, dict[str, Any]],
    root: Path | None,
    as_json: bool,
) -> None:
    """Make a directory for stores, and stores in it.

    What is there already stays as it is: a second run does nothing. A config store takes any object
    until an application opens it with a type. Exits with 5 when the directory holds something else,
    or a store is there and differs.
    """
    unknown = sorted(set(options) - set(stores))
    if unknown:
        raise click.UsageError(f"--option is for {unknown[0]!r}, which no --store names.")
    for name, kind in stores.items():
        checked(kind, options.get(name, {}))  # refused before there is a directory
    where = _free(checked_root(root))
    made = not (where / METADATA).exists()
    with DataStoreFactory(where, maintenance="manual", upgrade="never") as factory:
        rows = [_make(factory, name, kind, options.get(name, {})) for name, kind in stores.items()]
        where = factory.root
    if as_json:
        pages.print_json({"root": where, "made": made, "stores": rows})
        return
    click.echo(f"{where} {'is made' if made else 'was there already'}")
    for row in rows:
        click.echo(f"{row['name']}, {row['kind']}: {'made' if row['made'] else 'there already'}")


def _free(where: Path) -> Path:
    """Refuse a directory that holds other things: somebody's home, a misspelt path."""
    if where.is_dir() and not (where / METADATA).exists() and any(where.iterdir()):
        raise ConflictError(
            f"{where} is not empty and holds no stores. Choose a directory of its own with --root.",
            path=str(where),
        )
    return where


def _make(
    factory: DataStoreFactory, name: str, kind: Kind, options: Mapping[str, Any]
) -> dict[str, Any]:
    known = factory.get_registered_store(name)
    if kind is Kind.CONFIG:
        store: Any = factory.create_config_store(name, validator=_is_object, **options)
    else:
        store = getattr(factory, f"create_{kind}_store")(name, **options)
    return {"name": name, "kind": kind, "path": store.path, "made": known is None}


def _is_object(value: object) -> bool:
    return isinstance(value, dict)
