"""``dsfactory ls NAME``: the keys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from dsfactory.cli import pages
from dsfactory.cli.entries.keys import shown
from dsfactory.cli.entries.opening import looking_at, store_argument
from dsfactory.cli.entries.ranges import Range, range_options, say_more
from dsfactory.cli.opening import json_option, root_option
from dsfactory.cli.units import shown_bytes, shown_moment
from dsfactory.model import Entry


@click.command("ls")
@store_argument
@click.option("-l", "--long", "long", is_flag=True, help="Also version, size, times and tags.")
@range_options
@root_option
@json_option
def command(*, name: str, long: bool, span: Range, root: Path | None, as_json: bool) -> None:
    """List the keys of a store, in their order.

    Integers come first, then text, then bytes; what is listed can be given to get and del. Values
    are not shown: `dsfactory scan` does that.
    """
    with looking_at(root, name) as store:
        entries, following = span.page(store)
    if as_json:
        listed = [_object(entry) if long else shown(entry.key) for entry in entries]
        more = None if following is None else shown(following)
        pages.print_json({"store": name, "keys": listed, "next": more})
        return
    if long:
        _print(entries)
    else:
        for entry in entries:
            click.echo(shown(entry.key))
    say_more(following)


def _object(entry: Entry[Any]) -> dict[str, Any]:
    return {
        "key": shown(entry.key),
        "version": entry.version,
        "created_at": entry.created_at,
        "updated_at": entry.updated_at,
        "expires_at": entry.expires_at,
        "size_bytes": entry.size_bytes,
        "tags": entry.tags,
    }


def _print(entries: Sequence[Entry[Any]]) -> None:
    columns = ("Key", "Version", "Size", "Updated", "Expires", "Tags")
    listing = pages.table(*columns, numbers=("Version", "Size"))
    for entry in entries:
        listing.add_row(
            shown(entry.key),
            str(entry.version),
            shown_bytes(entry.size_bytes),
            shown_moment(entry.updated_at),
            shown_moment(entry.expires_at),
            ", ".join(entry.tags),
        )
    pages.console().print(listing)
