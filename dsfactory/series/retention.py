"""What goes when its time is up, or for want of room: whole blocks, the oldest first."""

from __future__ import annotations

from collections.abc import Collection

from dsfactory.engine import Transaction
from dsfactory.options import StoreOptions
from dsfactory.series import pieces, sql
from dsfactory.series.rolling import roll_up_first

BLOCKS_AT_ONCE = 500
"""Blocks that one transaction drops: some 4,000 pieces, a few milliseconds of the write lock."""

ROW_BYTES = 20
"""What a sample in the journal is counted as."""
BLOCK_BYTES = 160
"""What a block counts beside its payload: its row, its place in the index, the heads of pieces."""


def drop_expired(tx: Transaction, cutoff: int, options: StoreOptions) -> int:
    """Drop up to 500 blocks that ended before *cutoff*; return how many samples went."""
    return _drop(tx, tx.rows(sql.OLDEST_BEFORE, (cutoff, BLOCKS_AT_ONCE)), options)


def _drop(tx: Transaction, rows: list[tuple[int, ...]], options: StoreOptions) -> int:
    roll_up_first(tx, options, {series for series, *_ in rows})
    tx.many(sql.DROP_BLOCK, [(series, first_at) for series, first_at, *_ in rows])
    pieces.drop(tx, [(piece, count) for _, _, _, _, piece, count in rows])
    return sum(samples for _, _, samples, *_ in rows)


def fit(tx: Transaction, max_bytes: int, options: StoreOptions) -> int:
    """Drop the oldest blocks until entries and series fit; return how many samples went."""
    went = 0
    while (excess := used_bytes(tx) - max_bytes) > 0:
        rows, freed = [], 0
        for row in tx.rows(sql.OLDEST, (BLOCKS_AT_ONCE,)):
            if freed >= excess:
                break
            rows.append(row)
            freed += row[3] + BLOCK_BYTES
        if not rows:
            break  # the journal and entries alone
        went += _drop(tx, rows, options)
    return went


def used_bytes(tx: Transaction) -> int:
    """Return what entries and series come to."""
    ((size,),) = tx.rows(sql.USED_BYTES, (BLOCK_BYTES, ROW_BYTES))
    return int(size)


def drop_empty_series(tx: Transaction, after: int, journal: Collection[int]) -> tuple[int, int]:
    """Forget series without a sample or rollup among the 500 after id *after*.

    *journal* are the series that have samples in the journal. Return the last id that was looked
    at, 0 when there was none, and how many went.
    """
    ids = [series for (series,) in tx.rows(sql.IDS_AFTER, (after, BLOCKS_AT_ONCE))]
    if not ids:
        return 0, 0
    tiers = [tier for (tier,) in tx.rows(sql.TIERS)]
    empty = [(one,) for one in ids if one not in journal and not tx.rows(sql.HAS_BLOCKS, (one,))]
    for tier in tiers:
        empty = [(one,) for (one,) in empty if not tx.rows(sql.HAS_ROLLUPS, (tier, one))]
    if empty:
        tx.many(sql.DROP_SERIES, empty)
        tx.many(sql.DROP_DUE, empty)
        tx.run(sql.BUMP)
    return ids[-1], len(empty)
