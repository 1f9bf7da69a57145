"""The operations that change entries. Each is one transaction, or one savepoint inside of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from dsfactory.clock import ticks_ns
from dsfactory.durations import Duration
from dsfactory.engine import Row, Transaction
from dsfactory.errors import FeatureError, OptionTypeError, ValueShapeError, VersionConflictError
from dsfactory.keys import checked_key, shown_key
from dsfactory.model import Key
from dsfactory.stores import sql
from dsfactory.stores.behind import Behind
from dsfactory.stores.bulk import Load
from dsfactory.stores.monitor import measured
from dsfactory.stores.reading import absent
from dsfactory.stores.values import Encoded
from dsfactory.stores.watching import WatchingStore

if TYPE_CHECKING:
    from types import EllipsisType

T = TypeVar("T")
D = TypeVar("D")

_REQUIRED: Any = object()
Number = int | float


class WritingStore(WatchingStore[T]):
    """Everything about a store that changes entries."""

    def set(
        self,
        key: Key,
        value: T,
        *,
        ttl: Duration | None = None,
        tags: Iterable[str] = (),
        if_version: int | None = None,
    ) -> int:
        """Write *value* under *key*, replacing value, expiry and tags; return the new version.

        *ttl* None takes the store's default, "never" none. With *if_version* the write happens
        only when the live entry has that version (0: there is none); else VersionConflictError.
        With write_behind the version is not known yet: 0.
        A value that is refused (ValueRefusedError) leaves everything as it was.
        """
        # As @measured does: what passes on any arguments is a tenth of the time of a set.
        started = ticks_ns()
        try:
            version = self._set(checked_key(key), value, ttl, tags, if_version)
        except BaseException as error:
            self._monitor.failed("set", started, error)
            raise
        self._monitor.done("set", started)
        return version

    def __setitem__(self, key: Key, value: T) -> None:
        """Write *value* under *key* with the store's default ttl."""
        started = ticks_ns()
        try:
            self._set(checked_key(key), value, None, (), None)
        except BaseException as error:
            self._monitor.failed("setitem", started, error)
            raise
        self._monitor.done("setitem", started)

    def _set(
        self,
        key: Key,
        value: T,
        ttl: Duration | None,
        tags: Iterable[str],
        if_version: int | None,
    ) -> int:
        new = self._values.encode(key, value)
        chosen = self._checked_tags(tags) if tags else ()
        if (
            self._behind is not None
            and if_version is None
            and not chosen
            and not self._database.in_transaction
        ):
            return self._set_behind(self._behind, key, new, ttl)
        version = 0
        if if_version is None and not chosen:
            version = self._put_alone(key, new, ttl)
        if not version:
            version = self._set_in_turn(key, new, ttl, chosen, if_version)
        self._monitor.wrote(new.size)
        return version

    def _set_in_turn(
        self,
        key: Key,
        new: Encoded,
        ttl: Duration | None,
        chosen: tuple[str, ...],
        if_version: int | None,
    ) -> int:
        def step(tx: Transaction) -> int:
            if if_version is not None:
                self._require_version(tx, key, if_version)
            version = self._put(tx, key, new, self._expiry(ttl, tx.now))
            if chosen:
                self._tag(tx, key, chosen)
            return version

        return self._database.run(step)

    def _set_behind(self, behind: Behind, key: Key, new: Encoded, ttl: Duration | None) -> int:
        now = self._now()
        row = (key, now, self._expiry(ttl, now), new.unpacked_bytes, new.stored, None)
        behind.make_room()
        self._hot.give_up(key, behind.put, row)
        return 0

    def _require_version(self, tx: Transaction, key: Key, expected: int) -> None:
        if isinstance(expected, bool) or not isinstance(expected, int):
            raise OptionTypeError("if_version has to be an int.", option="if_version")
        rows = tx.rows(sql.VERSION, (key, tx.now))
        actual = rows[0][0] if rows else 0
        if actual != expected:
            raise VersionConflictError(
                f"Key {shown_key(key)} is at version {actual}, not {expected}: it changed "
                "meanwhile. Read it again and decide anew.",
                key=key,
                expected=expected,
                actual=actual,
            )

    @measured
    def add(self, key: Key, value: T, ttl: Duration | None = None) -> bool:
        """Write *value* unless *key* has a live entry; return whether it was written."""
        key = checked_key(key)
        new = self._values.encode(key, value)
        added = self._database.run(lambda tx: self._add(tx, key, new, ttl))
        if added:
            self._monitor.wrote(new.size)
        return added

    def _add(self, tx: Transaction, key: Key, new: Encoded, ttl: Duration | None) -> bool:
        expires_at = self._expiry(ttl, tx.now)
        last = self._room.last(tx) if self._room.ordered else None
        self._hot.expect(tx)
        tx.connection.set_last_insert_rowid(0)
        added = tx.rows(sql.ADD, (key, tx.now, expires_at, new.unpacked_bytes, new.stored))
        if added:
            self._room.placed(tx, last)
            # Not inserted when it is the second life of an entry that has expired.
            self._room.wrote(tx, key, inserted=tx.connection.last_insert_rowid() != 0)
            self._keep_limits(tx, key)
            self._hot.wrote(tx, key, *self._room.gone())
        return bool(added)

    @measured
    def set_many(
        self,
        mapping: Mapping[str, T]
        | Mapping[int, T]
        | Mapping[bytes, T]
        | Mapping[Key, T]
        | Iterable[tuple[Key, T]],
        ttl: Duration | None = None,
    ) -> None:
        """Write all pairs, or none when one of them is refused."""
        pairs: Iterable[tuple[Key, T]]
        pairs = mapping.items() if isinstance(mapping, Mapping) else mapping
        load, size, encode = Load(), 0, self._values.encode
        for key, value in ((checked_key(key), value) for key, value in pairs):
            stored, unpacked_bytes, encoded_bytes = encode(key, value)
            load.add(key, stored, unpacked_bytes)
            size += encoded_bytes
        with self._database.write() as tx:
            load.now, load.expires_at = tx.now, self._expiry(ttl, tx.now)
            self._put_many(tx, [load])
        self._monitor.wrote(size)

    @measured
    def delete(self, key: Key) -> bool:
        """Delete the entry; return whether there was a live one."""
        return self._delete(checked_key(key))

    @measured
    def __delitem__(self, key: Key) -> None:
        """Delete the entry; raise KeyAbsentError when there was no live one."""
        key = checked_key(key)
        if not self._delete(key):
            raise absent(key, self.name)

    def _delete(self, key: Key) -> bool:
        return self._database.run(lambda tx: self._erase(tx, key))

    def _erase(self, tx: Transaction, key: Key) -> bool:
        """Delete the entry; return whether it was live."""
        self._hot.expect(tx)
        rows = tx.rows(sql.DELETE, (key, tx.now))
        self._hot.wrote(tx, key)
        return bool(rows and rows[0][0])

    @measured
    def delete_many(self, keys: Iterable[Key]) -> int:
        """Delete all entries in one transaction; return how many of them were live."""
        wanted = [checked_key(key) for key in keys]
        with self._database.write() as tx:
            self._hot.expect(tx)
            rows = tx.many(sql.DELETE, [(key, tx.now) for key in wanted])
            self._hot.wrote(tx, *wanted)
        return sum(live for (live,) in rows)

    @overload
    def pop(self, key: Key) -> T: ...
    @overload
    def pop(self, key: Key, default: T | D) -> T | D: ...
    @measured
    def pop(self, key: Key, default: Any = _REQUIRED) -> Any:
        """Delete the entry and return its value; *default*, or KeyAbsentError, when absent."""
        key = checked_key(key)
        with self._database.write() as tx:
            rows = self._take(tx, key)
            # Decoded before the commit: a damaged value must not be the one that is lost.
            if rows and rows[0][2]:
                return self._values.decode(rows[0][0], rows[0][1])
        if default is _REQUIRED:
            raise absent(key, self.name)
        return default

    def _take(self, tx: Transaction, key: Key) -> list[Row]:
        self._hot.expect(tx)
        rows = tx.rows(sql.TAKE, (key, tx.now))
        self._hot.wrote(tx, key)
        return rows

    @measured
    def popitem(self) -> tuple[Key, T]:
        """Delete the live entry with the first key and return it; KeyAbsentError when empty."""
        with self._database.write() as tx:
            rows = tx.rows(sql.FIRST_KEY, (tx.now,))
            if rows:
                key: Key = rows[0][0]
                ((stored, unpacked_bytes, _),) = self._take(tx, key)
                return key, self._values.decode(stored, unpacked_bytes)
        raise absent("(any)", self.name)

    @measured
    def setdefault(self, key: Key, default: Any = None) -> Any:
        """Return the live value; when absent, write *default* first, in the same transaction."""
        key = checked_key(key)
        with self._database.write() as tx:
            rows = tx.rows(sql.LIVE, (key, tx.now))
            if rows:
                self._used(key, tx.now)
                return self._values.decode(*rows[0])
            new = self._values.encode(key, default)
            self._put(tx, key, new, self._expiry(None, tx.now))
        self._monitor.wrote(new.size)
        return default

    @measured
    def clear(self) -> None:
        """Delete every entry in one transaction."""
        with self._database.write() as tx:
            tx.run(sql.CLEAR)

    @measured
    def update_with(
        self,
        key: Key,
        fn: Callable[[T], T],
        default: T | EllipsisType = ...,
        *,
        ttl: Duration | None = None,
    ) -> T:
        """Write what *fn* makes of the value, in one transaction; return it.

        *fn* gets *default* when there is no live entry, or KeyAbsentError is raised when no
        default was given. An existing entry keeps its expiry and tags unless *ttl* is given.
        *fn* runs while the write lock is held: keep it short.
        """
        key = checked_key(key)
        with self._database.write() as tx:
            rows = tx.rows(sql.LIVE, (key, tx.now))
            if not rows and default is ...:
                raise absent(key, self.name)
            old: Any = self._values.decode(*rows[0]) if rows else default
            value = fn(old)
            new = self._values.encode(key, value)
            self._change(tx, key, new, ttl, exists=bool(rows))
        self._monitor.wrote(new.size)
        return value

    def _change(
        self, tx: Transaction, key: Key, new: Encoded, ttl: Duration | None, *, exists: bool
    ) -> None:
        if not exists:
            self._put(tx, key, new, self._expiry(ttl, tx.now))
            return
        self._hot.expect(tx)
        tx.run(sql.CHANGE, (key, tx.now, new.unpacked_bytes, new.stored))
        if not tx.changes:  # the caller's function deleted it meanwhile
            self._put(tx, key, new, self._expiry(ttl, tx.now))
            return
        if ttl is not None:
            tx.run(sql.TOUCH, (key, tx.now, self._expiry(ttl, tx.now)))
        self._room.wrote(tx, key, inserted=False)
        self._keep_limits(tx, key)
        self._hot.wrote(tx, key, *self._room.gone())

    @measured
    def increment(
        self, key: Key, delta: Number = 1, *, default: Number = 0, ttl: Duration | None = None
    ) -> Number:
        """Add *delta* to the number under *key*, or to *default* when absent; return the sum.

        Never loses an update of another thread or process. A value that is no number raises
        ValueShapeError. Expiry as in update_with().
        """
        key = checked_key(key)
        for name, number in (("delta", delta), ("default", default)):
            if not _is_number(number):
                raise OptionTypeError(f"{name} has to be an int or a float.", option=name)
        with self._database.write() as tx:
            rows = tx.rows(sql.LIVE, (key, tx.now))
            old: Any = self._values.decode(*rows[0]) if rows else default
            if not _is_number(old):
                raise ValueShapeError(
                    f"Key {shown_key(key)} holds {type(old).__name__}, not a number.", key=key
                )
            total: Any = old + delta
            new = self._values.encode(key, total)
            self._change(tx, key, new, ttl, exists=bool(rows))
        self._monitor.wrote(new.size)
        return total  # type: ignore[no-any-return]

    @measured
    def touch(self, key: Key, ttl: Duration | None = None) -> bool:
        """Let the live entry expire *ttl* from now; return False when there is none.

        None takes the store's default, "never" none. The version stays.
        """
        key = checked_key(key)
        if "expiry" not in self.options.features:
            raise FeatureError(
                f"Store {self.name!r} was made without the feature 'expiry'.", store=self.name
            )

        def step(tx: Transaction) -> bool:
            self._hot.expect(tx)
            rows = tx.rows(sql.TOUCH, (key, tx.now, self._expiry(ttl, tx.now)))
            self._hot.wrote(tx, key)
            return bool(rows)

        return self._database.run(step)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
