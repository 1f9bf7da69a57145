"""``dsfactory rollback NAME VERSION``: an earlier version again."""

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.entries.keys import KEY, shown
from dsfactory.cli.entries.opening import store_argument, type_options, versioned, writing_to
from dsfactory.cli.opening import json_option, root_option
from dsfactory.model import Key
from dsfactory.stores import DOCUMENT


@click.command("rollback")
@store_argument
@click.argument("version", type=int)
@click.option("--key", type=KEY, default=DOCUMENT, metavar="KEY", help="Not of the document.")
@click.option("--who", metavar="NAME", help="Who does it; the user of this process.")
@click.option("--why", metavar="TEXT", help="Why.")
@type_options
@root_option
@json_option
def command(
    *,
    name: str,
    version: int,
    key: Key,
    who: str | None,
    why: str | None,
    schema: str | None,
    unchecked: bool,
    root: Path | None,
    as_json: bool,
) -> None:
    """Make an earlier version of a key the current one.

    As a new version: nothing of the history is lost. The hash of the old one is checked. What the
    store's type does not take any more is refused, with --type. Exits with 4 when there is no such
    version.
    """
    with writing_to(root, name, schema, unchecked=unchecked) as store:
        new = versioned(store).rollback(version, key, who=who, why=why)
    if as_json:
        pages.print_json({"store": name, "key": shown(key), "version": new, "of": version})
    else:
        click.echo(f"{shown(key)} is at version {new}, which is {version} again")
