"""What every operation of a store stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from dsfactory.clock import END_OF_TIME, NS_PER_MS, Clock, Ratchet, SystemClock
from dsfactory.codecs import Codec
from dsfactory.durations import Duration, duration_ms
from dsfactory.engine import Database, Retry, Transaction
from dsfactory.engine.notices import Notices
from dsfactory.engine.watch import Watch
from dsfactory.errors import (
    FeatureError,
    OptionError,
    OptionTypeError,
    ReadOnlyError,
    StoreFullError,
)
from dsfactory.model import Backup, Key, Kind, OperationEvent
from dsfactory.options import RECORDABLE, StoreOptions
from dsfactory.stores import bulk, journal, sql
from dsfactory.stores.behind import Behind
from dsfactory.stores.bulk import Load, Row
from dsfactory.stores.creation import file_identity, require_lineage, settings_of
from dsfactory.stores.flights import Flights
from dsfactory.stores.history import History
from dsfactory.stores.hot import FOREVER, HotTier
from dsfactory.stores.monitor import Held, Monitor
from dsfactory.stores.room import Room
from dsfactory.stores.values import Encoded, Values, as_check

T = TypeVar("T")

NO_LIMIT = 1 << 62

REPLACING = 4
"""After so many sets in a row that replaced an entry, the next is expected to. A wrong guess costs
a few times what a right one saves."""

NEVER = "never"
"""The ttl of an entry that outlives the store's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreParts(Generic[T]):
    """What the factory hands to a store: nothing below the factory looks anything up."""

    id: str
    name: str
    kind: Kind
    path: Path
    options: StoreOptions
    codec: Codec[T]
    clock: Clock
    revision: int
    application_id: int
    closed: Callable[[], None] = lambda: None
    """Called once when the store was closed."""
    backup: Callable[[str, Iterable[str]], Backup] | None = None
    """Takes a backup, given the reason and the tags; None for a store without a factory."""
    looking: bool = False
    """Whether nothing may be written, not even notes about use and time at the end."""


class _OnlyLooking:
    """Refuses every write transaction of a store that is only looked at."""

    def begun(self, transaction: Transaction) -> None:
        """Refuse it."""
        del transaction
        raise ReadOnlyError("The store was opened for looking. Open it with get_store() to write.")

    def committing(self, transaction: Transaction) -> None:
        """Never come to, after begun()."""


def _ignore(_held: Held) -> None:
    """Do not count this one."""


class StoreCore(Generic[T]):
    """The parts of an open store, and the steps that its operations share."""

    _behind: Behind | None = None

    def __init__(self, parts: StoreParts[T]) -> None:
        options = parts.options
        self._parts = parts
        self._clock = Ratchet(parts.clock)
        self._now = self._clock.now_ms
        self._ttl = options.ttl
        self._values: Values[T] = Values(parts.codec, options)
        self._decode, self._again = parts.codec.decode, parts.codec.again
        self._history = (
            History(self._values, options.max_versions) if "history" in options.features else None
        )
        self._database = Database(
            parts.path,
            settings_of(options),
            clock=self._now,
            retry=Retry(options.max_retries, options.retry_delay_ms),
            prepare=self._values.functions if "compression" in options.features else None,
            witness=self._history,
        )
        self._monitor = Monitor(parts.name)
        self._room = Room(options, self._monitor.removed)
        self._replaced = 0
        """How many sets in a row have replaced something; a guess, so no lock."""
        self._flights = Flights()
        self._keep_hot(parts)
        self._ended = False
        try:
            file_identity(self._database, parts.path, parts.kind)
            require_lineage(self._database, parts.path, options.migrations)
            ((floor,),) = self._database.rows(sql.CLOCK_FLOOR)
            self._clock.raise_to(floor)
            self._values.attach(self._database, dictionaries="compression" in options.features)
            if parts.looking:
                self._database.join(_OnlyLooking())
            else:
                self._record()
        except BaseException:
            self._database.close()
            self._hot.release()
            raise
        if options.write_behind is not None and not parts.looking:
            self._write_behind(options.write_behind)

    def _keep_hot(self, parts: StoreParts[T]) -> None:
        self._watch = Watch(self._database, settings_of(parts.options))
        self._notices = Notices(parts.path, usable=not parts.looking)
        self._hot = HotTier(
            self._watch,
            self._notices,
            self._now,
            entries=parts.options.hot_entries,
            size=parts.options.hot_bytes,
            sure=type(parts.clock) is not SystemClock,
        )
        self._database.observer = self._hot
        # What every get needs, at hand.
        self._touch = None if self._room.touches is None else self._room.touches.quick
        self._got = self._hot.reader(self._monitor.gets.hits.append, self._touch)
        self._item = self._hot.reader(self._monitor.items.hits.append, self._touch)
        self._sample = self._hot.reader(_ignore, None)

    def _write_behind(self, interval_ms: int) -> None:
        database = self._database
        self._behind = Behind(
            self.name, interval_ms, self._commit_rows, lambda: database.in_transaction
        )
        database.settle = self._behind.settle
        self._hot.waiting = self._behind.find

    def _commit_rows(self, rows: Sequence[Row]) -> None:
        with Transaction(self._database) as tx:
            self._put_many(tx, bulk.loads(rows))
        self._monitor.wrote(sum(row[3] or len(row[4]) for row in rows))

    def _record(self) -> None:
        """Record every change when the option says so; go on where the file does already."""
        if self.kind not in RECORDABLE:
            return
        if self.options.pitr is not None:
            journal.begin(self._database, self.options.features)
        if journal.recording(self._database):
            self._database.join(journal.Recorder(self._now))

    def stop_recording(self) -> None:
        """Give up point-in-time recovery: no further change is recorded, by any process.

        The factory calls this when a store is opened with ``pitr=None`` that had it on.
        """
        with self._database.write() as tx:
            journal.end(tx, self._now())

    @property
    def name(self) -> str:
        """The name under which the registry knows the store."""
        return self._parts.name

    @property
    def kind(self) -> Kind:
        """The kind of store."""
        return self._parts.kind

    @property
    def path(self) -> Path:
        """The file; absolute. Never open it with anything but SQLite while it is in use."""
        return self._parts.path

    @property
    def options(self) -> StoreOptions:
        """How the store was opened."""
        return self._parts.options

    @property
    def closed(self) -> bool:
        """Whether the store refuses further use."""
        return self._database.closed

    @property
    def in_transaction(self) -> bool:
        """Whether this thread has a transaction open on the store."""
        return self._database.in_transaction

    def add_validation_hook(self, function: Callable[..., object]) -> None:
        """Let *function* refuse values before they are written.

        It takes (value) or (key, value). Returning False or raising refuses the value with
        ValidationRefusedError; anything else accepts it. Hooks run in the order of adding, the
        store's validator first, until one refuses.
        """
        self._values.checks.append(as_check(function, "validation hook"))

    def add_monitoring_hook(self, function: Callable[[OperationEvent], Any]) -> None:
        """Call *function* with an OperationEvent after every operation of this handle.

        An exception that it raises is logged and counted; the operation is not affected.
        """
        if not callable(function):
            raise OptionTypeError("A monitoring hook has to be a function of (event).")
        self._monitor.add_hook(function)
        self._hot.slow_down()

    # -- steps inside of a transaction

    def _expiry(self, ttl: Duration | None, now: int) -> int | None:
        """When an entry written now expires; None is the store's default, "never" is never."""
        if ttl is None:
            milliseconds = self._ttl
            if milliseconds is None:
                return None
        elif "expiry" not in self._parts.options.features:
            raise FeatureError(
                f"Store {self.name!r} was made without the feature 'expiry': its entries live "
                "until they are deleted. Leave ttl out.",
                store=self.name,
            )
        elif ttl == NEVER:
            return None
        else:
            milliseconds = duration_ms(ttl, "ttl")
        if now + milliseconds > END_OF_TIME:
            raise OptionError(
                "ttl reaches past the year 9999; allowed: anything before, or 'never'.",
                option="ttl",
            )
        return now + milliseconds

    def _put(self, tx: Transaction, key: Key, new: Encoded, expires_at: int | None) -> int:
        room, connection = self._room, tx.cursor.connection
        noted = room.ordered or room.touches is not None
        self._hot.expect(tx)
        row_id = self._make_room(tx, key, new.size_bytes) if room.limited else None
        last = room.last(tx) if room.ordered else None
        if noted:
            connection.set_last_insert_rowid(0)
        row = (key, tx.now, expires_at, new.unpacked_bytes, new.stored, row_id)
        ((version,),) = tx.rows(sql.PUT, row)
        if noted:
            inserted = connection.last_insert_rowid() != 0
            if inserted and room.ordered:
                room.placed(tx, last)
            room.wrote(tx, key, inserted=inserted)
        self._hot.wrote(tx, key, *room.gone(), held=self._written(key, new, expires_at))
        return int(version)

    def _put_alone(self, key: Key, new: Encoded, ttl: Duration | None) -> int:
        """Write *new* by one statement and return its version; 0 when it takes more than one."""
        room, now = self._room, self._now()
        if room.needs_transaction(now):
            return 0
        expires_at = self._expiry(ttl, now)
        row: tuple[object, ...] = (key, now, expires_at, new.unpacked_bytes, new.stored)
        put, replace = sql.PUT_ALONE, sql.REPLACE_ALONE
        if room.limited:
            put, replace = sql.PUT_WITHIN, sql.REPLACE_WITHIN
            row = (*row, room.max_entries or NO_LIMIT, room.max_bytes or NO_LIMIT, new.size_bytes)
        foreseen = key, self._written(key, new, expires_at)
        answer = None
        if self._replaced >= REPLACING:
            answer = self._database.alone(replace, row, foreseen)
        if not answer:
            answer = self._database.alone(put, row, foreseen)
            if not answer:
                room.crowded = answer is not None
                return 0
            self._replaced = 0 if answer[1] else self._replaced + 1
        version, row_id = answer
        if room.touches is not None:
            room.put_alone(key, now, inserted=row_id != 0)
        return int(version)

    def _written(self, key: Key, new: Encoded, expires_at: int | None) -> Held | None:
        """What the hot tier may keep of a write, once it is committed."""
        if new.unpacked_bytes is not None:
            return None  # to be unpacked when somebody asks for it
        expires_ns = FOREVER if expires_at is None else expires_at * NS_PER_MS
        return expires_ns, self._again, new.stored, key, new.size

    def _put_many(self, tx: Transaction, loads: Sequence[Load]) -> None:
        self._hot.expect(tx)
        before = self._room.before(tx)
        keys: list[Key] = []
        for load in loads:
            load.put(tx)
            keys += load.keys
        self._room.wrote_many(tx, keys, before)
        self._keep_limits(tx)
        self._hot.wrote(tx, *keys, *self._room.gone())

    def _used(self, key: Key, now: int) -> None:
        """Note that *key* was used last; nothing is written."""
        if self._room.touches is not None:
            self._room.touches.add(key, now)

    def _make_room(self, tx: Transaction, key: Key, size: int) -> int | None:
        try:
            return self._room.make(tx, key, size)
        except StoreFullError as error:
            error.facts["store"] = self.name
            raise

    def _keep_limits(self, tx: Transaction, keep: Key | None = None) -> None:
        """Keep the limits after a write; the entry *keep* is the last to go."""
        try:
            self._room.enforce(tx, keep)
        except StoreFullError as error:
            error.facts["store"] = self.name
            raise

    def _keep_time(self) -> None:
        """Let the next process know what time it was, if that keeps anything expired."""
        now = self._now()
        if self._database.rows(sql.UNSWEPT, (now,)):
            with self._database.write() as tx:
                tx.aside(sql.KEEP_TIME, (tx.now,))

    def _tag(self, tx: Transaction, key: Key, tags: Iterable[str]) -> None:
        for tag in tags:
            tx.aside(sql.TAG, (key, tag))

    def _checked_tags(self, tags: Iterable[str]) -> tuple[str, ...]:
        if isinstance(tags, (str, bytes)):
            raise OptionTypeError("tags has to be several texts, such as tags=('a', 'b').")
        chosen = tuple(tags)
        if not chosen:
            return chosen
        if "tags" not in self._parts.options.features:
            raise FeatureError(
                f"Store {self.name!r} was made without the feature 'tags'.", store=self.name
            )
        for tag in chosen:
            if not isinstance(tag, str) or not 0 < len(tag) <= 128 or not tag.isprintable():
                raise OptionError(
                    "A tag has to be printable text of 1 to 128 characters.", option="tags"
                )
        return chosen
