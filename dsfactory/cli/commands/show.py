"""``dsfactory show NAME``: one store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from dsfactory import options as option_table
from dsfactory.checks import LARGEST_COUNT
from dsfactory.cli import pages
from dsfactory.cli.commands.stats import stats_object
from dsfactory.cli.commands.stores import as_object
from dsfactory.cli.opening import existing_factory, json_option, required_record, root_option
from dsfactory.cli.units import shown_bytes, shown_count, shown_moment, shown_ratio
from dsfactory.clock import END_OF_TIME
from dsfactory.model import StoreRecord, StoreStats


@click.command("show")
@click.argument("name")
@root_option
@json_option
def command(name: str, root: Path | None, as_json: bool) -> None:
    """Show one store: its record, its options and its size.

    Options that differ from the defaults of the kind are marked. Keys and values are not shown.
    """
    with existing_factory(root) as factory:
        record = required_record(factory, name)
        with factory.look(name) as store:
            stats = store.stats()
    if as_json:
        options = option_table.as_record(record.options)
        pages.print_json(
            {"store": as_object(record), "options": options, "stats": stats_object(stats)}
        )
    else:
        _print(record, stats)


def _print(record: StoreRecord, stats: StoreStats) -> None:
    console = pages.console()
    console.print(f"{record.name}, a {record.kind} store", style="bold")
    console.print(pages.facts(_facts(record, stats)), "")
    options = pages.table("Option", "Value", "Default of the kind")
    usual = option_table.as_record(option_table.defaults(record.kind))
    for name, value in option_table.as_record(record.options).items():
        changed = value != usual[name]
        options.add_row(
            name,
            _shown(value),
            _shown(usual[name]) if changed else "the same",
            style="bold yellow" if changed else None,
        )
    console.print(options)


def _facts(record: StoreRecord, stats: StoreStats) -> Iterator[tuple[str, str]]:
    yield "file", str(record.path)
    yield "id", record.id
    yield "type of the values", record.schema or "plain values"
    yield "schema revision", str(record.revision)
    yield "created", shown_moment(record.created_at)
    yield "last opened", shown_moment(record.accessed_at)
    yield "last backup", shown_moment(record.backup_at)
    yield "last health check", f"{shown_moment(record.health_at)} {record.health or ''}".rstrip()
    yield "live entries", shown_count(stats.entries)
    yield "expired, not yet swept", shown_count(stats.expired_entries)
    yield "bytes before compression", shown_bytes(stats.unpacked_bytes)
    yield "bytes stored", f"{shown_bytes(stats.size_bytes)}, {_ratio(stats)}"
    yield (
        "file, WAL, free in it",
        ", ".join(map(shown_bytes, (stats.file_bytes, stats.wal_bytes, stats.free_bytes))),
    )


def _ratio(stats: StoreStats) -> str:
    return f"ratio {shown_ratio(stats.compression_ratio)}"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items())
    return "no limit" if value in (None, LARGEST_COUNT, END_OF_TIME) else str(value)
