"""What was committed and is not sealed yet: one row a flush, of all series together.

A row for each sample, in the order of series and time, would make a commit of one sample of a
thousand series dirty a thousand pages: 6,300 bytes written for each sample, and 55 ms. A flush that
is one row of packed columns writes 50 bytes a sample (scripts/bench/metrics). The journal is read
as a whole, kept decoded in memory (5 MB at most) and searched there.

Later rows win over earlier ones, and all of them over blocks.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from zlib import crc32

from numpy.typing import NDArray

from dsfactory.engine import Reading, Transaction
from dsfactory.errors import DamagedBlockError
from dsfactory.series import sql
from dsfactory.series.arrays import np
from dsfactory.series.samples import EMPTY, Samples, ascending, concatenated

Ids = NDArray[np.int32]
Key = tuple[int, int, int]
"""A row's number, checksum and count: numbers are given again when the journal was empty."""

_TYPES: tuple[np.dtype[Any], ...] = (np.dtype("<i4"), np.dtype("<i8"), np.dtype("<f8"))
_ROW_BYTES = sum(kind.itemsize for kind in _TYPES)


class Journal(NamedTuple):
    """The rows of the journal at one moment, one after the other."""

    keys: tuple[Key, ...]
    series: Ids
    samples: Samples
    """In the order of writing, not of time."""
    damaged: tuple[DamagedBlockError, ...]
    """What could not be read, and is not part of the above."""

    def of(self, series: int) -> Samples:
        """Return the samples of one series, ascending."""
        here = np.flatnonzero(self.series == series)
        if not len(here):
            return EMPTY
        return ascending(Samples(self.samples.times[here], self.samples.values[here]))

    def ids(self) -> list[int]:
        """Return the series that have samples here, ascending."""
        found: list[int] = np.unique(self.series).tolist()
        return found

    def by_series(self) -> list[tuple[int, Samples]]:
        """Return the samples of each series, ascending."""
        if not len(self.series):
            return []
        order = np.argsort(self.series, kind="stable")
        ids, first = np.unique(self.series[order], return_index=True)
        parts = np.split(order, first[1:])
        times, values = self.samples
        return [
            (series, ascending(Samples(times[part], values[part])))
            for series, part in zip(ids.tolist(), parts, strict=True)
        ]


NOTHING = Journal((), np.empty(0, np.int32), EMPTY, ())


class JournalCache:
    """What was read of the journal: only rows that are new are read again."""

    def __init__(self) -> None:
        self._kept = NOTHING

    def at(self, reading: Reading) -> Journal:
        """Return the journal as *reading* sees it."""
        keys: tuple[Key, ...] = tuple(reading.rows(sql.JOURNAL_KEYS))
        kept = self._kept
        if keys != kept.keys:
            if keys[: len(kept.keys)] != kept.keys:
                kept = NOTHING
            kept = self._kept = _joined(kept, keys, reading)
        return kept


def _joined(kept: Journal, keys: tuple[Key, ...], reading: Reading) -> Journal:
    last = kept.keys[-1][0] if kept.keys else 0
    ids, parts, damaged = [kept.series], [kept.samples], list(kept.damaged)
    for number, crc, count, data in reading.rows(sql.JOURNAL_AFTER, (last,)):
        if len(data) == count * _ROW_BYTES and crc32(data) == crc:
            series, samples = _unpacked(count, data)
            ids.append(series)
            parts.append(samples)
        else:
            damaged.append(_damage(number, count))
    return Journal(keys, np.concatenate(ids), concatenated(parts), tuple(damaged))


def _damage(number: int, count: int) -> DamagedBlockError:
    return DamagedBlockError(
        f"Row {number} of the journal ({count} samples of several series that were not sealed yet) "
        "is damaged. Restore a backup, or ask for the rest with damaged='skip'.",
        journal=number,
        samples=count,
    )


def _unpacked(count: int, data: bytes) -> tuple[Ids, Samples]:
    columns = []
    start = 0
    for kind in _TYPES:
        columns.append(np.frombuffer(data, kind, count, start))
        start += count * kind.itemsize
    series, times, values = columns
    return series, Samples(times, values)


def write(tx: Transaction, series: Ids, samples: Samples, *, number: int | None = None) -> None:
    """Append samples of several series, in the order of writing; or put them where *number* was."""
    columns: tuple[NDArray[Any], ...] = (series, *samples)
    data = b"".join(
        column.astype(kind, copy=False).tobytes()
        for column, kind in zip(columns, _TYPES, strict=True)
    )
    span = (int(samples.times.min()), int(samples.times.max()))
    tx.run(sql.ADD_JOURNAL, (number, tx.now, *span, len(series), crc32(data), data))
