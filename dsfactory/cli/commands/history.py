"""``dsfactory history NAME``: the versions of a key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from dsfactory.cli import pages
from dsfactory.cli.commands.get import shown_value
from dsfactory.cli.entries.keys import KEY, shown
from dsfactory.cli.entries.masks import Masks
from dsfactory.cli.entries.opening import reveal_option, showing, store_argument, versioned
from dsfactory.cli.opening import json_option, root_option
from dsfactory.cli.units import NOTHING, shown_moment
from dsfactory.model import Key, Version
from dsfactory.stores import DOCUMENT


@click.command("history")
@store_argument
@click.argument("key", type=KEY, default=DOCUMENT)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest.")
@click.option("--values", is_flag=True, help="Also what each version holds.")
@reveal_option
@root_option
@json_option
def command(
    *,
    name: str,
    key: Key,
    limit: int | None,
    values: bool,
    reveal: bool,
    root: Path | None,
    as_json: bool,
) -> None:
    """List the versions of a key, the newest first.

    Without KEY those of the document that save() keeps. Values are shown with --values only;
    fields with the name of a secret stay masked without --reveal.
    """
    with showing(root, name, reveal=reveal) as (store, masks):
        found = versioned(store).history(key, limit=limit)
    if as_json:
        listed = [_object(version, masks, values=values) for version in found]
        pages.print_json({"store": name, "key": shown(key), "versions": listed})
    else:
        _print(found, masks, values=values)


def _object(version: Version[Any], masks: Masks | None, *, values: bool) -> dict[str, Any]:
    made = {**asdict(version), "key": shown(version.key)}
    del made["value"]
    if values:
        made["value"] = shown_value(version.key, version.value, masks)
    return made


def _print(versions: Sequence[Version[Any]], masks: Masks | None, *, values: bool) -> None:
    columns = ["Version", "Change", "When", "Who", "Why", *(["Value"] if values else [])]
    listing = pages.table(*columns, numbers=["Version"])
    for version in versions:
        row = [str(version.version), version.change, shown_moment(version.changed_at)]
        row += [version.who or "another program", version.why or NOTHING]
        if values:
            row.append(
                json.dumps(shown_value(version.key, version.value, masks), ensure_ascii=False)
            )
        listing.add_row(*row)
    pages.console().print(listing)
