"""Samples and summaries as they were at one moment, merged from blocks and the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dsfactory.engine import Reading
from dsfactory.engine.transaction import Parameters
from dsfactory.errors import CorruptError, DamagedBlockError
from dsfactory.series import pieces, sql
from dsfactory.series.blocks import Block, decode, require_intact
from dsfactory.series.catalogue import Cache, Catalogue
from dsfactory.series.journal import Journal, JournalCache
from dsfactory.series.samples import EMPTY, Samples, concatenated, merged


class Reader:
    """What a store's series hold at one snapshot. Intervals are half-open: start <= time < end."""

    def __init__(
        self,
        reading: Reading,
        cache: Cache,
        journal: JournalCache,
        *,
        horizon: int | None = None,
        skip_damaged: bool = False,
    ) -> None:
        """Samples before *horizon* are absent: their time is up, though they may be on disk.

        A damaged block raises DamagedBlockError; with *skip_damaged* it is left out and noted.
        """
        self._reading = reading
        self.horizon = 0 if horizon is None else max(0, horizon)
        """Samples before it are absent; 0 when they stay for ever."""
        self._skip = skip_damaged
        self._journal_cache = journal
        self._journal: Journal | None = None
        self.catalogue = Catalogue(reading, cache)
        self.damaged: list[DamagedBlockError] = []
        """The blocks that were left out."""

    def rows(self, statement: str, parameters: Parameters = (), /) -> list[tuple[Any, ...]]:
        """Return all rows of a query at this snapshot."""
        return self._reading.rows(statement, parameters)

    def samples(self, series: int, start: int, end: int) -> Samples:
        """Return the samples of one series; reads only the blocks that overlap the interval."""
        start = max(start, self.horizon)
        if start >= end:
            return EMPTY
        parts = [self.decode(block) for block in self.blocks(series, start, end)]
        sealed = concatenated(parts).between(start, end)
        return merged(sealed, self.recent(series, start, end))

    def many(self, series: Iterable[int], start: int, end: int) -> Iterator[tuple[int, Samples]]:
        """Yield the id and the samples of each series, in the order given."""
        for one in series:
            yield one, self.samples(one, start, end)

    def recent(self, series: int, start: int, end: int) -> Samples:
        """Return those samples of the interval that are not sealed yet; they win over sealed."""
        return self.journal.of(series).between(max(start, self.horizon), end)

    @property
    def journal(self) -> Journal:
        """What is not sealed yet, of all series; without damaged rows when they may be skipped."""
        if self._journal is None:
            journal = self._journal_cache.at(self._reading)
            if journal.damaged and not self._skip:
                raise journal.damaged[0]
            self.damaged += journal.damaged
            self._journal = journal
        return self._journal

    def blocks(self, series: int, start: int, end: int) -> list[Block]:
        """Return the blocks that overlap the interval, in the order of time, undecoded."""
        start = max(start, self.horizon)
        rows = self._reading.rows(sql.BLOCKS, (series, start, end))
        return [Block(*row) for row in rows if row[2] >= start]

    def last_sealed(self, series: int, start: int, end: int) -> float | None:
        """Return the value of the last sample of the interval that is sealed; None without one.

        Looks at the blocks from the last one on: what lies before costs nothing.
        """
        start = max(start, self.horizon)
        while rows := self._reading.rows(sql.BLOCK_BEFORE, (series, end)):
            block = Block(*rows[0])
            if block.last_at < start:
                break
            if block.last_at < end and block.numbers == block.samples:
                return block.closing
            found = self.decode(block).between(start, end)
            if len(found.times):
                return float(found.values[-1])
            end = block.first_at
        return None

    def segments(self, series: int, start: int, end: int) -> Iterator[Block | Samples]:
        """Yield what the interval holds in the order of time, decoding only what has to be.

        A Block lies whole inside of the interval and its summary is exact: no recent sample
        falls between its times. Samples are all the others; none of them is empty.
        """
        start = max(start, self.horizon)
        recent = self.recent(series, start, end)
        for block in self.blocks(series, start, end):
            within = EMPTY
            if len(recent.times):
                before = recent.between(0, block.first_at)
                if len(before.times):
                    yield before
                within = recent.between(block.first_at, block.last_at + 1)
                recent = recent.between(block.last_at + 1, end)
            if start <= block.first_at and block.last_at < end and not len(within.times):
                yield block
                continue
            found = merged(self.decode(block).between(start, end), within)
            if len(found.times):
                yield found
        if len(recent.times):
            yield recent

    def decode(self, block: Block) -> Samples:
        """Return the samples of *block*, checked; none when it is damaged and may be skipped."""
        try:
            return samples_of(self._reading, block)
        except DamagedBlockError as error:
            self.leave_out(error)
            return EMPTY

    def leave_out(self, error: DamagedBlockError) -> None:
        """Note what is damaged when it may be skipped; else raise *error*."""
        if not self._skip:
            raise error
        self.damaged.append(error)


def samples_of(reading: Reading, block: Block) -> Samples:
    """Return what *block* holds; DamagedBlockError when it is not what was written."""
    try:
        payload = pieces.read(reading, block.piece, block.pieces)
        place = (block.series, block.first_at, block.last_at, block.samples)
        require_intact(place, block.bytes, block.crc, payload)
        return decode(block, payload)
    except (CorruptError, ValueError) as error:
        facts = {"series": block.series, "first_at": block.first_at, "last_at": block.last_at}
        facts["samples"] = block.samples
        raise damaged(reading, "block", f"{block.samples} samples", str(error), facts) from error


def damaged(
    reading: Reading, what: str, size: str, why: str, facts: dict[str, int]
) -> DamagedBlockError:
    """Return the error that names what is damaged by its series and times, which are in *facts*."""
    rows = reading.rows(sql.SERIES, (facts["series"],))
    name, labels = (rows[0][1], rows[0][2]) if rows else ("of an unknown series", "{}")
    return DamagedBlockError(
        f"The {what} of {name} {labels} from {facts['first_at']} to {facts['last_at']} ({size}) is "
        f"damaged: {why.rstrip('.')}. Restore a backup, or ask for the rest with damaged='skip'.",
        name=name,
        labels=labels,
        **facts,
    )
