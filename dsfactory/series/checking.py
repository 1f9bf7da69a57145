"""The deep look into the blocks: each is read, and compared with what its row says of it."""

from __future__ import annotations

from collections.abc import Iterator

from dsfactory.engine import Database, Reading
from dsfactory.errors import CorruptError, DamagedBlockError
from dsfactory.model import Violation
from dsfactory.series import rollups, sql
from dsfactory.series.arrays import np
from dsfactory.series.blocks import MAX_SAMPLES, Block, encode
from dsfactory.series.journal import JournalCache
from dsfactory.series.reading import samples_of

JOURNAL = "I13 every sample in the journal is of a series that there is"
WHOLE = "I12 every block decodes to what its row says"
ROLLED = "I14 every rollup decodes to what its row says"
_PAGE_ROWS = 200


def violations(database: Database) -> Iterator[Violation]:
    """Yield every block that is damaged or not as its row says, at one moment."""
    with database.snapshot() as snapshot:
        try:
            yield from _of_journal(snapshot)
            yield from _of_blocks(snapshot)
            yield from _of_rollups(snapshot)
        except CorruptError as error:
            yield Violation(WHOLE, str(error))


def _of_journal(reading: Reading) -> Iterator[Violation]:
    journal = JournalCache().at(reading)
    yield from (Violation(WHOLE, str(error)) for error in journal.damaged)
    for series in journal.ids():
        if not reading.rows(sql.SERIES, (series,)):
            yield Violation(JOURNAL, f"series id {series}")


def _of_blocks(reading: Reading) -> Iterator[Violation]:
    place = (0, -1)
    while rows := reading.rows(sql.BLOCKS_AFTER, (*place, _PAGE_ROWS)):
        for row in rows:
            yield from _of_block(reading, Block(*row))
        place = rows[-1][0], rows[-1][1]


def _of_block(reading: Reading, block: Block) -> Iterator[Violation]:
    try:
        samples = samples_of(reading, block)
    except DamagedBlockError as error:
        yield Violation(WHOLE, str(error))
        return
    times = samples.times
    where = f"series id {block.series} at {block.first_at}"
    if (int(times[0]), int(times[-1])) != (block.first_at, block.last_at):
        yield Violation(WHOLE, f"{where}: its first and last times are others")
    elif len(times) > MAX_SAMPLES or not (np.diff(times) > 0).all():
        yield Violation(WHOLE, f"{where}: its times do not ascend, or are too many")
    elif not _same_summary(block, encode(block.series, samples)[0]):
        yield Violation(WHOLE, f"{where}: its summary is of other values")


def _of_rollups(reading: Reading) -> Iterator[Violation]:
    last = rollups.Row(0, 0, -1, -1, 0, 0, 0, 0, 0)
    while rows := reading.rows(sql.ROLLUPS_AFTER, (*last[:3], _PAGE_ROWS)):
        for row in map(rollups.Row._make, rows):
            yield from _of_rollup(reading, row)
            if row[:2] == last[:2] and row.first_at <= last.last_at:
                yield Violation(ROLLED, f"{_where(row)}: it overlaps the one before")
            last = row


def _of_rollup(reading: Reading, row: rollups.Row) -> Iterator[Violation]:
    try:
        summary, samples, found = rollups.read(reading, row)
    except DamagedBlockError as error:
        yield Violation(ROLLED, str(error))
        return
    bucket, numbers = summary.bucket, summary.numbers
    span = (int(bucket[0]) * row.tier, int(bucket[-1] + 1) * row.tier - 1)
    if span != (row.first_at, row.last_at) or len(bucket) != row.buckets:
        yield Violation(ROLLED, f"{_where(row)}: its buckets are others")
    elif not (np.diff(bucket) > 0).all() or not (samples >= numbers).all():
        yield Violation(ROLLED, f"{_where(row)}: its buckets do not ascend, or hold too much")
    elif found.counts.sum() != numbers.sum():
        yield Violation(ROLLED, f"{_where(row)}: its sketches are of other values")


def _where(row: rollups.Row) -> str:
    return f"series id {row.series}, buckets of {row.tier} ms, at {row.first_at}"


def _same_summary(stored: Block, counted: Block) -> bool:
    """Whether two blocks come to the same; sums may differ in the last digits."""
    if stored[4:7] != counted[4:7] or stored[9:11] != counted[9:11]:
        return False
    pairs = zip(
        (stored.total, stored.squares, stored.increase),
        (counted.total, counted.squares, counted.increase),
        strict=True,
    )
    return all(
        a == b if a is None or b is None else bool(np.isclose(a, b, rtol=1e-9)) for a, b in pairs
    )
