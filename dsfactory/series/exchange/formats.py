"""The formats by name, and the two ways: out of a store and into it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

from dsfactory.checks import checked_choice
from dsfactory.errors import OptionError
from dsfactory.series.exchange import jsonlines, tables, text
from dsfactory.series.exchange.intake import Intake
from dsfactory.series.exchange.outlet import Chosen, families
from dsfactory.series.exchange.parsing import Parser
from dsfactory.series.exchange.ports import Port


class Format(NamedTuple):
    """How samples are written and read."""

    suffixes: tuple[str, ...]
    write: Callable[[Any, Chosen], None]
    """Gets something with write(bytes)."""
    read: Callable[[IO[Any], Intake], None]


def _text(out: Callable[[bytes], Any], chosen: Chosen, *, openmetrics: bool) -> None:
    for portion in text.written(chosen, families(chosen.series), openmetrics=openmetrics):
        out(portion.encode())


def _csv(out: Callable[[bytes], Any], chosen: Chosen) -> None:
    for portion in tables.written(chosen):
        out(portion.encode())


def _jsonl(out: Callable[[bytes], Any], chosen: Chosen) -> None:
    for portion in jsonlines.written(chosen):
        out(portion.encode())


def _arrow(out: Callable[[bytes], Any], chosen: Chosen, *, parquet: bool) -> None:
    from dsfactory.series.exchange import arrow

    arrow.write(out, chosen, parquet=parquet)


def _parse(file: IO[Any], intake: Intake, *, openmetrics: bool) -> None:
    Parser(intake, openmetrics=openmetrics).read(file)


def _read_arrow(file: IO[Any], intake: Intake, *, parquet: bool) -> None:
    from dsfactory.series.exchange import arrow

    arrow.read(file, intake, parquet=parquet)


FORMATS: Mapping[str, Format] = {
    "prometheus": Format(
        (".prom", ".txt"), partial(_text, openmetrics=False), partial(_parse, openmetrics=False)
    ),
    "openmetrics": Format(
        (".om", ".openmetrics"),
        partial(_text, openmetrics=True),
        partial(_parse, openmetrics=True),
    ),
    "csv": Format((".csv",), _csv, tables.read),
    "jsonl": Format((".jsonl", ".ndjson"), _jsonl, jsonlines.read),
    "arrow": Format(
        (".arrow", ".feather"), partial(_arrow, parquet=False), partial(_read_arrow, parquet=False)
    ),
    "parquet": Format(
        (".parquet",), partial(_arrow, parquet=True), partial(_read_arrow, parquet=True)
    ),
}


def format_of(port: Port, chosen: str | None) -> Format:
    """Return the format that was *chosen* by name, else the one that the path's ending says."""
    if chosen is not None:
        return FORMATS[checked_choice("format", chosen, tuple(FORMATS))]
    if isinstance(port, (str, os.PathLike)):
        for form in FORMATS.values():
            if Path(port).suffix.lower() in form.suffixes:
                return form
    endings = ", ".join(suffix for form in FORMATS.values() for suffix in form.suffixes)
    raise OptionError(
        f"format is not told by the name; name a file that ends with {endings}, or give format= "
        f"one of {', '.join(FORMATS)}.",
        option="format",
    )
