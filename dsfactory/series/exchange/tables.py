"""CSV (RFC 4180) with a header, a row a sample: name, labels, type, unit, at, value.

Labels are a JSON object, times milliseconds since 1970; in reading also ISO 8601 with a zone. Of
the columns, name, at and value are required, the order is free, and others are refused.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from operator import itemgetter
from typing import IO, Any

from dsfactory.errors import DataStoreError, SampleFormatError, UsageError
from dsfactory.series.exchange.intake import Intake, Place, checked_kind, number, whole
from dsfactory.series.exchange.jsonlines import labels_of
from dsfactory.series.exchange.outlet import Chosen
from dsfactory.series.exchange.ports import REFUSALS, lines, refused
from dsfactory.series.exchange.text import number as shown_number
from dsfactory.series.names import identity
from dsfactory.series.samples import checked_time

COLUMNS = ("name", "labels", "type", "unit", "at", "value")
REQUIRED = {"name", "at", "value"}


def written(chosen: Chosen) -> Iterator[str]:
    """Yield the header, then the rows, a portion of a series at a time."""
    yield ",".join(COLUMNS) + "\r\n"
    for series, portions in chosen.all():
        row = io.StringIO()
        csv.writer(row).writerow((series.name, series.identity.text, series.type, series.unit, ""))
        before = row.getvalue().removesuffix("\r\n")
        for times, values in portions:
            pairs = zip(times.tolist(), values.tolist(), strict=True)
            yield "".join(f"{before}{at},{shown_number(value)}\r\n" for at, value in pairs)


def read(file: IO[Any], intake: Intake) -> None:
    """Take every row; SampleFormatError names the line that is none."""
    rows = csv.reader((f"{line.text}\n" for line in lines(file)), strict=True)
    table: _Table | None = None
    try:
        for row in rows:
            if table is None:
                table = _Table(row, intake)
            elif row:
                table.take(row)
    except csv.Error as error:
        raise refused(rows.line_num, f"it is no CSV: {error}") from error
    except SampleFormatError:
        raise
    except REFUSALS as error:
        raise refused(rows.line_num, error.message) from error
    if table is None:
        raise refused(1, "the header is missing")


class _Table:
    def __init__(self, header: list[str], intake: Intake) -> None:
        names = [column.strip().removeprefix("\ufeff") for column in header]
        unknown = set(names) - set(COLUMNS)
        missing = REQUIRED - set(names)
        if unknown or missing or len(set(names)) < len(names):
            raise UsageError(
                f"the header has to name columns of {', '.join(COLUMNS)}, each once, and "
                f"{', '.join(sorted(REQUIRED))} among them"
            )
        self._width = len(names)
        self._at, self._value = names.index("at"), names.index("value")
        # Of a column that is not there, the empty cell that take() puts at the end.
        self._key = itemgetter(*(names.index(c) if c in names else -1 for c in COLUMNS[:4]))
        self._intake = intake

    def take(self, row: list[str]) -> None:
        """Take one sample; what is refused raises a UsageError without its line."""
        if len(row) != self._width:
            raise UsageError(f"it has {len(row)} cells, the header {self._width}")
        at, value = _time(row[self._at]), number(row[self._value])
        key = self._key([*row, ""])
        place = self._intake.known(key) or self._place(*key)
        self._intake.add(place, at, value)

    def _place(self, name: str, labels: str, kind: str, unit: str) -> Place:
        who = identity(name, labels_of(labels))
        return self._intake.place((name, labels, kind, unit), who, checked_kind(kind), unit)


def _time(text: str) -> int:
    if "-" not in text[1:]:
        return whole(text)
    try:
        return checked_time(datetime.fromisoformat(text))
    except ValueError as error:
        said = error.message if isinstance(error, DataStoreError) else "its time is no date"
        raise UsageError(said) from error
