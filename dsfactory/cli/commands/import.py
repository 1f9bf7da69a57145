"""``dsfactory import NAME``: entries from lines of JSON."""

# ruff: noqa: N999 -- a file is called as its command

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import click

from dsfactory.cli import pages
from dsfactory.cli.backups import with_progress
from dsfactory.cli.entries import lines
from dsfactory.cli.entries.opening import store_argument, type_options, versioned, writing_to
from dsfactory.cli.opening import json_option, root_option
from dsfactory.cli.units import counted, shown_count
from dsfactory.clock import SystemClock
from dsfactory.errors import DataStoreError
from dsfactory.model import Entry
from dsfactory.stores import DataStore
from dsfactory.stores.carrying import Carried

BATCH = 1000
"""Entries that one transaction writes: others wait for some ten milliseconds at most."""

Progress = Callable[[int, int], None]


@click.command("import")
@store_argument
@click.argument("file", type=click.Path(path_type=Path), default="-")
@click.option("--keep", is_flag=True, help="Leave live entries alone that are there already.")
@click.option("--atomic", is_flag=True, help="Everything or nothing, in one transaction.")
@click.option("--dry-run", is_flag=True, help="Only read the file, and say what is wrong with it.")
@click.option("--why", metavar="TEXT", help="Why, in a store with a history.")
@type_options
@root_option
@json_option
def command(  # noqa: PLR0913 -- a parameter an option
    *,
    name: str,
    file: Path,
    keep: bool,
    atomic: bool,
    dry_run: bool,
    why: str | None,
    schema: str | None,
    unchecked: bool,
    root: Path | None,
    as_json: bool,
) -> None:
    """Write the entries of a file of JSON lines into a store.

    FILE comes from `dsfactory export`, or is "-" for standard input. Versions, times, expiry and
    tags are those of the file; a version never goes back.

    A file is read through before the first entry is written. Then a thousand entries are a
    transaction: after a crash or an error run it again, and what is there already is passed over.
    With --atomic it is all or nothing, and nobody else writes meanwhile.
    """
    with writing_to(root, name, schema, unchecked=unchecked) as store:
        carried = Carried()
        if dry_run or str(file) != "-":
            read = _read_through(store, file)
        if not dry_run:
            signed = versioned(store).signed(None, why) if why else contextlib.nullcontext()
            whole = store.transaction() if atomic else contextlib.nullcontext(store)
            with signed, whole:
                read, carried = _written(store, file, keep=keep, quiet=as_json)
    _print(name, read, carried, as_json=as_json, dry_run=dry_run)


def _written(store: DataStore[Any], file: Path, *, keep: bool, quiet: bool) -> tuple[int, Carried]:
    with _opened(file) as source, with_progress(quiet=quiet, doing="importing") as progress:
        size = file.stat().st_size if str(file) != "-" else 0
        return _import(store, source, lambda done: progress(done, size or done), keep=keep)


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    with file.open("rb") as opened:
        yield opened


def _read_through(store: DataStore[Any], file: Path) -> int:
    with _opened(file) as source:
        return sum(1 for _ in _entries(store, source))


def _entries(store: DataStore[Any], source: BinaryIO) -> Iterator[tuple[int, Entry[Any]]]:
    return lines.entries_of(source, SystemClock().now_ms(), store.options.ttl)


def _import(
    store: DataStore[Any], source: BinaryIO, progress: Callable[[int], None], *, keep: bool
) -> tuple[int, Carried]:
    found, total, read, done = _entries(store, source), Carried(), 0, 0
    try:
        while batch := list(islice(found, BATCH)):
            total += store.put_entries((entry for _, entry in batch), replace=not keep)
            read, done = read + len(batch), done + sum(size for size, _ in batch)
            progress(done)
    except DataStoreError as error:
        if not store.in_transaction:
            error.message += f" The {shown_count(read)} entries before are imported; run it again."
        raise
    return read, total


def _print(name: str, read: int, carried: Carried, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        pages.print_json({"store": name, "read": read, "dry_run": dry_run, **asdict(carried)})
        return
    said = counted(read, "entry", "entries")
    if dry_run:
        click.echo(f"{said} can be imported into {name}")
        return
    parts = [f"{shown_count(n)} {word}" for word, n in asdict(carried).items() if n]
    click.echo(f"{said} read for {name}: {', '.join(parts) or 'nothing to do'}")
