"""The stores that one factory has open: found or made, each once."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple, Protocol

from dsfactory import options as option_table
from dsfactory.clock import Clock
from dsfactory.codecs import codec_for
from dsfactory.engine.checksums import available as checksums_available
from dsfactory.errors import (
    ConfigurationConflictError,
    CorruptError,
    DataStoreError,
    ForeignFileError,
    KindConflictError,
    OlderSchemaError,
    TransactionError,
)
from dsfactory.keys import checked_name
from dsfactory.model import Backup, Kind, Probe, StoreRecord
from dsfactory.options import STRUCTURAL, StoreOptions
from dsfactory.profiles import PROFILES
from dsfactory.registry import NewStore, Registry
from dsfactory.stores import CLASSES, DataStore, FileIdentity, StoreParts, adopt_or_create
from dsfactory.stores.values import as_check
from dsfactory.upgrading import Upgrader

Validator = Callable[..., object]


class Held(NamedTuple):
    """An open store, and what it was asked for with."""

    store: DataStore[Any]
    schema: Any
    validator: Validator | None


class Hands(Protocol):
    """Who keeps backups of the stores."""

    def backup(self, name: str, reason: str, tags: Iterable[str]) -> Backup:
        """Take a backup of a store."""
        ...

    def mend(self, record: StoreRecord, damage: DataStoreError) -> None:
        """Put a backup in the stead of a damaged file if its options say so, or raise *damage*."""
        ...


class Shelf:
    """Asks the registry, picks the profile, opens the store and remembers it.

    Not locked: the factory calls it under its own lock.
    """

    def __init__(
        self,
        registry: Registry,
        directory: Path,
        clock: Clock,
        upgrader: Upgrader,
        hands: Hands,
    ) -> None:
        self._hands = hands
        self._registry = registry
        self._upgrader = upgrader
        self._directory = directory
        self._clock = clock
        self._open: dict[str, Held] = {}

    def opened(self, name: str) -> DataStore[Any] | None:
        """Return the store if it is open; one that failed by itself is closed and forgotten."""
        held = self._open.get(name)
        if held is not None and held.store.closed:
            held.store.close()
            return None
        return held.store if held is not None else None

    def all_open(self) -> list[DataStore[Any]]:
        """Return the stores that are open or have failed since, by name."""
        return [self._open[name].store for name in sorted(self._open)]

    def own_probes(self, name: str) -> list[Probe]:
        """Return what the store says of itself; nothing unless it is open."""
        held = self._open.get(name)
        return held.store.own_probes() if held is not None else []

    def refuse_inside_transaction(self) -> None:
        """Raise TransactionError while this thread has a transaction open on one of the stores."""
        for name, held in self._open.items():
            if held.store.in_transaction:
                raise TransactionError(
                    f"Nothing can be closed inside of a transaction on store {name!r}. Leave it "
                    "first.",
                    store=name,
                )

    def close_all(self) -> DataStoreError | None:
        """Close every store; return the first failure, which keeps no other store open."""
        failure = None
        for held in [*self._open.values()]:
            try:
                held.store.close()
            except DataStoreError as error:
                failure = failure or error
        return failure

    def take(
        self,
        kind: Kind,
        name: str,
        schema: Any,
        validator: Validator | None,
        overrides: Mapping[str, object],
    ) -> DataStore[Any]:
        """Return the store *name*: the open one, an existing one, or a new one.

        Raises KindConflictError or ConfigurationConflictError when what is there differs.
        """
        name = checked_name(name)
        chosen = option_table.checked(kind, overrides)
        if validator is not None:
            as_check(validator, "validator")  # refused before there is a file
        if self.opened(name) is not None:
            return self._same(kind, name, schema, validator, chosen)
        record = self._registry.named(name) or self._new(kind, name, schema, chosen)
        _require_kind(record, kind)
        _require_structure(record, chosen)
        return self._opened(record, schema, validator, chosen)

    def _same(
        self,
        kind: Kind,
        name: str,
        schema: Any,
        validator: Validator | None,
        chosen: Mapping[str, Any],
    ) -> DataStore[Any]:
        held = self._open[name]
        if held.store.kind is not kind:
            raise _another_kind(name, held.store.kind, kind)
        options = held.store.options
        differing = [
            f"{option}={getattr(options, option)!r} now, {value!r} asked for"
            for option, value in chosen.items()
            if getattr(options, option) != value
        ]
        if schema is not None and schema != held.schema:
            differing.append(f"type {type_name(held.schema)} now, {type_name(schema)} asked for")
        if validator is not None and not _alike(validator, held.validator):
            differing.append("another validator asked for than it was opened with")
        if differing:
            raise ConfigurationConflictError(
                f"Store {name!r} is open already and differs: {'; '.join(differing)}. Ask for "
                "the same, or close it first.",
                store=name,
            )
        return held.store

    def _new(self, kind: Kind, name: str, schema: Any, chosen: Mapping[str, Any]) -> StoreRecord:
        base = option_table.defaults(kind)
        if "page_checksums" not in chosen and not checksums_available():
            chosen = {**chosen, "page_checksums": False}
        options = option_table.combined(base, chosen)
        codec_for(options.codec, schema)  # refused before there is a file
        path = self._directory / f"{name}.db"
        new = NewStore(
            name=name, kind=kind, path=path, options=options, value_type=type_name(schema)
        )
        who = FileIdentity(os.urandom(16).hex(), name, kind, options.codec, options.features)
        finish = self._upgrader.finish(new)
        return self._registry.register(
            new, lambda now: adopt_or_create(path, who, options, now, finish)
        )

    def _opened(
        self,
        record: StoreRecord,
        schema: Any,
        validator: Validator | None,
        chosen: Mapping[str, Any],
    ) -> DataStore[Any]:
        options = option_table.combined(record.options, chosen)
        if options.migrations != record.options.migrations:
            # Before opening, which may be refused: an operator has to find them.
            migrations = record.options._replace(migrations=options.migrations)
            self._registry.note_options(record, migrations)
        store = self._handle(record, options, schema, lambda: self._forget(record.name))
        try:
            if validator is not None:
                store.add_validation_hook(validator)
            if "pitr" in chosen and chosen["pitr"] is None and record.options.pitr is not None:
                store.stop_recording()
            self._registry.opened(record, options, type_name(schema))
        except BaseException:
            store.close()
            raise
        self._open[record.name] = Held(store, schema, validator)
        return store

    def _handle(
        self,
        record: StoreRecord,
        options: StoreOptions,
        schema: Any,
        closed: Callable[[], None] = lambda: None,
    ) -> DataStore[Any]:
        parts = self._parts(record, options, schema, closed)
        try:
            return self._opened_at_head(parts, record)
        except (CorruptError, ForeignFileError) as error:
            self._hands.mend(dataclasses.replace(record, options=options), error)
            return self._opened_at_head(parts, record)

    def _parts(
        self,
        record: StoreRecord,
        options: StoreOptions,
        schema: Any,
        closed: Callable[[], None],
    ) -> StoreParts[Any]:
        profile = PROFILES[record.kind]
        return StoreParts(
            id=record.id,
            name=record.name,
            kind=record.kind,
            path=record.path,
            options=options,
            codec=codec_for(options.codec, schema),
            clock=self._clock,
            revision=profile.revision,
            application_id=profile.application_id,
            closed=closed,
            backup=functools.partial(self._hands.backup, record.name),
        )

    def _opened_at_head(self, parts: StoreParts[Any], record: StoreRecord) -> DataStore[Any]:
        try:
            return CLASSES[record.kind](parts)
        except OlderSchemaError as error:
            record = dataclasses.replace(record, options=parts.options)
            self._upgrader.at_opening(self._upgrader.store(record), error)
            return CLASSES[record.kind](parts)

    def _forget(self, name: str) -> None:
        self._open.pop(name, None)

    @contextlib.contextmanager
    def borrowed(self, name: str) -> Iterator[DataStore[Any]]:
        """Lend the open store, or one opened just for this."""
        held = self.opened(name)
        if held is not None:
            yield held
            return
        record = self._registry.require(name)
        store = self._handle(record, record.options, None)
        try:
            yield store
        finally:
            store.close()

    @contextlib.contextmanager
    def looked_at(self, name: str) -> Iterator[DataStore[Any]]:
        """Lend a handle of its own that writes nothing: no upgrade, no mending, no notes."""
        record = self._registry.require(name)
        # Not for one look: a mapping of the WAL-index, a thread, a journal.
        quiet = record.options._replace(hot_entries=0, write_behind=None, pitr=None)
        parts = self._parts(record, quiet, None, lambda: None)
        store = CLASSES[record.kind](dataclasses.replace(parts, looking=True))
        try:
            yield store
        finally:
            store.close()


def _alike(one: Validator, other: Validator | None) -> bool:
    """Whether two validators are the same one, or the same lambda made anew by a second call."""
    if one == other:
        return True
    if not (isinstance(one, FunctionType) and isinstance(other, FunctionType)):
        return False
    return (one.__code__, one.__closure__, one.__defaults__, one.__kwdefaults__) == (
        other.__code__,
        other.__closure__,
        other.__defaults__,
        other.__kwdefaults__,
    )


def _require_kind(record: StoreRecord, kind: Kind) -> None:
    if record.kind is not kind:
        raise _another_kind(record.name, record.kind, kind)


def _another_kind(name: str, found: Kind, wanted: Kind) -> KindConflictError:
    return KindConflictError(
        f"Store {name!r} is a {found} store, not a {wanted} store. Open it as that, or choose "
        "another name.",
        store=name,
        found=str(found),
        wanted=str(wanted),
    )


def _require_structure(record: StoreRecord, chosen: Mapping[str, Any]) -> None:
    differing = [
        f"{option}={getattr(record.options, option)!r} there, {chosen[option]!r} asked for"
        for option in sorted(STRUCTURAL & set(chosen))
        if getattr(record.options, option) != chosen[option]
    ]
    if differing:
        raise ConfigurationConflictError(
            f"Store {record.name!r} was made differently: {'; '.join(differing)}. Leave the "
            "option out, or choose another name.",
            store=record.name,
        )


def type_name(schema: Any) -> str | None:
    """Return what people call *schema*; None for plain values."""
    if schema is None:
        return None
    if isinstance(schema, type):
        return f"{schema.__module__}.{schema.__qualname__}"
    return str(schema)
