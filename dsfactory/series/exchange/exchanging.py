"""The whole way: out of a store into a file, and out of a file into a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dsfactory.clock import END_OF_TIME
from dsfactory.errors import OptionError
from dsfactory.model import SeriesRecord
from dsfactory.series import sql
from dsfactory.series.catalogue import Series
from dsfactory.series.engine import SeriesEngine
from dsfactory.series.exchange import text
from dsfactory.series.exchange.formats import format_of
from dsfactory.series.exchange.intake import Intake
from dsfactory.series.exchange.outlet import Chosen, families
from dsfactory.series.exchange.ports import Port, sink, source
from dsfactory.series.matching import Where, matchers, matching
from dsfactory.series.names import checked_name
from dsfactory.series.samples import EMPTY, Samples, Time, checked_time

Names = str | Iterable[str] | None
Labels = Mapping[str, str] | None


@contextmanager
def chosen(
    engine: SeriesEngine,
    names: Names,
    labels: Labels = None,
    where: Where = (),
    *,
    start: Time | None = None,
    end: Time | None = None,
    damaged: str = "raise",
) -> Iterator[Chosen]:
    """Give the series of these names and labels, and the interval, at one moment.

    None is every name, any labels, and no bound. Half-open: start <= time < end. Labels and
    matchers are those of queries.
    """
    first = 0 if start is None else checked_time(start)
    last = END_OF_TIME + 1 if end is None else checked_time(end)
    if last < first:
        raise OptionError("end is before start; allowed: start <= end.", option="end")
    wanted = [names] if isinstance(names, str) else names
    asked = matchers(labels, where)
    with engine.reading(damaged=damaged) as reader:
        catalogue = reader.catalogue
        found = catalogue.names() if wanted is None else sorted(set(map(checked_name, wanted)))
        series = {
            name: sorted(matching(catalogue.named(name), asked), key=lambda s: s.identity.labels)
            for name in found
        }
        yield Chosen(reader, {name: some for name, some in series.items() if some}, first, last)


def records(out: Chosen) -> list[SeriesRecord]:
    """Return what the store holds of each series that was chosen."""
    recent = dict(out.reader.journal.by_series())
    return [
        _record(series, out.reader.rows(sql.SPAN, (series.id,))[0], recent.get(series.id, EMPTY))
        for several in out.series.values()
        for series in several
    ]


def _record(series: Series, sealed: tuple[Any, ...], recent: Samples) -> SeriesRecord:
    count, first, last = sealed
    spans = [] if first is None else [first, last]
    spans += [] if not len(recent.times) else [int(recent.times[0]), int(recent.times[-1])]
    return SeriesRecord(
        series.name,
        series.labels,
        series.type,
        series.unit,
        samples=count + len(recent.times),
        first_at=min(spans, default=None),
        last_at=max(spans, default=None),
    )


def export(out: Chosen, target: Port, form: str | None) -> int:
    """Write what was chosen to *target*; return how many samples."""
    write = format_of(target, form).write
    with sink(target) as sunk:
        write(sunk, out)
    return out.count


def intake(engine: SeriesEngine, port: Port, form: str | None) -> int:
    """Record everything that *port* holds; return how many samples."""
    taken = Intake(engine)
    read = format_of(port, form).read
    try:
        with source(port) as file:
            read(file, taken)
    finally:
        taken.spill()
    return taken.count


def exposition(
    engine: SeriesEngine,
    names: Names,
    labels: Labels,
    where: Where,
    *,
    helps: Mapping[str, str] | None,
    openmetrics: bool,
) -> str:
    """Return the last sample of each series as text."""
    with chosen(engine, names, labels, where) as out:
        found = families(out.series)
        return "".join(text.newest(out, found, helps or {}, openmetrics=openmetrics))
