"""``dsfactory stores``: which stores there are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from dsfactory.cli import pages
from dsfactory.cli.opening import existing_factory, json_option, root_option
from dsfactory.cli.units import counted, shown_age, shown_moment
from dsfactory.clock import SystemClock
from dsfactory.model import StoreRecord


@click.command("stores")
@root_option
@json_option
def command(root: Path | None, as_json: bool) -> None:
    """List the registered stores.

    A store whose file is gone stays registered: `dsfactory health` tells.
    """
    with existing_factory(root) as factory:
        records = factory.get_registered_stores()
        where = factory.root
    if as_json:
        pages.print_json({"root": where, "stores": [as_object(record) for record in records]})
    else:
        _print(where, records)


def as_object(record: StoreRecord) -> dict[str, Any]:
    """Return *record* for JSON, without the options."""
    return {
        "id": record.id,
        "name": record.name,
        "kind": record.kind,
        "path": record.path,
        "type": record.schema,
        "revision": record.revision,
        "created_at": record.created_at,
        "accessed_at": record.accessed_at,
        "backup_at": record.backup_at,
        "health_at": record.health_at,
        "health": record.health,
    }


def _print(root: Path, records: Sequence[StoreRecord]) -> None:
    console, now = pages.console(), SystemClock().now_ms()
    listing = pages.table("Store", "Kind", "Values", "Created", "Opened", "Health")
    for record in records:
        listing.add_row(
            record.name,
            record.kind,
            (record.schema or "plain values").rpartition(".")[2],
            shown_moment(record.created_at),
            shown_age(record.accessed_at, now),
            record.health or "never asked",
        )
    if records:
        console.print(listing, "")
    console.print(f"{counted(len(records), 'store', 'stores')} in {root}", soft_wrap=True)
