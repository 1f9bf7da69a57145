"""``dsfactory stats``: what each store holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from dsfactory.cli import pages
from dsfactory.cli.opening import existing_factory, json_option, root_option
from dsfactory.cli.units import shown_bytes, shown_count, shown_moment, shown_ratio
from dsfactory.errors import DataStoreError
from dsfactory.factory import DataStoreFactory
from dsfactory.model import RegistryStats, StoreStats

Answers = Mapping[str, StoreStats | DataStoreError]


@click.command("stats")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@root_option
@json_option
def command(names: tuple[str, ...], root: Path | None, as_json: bool) -> None:
    """Count what each store holds.

    Live entries only; bytes before and after compression; what the files take up. A store that
    cannot be read is shown with the reason, and the exit code tells.
    """
    with existing_factory(root) as factory:
        wanted = names or [record.name for record in factory.get_registered_stores()]
        found = {name: _stats(factory, name) for name in wanted}
        total = factory.get_registry_stats()
    if as_json:
        pages.print_json({"stores": _objects(found), "registry": registry_object(total)})
    else:
        _print(found)
        print_registry(total)
    sys.exit(max((error.exit_code for error in _errors(found).values()), default=0))


def _stats(factory: DataStoreFactory, name: str) -> StoreStats | DataStoreError:
    try:
        with factory.look(name) as store:
            return store.stats()
    except DataStoreError as error:
        return error


def _errors(answers: Answers) -> dict[str, DataStoreError]:
    return {name: e for name, e in answers.items() if isinstance(e, DataStoreError)}


def _objects(answers: Answers) -> list[dict[str, Any]]:
    return [
        stats_object(answer)
        if isinstance(answer, StoreStats)
        else {"name": name, "error": str(answer)}
        for name, answer in answers.items()
    ]


def stats_object(stats: StoreStats) -> dict[str, Any]:
    """Return *stats* for JSON, with the ratio that follows from them."""
    return {**asdict(stats), "compression_ratio": stats.compression_ratio}


def registry_object(stats: RegistryStats) -> dict[str, Any]:
    """Return *stats* for JSON; the oldest and the newest store by name."""
    return {
        "total": stats.total,
        "by_kind": stats.by_kind,
        "oldest": stats.oldest.name if stats.oldest else None,
        "newest": stats.newest.name if stats.newest else None,
        "bytes": stats.bytes,
        "entries": stats.entries,
    }


def _print(answers: Answers) -> None:
    columns = ("Entries", "Expired", "Before", "Stored", "Ratio", "File")
    listing = pages.table("Store", "Kind", *columns, numbers=columns)
    for answer in answers.values():
        if isinstance(answer, StoreStats):
            listing.add_row(*_cells(answer))
    console = pages.console()
    if listing.row_count:
        console.print(listing, "")
    for name, error in _errors(answers).items():
        console.print(f"{name}: {error}", style="red", soft_wrap=True)


def _cells(stats: StoreStats) -> Sequence[str]:
    return (
        stats.name,
        stats.kind,
        shown_count(stats.entries),
        shown_count(stats.expired_entries),
        shown_bytes(stats.unpacked_bytes),
        shown_bytes(stats.size_bytes),
        shown_ratio(stats.compression_ratio),
        shown_bytes(stats.file_bytes + stats.wal_bytes),
    )


def print_registry(stats: RegistryStats) -> None:
    """Print what the registry knows of all stores together."""
    pages.console().print(pages.facts(_registry_facts(stats)))


def _registry_facts(stats: RegistryStats) -> Iterator[tuple[str, str]]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(stats.by_kind.items()))
    yield "stores", f"{stats.total} ({kinds})" if kinds else "none"
    yield "entries", shown_count(stats.entries)
    yield "on disk", shown_bytes(stats.bytes)
    for age, record in (("oldest", stats.oldest), ("newest", stats.newest)):
        if record is not None:
            yield age, f"{record.name}, made {shown_moment(record.created_at)}"
