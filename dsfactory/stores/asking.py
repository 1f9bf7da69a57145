"""The questions that a metrics store answers about its series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Required, TypedDict, Unpack

from dsfactory.durations import Duration

if TYPE_CHECKING:
    from dsfactory.series.engine import SeriesEngine
    from dsfactory.series.results import SeriesResult

Labels = Mapping[str, str] | None
Time = int | datetime
Where = Sequence[str | tuple[str, str, str]]


class Asked(TypedDict, total=False):
    """What query() takes besides the name."""

    labels: Labels
    where: Where
    start: Required[Time]
    end: Required[Time]
    step: Duration | None
    agg: str
    by: Sequence[str] | None
    tier: Duration | None
    damaged: str


class Asking:
    """What MetricsStore has of queries."""

    @property
    def _series(self) -> SeriesEngine:
        raise NotImplementedError

    def query(  # noqa: PLR0913 -- each is a word of the question
        self,
        name: str,
        *,
        labels: Labels = None,
        where: Where = (),
        start: Time,
        end: Time,
        step: Duration | None = None,
        agg: str = "avg",
        by: Sequence[str] | None = None,
        tier: Duration | None = None,
        damaged: str = "raise",
    ) -> SeriesResult | list[SeriesResult]:
        """Return what the series *name* came to from *start* up to but not including *end*.

        For one series, or with by=(), a SeriesResult; for several, or with labels in *by*, a list
        of them. Either can be iterated over. Without any series, an empty SeriesResult or list.

        *labels* have to be as given; *where* holds matchers as Prometheus has them:
        'code=~"5.."' or ("code", "=~", "5.."), with =, !=, =~, !~; patterns match the whole
        value, and a label that a series lacks is empty. *by* makes groups of series that agree in
        these labels, and aggregates their samples as though they were of one series; rate and
        increase are of each series, and added.

        Without *step* the points are the samples themselves. With one, a bucket is
        [n * step, (n + 1) * step) counted from the epoch (so days begin at 0:00 UTC, and weeks on
        Thursdays), and its timestamp its begin; the first and last one hold what of them lies in
        the interval. Empty buckets are NaN. *agg* is avg, sum, min, max, count (0 where empty),
        first, last, stddev (of the population), rate, increase or quantile(0.99), of the values
        that are not NaN. increase adds up the steps from each number to the next one, in the
        bucket of the later one, so that nothing is lost between buckets; a fall means that the
        counter began anew at 0. Nothing is extrapolated, unlike in Prometheus, and the first step
        begins at the last number before *start*. rate is the increase a second of what of the
        bucket lies in the interval.

        The coarsest rollup whose width divides the step is read where there is one, and samples
        elsewhere; the result's *tier* and *tiers* say so. tier="raw" reads samples only, and
        tier="5m" that rollup. quantile is exact from samples, and within 1 % from rollups.

        Raises QueryError, LabelError or SeriesNameError for what cannot be asked. A damaged block
        raises DamagedBlockError; with damaged="skip" the rest is returned, and *left_out* says
        what is missing.
        """
        results = self.query_all(
            name,
            labels=labels,
            where=where,
            start=start,
            end=end,
            step=step,
            agg=agg,
            by=by,
            tier=tier,
            damaged=damaged,
        )
        if by or len(results) > 1:
            return results
        if results:
            return results[0]
        from dsfactory.series.results import SeriesResult

        return SeriesResult(name=name, labels=dict(labels or {}), agg=agg)

    def query_all(self, name: str, **asked: Unpack[Asked]) -> list[SeriesResult]:
        """Return what query() does, always as a list: a result for each series or group."""
        from dsfactory.series.matching import matchers
        from dsfactory.series.planning import question

        checked = question(
            asked["start"],
            asked["end"],
            asked.get("step"),
            asked.get("agg", "avg"),
            by=asked.get("by"),
            tier=asked.get("tier"),
        )
        wanted = matchers(asked.get("labels"), asked.get("where", ()))
        return self._series.query(name, checked, wanted, damaged=asked.get("damaged", "raise"))

    def roll_up(self) -> int:
        """Make the rollups of all that was sealed since; return of how many series.

        Maintenance calls this before anything expires.
        """
        return self._series.roll_up()
