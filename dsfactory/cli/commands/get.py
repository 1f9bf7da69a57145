"""``dsfactory get NAME KEY``: one value."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from dsfactory.cli import pages
from dsfactory.cli.entries import values
from dsfactory.cli.entries.keys import KEY, shown
from dsfactory.cli.entries.masks import Masks
from dsfactory.cli.entries.opening import reveal_option, showing, store_argument
from dsfactory.cli.opening import json_option, root_option
from dsfactory.errors import UsageError
from dsfactory.model import Entry, Key
from dsfactory.stores.reading import absent


@click.command("get")
@store_argument
@click.argument("key", type=KEY)
@click.option("--raw", is_flag=True, help="Print text or bytes as they are, without JSON.")
@reveal_option
@root_option
@json_option
def command(
    *, name: str, key: Key, raw: bool, reveal: bool, root: Path | None, as_json: bool
) -> None:
    """Print the value of a key as JSON.

    A key is text, int:5, hex:00ff, or text:... for text that begins so. With --json comes the
    whole entry: version, times, tags. Fields and keys with the name of a secret are masked
    without --reveal. Exits with 4 when the key is absent or has expired. Does not count as a use.
    """
    if raw and as_json:
        raise click.UsageError("Give --raw or --json.")
    with showing(root, name, reveal=reveal) as (store, masks):
        entry = store.entry(key)
        if entry is None:
            raise absent(key, name)
    if raw:
        _print_raw(entry.value)
    elif as_json:
        pages.print_json({"store": name, **as_object(entry, masks)})
    else:
        click.echo(
            json.dumps(shown_value(entry.key, entry.value, masks), indent=2, ensure_ascii=False)
        )


def shown_value(key: Key, value: Any, masks: Masks | None) -> Any:
    """Return the *value* of *key* for JSON, its secrets hidden by *masks*, if there are any."""
    found = values.as_json(value)
    return found if masks is None else masks.under(key, found)


def as_object(entry: Entry[Any], masks: Masks | None) -> dict[str, Any]:
    """Return *entry* for JSON."""
    return {
        "key": shown(entry.key),
        "value": shown_value(entry.key, entry.value, masks),
        "version": entry.version,
        "created_at": entry.created_at,
        "updated_at": entry.updated_at,
        "expires_at": entry.expires_at,
        "size_bytes": entry.size_bytes,
        "tags": entry.tags,
    }


def _print_raw(value: Any) -> None:
    if not isinstance(value, (str, bytes)):
        raise UsageError(f"--raw is for text and bytes; this is of type {type(value).__name__}.")
    sys.stdout.flush()
    click.echo(value.encode() if isinstance(value, str) else value, nl=False)
