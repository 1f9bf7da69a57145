"""Answering queries: which series, in which groups, from which tiers, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dsfactory.errors import DamagedBlockError, QueryError
from dsfactory.series import partials, quantiles, sketch
from dsfactory.series.arrays import np
from dsfactory.series.catalogue import Series
from dsfactory.series.gathering import Gathering, Numbers
from dsfactory.series.partials import Counts, Partials
from dsfactory.series.planning import RAW, Part, Question, named, require_points
from dsfactory.series.reading import Reader
from dsfactory.series.results import SeriesResult
from dsfactory.series.rolling import Tiers
from dsfactory.series.samples import Values
from dsfactory.series.sketch import Sketch

MAX_SAMPLES = 50_000_000
"""That one query without a step may give: 800 MB."""
POOLED_ROWS = 1_000_000
"""Partials of a group that wait to be pooled."""
EXACT_NUMBERS = 5_000_000
"""Numbers that a quantile is taken of exactly: 80 MB; beyond, they are sketched."""

Group = tuple[dict[str, str], list[Series]]


def answer(
    reader: Reader, asked: Question, series: Sequence[Series], tiers: Tiers, now: int
) -> list[SeriesResult]:
    """Return a result for each of *series*, or for each group of them."""
    groups = grouped(series, asked.by)
    if not asked.step:
        return _samples(reader, asked, series)
    require_points(asked, len(groups))
    gathering = Gathering(reader, asked, tiers, now)
    if not groups:
        return []  # no points, however short the step
    answering = _Answering(reader, asked, gathering, bool(tiers))
    return [answering.result(labels, members) for labels, members in groups]


def grouped(series: Iterable[Series], by: Sequence[str] | None) -> list[Group]:
    """Return the groups of *by*, ordered by their labels; each series by itself for None.

    A label that a series lacks is empty there, and left out of its group's labels.
    """
    if by is None:
        return [(dict(one.labels), [one]) for one in series]
    found: dict[tuple[str, ...], list[Series]] = {}
    for one in series:
        labels = one.labels
        found.setdefault(tuple(labels.get(label, "") for label in by), []).append(one)
    return [
        ({label: value for label, value in zip(by, values, strict=True) if value}, members)
        for values, members in sorted(found.items())
    ]


class _Answering:
    """Makes the results of one query with a step."""

    def __init__(self, reader: Reader, asked: Question, gathering: Gathering, tiered: bool) -> None:
        self._reader = reader
        self._asked = asked
        self._gathering = gathering
        self._tiered = tiered
        step, first, count = asked.step, asked.first, asked.buckets
        self._times = (first + np.arange(count, dtype=np.int64)) * step
        begins = np.maximum(self._times, asked.start)
        self._seconds = (np.minimum(self._times + step, asked.end) - begins) / 1000.0

    def result(self, labels: dict[str, str], members: list[Series]) -> SeriesResult:
        """Return the result of one group."""
        damaged_before = len(self._reader.damaged)
        plans = [(one.id, self._gathering.parts(one.id)) for one in members]
        error = 0.0
        if self._asked.aggregate.quantile is None:
            values = self._values(self._pooled(plans))
        else:
            values, error = self._quantiles(plans, self._asked.aggregate.quantile)
        damaged = self._reader.damaged[damaged_before:]
        widths = {part.width for _, parts in plans for part in parts}
        return SeriesResult(
            name=members[0].name,
            unit=_common((one.unit for one in members), ""),
            type=_common((one.type for one in members), "unknown"),
            labels=labels,
            agg=self._asked.aggregate.name,
            step=self._asked.step,
            timestamps=self._times,
            values=values,
            tiers=tuple(named(width) for width in sorted(widths, reverse=True)) or (RAW,),
            relative_error=error,
            damaged=tuple(damaged),
            left_out=(*map(str, damaged), *self._coarser(members)),
        )

    def _pooled(self, plans: list[tuple[int, list[Part]]]) -> Partials:
        waiting: list[Partials] = []
        rows = 0
        for series, parts in plans:
            found = self._gathering.summary(series, parts)
            waiting.append(found)
            rows += found.rows
            if rows > POOLED_ROWS and len(waiting) > 1:
                waiting = [partials.pooled(partials.joined(waiting))]
                rows = waiting[0].rows
        return partials.pooled(partials.joined(waiting)) if len(plans) > 1 else waiting[0]

    def _values(self, found: Partials) -> Values:
        aggregate = self._asked.aggregate
        places = found.bucket - self._asked.first
        with np.errstate(invalid="ignore", over="ignore"):
            figures = aggregate.finish(found, self._seconds[places])
        return self._dense(places, figures, aggregate.empty)

    def _dense(self, places: Counts, figures: Values, empty: float) -> Values:
        values = np.full(len(self._times), empty)
        values[places] = figures
        return values

    def _quantiles(self, plans: list[tuple[int, list[Part]]], q: float) -> tuple[Values, float]:
        """Return the quantile of each bucket, and by how much it may be off."""
        exact: list[Numbers] = []
        sketches: list[Sketch] = []
        waiting = 0
        for series, part in ((series, part) for series, parts in plans for part in parts):
            if part.width:
                sketches.append(self._gathering.sketch(series, part))
                continue
            exact.append(self._gathering.values(series, part))
            waiting += len(exact[-1].value)
            if waiting > EXACT_NUMBERS:
                sketches = [sketch.joined([*sketches, *(sketch.sketched(*n) for n in exact)])]
                exact, waiting = [], 0
        if sketches:
            together = sketch.joined([*sketches, *(sketch.sketched(*n) for n in exact)])
            buckets, figures = sketch.quantiles(together, q)
        else:
            none = np.empty(0, np.int64), np.empty(0)
            buckets, values = map(np.concatenate, zip(none, *exact, strict=True))
            buckets, figures = quantiles.exact(buckets, values, q)
        error = sketch.RELATIVE_ERROR if sketches else 0.0
        return self._dense(buckets - self._asked.first, figures, np.nan), error

    def _coarser(self, members: list[Series]) -> list[str]:
        """Return what to say when a tier has older buckets that do not fit the step."""
        horizon = self._reader.horizon or None
        for one in members:
            width = self._gathering.left_out(one.id, horizon)
            if width is not None:
                return [
                    f"Older data is kept in buckets of {named(width)} only: ask for a step that "
                    "is a multiple of it."
                ]
        return []


def _samples(reader: Reader, asked: Question, series: Sequence[Series]) -> list[SeriesResult]:
    """Return the samples of each series as they are."""
    count = sum(
        block.samples for one in series for block in reader.blocks(one.id, asked.start, asked.end)
    )
    if count > MAX_SAMPLES:
        raise QueryError(
            f"The query would give {count} samples; allowed: {MAX_SAMPLES}. Ask for a step, a "
            "shorter time or fewer series.",
            samples=count,
            limit=MAX_SAMPLES,
        )
    results = []
    for one in series:
        before = len(reader.damaged)
        times, values = reader.samples(one.id, asked.start, asked.end)
        damaged: list[DamagedBlockError] = reader.damaged[before:]
        results.append(
            SeriesResult(
                name=one.name,
                unit=one.unit,
                type=one.type,
                labels=dict(one.labels),
                agg=RAW,
                step=None,
                timestamps=times,
                values=values,
                tiers=(RAW,),
                damaged=tuple(damaged),
                left_out=tuple(map(str, damaged)),
            )
        )
    return results


def _common(words: Iterable[str], otherwise: str) -> str:
    found = set(words)
    return found.pop() if len(found) == 1 else otherwise
