"""What every operation of a store stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from dsfactory.clock import END_OF_TIME, Clock, Ratchet
from dsfactory.codecs import Codec
from dsfactory.durations import Duration, duration_ms
from dsfactory.engine import Database, Retry, Transaction
from dsfactory.errors import FeatureError, OptionError, OptionTypeError, StoreFullError
from dsfactory.model import Backup, Key, Kind, OperationEvent
from dsfactory.options import RECORDABLE, StoreOptions
from dsfactory.stores import journal, sql
from dsfactory.stores.creation import file_identity, require_lineage, settings_of
from dsfactory.stores.flights import Flights
from dsfactory.stores.history import History
from dsfactory.stores.monitor import Monitor
from dsfactory.stores.room import MAX_TOUCHES, Room
from dsfactory.stores.values import Encoded, Values, as_check

T = TypeVar("T")

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


class StoreCore(Generic[T]):
    """The parts of an open store, and the steps that its operations share."""

    def __init__(self, parts: StoreParts[T]) -> None:
        options = parts.options
        self._parts = parts
        self._clock = Ratchet(parts.clock)
        self._now = self._clock.now_ms
        self._values: Values[T] = Values(parts.codec, options)
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
        self._room = Room(options)
        self._monitor = Monitor(parts.name)
        self._flights = Flights()
        self._ended = False
        try:
            file_identity(self._database, parts.path, parts.kind)
            require_lineage(self._database, parts.path, options.migrations)
            ((floor,),) = self._database.rows(sql.CLOCK_FLOOR)
            self._clock.raise_to(floor)
            self._values.attach(self._database, dictionaries="compression" in options.features)
            self._record()
        except BaseException:
            self._database.close()
            raise

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

    # -- steps inside of a transaction

    def _expiry(self, ttl: Duration | None, now: int) -> int | None:
        """When an entry written now expires; None is the store's default, "never" is never."""
        if ttl is None:
            milliseconds = self._parts.options.ttl
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
        ((version,),) = tx.rows(sql.PUT, (key, tx.now, expires_at, new.unpacked_bytes, new.stored))
        self._written(tx, (key,))
        return int(version)

    def _used(self, key: Key, now: int) -> None:
        """Note that *key* was used last; nothing is written."""
        if self._room.touches is not None:
            self._room.touches.add(key, now)

    def _written(self, tx: Transaction, keys: Iterable[Key]) -> None:
        """Keep the limits after *keys* were written, the least recently used going first."""
        if self._room.touches is not None:
            for key in keys:
                self._room.touches.add(key, tx.now)
            if len(self._room.touches) > MAX_TOUCHES // 2:
                self._room.touches.flush(tx)  # while the write lock is ours anyway
        if not self._room.limited:
            return
        try:
            removed = self._room.enforce(tx)
        except StoreFullError as error:
            error.facts["store"] = self.name
            raise
        if removed.evicted or removed.expired:
            tx.when_committed(
                lambda: self._monitor.removed(evicted=removed.evicted, expired=removed.expired)
            )

    def _keep_time(self) -> None:
        """Let the next process know what time it was, if that keeps anything expired."""
        now = self._now()
        if self._database.rows(sql.UNSWEPT, (now,)):
            with self._database.write() as tx:
                tx.run(sql.KEEP_TIME, (tx.now,))

    def _tag(self, tx: Transaction, key: Key, tags: Iterable[str]) -> None:
        tx.many(sql.TAG, [(key, tag) for tag in tags])

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
