"""The operations that only read. A read sees what is committed, or its own transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, overload

from dsfactory.engine import Row
from dsfactory.errors import KeyAbsentError, OptionTypeError
from dsfactory.keys import checked_key, shown_key
from dsfactory.model import Entry, Key
from dsfactory.options import checked_count
from dsfactory.stores import sql
from dsfactory.stores.core import StoreCore
from dsfactory.stores.monitor import measured
from dsfactory.stores.values import size_of

T = TypeVar("T")
D = TypeVar("D")

FIRST: Key = -(2**63)
"""No key sorts before the smallest integer."""

PAGE_ROWS = 500
"""Rows that a scan fetches at once, so that no read transaction stays open between pages."""


class ReadingStore(StoreCore[T]):
    """Everything about a store that leaves it as it is."""

    @overload
    def get(self, key: Key) -> T | None: ...
    @overload
    def get(self, key: Key, default: T | D) -> T | D: ...
    @measured
    def get(self, key: Key, default: Any = None) -> Any:
        """Return the live value for *key*, or *default* when absent; expired is absent."""
        return self._get(checked_key(key), default)

    @measured
    def __getitem__(self, key: Key) -> T:
        """Return the live value for *key*; raise KeyAbsentError (a KeyError) when absent."""
        key = checked_key(key)
        value = self._get(key, self)
        if value is self:
            raise absent(key, self.name)
        return value  # type: ignore[no-any-return]

    def _get(self, key: Key, default: Any) -> Any:
        now = self._now()
        rows = self._database.rows(sql.LIVE, (key, now))
        if not rows:
            self._monitor.missed()
            return default
        stored, unpacked_bytes = rows[0]
        value = self._values.decode(stored, unpacked_bytes)
        self._monitor.found(size_of(stored, unpacked_bytes))
        self._used(key, now)
        return value

    def _flush_touches(self) -> None:
        touches = self._room.touches
        if touches is not None and len(touches) and not self.closed:
            with self._database.write() as tx:
                touches.flush(tx)

    def __contains__(self, key: object) -> bool:
        """Whether *key* has a live entry. Does not count as a use."""
        return bool(self._database.rows(sql.PRESENT, (checked_key(key), self._now())))

    def __len__(self) -> int:
        """Return the number of live entries, without reading them."""
        ((count,),) = self._database.rows(sql.COUNT, (self._now(),))
        return int(count)

    def __iter__(self) -> Iterator[Key]:
        """Iterate over the live keys in their order; see scan() about concurrent changes."""
        for (key,) in self._pages(sql.KEYS_FORWARD, FIRST, None, None):
            yield key

    @measured
    def get_many(self, keys: Iterable[Key]) -> dict[Key, T]:
        """Return the live values of *keys*, all of one moment; absent ones are left out."""
        wanted = [checked_key(key) for key in keys]
        now = self._now()
        found: dict[Key, T] = {}
        with self._database.snapshot() as snapshot:
            rows = [(key, snapshot.rows(sql.LIVE, (key, now))) for key in wanted]
        for key, row in rows:
            if not row:
                self._monitor.missed()
                continue
            stored, unpacked_bytes = row[0]
            found[key] = self._values.decode(stored, unpacked_bytes)
            self._monitor.found(size_of(stored, unpacked_bytes))
            self._used(key, now)
        return found

    @measured
    def entry(self, key: Key) -> Entry[T] | None:
        """Return the live entry with its bookkeeping; None when absent. Not counted as a use."""
        key = checked_key(key)
        with self._database.snapshot() as snapshot:
            rows = snapshot.rows(sql.WHOLE, (key, self._now()))
            if not rows:
                return None
            tagged = "tags" in self.options.features
            tags = snapshot.rows(sql.TAGS, (key,)) if tagged else []
        stored, unpacked_bytes, version, created_at, updated_at, expires_at, size_bytes = rows[0]
        return Entry(
            key=key,
            value=self._values.decode(stored, unpacked_bytes),
            version=version,
            created_at=created_at,
            updated_at=updated_at,
            expires_at=expires_at,
            size_bytes=size_bytes,
            compressed=unpacked_bytes is not None,
            tags=tuple(name for (name,) in tags),
        )

    @measured
    def ttl(self, key: Key) -> int | None:
        """Return how many milliseconds the entry has left.

        None when it never expires, and when there is none: entry() tells the two apart.
        """
        now = self._now()
        rows = self._database.rows(sql.EXPIRES_AT, (checked_key(key), now))
        return rows[0][0] - now if rows and rows[0][0] is not None else None

    def scan(
        self,
        *,
        prefix: str | bytes | None = None,
        start: Key | None = None,
        end: Key | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[tuple[Key, T]]:
        """Iterate over (key, value) of live entries in key order.

        *start* is included, *end* is not; *prefix* narrows to keys of its own type. The scan
        reads page by page: each key comes at most once, and changes made meanwhile may or may
        not show. Inside of a transaction it sees that transaction's state.
        """
        low, high = _bounds(prefix, start, end)
        left = None if limit is None else checked_count("limit", limit)
        query = sql.BACKWARD if reverse else sql.FORWARD
        return self._decoded(query, low, high, left)

    def _decoded(
        self, query: str, low: Key, high: Key | None, limit: int | None
    ) -> Iterator[tuple[Key, T]]:
        for key, stored, unpacked_bytes in self._pages(query, low, high, limit):
            yield key, self._values.decode(stored, unpacked_bytes)

    def _pages(self, query: str, low: Key, high: Key | None, limit: int | None) -> Iterator[Row]:
        including, left = True, limit
        while left is None or left > 0:
            rows_wanted = PAGE_ROWS if left is None else min(left, PAGE_ROWS)
            rows = self._database.rows(query, (low, including, high, self._now(), rows_wanted))
            yield from rows
            if len(rows) < rows_wanted:
                return
            if left is not None:
                left -= len(rows)
            if query is sql.BACKWARD:
                high = rows[-1][0]
            else:
                low, including = rows[-1][0], False


def absent(key: Key, store: str) -> KeyAbsentError:
    """Return the error for a key without a live entry."""
    return KeyAbsentError(
        f"Store {store!r} has no live entry {shown_key(key)}.", store=store, key=key
    )


def _bounds(
    prefix: str | bytes | None, start: Key | None, end: Key | None
) -> tuple[Key, Key | None]:
    low = FIRST if start is None else checked_key(start)
    high = None if end is None else checked_key(end)
    if prefix is None:
        return low, high
    first = checked_key(prefix)
    if isinstance(first, int):
        raise OptionTypeError("prefix has to be str or bytes.", option="prefix")
    low = first if start is None else _later(low, first)
    last = _after_prefix(first)
    return low, last if high is None else _earlier(high, last)


def _after_prefix(prefix: str | bytes) -> Key | None:
    """The first key that sorts after every key with *prefix*; None when nothing does."""
    if isinstance(prefix, bytes):
        stem = prefix.rstrip(b"\xff")
        return stem[:-1] + bytes([stem[-1] + 1]) if stem else None
    stem_text = prefix.rstrip("\U0010ffff")
    if not stem_text:
        return b""  # every bytes key sorts after all text
    # UTF-8 sorts as code points do; surrogates are no characters.
    following = ord(stem_text[-1]) + 1
    return stem_text[:-1] + chr(0xE000 if following == 0xD800 else following)


def _rank(key: Key) -> tuple[int, Any]:
    """Sorts as SQLite does: integers, text by its UTF-8 bytes, bytes."""
    if isinstance(key, int):
        return 0, key
    return (1, key.encode()) if isinstance(key, str) else (2, key)


def _later(one: Key, other: Key) -> Key:
    return max(one, other, key=_rank)


def _earlier(one: Key, other: Key | None) -> Key:
    return one if other is None else min(one, other, key=_rank)
