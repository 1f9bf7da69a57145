"""``dsfactory scan NAME``: keys and values."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.commands.get import as_object, shown_value
from dsfactory.cli.entries.keys import shown
from dsfactory.cli.entries.opening import reveal_option, showing, store_argument
from dsfactory.cli.entries.ranges import Range, range_options, say_more
from dsfactory.cli.opening import json_option, root_option


@click.command("scan")
@store_argument
@range_options
@reveal_option
@root_option
@json_option
def command(*, name: str, span: Range, reveal: bool, root: Path | None, as_json: bool) -> None:
    """Print keys and values, in the order of the keys.

    Of one moment. Fields with the name of a secret are masked without --reveal. To take entries
    elsewhere, use `dsfactory export`.
    """
    with showing(root, name, reveal=reveal) as (store, masks):
        entries, following = span.page(store)
    if as_json:
        listed = [as_object(entry, masks) for entry in entries]
        more = None if following is None else shown(following)
        pages.print_json({"store": name, "entries": listed, "next": more})
        return
    listing = pages.table("Key", "Value")
    for entry in entries:
        value = shown_value(entry.key, entry.value, masks)
        listing.add_row(shown(entry.key), json.dumps(value, ensure_ascii=False))
    pages.console().print(listing)
    say_more(following)
