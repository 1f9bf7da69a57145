"""Many entries in one statement: SQLite takes them from an array, without a call for each.

An item of the array is one entry: four digits with the length of the key, ten with the size
before compression (0 when it was not compressed), the key, the value. What entries have in common
is bound once: a run of them ends where the type of the keys changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dsfactory.engine import ARRAYS, Transaction
from dsfactory.model import Key
from dsfactory.stores import sql
from dsfactory.stores.values import Stored

Row = tuple[Key, int, int | None, int | None, Stored, None]
"""What sql.PUT_MANY takes: key, now, expires_at, unpacked_bytes, value, and no id."""

Run = tuple[str, bool, list[bytes]]

FEW = 4
"""Fewer entries are written one by one: the array would cost more than it saves."""


class Load:
    """Entries to be written together, with one time and one expiry."""

    # Three lists and no tuple an entry: the collector need not look at them.
    __slots__ = ("_stored", "_unpacked", "expires_at", "keys", "now")

    def __init__(self, now: int = 0, expires_at: int | None = None) -> None:
        """Both times may still be set when everything has been added."""
        self.now = now
        self.expires_at = expires_at
        self.keys: list[Key] = []
        self._stored: list[Stored] = []
        self._unpacked: list[int | None] = []

    def add(self, key: Key, stored: Stored, unpacked_bytes: int | None) -> None:
        """Add an entry; text is text for all that are not compressed, or for none."""
        self.keys.append(key)
        self._stored.append(stored)
        self._unpacked.append(unpacked_bytes)

    def put(self, tx: Transaction) -> None:
        """Write everything in its order."""
        if not ARRAYS or len(self.keys) < FEW:
            tx.many(sql.PUT_MANY, self._rows())
            return
        for kind, text, items in self._runs():
            tx.each(sql.PUT_EACH, (self.now, self.expires_at, kind, text), items)

    def _rows(self) -> Iterator[Row]:
        for key, stored, unpacked_bytes in self._entries():
            yield key, self.now, self.expires_at, unpacked_bytes, stored, None

    def _entries(self) -> Iterator[tuple[Key, Stored, int | None]]:
        return zip(self.keys, self._stored, self._unpacked, strict=True)

    def _runs(self) -> Iterator[Run]:
        """Group neighbours whose keys are of one type."""
        kind, text, items = self.keys[0].__class__, False, list[bytes]()
        for key, stored, unpacked_bytes in self._entries():
            if key.__class__ is not kind:
                yield kind.__name__, text, items
                kind, items = key.__class__, []
            if isinstance(key, str):
                name = key.encode()
            else:
                name = key if isinstance(key, bytes) else b"%d" % key
            if isinstance(stored, str):
                text, stored = True, stored.encode()  # noqa: PLW2901
            if unpacked_bytes is None:
                items.append(_PLAIN[len(name)] + name + stored)
            else:
                items.append(b"%04d%010d%b%b" % (len(name), unpacked_bytes, name, stored))
        yield kind.__name__, text, items


class _Heads(dict[int, bytes]):
    """How the item of an entry begins that is not compressed, by the length of its key."""

    def __missing__(self, key_bytes: int) -> bytes:
        head = self[key_bytes] = b"%04d%010d" % (key_bytes, 0)
        return head


_PLAIN = _Heads()


def loads(rows: Iterable[Row]) -> list[Load]:
    """Return *rows* as loads, each of neighbours that have time and expiry in common."""
    found: list[Load] = []
    for key, now, expires_at, unpacked_bytes, stored, _ in rows:
        if not found or (found[-1].now, found[-1].expires_at) != (now, expires_at):
            found.append(Load(now, expires_at))
        found[-1].add(key, stored, unpacked_bytes)
    return found
