"""Reading what one series has to say to a query: from samples, summaries of blocks and tiers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from dsfactory.errors import DamagedBlockError
from dsfactory.series import partials, rollups, sketch, sql
from dsfactory.series.arrays import np
from dsfactory.series.blocks import Block
from dsfactory.series.partials import Counts, Partials
from dsfactory.series.planning import Part, Question, Tier, cover
from dsfactory.series.reading import Reader
from dsfactory.series.rolling import FOREVER, Tiers
from dsfactory.series.rollups import SKETCH, Rollup, Row
from dsfactory.series.samples import Samples, Values, concatenated
from dsfactory.series.sketch import Sketch

SEGMENTS_AT_ONCE = 16
"""Up to 65,536 samples: a call of numpy for each block would take longer than its work."""


class Numbers(NamedTuple):
    """Numbers, each with its bucket."""

    bucket: Counts
    value: Values


class Gathering:
    """Reads series for one question, at one snapshot."""

    def __init__(self, reader: Reader, asked: Question, tiers: Tiers, now: int) -> None:
        self._reader = reader
        self._asked = asked
        made = {tier for (tier,) in reader.rows(sql.TIERS)} if tiers and asked.step else set()
        self._tiers = [
            Tier(width, max(0, now - keep), FOREVER)
            for width, keep in reversed(tiers)
            if width in made and self._fits(width)
        ]
        """Those that the query may be answered from, the coarsest first."""
        self._coarser = [width for width, _ in tiers if width in made and not self._fits(width)]

    def _fits(self, width: int) -> bool:
        tier = self._asked.tier
        return self._asked.step % width == 0 if tier is None else tier == width

    def parts(self, series: int) -> list[Part]:
        """Return from where each part of the time is read."""
        start, end = self._asked.start, self._asked.end
        if not self._tiers:
            return cover(start, end, ())
        until = self._unchanged_until(series)
        return cover(start, end, [tier._replace(until=until) for tier in self._tiers])

    def _unchanged_until(self, series: int) -> int:
        """Return the time until which the rollups are as the samples are, or all that there is."""
        rows = self._reader.rows(sql.DUE_OF, (series,))
        recent = self._reader.recent(series, 0, FOREVER).times
        due = rows[0][0] if rows else FOREVER
        finest = self._tiers[-1].width
        expired = -(-self._reader.horizon // finest) * finest
        return max(min(due, int(recent[0]) if len(recent) else FOREVER), expired)

    def left_out(self, series: int, horizon: int | None) -> int | None:
        """Return the width of a tier that has older buckets than what could be read, if one has."""
        start = self._asked.start
        chosen = self._asked.tier is not None
        if chosen or horizon is None or start >= horizon or not self._coarser:
            return None
        read_from = min([horizon, *(tier.since for tier in self._tiers)])
        for width in self._coarser:
            older = self._reader.rows(sql.ROLLUP_BEFORE, (width, series, read_from))
            if older and Row(*older[0]).last_at >= start:
                return width
        return None

    # -- partials

    def summary(self, series: int, parts: list[Part]) -> Partials:
        """Return what the series comes to in each bucket of the query."""
        found = [piece for part in parts for piece in self._summaries(series, part)]
        with np.errstate(invalid="ignore", over="ignore"):
            whole = partials.folded(partials.joined(found))
        if "increase" not in self._asked.aggregate.wanted or not whole.rows:
            return whole
        return partials.linked(whole, self._before(series))

    def _summaries(self, series: int, part: Part) -> Iterator[Partials]:
        step, wanted = self._asked.step, self._asked.aggregate.wanted
        if part.width:
            for rollup in self._rollups(series, part, wanted):
                yield partials.rebucketed(rollup.summary, step // part.width)
            return
        for portion in self._portions(series, part):
            if isinstance(portion, Block):
                yield partials.of_block(portion, step)
            else:
                yield partials.summed_up(portion, step, wanted)

    def _portions(self, series: int, part: Part) -> Iterator[Block | Samples]:
        """Yield blocks whose summary suffices, and samples, decoded blocks of them together."""
        waiting: list[Samples] = []
        for segment in self._reader.segments(series, part.start, part.end):
            if not isinstance(segment, Block):
                waiting.append(segment)
            elif not _summary_suffices(segment, self._asked.step):
                waiting.append(self._reader.decode(segment))
            else:
                yield concatenated(waiting)
                yield segment
                waiting = []
            if len(waiting) == SEGMENTS_AT_ONCE:
                yield concatenated(waiting)
                waiting = []
        yield concatenated(waiting)

    def _rollups(self, series: int, part: Part, wanted: Collection[str]) -> Iterator[Rollup]:
        width = part.width
        for found in self._reader.rows(sql.ROLLUPS, (width, series, part.start, part.end)):
            row = Row(*found)
            if row.last_at >= part.start:
                rollup = self._read(row, wanted)
                yield rollup.between(part.start // width, part.end // width)

    def _read(self, row: Row, wanted: Collection[str]) -> Rollup:
        try:
            return rollups.read(self._reader, row, wanted)
        except DamagedBlockError as error:
            self._reader.leave_out(error)
            return rollups.NOTHING

    # -- values and sketches, for quantiles

    def values(self, series: int, part: Part) -> Numbers:
        """Return the numbers of a part that is read from samples, ascending by time."""
        times, values = self._reader.samples(series, part.start, part.end)
        there = ~np.isnan(values)
        if not there.all():
            times, values = times[there], values[there]
        return Numbers(times // self._asked.step, values)

    def sketch(self, series: int, part: Part) -> Sketch:
        """Return the sketch of a part."""
        if not part.width:
            return sketch.sketched(*self.values(series, part))
        factor = self._asked.step // part.width
        found = [rollup.sketch for rollup in self._rollups(series, part, SKETCH)]
        return sketch.rebucketed(sketch.joined(found), factor)

    # -- what came before

    def _before(self, series: int) -> float | None:
        """Return the last number before the query's start, None when there is none."""
        found = self._before_in_samples(series)
        if found is not None:
            return found
        latest: tuple[int, float] | None = None
        for tier in reversed(self._tiers):
            row = self._reader.rows(sql.ROLLUP_BEFORE, (tier.width, series, self._asked.start))
            if not row:
                continue
            rollup = self._read(Row(*row[0]), ("closing", "closing_at"))
            before = rollup.between(0, self._asked.start // tier.width).summary
            if before.rows and (latest is None or before.closing_at[-1] > latest[0]):
                latest = int(before.closing_at[-1]), float(before.closing[-1])
        return None if latest is None else latest[1]

    def _before_in_samples(self, series: int) -> float | None:
        position = self._asked.start
        while position > self._reader.horizon:
            rows = self._reader.rows(sql.BLOCK_BEFORE, (series, position))
            block = Block(*rows[0]) if rows else None
            low = 0 if block is None else block.first_at
            if block is not None and self._ends_with_its_number(block, position):
                return block.closing
            number = _last(self._reader.samples(series, low, position))
            if number is not None or block is None:
                return number
            position = low
        return None

    def _ends_with_its_number(self, block: Block, position: int) -> bool:
        """Whether the summary of *block* has the last number before *position*."""
        live = self._reader.horizon <= block.first_at and block.last_at < position
        recent = self._reader.recent(block.series, block.first_at, position).times
        return live and block.numbers > 0 and not len(recent)


def _summary_suffices(block: Block, step: int) -> bool:
    """Whether *block* lies in one bucket, and its first and last times are those of numbers."""
    return block.numbers == block.samples and block.first_at // step == block.last_at // step


def _last(samples: Samples) -> float | None:
    numbers = samples.values[~np.isnan(samples.values)]
    return float(numbers[-1]) if len(numbers) else None
