"""The operations that only read. A read sees what is committed, or its own transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import get_ident
from typing import Any, TypeVar, overload

from dsfactory.checks import checked_count
from dsfactory.clock import NS_PER_MS, ticks_ns, wall_ns
from dsfactory.codecs import is_unchangeable
from dsfactory.engine import Reading, Row
from dsfactory.errors import KeyAbsentError, OptionTypeError
from dsfactory.keys import checked_key, shown_key
from dsfactory.model import Entry, Key
from dsfactory.stores import sql
from dsfactory.stores.core import StoreCore
from dsfactory.stores.hot import FOREVER, UNKNOWN
from dsfactory.stores.kept import Table
from dsfactory.stores.monitor import MISSED, Held, Lookups, measured
from dsfactory.stores.values import size_of

T = TypeVar("T")
D = TypeVar("D")

ABSENT: Any = object()
"""What is found when there is no live entry; None may be a value."""

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
    def get(self, key: Key, default: Any = None) -> Any:
        """Return the live value for *key*, or *default* when absent; expired is absent."""
        value = self._got(key)
        if value is UNKNOWN:
            value = self._looked_up(key, self._monitor.gets)
        return default if value is ABSENT else value

    def __getitem__(self, key: Key) -> T:
        """Return the live value for *key*; raise KeyAbsentError (a KeyError) when absent."""
        value = self._item(key)
        if value is UNKNOWN:
            value = self._looked_up(key, self._monitor.items)
        return value  # type: ignore[no-any-return]

    def _looked_up(self, key: Key, lookups: Lookups) -> Any:
        """Return the live value or ABSENT, timed and counted as one of *lookups*."""
        monitor = self._monitor
        started = ticks_ns()
        try:
            value, size = self._found(checked_key(key))
            if value is ABSENT:
                self._answer_absent(key, lookups)
        except BaseException as error:
            monitor.failed(lookups.operation, started, error)
            raise
        lookups.times.append(ticks_ns() - started)
        lookups.sizes.append(size)
        if self._hot.looked:
            self._settle(key)
        if monitor.hooks:
            monitor.tell(lookups, started)
        return value

    def _answer_absent(self, key: Key, lookups: Lookups) -> None:
        if lookups is self._monitor.items:
            self._monitor.missed()
            raise absent(checked_key(key), self.name)

    def _settle(self, key: Key) -> None:
        """Count what was found on the quick way since the last time, and how long that takes."""
        self._hot.looked = False
        monitor, touches = self._monitor, self._room.touches
        if monitor.waiting():
            started = ticks_ns()
            self._sample(key)
            monitor.gets.sample_ns = monitor.items.sample_ns = ticks_ns() - started
            monitor.settle()
        if touches is not None:
            touches.settle(self._now())

    def _get(self, key: Key, default: Any) -> Any:
        """As get(), counted as a lookup but not as an operation."""
        value, size = self._found(key)
        if value is ABSENT:
            self._monitor.missed()
            return default
        self._monitor.found(size)
        return value

    def _found(self, key: Key) -> tuple[Any, int]:
        """Return the live value with its encoded bytes, or ABSENT and MISSED."""
        hot = self._hot
        if hot.writer and hot.writer == get_ident():
            hot.looked = True
            return self._fetched(key, self._now(), None)
        if self._behind is not None and (waiting := self._behind.find(key)) is not None:
            return self._waiting(waiting)
        wall, table = wall_ns(), None if hot.off else hot.table
        if hot.looked_at <= wall < hot.due and (table is None or table.words == table.header):
            now = wall // NS_PER_MS  # the store's time was not ahead a moment ago
        else:
            table, now = hot.current(), self._now()
        if table is not None:
            held = table.young.get(key)
            if held is None and (held := table.old.get(key)) is not None:
                hot.keep(table, held)
            if held is not None:
                return self._known(held, now)
        return self._fetched(key, now, table)

    def _known(self, held: Held, now: int) -> tuple[Any, int]:
        """The value of what the hot tier holds."""
        expires_ns, thaw, value, key, size = held
        if now * NS_PER_MS >= expires_ns:
            return ABSENT, MISSED
        if thaw is not None:
            value = self._decode(value)
        if self._touch is not None:
            self._touch(key)
        return value, size

    def _waiting(self, row: Row) -> tuple[Any, int]:
        """The value of a set that is not committed yet."""
        key, _, expires_at, unpacked_bytes, stored, _ = row
        now = self._now()
        if expires_at is not None and expires_at <= now:
            return ABSENT, MISSED
        self._used(key, now)
        return self._values.decode(stored, unpacked_bytes), size_of(stored, unpacked_bytes)

    def _fetched(self, key: Key, now: int, table: Table | None) -> tuple[Any, int]:
        """Read the file; keep what is found in *table*, if that is still true then."""
        row = self._database.row(sql.FOUND, (key,))
        if row is None or ((expires_at := row[2]) is not None and expires_at <= now):
            if table is not None:
                self._hot.keep(table, (0, None, None, key, 0))
            return ABSENT, MISSED
        stored, unpacked_bytes, _ = row
        if unpacked_bytes is not None:
            stored = self._values.unpacked(stored, unpacked_bytes)
        again = self._again
        try:
            value = again(stored)
        except Exception:  # noqa: BLE001 -- whatever it is, decode() says it in our words
            value = self._decode(stored)
        bytes_only = stored.__class__ is bytes or stored.isascii()
        size = len(stored) if bytes_only else size_of(stored, None)
        if table is not None:
            expires_ns = FOREVER if expires_at is None else expires_at * NS_PER_MS
            if is_unchangeable(value):
                self._hot.keep(table, (expires_ns, None, value, key, size))
            else:
                self._hot.keep(table, (expires_ns, again, stored, key, size))
        if self._touch is not None:
            self._touch(key)
        return value, size

    def _flush_touches(self) -> None:
        touches = self._room.touches
        if touches is not None and len(touches) and not self.closed:
            with self._database.write() as tx:
                self._hot.expect(tx)
                self._room.flush(tx)
                self._hot.wrote(tx)

    def __contains__(self, key: object) -> bool:
        """Whether *key* has a live entry. Does not count as a use."""
        if self._hot.has(key):
            return True
        key = checked_key(key)
        if not self._database.in_transaction:
            if self._behind is not None and (waiting := self._behind.find(key)) is not None:
                return waiting[2] is None or waiting[2] > self._now()
            table = self._hot.current()
            if table is not None and (held := self._hot.find(table, key)) is not None:
                return self._now() * NS_PER_MS < held[0]
        return bool(self._database.unsettled_rows(sql.PRESENT, (key, self._now())))

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
            return self._entry_of(snapshot, key, rows[0])

    def _entry_of(self, snapshot: Reading, key: Key, row: Row) -> Entry[T]:
        """Make an Entry of a row that has everything but the tags, which *snapshot* has."""
        stored, unpacked_bytes, version, created_at, updated_at, expires_at, size_bytes = row
        tagged = "tags" in self.options.features
        tags = snapshot.rows(sql.TAGS, (key,)) if tagged else []
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
        low, high = key_bounds(prefix, start, end)
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


def key_bounds(
    prefix: str | bytes | None, start: Key | None, end: Key | None
) -> tuple[Key, Key | None]:
    """Return the first key within all three bounds, and the first behind them or None."""
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


def key_range(prefix: str | bytes | None) -> tuple[Key, Key | None]:
    """Return the first key with *prefix*, and the first behind them all or None."""
    return key_bounds(prefix, None, None)


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
