"""Making rollups: from the blocks of a series, for whatever changed in them.

Sealing notes in rollup_due, in its own transaction, from when a series has changed. Making the
buckets of that time, all tiers at once, and moving the note on is one transaction too: whenever a
process is killed, a bucket is as its blocks are, or noted. While a series is noted its buckets
from that time on are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from dsfactory.clock import END_OF_TIME
from dsfactory.engine import Database, Transaction
from dsfactory.errors import DamagedBlockError
from dsfactory.options import StoreOptions
from dsfactory.series import partials, pieces, rollups, sketch, sql
from dsfactory.series.arrays import np
from dsfactory.series.blocks import Block
from dsfactory.series.partials import Counts
from dsfactory.series.reading import samples_of
from dsfactory.series.rollups import MAX_BUCKETS, Rollup, Row
from dsfactory.series.samples import EMPTY, Samples

BLOCKS_AT_ONCE = 32
"""Blocks that one transaction rolls up: some 131,000 samples, 50 ms of the write lock."""
_SERIES_PAGE = 100
_ROWS_AT_ONCE = 500

FOREVER = END_OF_TIME + 1

LATENESS_MS = 2 * 3_600_000
"""Samples stay in the journal for an hour, and are rolled up some minutes later."""

Tiers = Sequence[tuple[int, int]]
"""Width and retention of each tier in milliseconds, the finest first."""


def floor(options: StoreOptions, now: int) -> int | None:
    """Return the time from which on no block has expired: those before it may be gone.

    With rollups, the begin of a bucket of the coarsest tier: while a bucket holds one sample that
    is not past the ttl, or was not two hours ago, all of its samples are on disk.
    """
    if options.ttl is None:
        return None
    if not options.rollups:
        return now - options.ttl
    coarsest = options.rollups[-1][0]
    return (now - options.ttl - LATENESS_MS) // coarsest * coarsest


class _Fresh(NamedTuple):
    """The buckets of one width in a span of time, as the blocks have them now."""

    rollup: Rollup
    counted: Counts
    """Every bucket that holds a sample, a number or not."""
    counts: Counts


class Roller:
    """Makes rollups within one transaction."""

    def __init__(self, tx: Transaction, options: StoreOptions) -> None:
        self._tx = tx
        self._widths = [width for width, _ in options.rollups]
        self._floor = floor(options, tx.now) or 0
        self._pieces = pieces.Writer(tx)
        self.damaged_at: int | None = None
        """When the first damaged block begins that was passed over."""

    def make(self, series: int) -> bool:
        """Roll up the next part of what is due of *series*; return whether more is."""
        rows = self._tx.rows(sql.DUE_OF, (series,))
        if not rows:
            return False
        begin, end = self._span(series, rows[0][0])
        if begin < end:
            self._make(series, begin, end)
        self._tx.run(sql.DROP_DUE, (series,))
        if end == FOREVER:
            return False
        self._tx.run(sql.DUE, (series, end))
        return True

    def make_all(self, series: int) -> None:
        """Roll up everything that is due of *series*."""
        while self.make(series):
            pass

    def _span(self, series: int, since: int) -> tuple[int, int]:
        """Return whole buckets of the coarsest tier from *since* on, with 32 blocks or the rest."""
        coarsest = self._widths[-1]
        ((first,),) = self._tx.rows(sql.FIRST_FROM, (series, since))
        if first is None:
            return FOREVER, FOREVER
        begin = max(since, first) // coarsest * coarsest
        blocks = self._tx.rows(sql.BLOCKS, (series, begin, FOREVER))
        if len(blocks) <= BLOCKS_AT_ONCE:
            return begin, FOREVER
        last_begin: int = blocks[BLOCKS_AT_ONCE - 1][1]
        return begin, (last_begin // coarsest + 1) * coarsest

    def _make(self, series: int, begin: int, end: int) -> None:
        fresh = self._fresh(series, begin, end)
        finest = self._widths[0]
        for width in self._widths:
            self._put(series, width, (begin, end), _widened(fresh, width // finest))

    def _fresh(self, series: int, begin: int, end: int) -> _Fresh:
        width = self._widths[0]
        sums, sketches, counted = [], [], []
        for row in self._tx.rows(sql.BLOCKS, (series, begin, end)):
            samples = self._intact(Block(*row)).between(begin, end)
            if len(samples.times):
                sums.append(partials.summed_up(samples, width))
                sketches.append(sketch.of_samples(samples, width))
                counted.append(samples.times // width)
        summary = partials.folded(partials.joined(sums))
        found = sketch.joined(sketches)
        empty: Counts = np.empty(0, np.int64)
        buckets, counts = np.unique(np.concatenate([empty, *counted]), return_counts=True)
        of_summary = counts[np.searchsorted(buckets, summary.bucket)]
        return _Fresh(Rollup(summary, of_summary, found), buckets, counts)

    def _intact(self, block: Block) -> Samples:
        try:
            return samples_of(self._tx, block)
        except DamagedBlockError:
            if self.damaged_at is None:
                self.damaged_at = block.first_at
            return EMPTY

    def _put(self, series: int, width: int, span: tuple[int, int], fresh: _Fresh) -> None:
        """Put *fresh* in the place of the buckets in *span*, but of those whose blocks are gone.

        Blocks before the floor may be. And samples are never deleted one by one: where a bucket
        was made of more of them than there are now, blocks were dropped for want of room.
        """
        begin, end = span[0] // width, span[1] // width
        rows, old = self._stored(series, width, span)
        inside = old.between(begin, end)
        there = _counts_at(fresh, inside.summary.bucket)
        gone = (inside.samples > there) | (inside.summary.bucket < self._floor // width)
        kept = inside.take(gone)
        anew = fresh.rollup.take(
            ~np.isin(fresh.rollup.summary.bucket, kept.summary.bucket, assume_unique=True)
        )
        middle = _in_order(kept, anew)
        whole = rollups.joined([old.between(0, begin), middle, old.between(end, FOREVER)])
        self._replace(series, width, rows, whole)

    def _stored(self, series: int, width: int, span: tuple[int, int]) -> tuple[list[Row], Rollup]:
        """Return the rows that *span* touches, the one before it if it has room, and what is in
        them.
        """
        begin, end = span
        rows = [Row(*row) for row in self._tx.rows(sql.ROLLUPS, (width, series, begin, end))]
        # The first one may end before the span, and is taken only where it has room.
        if rows and rows[0].last_at < begin and rows[0].buckets >= MAX_BUCKETS:
            rows = rows[1:]
        found = []
        for row in list(rows):
            try:
                found.append(rollups.read(self._tx, row))
            except DamagedBlockError:
                if row.last_at < begin or row.first_at < begin:
                    rows.remove(row)  # it stays for whoever restores a backup
        return rows, rollups.joined(found)

    def _replace(self, series: int, width: int, rows: list[Row], whole: Rollup) -> None:
        drop(self._tx, rows)
        buckets = whole.summary.bucket
        for start in range(0, len(buckets), MAX_BUCKETS):
            part = buckets[start : start + MAX_BUCKETS]
            row, payload = rollups.encode(
                width, series, whole.between(int(part[0]), int(part[-1]) + 1)
            )
            piece, count = self._pieces.write(payload, draft=len(part) < MAX_BUCKETS)
            self._tx.run(sql.ADD_ROLLUP, row._replace(piece=piece, pieces=count))


def _widened(fresh: _Fresh, factor: int) -> _Fresh:
    if factor == 1:
        return fresh
    summary = partials.rebucketed(fresh.rollup.summary, factor)
    wider = fresh.counted // factor
    counted, starts = np.unique(wider, return_index=True)
    counts = np.add.reduceat(fresh.counts, starts) if len(starts) else fresh.counts
    samples = counts[np.searchsorted(counted, summary.bucket)]
    found = sketch.rebucketed(fresh.rollup.sketch, factor)
    return _Fresh(Rollup(summary, samples, found), counted, counts)


def _counts_at(fresh: _Fresh, buckets: Counts) -> Counts:
    places = np.searchsorted(fresh.counted, buckets)
    found = np.zeros(len(buckets), np.int64)
    inside = places < len(fresh.counted)
    same = inside.copy()
    same[inside] = fresh.counted[places[inside]] == buckets[inside]
    found[same] = fresh.counts[places[same]]
    return found


def _in_order(one: Rollup, other: Rollup) -> Rollup:
    if not one.summary.rows:
        return other
    both = rollups.joined([one, other])
    order = np.argsort(both.summary.bucket, kind="stable")
    return Rollup(
        both.summary.take(order), both.samples[order], sketch.joined([one.sketch, other.sketch])
    )


def drop(tx: Transaction, rows: Sequence[Row]) -> None:
    """Delete *rows* with their payloads."""
    tx.many(sql.DROP_ROLLUP, [(row.tier, row.series, row.first_at) for row in rows])
    pieces.drop(tx, [(row.piece, row.pieces) for row in rows])


def roll_up(database: Database, options: StoreOptions, stopping: Callable[[], bool]) -> int:
    """Make whatever is due, in transactions of one series and 32 blocks; return of how many series.

    A tier that has no rows yet is made for every series. A series with a damaged block stays noted
    from there on: queries shall read it, and say so, until it has gone.
    """
    there = {tier for (tier,) in database.rows(sql.TIERS)}
    if not {width for width, _ in options.rollups} <= there and database.rows(sql.ANY_BLOCK):
        with database.write() as tx:
            tx.run(sql.ALL_DUE)
    done = last = 0
    while due := database.rows(sql.DUE_AFTER, (last, _SERIES_PAGE)):
        for (series,) in due:
            if stopping() or not _roll_up(database, options, series, stopping):
                return done
            done += 1
        last = due[-1][0]
    return done


def _roll_up(
    database: Database, options: StoreOptions, series: int, stopping: Callable[[], bool]
) -> bool:
    """Make whatever is due of one series; return whether that was done to the end."""
    more, damaged_at = True, None
    while more:
        if stopping():
            return False
        with database.write() as tx:
            roller = Roller(tx, options)
            more = roller.make(series)
            damaged_at = roller.damaged_at if damaged_at is None else damaged_at
            if damaged_at is not None and not more:
                tx.run(sql.DUE, (series, damaged_at))
    return True


def retain(database: Database, tiers: Tiers, now: int, stopping: Callable[[], bool]) -> int:
    """Drop rollups past their retention, and those of tiers that are no more; return how many
    buckets.
    """
    keep = dict(tiers)
    went = 0
    for (tier,) in database.rows(sql.TIERS):
        cutoff = now - keep[tier] if tier in keep else FOREVER
        while not stopping():
            with database.write() as tx:
                old = tx.rows(sql.OLD_ROLLUPS, (tier, cutoff, _ROWS_AT_ONCE))
                rows = [Row(*row) for row in old]
                drop(tx, rows)
            went += sum(row.buckets for row in rows)
            if len(rows) < _ROWS_AT_ONCE:
                break
    return went


def roll_up_first(tx: Transaction, options: StoreOptions, series: Collection[int]) -> None:
    """Roll up what is due of *series*, whose blocks this transaction is about to drop."""
    if options.rollups:
        roller = Roller(tx, options)
        for one in series:
            roller.make_all(one)
