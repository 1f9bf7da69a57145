"""A rollup row: what up to 256 buckets of one tier and series come to, packed by columns.

The payload, little-endian: version (1 byte), number of columns (1), for each column its form (1)
and its bytes (4), then the columns: those of Partials (buckets from that of the row's first_at on,
times from the begin of their bucket), how many samples each bucket has, NaN included, how many
rows its sketch has, and the sketch's keys and counts.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import Any, NamedTuple

from numpy.typing import NDArray

from dsfactory.engine import Reading
from dsfactory.errors import CorruptError
from dsfactory.series import partials, pieces, sketch
from dsfactory.series.arrays import np, pcodec
from dsfactory.series.blocks import (
    packed_values,
    require_intact,
    sealed_crc,
    unpacked,
    unpacked_values,
)
from dsfactory.series.partials import Counts, Partials
from dsfactory.series.reading import damaged
from dsfactory.series.sketch import Sketch

MAX_BUCKETS = 256

SKETCH = ("sizes", "keys", "counts")
_COLUMNS = (*Partials._fields, "samples", *SKETCH)
_ALWAYS = ("bucket", "numbers")
EVERYTHING = frozenset(_COLUMNS)

VERSION = 1
INTEGERS = 254
"""The form of a column of integers; others are those of blocks.py."""
_HEAD = struct.Struct("<BB")
_COLUMN = struct.Struct("<BI")
_CONFIG = pcodec.ChunkConfig()
_SIGNIFICANT = np.int64(-1) << np.int64(24)
"""Leaves 28 bits of a float's fraction: squares are off by 4e-9, and take half the room."""


class Row(NamedTuple):
    """One row of the table. Times are inclusive: of the first and after the last bucket."""

    tier: int
    """Milliseconds a bucket."""
    series: int
    first_at: int
    last_at: int
    buckets: int
    bytes: int
    crc: int
    piece: int
    pieces: int


class Rollup(NamedTuple):
    """Buckets of one tier and series: rows of *summary* and *samples* are the same buckets."""

    summary: Partials
    samples: Counts
    """How many samples were in each bucket, NaN included."""
    sketch: Sketch

    def between(self, first: int, end: int) -> Rollup:
        """Return the buckets first <= bucket < end."""
        low, high = np.searchsorted(self.summary.bucket, (first, end))
        part = slice(int(low), int(high))
        return Rollup(
            self.summary.take(part), self.samples[part], sketch.between(self.sketch, first, end)
        )

    def take(self, rows: NDArray[np.bool_]) -> Rollup:
        """Return the buckets for which *rows* is true."""
        summary = self.summary.take(rows)
        kept = np.isin(self.sketch.bucket, summary.bucket)
        return Rollup(
            summary, self.samples[rows], Sketch._make(column[kept] for column in self.sketch)
        )


NOTHING = Rollup(partials.NOTHING, np.empty(0, np.int64), sketch.NOTHING)


def joined(parts: list[Rollup]) -> Rollup:
    """Return the buckets of all *parts*, which are in the order of time and share none."""
    if not parts:
        return NOTHING
    return Rollup(
        partials.joined([part.summary for part in parts]),
        np.concatenate([part.samples for part in parts]),
        Sketch._make(
            np.concatenate(columns)
            for columns in zip(*(part.sketch for part in parts), strict=True)
        ),
    )


def encode(tier: int, series: int, rollup: Rollup) -> tuple[Row, bytes]:
    """Return the row of *rollup* (1 to 256 buckets), not yet stored."""
    buckets = rollup.summary.bucket
    first, last = int(buckets[0]), int(buckets[-1])
    columns = [_packed(column) for column in _stored(tier, rollup)]
    heads = b"".join(_COLUMN.pack(form, len(packed)) for form, packed in columns)
    payload = b"".join(
        (_HEAD.pack(VERSION, len(columns)), heads, *(packed for _, packed in columns))
    )
    place = (series, first * tier, (last + 1) * tier - 1, len(buckets))
    crc = sealed_crc(place, payload)
    return Row(tier, *place, len(payload), crc, 0, 0), payload


def _stored(tier: int, rollup: Rollup) -> list[NDArray[Any]]:
    summary, found = rollup.summary, rollup.sketch
    begins = summary.bucket * tier
    stored = summary._replace(
        bucket=summary.bucket - summary.bucket[0],
        squares=(summary.squares.view(np.int64) & _SIGNIFICANT).view(np.float64),
        opening_at=summary.opening_at - begins,
        closing_at=summary.closing_at - begins,
    )
    _, sizes = np.unique(found.bucket, return_counts=True)
    return [*stored, rollup.samples, sizes, found.key, found.counts]


def _packed(column: NDArray[Any]) -> tuple[int, bytes]:
    if column.dtype == np.float64:
        return packed_values(column)
    return INTEGERS, pcodec.standalone.simple_compress(column.astype(np.int64), _CONFIG)


def read(reading: Reading, row: Row, wanted: Collection[str] = EVERYTHING) -> Rollup:
    """Return what *row* holds; DamagedBlockError if damaged.

    Columns that are not *wanted* are not unpacked, and hold anything; the sketch is empty then.
    """
    try:
        payload = pieces.read(reading, row.piece, row.pieces)
        place = (row.series, row.first_at, row.last_at, row.buckets)
        require_intact(place, row.bytes, row.crc, payload)
        return _decoded(row, payload, wanted)
    except (CorruptError, ValueError, struct.error) as error:
        size = f"{row.buckets} buckets of {row.tier} ms"
        facts = {"series": row.series, "first_at": row.first_at, "last_at": row.last_at}
        facts["tier"] = row.tier
        raise damaged(reading, "rollup", size, str(error), facts) from error


def _decoded(row: Row, payload: bytes, wanted: Collection[str]) -> Rollup:
    version, count = _HEAD.unpack_from(payload)
    if version != VERSION or count != len(_COLUMNS):
        raise ValueError(f"a rollup of version {version}")
    columns: dict[str, NDArray[Any]] = {}
    start = _HEAD.size + count * _COLUMN.size
    for number, name in enumerate(_COLUMNS):
        form, size = _COLUMN.unpack_from(payload, _HEAD.size + number * _COLUMN.size)
        if name in wanted or name in _ALWAYS:
            packed = payload[start : start + size]
            whole = form == INTEGERS
            columns[name] = unpacked(packed) if whole else unpacked_values(form, packed)
        else:
            columns[name] = columns["numbers"]
        start += size
    bucket = columns["bucket"] = columns["bucket"] + row.first_at // row.tier
    columns["opening_at"] = columns["opening_at"] + bucket * row.tier
    columns["closing_at"] = columns["closing_at"] + bucket * row.tier
    sizes, keys, counts = (columns.pop(name) for name in SKETCH)
    samples = columns.pop("samples")
    found = sketch.NOTHING
    if "keys" in wanted:
        found = Sketch(np.repeat(bucket, sizes), keys, counts)
    return Rollup(Partials(**columns), samples, found)
