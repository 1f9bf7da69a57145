"""Parquet and Arrow's IPC file, by pyarrow: the same columns as CSV, a row a sample.

labels is a JSON object as text, at a timestamp[ms, UTC], value a double. In reading, text may be
encoded as a dictionary, at may be a timestamp of any unit (without a zone: UTC; what is finer than
milliseconds is cut off) or an integer of milliseconds, value any number. Nulls are refused.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import IO, Any

from dsfactory.errors import UnfitEnvironmentError, UsageError
from dsfactory.series.arrays import np
from dsfactory.series.catalogue import Series
from dsfactory.series.exchange.intake import AT_ONCE, Intake, checked_kind
from dsfactory.series.exchange.jsonlines import labels_of
from dsfactory.series.exchange.outlet import Chosen
from dsfactory.series.exchange.ports import REFUSALS, refused
from dsfactory.series.exchange.tables import COLUMNS, REQUIRED
from dsfactory.series.names import identity
from dsfactory.series.samples import Samples

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as error:
    raise UnfitEnvironmentError(
        "Arrow and Parquet need pyarrow. Install it: pip install 'dsfactory[arrow]'."
    ) from error

_TEXT = ("name", "labels", "type", "unit")
_SCHEMA = pa.schema(
    [(name, pa.string()) for name in _TEXT]
    + [("at", pa.timestamp("ms", "UTC")), ("value", pa.float64())]
)


class _File(io.RawIOBase):
    """What pyarrow takes for a file: it only goes forward."""

    def __init__(self, out: Callable[[bytes], Any]) -> None:
        self._out = out
        self._at = 0

    def writable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return how many bytes went out."""
        return self._at

    def write(self, data: Any) -> int:
        """Pass all of *data* on."""
        self._out(bytes(data))
        self._at += len(data)
        return len(data)


def write(out: Callable[[bytes], Any], chosen: Chosen, *, parquet: bool) -> None:
    """Write everything through *out*."""
    with _writer(_File(out), parquet=parquet) as writer:
        for table in _tables(chosen):
            writer.write_table(table)


def _tables(chosen: Chosen) -> Iterator[Any]:
    """Yield everything in tables of 65,536 rows and up to a block more."""
    held: list[Any] = []
    count = 0
    for series, portions in chosen.all():
        for samples in portions:
            held.append(_batch(series, samples))
            count += len(samples.times)
            if count >= AT_ONCE:
                yield pa.Table.from_batches(held)
                held, count = [], 0
    if held:
        yield pa.Table.from_batches(held)


def _writer(file: Any, *, parquet: bool) -> Any:
    if parquet:
        return pq.ParquetWriter(file, _SCHEMA, compression="zstd")
    return pa.ipc.new_file(file, _SCHEMA, options=pa.ipc.IpcWriteOptions(compression="zstd"))


def _batch(series: Series, samples: Samples) -> Any:
    count = len(samples.times)
    said = (series.name, series.identity.text, series.type, series.unit)
    columns = [pa.repeat(pa.scalar(text, pa.string()), count) for text in said]
    times = pa.array(samples.times).cast(_SCHEMA.field("at").type)
    return pa.record_batch([*columns, times, pa.array(samples.values)], schema=_SCHEMA)


def read(file: IO[Any], intake: Intake, *, parquet: bool) -> None:
    """Take every row; SampleFormatError names the row (from 0), or the file as a whole."""
    row = 0
    try:
        for batch in _batches(file, parquet=parquet):
            _take(batch, intake, row)
            row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise refused(row, f"it cannot be read ({error})", place="row") from error


def _batches(file: IO[Any], *, parquet: bool) -> Iterator[Any]:
    if parquet:
        yield from pq.ParquetFile(file).iter_batches(batch_size=AT_ONCE)
        return
    reader = pa.ipc.open_file(file)
    for number in range(reader.num_record_batches):
        whole = reader.get_batch(number)
        for start in range(0, whole.num_rows, AT_ONCE):
            yield whole.slice(start, AT_ONCE)


def _take(batch: Any, intake: Intake, first: int) -> None:
    """Take one batch: every run of rows of one series as columns."""
    row = first
    try:
        _check_columns(batch)
        texts = [_encoded(batch, name) for name in _TEXT]
        times, values = _times(batch.column("at")), _values(batch.column("value"))
        changed = np.zeros(max(0, batch.num_rows - 1), np.bool)
        for codes, _ in texts:
            changed |= np.diff(codes) != 0
        edges = [0, *(np.flatnonzero(changed) + 1).tolist(), batch.num_rows]
        for start, end in pairwise(edges):
            row = first + start
            name, labels, kind, unit = (words[codes[start]] for codes, words in texts)
            who = identity(name, labels_of(labels))
            run = slice(start, end)
            intake.columns(who, values[run], times[run], kind=checked_kind(kind), unit=unit)
    except REFUSALS as error:
        raise refused(row, error.message, place="row") from error


def _check_columns(batch: Any) -> None:
    names = batch.schema.names
    if set(names) - set(COLUMNS) or not set(names) >= REQUIRED or len(set(names)) < len(names):
        raise UsageError(f"the columns have to be {', '.join(COLUMNS)}, each once")
    for name in names:
        if batch.column(name).null_count:
            raise UsageError(f"there are nulls in the column {name}")


def _encoded(batch: Any, name: str) -> tuple[Any, list[str]]:
    """Return a column of text as codes and words; of "" when it is not there."""
    if name not in batch.schema.names:
        return np.zeros(batch.num_rows, np.int32), [""]
    column = batch.column(name)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    words = column.dictionary.to_pylist()
    if not all(isinstance(word, str) for word in words):
        raise UsageError(f"the column {name} is no text")
    return column.indices.to_numpy(zero_copy_only=False), words


def _times(column: Any) -> Any:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", column.type.tz), safe=False).cast(pa.int64())
    elif not pa.types.is_integer(column.type):
        raise UsageError(f"at is {column.type}; timestamps and integers are taken")
    return column.to_numpy(zero_copy_only=False)


def _values(column: Any) -> Any:
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise UsageError(f"value is {column.type}; numbers are taken")
    return column.to_numpy(zero_copy_only=False)
