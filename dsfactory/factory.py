"""DataStoreFactory: name and kind in, open store out. It owns every lifetime."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from dsfactory.caretaking import Caretaker, close_at_exit
from dsfactory.checks import checked_choice
from dsfactory.clock import Clock, SystemClock
from dsfactory.durations import Duration, duration_ms
from dsfactory.engine import forks
from dsfactory.engine.files import private_directory, remove_database
from dsfactory.errors import (
    ClosedError,
    ConfigurationConflictError,
    ConflictError,
    OptionError,
)
from dsfactory.keys import checked_name
from dsfactory.model import (
    BackupConfig,
    FactoryConfig,
    HealthReport,
    Kind,
    MaintenanceReport,
    RegistryStats,
    StoreRecord,
    UpgradeReport,
)
from dsfactory.options import all_defaults
from dsfactory.places import METADATA, STORES, checked_root
from dsfactory.registry import Registry
from dsfactory.safe import Keeping, Safe
from dsfactory.safekeeping import Hands, SafekeepingFactory
from dsfactory.shelf import Shelf, Validator
from dsfactory.stores import (
    CacheStore,
    ConfigStore,
    CustomStore,
    DataStore,
    MetricsStore,
    StateStore,
)
from dsfactory.upgrading import POLICIES, Upgrader

if TYPE_CHECKING:
    from dsfactory.upgrade import Target

T = TypeVar("T")


class _Instance(forks.Restarting):
    """The process's one factory, and the lock of those who ask for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.factory: DataStoreFactory | None = None
        forks.watch(self)

    def after_fork_in_child(self) -> None:
        """Make a lock that no thread of the parent holds."""
        self.lock = threading.Lock()


_instance = _Instance()


class DataStoreFactory(SafekeepingFactory):
    """Makes, finds and looks after the stores of one directory.

    Thread-safe. Processes that use the same directory share its stores. After a fork, parent and
    child go on with connections of their own.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        maintenance: str = "auto",
        maintenance_interval: Duration = 30_000,
        upgrade: str = "auto",
        backup_target: str | Path | None = None,
        backup_recipients: Sequence[str] = (),
        backup_identity: str | Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Open the factory of the directory *root*, made when it is missing.

        Without *root*: the environment's DSFACTORY_ROOT, or the user's data directory.
        *maintenance* "auto" runs a daemon thread every *maintenance_interval*; with "manual"
        only maintain() works. *upgrade* says what happens to files of earlier releases: "auto"
        brings them to head when they are opened, "never" refuses them with OlderSchemaError,
        "check" refuses as well but tries the upgrade on a copy.

        Backups are kept in ``backups`` beside the stores, or at *backup_target*: a directory or
        a URL such as s3://bucket/folder. *backup_recipients* are age or SSH public keys that they
        are encrypted for; *backup_identity* (a file) decrypts them. What is left out is read from
        DSFACTORY_BACKUP_TARGET, _RECIPIENTS (with commas) and _IDENTITY. *clock* is for tests.
        """
        checked_choice("maintenance", maintenance, ("auto", "manual"))
        checked_choice("upgrade", upgrade, POLICIES)
        interval_ms = duration_ms(maintenance_interval, "maintenance_interval")
        self.root = private_directory(checked_root(root))
        clock = self._clock = clock or SystemClock()
        stores_root = private_directory(self.root / STORES)
        self._upgrader = Upgrader(self.root, clock, upgrade)
        self._registry = Registry(self.root / METADATA, clock, self._upgrader.registry_behind)
        self._registry.follow(stores_root)
        self._lock = threading.RLock()
        self._shelf = Shelf(self._registry, stores_root, clock, self._upgrader, Hands(self))
        keeping = Keeping(backup_target, tuple(backup_recipients), backup_identity).completed()
        self._safe = Safe(self.root, self._registry, self._shelf, clock, keeping)
        self._closed = False
        self._config = FactoryConfig(
            root=self.root,
            maintenance=maintenance,
            maintenance_interval_ms=interval_ms,
            defaults=all_defaults(),
            backup=BackupConfig(),
        )
        self._caretaker = Caretaker(
            self._registry, self._shelf, self._safe, (self.root, stores_root), clock
        )
        self._caretaker.start(interval_ms if maintenance == "auto" else None)
        forks.watch(self, owner=True)
        close_at_exit(self)

    # -- one for the process

    @classmethod
    def get_instance(cls, root: str | os.PathLike[str] | None = None) -> DataStoreFactory:
        """Return the process's one factory, made at the first call.

        A later call with another *root* raises ConfigurationConflictError.
        """
        with _instance.lock:
            factory = _instance.factory
            if factory is None or factory.closed:
                factory = _instance.factory = cls(root)
            elif root is not None and checked_root(root) != factory.root:
                raise ConfigurationConflictError(
                    f"The process's factory is at {factory.root}, not at {root}. Use it, close "
                    "it first, or make a DataStoreFactory of your own.",
                    root=str(factory.root),
                )
            return factory

    @classmethod
    def reset_instance(cls) -> None:
        """Close the process's one factory, so that the next call makes a new one (for tests)."""
        with _instance.lock:
            factory, _instance.factory = _instance.factory, None
        if factory is not None:
            factory.close()

    # -- making stores

    def create_config_store(
        self,
        name: str,
        schema: type[T] | None = None,
        *,
        validator: Validator | None = None,
        **options: Any,
    ) -> ConfigStore[T]:
        """Return the config store *name*, made when it is new.

        Values are validated: a *schema* (dataclass, msgspec.Struct, TypedDict, attrs or pydantic
        class, or a typing form) or a *validator* is required. Every save makes a version.
        """
        if schema is None and validator is None:
            raise OptionError(
                f"Config store {name!r} needs a schema or a validator: its values are validated.",
                option="schema",
            )
        store = self._take(Kind.CONFIG, name, schema, validator, options)
        return cast("ConfigStore[T]", store)

    def create_metrics_store(
        self,
        name: str,
        schema: type[T] | None = None,
        *,
        validator: Validator | None = None,
        **options: Any,
    ) -> MetricsStore[T]:
        """Return the metrics store *name*, made when it is new: entries expire after 30 days."""
        store = self._take(Kind.METRICS, name, schema, validator, options)
        return cast("MetricsStore[T]", store)

    def create_cache_store(
        self,
        name: str,
        schema: type[T] | None = None,
        *,
        validator: Validator | None = None,
        **options: Any,
    ) -> CacheStore[T]:
        """Return the cache store *name*, made when it is new: at most 100 entries unless
        *max_entries* says otherwise, the least recently used going first.
        """
        store = self._take(Kind.CACHE, name, schema, validator, options)
        return cast("CacheStore[T]", store)

    def create_state_store(
        self,
        name: str,
        schema: type[T] | None = None,
        *,
        validator: Validator | None = None,
        **options: Any,
    ) -> StateStore[T]:
        """Return the state store *name*, made when it is new: what it acknowledged is on disk."""
        store = self._take(Kind.STATE, name, schema, validator, options)
        return cast("StateStore[T]", store)

    def create_custom_store(
        self,
        name: str,
        schema: type[T] | None = None,
        *,
        validator: Validator | None = None,
        **options: Any,
    ) -> CustomStore[T]:
        """Return the custom store *name*, made when it is new with the *features* chosen.

        Features are "access", "compression", "expiry", "history" and "tags".
        """
        store = self._take(Kind.CUSTOM, name, schema, validator, options)
        return cast("CustomStore[T]", store)

    def get_store(self, name: str, schema: type[T] | None = None) -> DataStore[T]:
        """Return the store *name* as the registry recorded it; the open one if it is open.

        Raises StoreAbsentError when there is none. Without *schema* a store that is not open yet
        gives plain values, and takes any.
        """
        name = checked_name(name)
        with self._lock:
            self._require_open()
            held = self._shelf.opened(name)
            if held is not None and schema is None:
                return held
            record = self._registry.require(name)
            return self._shelf.take(record.kind, name, schema, None, {})

    def look(self, name: str) -> contextlib.AbstractContextManager[DataStore[Any]]:
        """Lend the store *name* with plain values, for reading only.

        Nothing is upgraded, mended, noted or written; writes raise ReadOnlyError.
        """
        self._require_open()
        return self._shelf.looked_at(checked_name(name))

    def _take(
        self,
        kind: Kind,
        name: str,
        schema: Any,
        validator: Validator | None,
        options: Mapping[str, object],
    ) -> DataStore[Any]:
        with self._lock:
            self._require_open()
            return self._shelf.take(kind, name, schema, validator, options)

    def open_stores(self) -> list[DataStore[Any]]:
        """Return the stores that this factory has open, by name.

        One that failed by itself is among them, closed, until it is closed or asked for again.
        """
        with self._lock:
            self._require_open()
            return self._shelf.all_open()

    # -- the registry

    def get_registered_stores(self) -> list[StoreRecord]:
        """Return what the registry knows of every store, by name."""
        self._require_open()
        return self._registry.records()

    def get_registered_store(self, name_or_path: str | os.PathLike[str]) -> StoreRecord | None:
        """Return what the registry knows of the store with this name or path; None if nothing."""
        self._require_open()
        return self._registry.find(name_or_path)

    def unregister_store(self, name: str, *, delete_files: bool = False) -> bool:
        """Close the store and forget it; return False when it was unknown.

        Its file stays where it is, unless *delete_files*: no other process may use it then.
        """
        with self._lock:
            self._require_open()
            held = self._shelf.opened(name)
            if held is not None:
                held.close()
            path = self._registry.unregister(name)
        if path is not None and delete_files:
            remove_database(path)
        return path is not None

    def get_registry_stats(self) -> RegistryStats:
        """Return all stores in numbers; entries of stores that cannot be read count as none."""
        self._require_open()
        return self._caretaker.stats()

    # -- looking after them

    def perform_health_check(self) -> HealthReport:
        """Ask every store, the registry and maintenance how they are; moves no counters.

        A file that is missing or empty is unhealthy; it is never made anew.
        """
        self._require_open()
        return self._caretaker.health()

    def maintain(self) -> MaintenanceReport:
        """Do one round of maintenance over all stores now.

        Does nothing (``ran=False``) while another process is at it.
        """
        self._require_open()
        return self._caretaker.maintain()

    def add_maintenance(
        self, name: str, run: Callable[[], object], *, every: Duration = 300_000
    ) -> None:
        """Have maintenance call *run*, at most every *every*; maintain() always does.

        Each process calls what it registered, one at a time of those with the same *name*; a
        second of that name replaces the first. What *run* raises is a failure of the round, told by
        its type unless it is a DataStoreError, and hinders no other.
        """
        self._require_open()
        self._caretaker.chores.add(checked_name(name), run, duration_ms(every, "every"))

    def upgrade(
        self,
        name: str | None = None,
        *,
        to: str = "head",
        down: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[UpgradeReport]:
        """Bring one store, or all stores and the registry, to a revision; return a report each.

        Each file is upgraded by itself, after a verified copy; what fails is as it was, says why
        in its report, and does not hinder the others. A second run goes on with what is left. A
        store has to be closed to go *down*; a registry that went down needs the earlier release.
        """
        self._require_open()
        targets: Iterable[Target]
        if name is None:
            targets = self._upgrader.everything(self._registry, down=down)
        else:
            targets = [self._upgrader.store(self._registry.require(checked_name(name)))]
        if down:
            targets = list(targets)
            self._require_closed(target.name for target in targets)
        reports = [
            self._upgrader.run(target, to=to, down=down, progress=progress) for target in targets
        ]
        # A registry that went down is the earlier release's to use.
        return reports if down and name is None else self._safe.adopt_upgraded(reports)

    def _require_closed(self, names: Iterable[str]) -> None:
        for name in names:
            if self._shelf.opened(name) is not None:
                raise ConflictError(f"Store {name!r} is open. Close it to go down.")

    def get_factory_config(self) -> FactoryConfig:
        """Return how the factory was made, with the default options of each kind."""
        return self._config

    def get_standard_backup_config(self) -> BackupConfig:
        """Return the standard: at most 5 backups, none older than 30 days, compressed."""
        return self._config.backup

    # -- the end

    @property
    def clock(self) -> Clock:
        """The clock that everything of this factory goes by."""
        return self._clock

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._closed

    def close(self) -> None:
        """Stop maintenance and close every store and the registry; again does nothing.

        Raises TransactionError, with everything open as before, inside of a transaction.
        """
        with self._lock:
            self._shelf.refuse_inside_transaction()
        # Not under the lock: what maintenance does at the moment may need it.
        self._caretaker.stop()
        with self._lock:
            if self._closed:
                return
            failure = self._shelf.close_all()
            self._caretaker.release()
            self._registry.close()
            self._closed = True
        if failure is not None:
            raise failure

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedError(f"The factory of {self.root} is closed. Make another.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<DataStoreFactory {str(self.root)!r}{' closed' if self._closed else ''}>"

    # -- forks

    def before_fork(self) -> None:
        """Let no other thread be in the middle of something."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Start over; threads do not survive a fork, so maintenance begins anew."""
        self._lock = threading.RLock()
        self._caretaker.begin_anew()
