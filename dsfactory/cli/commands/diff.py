"""``dsfactory diff NAME OLD NEW``: where two versions differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from dsfactory.cli import pages
from dsfactory.cli.entries import values as value_forms
from dsfactory.cli.entries.keys import KEY, shown
from dsfactory.cli.entries.masks import Masks
from dsfactory.cli.entries.opening import reveal_option, showing, store_argument, versioned
from dsfactory.cli.opening import json_option, root_option
from dsfactory.model import Key
from dsfactory.stores import DOCUMENT, Difference


@click.command("diff")
@store_argument
@click.argument("old", type=int)
@click.argument("new", type=int)
@click.option("--key", type=KEY, default=DOCUMENT, metavar="KEY", help="Not of the document.")
@click.option("--values", is_flag=True, help="Also what was there before and after.")
@reveal_option
@root_option
@json_option
def command(
    *,
    name: str,
    old: int,
    new: int,
    key: Key,
    values: bool,
    reveal: bool,
    root: Path | None,
    as_json: bool,
) -> None:
    """Show where two versions of a key differ.

    A path a line, such as $.servers[2].port. Exits with 4 when there is no such version; `dsfactory
    history` lists them.
    """
    with showing(root, name, reveal=reveal) as (store, masks):
        found = versioned(store).diff(old, new, key)
    rows = [_object(one, masks, key=key, values=values) for one in found]
    if as_json:
        which = {"key": shown(key), "old": old, "new": new}
        pages.print_json({"store": name, **which, "differences": rows})
        return
    listing = pages.table("Path", "Change", *(["Before", "After"] if values else []))
    for row in rows:
        shown_values = [json.dumps(row[at], ensure_ascii=False) for at in ("old", "new") if values]
        listing.add_row(row["path"], row["change"], *shown_values)
    pages.console().print(listing if rows else "no difference")


def _object(one: Difference, masks: Masks | None, *, key: Key, values: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"path": one.path, "change": one.change}
    if values:
        for name, value in (("old", one.old), ("new", one.new)):
            found = value_forms.as_json(value)
            made[name] = found if masks is None else masks.at(key, one.path, found)
    return made
