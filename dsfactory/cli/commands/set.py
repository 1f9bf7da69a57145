"""``dsfactory set NAME KEY VALUE``: write one value."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import click

from dsfactory.cli import pages
from dsfactory.cli.entries import masks, values
from dsfactory.cli.entries.keys import KEY, shown
from dsfactory.cli.entries.opening import store_argument, type_options, versioned, writing_to
from dsfactory.cli.opening import json_option, root_option
from dsfactory.model import Key


@click.command("set")
@store_argument
@click.argument("key", type=KEY)
@click.argument("value", default="-")
@click.option("--text", is_flag=True, help="VALUE is text, not JSON.")
@click.option("--ttl", metavar="DURATION", help='How long it lives, such as 12h; or "never".')
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A tag; may be repeated.")
@click.option("--if-version", type=int, metavar="N", help="Only over that version; 0: only anew.")
@click.option("--who", metavar="NAME", help="Who changes it, in a store with a history.")
@click.option("--why", metavar="TEXT", help="Why, in a store with a history.")
@type_options
@root_option
@json_option
def command(  # noqa: PLR0913 -- a parameter an option
    *,
    name: str,
    key: Key,
    value: str,
    text: bool,
    ttl: str | None,
    tags: tuple[str, ...],
    if_version: int | None,
    who: str | None,
    why: str | None,
    schema: str | None,
    unchecked: bool,
    root: Path | None,
    as_json: bool,
) -> None:
    """Write a value, given as JSON.

    Without VALUE, or with "-", it is read from standard input: other users of the machine see what
    stands on a command line. A store whose application gave its values a type needs --type, or
    --unchecked. Exits with 3 when the value is refused, with 5 when --if-version does not hold.
    """
    new = _given(value, text=text)
    masks.refuse_mask(new, "The value")
    with writing_to(root, name, schema, unchecked=unchecked) as store:
        signed = versioned(store).signed(who, why) if who or why else contextlib.nullcontext()
        with signed:
            store.set(key, new, ttl=ttl, tags=tags, if_version=if_version)
        store.flush()
        written = store.entry(key)
    version = None if written is None else written.version
    if as_json:
        pages.print_json({"store": name, "key": shown(key), "version": version})
    else:
        click.echo(f"{shown(key)} is at version {version}")


def _given(value: str, *, text: bool) -> Any:
    found: str | bytes = sys.stdin.buffer.read() if value == "-" else value
    if text:
        return found.decode(errors="surrogateescape") if isinstance(found, bytes) else found
    return values.read(found, "The value")
