"""What a command prints: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Literal

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


def console() -> Console:
    """Return the console of standard output. Text is text: "list[int]" is no markup."""
    return Console(highlight=False, markup=False, emoji=False)


def table(*columns: str, numbers: Iterable[str] = ()) -> Table:
    """Return an empty table; the columns named in *numbers* stand to the right and never wrap."""
    right = set(numbers)
    made = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        header_style="bold",
    )
    for place, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if column in right else "left"
        # Names stand first, and are there to be copied; kinds are short words.
        whole = place == 0 or column == "Kind" or column in right
        made.add_column(column, justify=justify, no_wrap=whole, overflow="fold")
    return made


def facts(pairs: Iterable[tuple[str, str]]) -> Table:
    """Return names and values, a line each."""
    made = Table(box=None, show_header=False, pad_edge=False)
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        made.add_row(name, value)
    return made


def verdict(ok: bool) -> Text:
    """Return "well" in green or "SICK" in red."""
    return Text("well", style="green") if ok else Text("SICK", style="bold red")


def styled(text: str, style: str) -> Text:
    """Return *text* in a style of rich's."""
    return Text(text, style=style)


def print_json(value: Mapping[str, Any]) -> None:
    """Print *value* as JSON; frozen records become objects, paths text."""
    click.echo(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
