"""Rows of a database as bytes: MessagePack, each row an array of its cells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dsfactory.errors import CorruptError

Cells = tuple[Any, ...]


def packed_rows(rows: Iterable[Cells]) -> bytes:
    """Return *rows*, whose cells are ints, floats, texts, bytes and None."""
    import msgspec

    return msgspec.msgpack.encode(list(rows))


def unpacked_rows(packed: bytes) -> list[Cells]:
    """Return the rows; raise CorruptError when *packed* is anything else."""
    import msgspec

    try:
        return msgspec.msgpack.decode(packed, type=list[tuple[Any, ...]])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise CorruptError("Rows that were kept cannot be read: they are damaged.") from error
