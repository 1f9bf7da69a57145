"""Which series a metrics store has, and their samples out of it and into it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from dsfactory.model import SeriesRecord
from dsfactory.stores.asking import Labels, Where

if TYPE_CHECKING:
    from dsfactory.series.engine import SeriesEngine
    from dsfactory.series.exchange.exchanging import Names
    from dsfactory.series.exchange.ports import Port


class Exchanging:
    """What MetricsStore has of listing, export, import and exposition."""

    @property
    def _series(self) -> SeriesEngine:
        raise NotImplementedError

    def list_series(
        self, names: Names = None, *, labels: Labels = None, where: Where = ()
    ) -> list[SeriesRecord]:
        """Return the series of these names (None: all) and labels, which are those of query().

        By name, then by labels; reads no samples.
        """
        from dsfactory.series.exchange.exchanging import chosen, records

        with chosen(self._series, names, labels, where) as out:
            return records(out)

    def export_samples(
        self,
        target: Port,
        *,
        format: str | None = None,
        names: Names = None,
        labels: Labels = None,
        where: Where = (),
        start: int | datetime | None = None,
        end: int | datetime | None = None,
        damaged: str = "raise",
    ) -> int:
        """Write samples to a path or a file object; return how many.

        *format* is "prometheus" (text 0.0.4), "openmetrics", "csv", "jsonl" (as VictoriaMetrics
        has it), "arrow" or "parquet" (with ``dsfactory[arrow]``); left out, the ending of the path
        tells. Chosen are the series of *names* (None: all), with *labels* and *where* as
        in query(), and the times start <= t < end. What is written reads back as the same samples.
        Memory does not grow with them. A file at a path is complete or not there, and its owner's.

        A damaged block raises DamagedBlockError; with damaged="skip" it is left out.
        """
        from dsfactory.series.exchange import exchanging

        with exchanging.chosen(
            self._series, names, labels, where, start=start, end=end, damaged=damaged
        ) as out:
            return exchanging.export(out, target, format)

    def import_samples(
        self,
        source: Port,
        *,
        format: str | None = None,
        durable: bool = False,
    ) -> int:
        """Record what a path or a file object holds, in the formats of export_samples(); return how
        many samples. They are committed when this returns, with *durable* onto the disk.

        A line that is not in the format raises SampleFormatError, which names it; what stands
        before it was recorded, and may be imported again. Samples without a time are from now.
        Raises TransactionError inside of a transaction.
        """
        from dsfactory.series.exchange import exchanging

        self._series.refuse_in_transaction()
        count = exchanging.intake(self._series, source, format)
        self._series.flush(durable=durable)
        return count

    def exposition(
        self,
        names: Names = None,
        *,
        labels: Labels = None,
        where: Where = (),
        helps: Mapping[str, str] | None = None,
        openmetrics: bool = False,
    ) -> str:
        """Return the last sample of each series in Prometheus' text format 0.0.4, or OpenMetrics.

        Without times: it is what stands now, for a scrape. *helps* are texts by metric. Costs a
        look at the last block of each series.
        """
        from dsfactory.series.exchange import exchanging

        return exchanging.exposition(
            self._series, names, labels, where, helps=helps, openmetrics=openmetrics
        )

    def scrape(
        self, accept: str = "", *, helps: Mapping[str, str] | None = None
    ) -> tuple[str, bytes]:
        """Return the content type and the body that answer a scrape of Prometheus.

        *accept* is the request's header of that name: OpenMetrics goes to those who ask for it.
        For any web framework: ``content_type, body = store.scrape(request.headers["Accept"])``.
        """
        from dsfactory.series.exchange import text

        openmetrics = "application/openmetrics-text" in accept
        body = self.exposition(helps=helps, openmetrics=openmetrics)
        return text.OPENMETRICS if openmetrics else text.PROMETHEUS, body.encode()
