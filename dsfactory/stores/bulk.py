"""Many entries in one statement: SQLite takes them from an array, without a call for each.

An item of the array is one entry: four digits with the length of the key, ten with the size
before compression (0 when it was not compressed), the key, the value. What entries have in common
is bound once, so a run of entries ends where that changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dsfactory.engine import ARRAYS, Transaction
from dsfactory.model import Key
from dsfactory.stores import sql
from dsfactory.stores.values import Stored

Row = tuple[Key, int, int | None, int | None, Stored, None]
"""What sql.PUT_MANY takes: key, now, expires_at, unpacked_bytes, value, and no id."""

Run = tuple[tuple[object, ...], list[bytes]]

FEW = 4
"""Fewer entries are written one by one: the array would cost more than it saves."""


def put(tx: Transaction, rows: Sequence[Row]) -> None:
    """Write *rows* in their order."""
    if not ARRAYS or len(rows) < FEW:
        tx.many(sql.PUT_MANY, rows)
        return
    for common, items in _runs(rows):
        tx.each(sql.PUT_EACH, common, items)


def _runs(rows: Sequence[Row]) -> Iterator[Run]:
    """Group neighbours by what is bound once: now, expires_at, and what key and value are."""
    common: tuple[object, ...] = ()
    items: list[bytes] = []
    for key, now, expires_at, unpacked_bytes, stored, _ in rows:
        text = isinstance(stored, str)
        this = (now, expires_at, key.__class__.__name__, text)
        if this != common:
            if items:
                yield common, items
            common, items = this, []
        if isinstance(key, str):
            name = key.encode()
        else:
            name = key if isinstance(key, bytes) else b"%d" % key
        value = stored.encode() if isinstance(stored, str) else stored
        items.append(b"%04d%010d%b%b" % (len(name), unpacked_bytes or 0, name, value))
    yield common, items
