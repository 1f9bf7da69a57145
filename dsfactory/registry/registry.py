"""Which stores exist: one row a store in the metadata database."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dsfactory import __version__
from dsfactory.clock import Clock
from dsfactory.engine import Database, Identity, Retry, Row, Settings, create_database
from dsfactory.engine.checksums import available
from dsfactory.errors import (
    ConfigurationConflictError,
    CorruptError,
    OlderSchemaError,
    StoreAbsentError,
)
from dsfactory.keys import is_name
from dsfactory.model import Kind, Probe, StoreRecord
from dsfactory.options import STRUCTURAL, StoreOptions, as_record, from_record
from dsfactory.profiles import PROFILES, REGISTRY, registry_ddl, stamp
from dsfactory.registry import sql
from dsfactory.registry.catalog import Catalog
from dsfactory.stores import file_probes, require_profile

FRESH_MS = 60_000
"""accessed_at is written again only when it is older: opening a store mostly writes nothing."""

NOTE_PATIENCE_MS = 250
"""How long a note waits for the write lock that can as well be left out: a verdict, a lease that
is given back early."""


class NewStore(NamedTuple):
    """A store that somebody asks for."""

    name: str
    kind: Kind
    path: Path
    options: StoreOptions
    value_type: str | None


class Registry:
    """The metadata database of one factory, shared by all processes that use its directory."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        behind: Callable[[Settings, OlderSchemaError], None] | None = None,
    ) -> None:
        """Open the registry at *path*; make it when the directory has none yet.

        *behind* is called when the file is at an older revision, to upgrade it or to raise.
        Raises OlderSchemaError without it, FileMissingError when the file was cut to nothing,
        and what opening raises.
        """
        self.path = path
        self._now = clock.now_ms
        self.settings = Settings(synchronous="FULL", page_checksums=available())
        if not path.exists():
            self._create()
        try:
            self._database = self._opened()
        except OlderSchemaError as error:
            if behind is None:
                raise
            behind(self.settings, error)
            self._database = self._opened()
        hurried = self.settings._replace(busy_timeout_ms=NOTE_PATIENCE_MS)
        self._notes = Database(path, hurried, clock=self._now, retry=Retry(max_retries=0))
        self.catalog = Catalog(self._database, self._now)

    def follow(self, home: Path) -> None:
        """Look for every store in *home*: the directory may have been moved or copied since.

        Otherwise a copy would go on writing to the files of the original.
        """
        quoted = str(home).replace("|", "||").replace("%", "|%").replace("_", "|_")
        strays = self._database.rows(sql.ELSEWHERE, (f"{quoted}{os.sep}%",))
        if strays:
            with self._database.write() as tx:
                tx.many(sql.MOVE, [(name, str(home / Path(path).name)) for name, path in strays])

    def _opened(self) -> Database:
        database = Database(self.path, self.settings, clock=self._now)
        try:
            require_profile(database, self.path, REGISTRY)
        except BaseException:
            database.close()
            raise
        return database

    def _create(self) -> None:
        statements: list[tuple[str, Row]] = [(statement, ()) for statement in registry_ddl()]
        create_database(
            self.path,
            [*stamp(REGISTRY), *statements, (sql.NEW_META, (__version__, self._now()))],
            Identity(REGISTRY.application_id, REGISTRY.revision),
            page_checksums=self.settings.page_checksums,
        )

    # -- stores

    def records(self) -> list[StoreRecord]:
        """Return all stores by name."""
        return [_record(row) for row in self._database.rows(sql.ALL)]

    def names(self) -> list[str]:
        """Return the names of all stores, of those with an unreadable record too."""
        return [name for (name,) in self._database.rows(sql.NAMES)]

    def named(self, name: str) -> StoreRecord | None:
        """Return the store of this name; None if unknown."""
        rows = self._database.rows(sql.BY_NAME, (name,)) if is_name(name) else []
        return _record(rows[0]) if rows else None

    def find(self, name_or_path: str | os.PathLike[str]) -> StoreRecord | None:
        """Return the store of this name, or at this path however it is spelt; None if unknown."""
        if isinstance(name_or_path, str):
            found = self.named(name_or_path)
            if found is not None:
                return found
        path = _spelt(name_or_path)
        rows = self._database.rows(sql.BY_PATH, (path,)) if path else []
        return _record(rows[0]) if rows else None

    def require(self, name: str) -> StoreRecord:
        """Return the store of this name; raise StoreAbsentError when there is none."""
        record = self.named(name)
        if record is None:
            raise StoreAbsentError(
                f"The registry {self.path} knows no store {name!r}. "
                "get_registered_stores() lists them; the create_ methods make one.",
                store=name,
            )
        return record

    def register(self, new: NewStore, create: Callable[[int], str]) -> StoreRecord:
        """Return the record of *new*; if nobody registered it yet, *create* its file first.

        *create* receives the time and returns the store's id. Of two processes that ask at
        once, one creates and both get the same store.
        """
        with self._database.write() as tx:
            rows = tx.rows(sql.BY_NAME, (new.name,))
            if not rows:
                self._require_free(tx.rows(sql.BY_PATH, (str(new.path),)), new)
                tx.run(
                    sql.ADD,
                    (
                        create(tx.now),
                        new.name,
                        str(new.kind),
                        str(new.path),
                        json.dumps(as_record(new.options)),
                        new.value_type,
                        PROFILES[new.kind].revision,
                        tx.now,
                    ),
                )
                rows = tx.rows(sql.BY_NAME, (new.name,))
        return _record(rows[0])

    def _require_free(self, rows: list[Row], new: NewStore) -> None:
        # Only where file names ignore case can two names share a path.
        for row in rows:
            raise ConfigurationConflictError(
                f"Store {new.name!r} would share its file {new.path} with store {row[1]!r}. "
                "Choose another name.",
                store=new.name,
            )

    def opened(
        self, record: StoreRecord, options: StoreOptions, value_type: str | None
    ) -> StoreRecord:
        """Note that a store was opened, and with what; return its record."""
        now = self._now()
        head = PROFILES[record.kind].revision  # where an open store's file stands
        changed = (
            options != record.options
            or (value_type or record.schema) != record.schema
            or head != record.revision
        )
        if changed or now - record.accessed_at >= FRESH_MS:
            with self._database.write() as tx:
                parameters = (json.dumps(as_record(options)), value_type or record.schema, head)
                tx.run(sql.OPENED, (record.name, now, *parameters))
        return self.require(record.name)

    def note_options(self, record: StoreRecord, options: StoreOptions) -> None:
        """Record *options* for whoever opens the store next, without opening it."""
        with self._database.write() as tx:
            tx.run(sql.SET_OPTIONS, (record.name, json.dumps(as_record(options))))

    def restored(self, record: StoreRecord) -> None:
        """Note that a store is what *record* says again; register it when it was not.

        Where it is registered, what can be changed by opening it stays as it is.
        """
        with self._database.write() as tx:
            rows = tx.rows(sql.BY_NAME, (record.name,))
            options = record.options
            if rows and Kind(rows[0][2]) is record.kind:
                structure = {name: getattr(options, name) for name in STRUCTURAL}
                options = _record(rows[0]).options._replace(**structure)
            elif not rows:
                tx.run(sql.ADD, _new_row(record))
            changed = (str(record.kind), json.dumps(as_record(options)), record.revision)
            tx.run(sql.RESTORED, (record.name, record.id, *changed))

    def unregister(self, name: str) -> Path | None:
        """Forget the store; return where its file is, or None when it was unknown."""
        if not is_name(name):
            return None
        with self._database.write() as tx:
            rows = tx.rows(sql.REMOVE, (name,))
        return Path(rows[0][0]) if rows else None

    def judged(self, verdicts: dict[str, bool], at: int) -> None:
        """Keep the results of a health check; BusyError soon when somebody writes."""
        with self._notes.write() as tx:
            tx.many(
                sql.JUDGED,
                [(name, at, "healthy" if ok else "unhealthy") for name, ok in verdicts.items()],
            )

    def probes(self) -> list[Probe]:
        """Return the answers about the metadata database itself."""
        probes = file_probes(
            self.path,
            self.settings,
            application_id=REGISTRY.application_id,
            head=REGISTRY.revision,
        )
        return [Probe(f"registry {p.name}", ok=p.ok, detail=p.detail) for p in probes]

    # -- leases

    def take_lease(self, name: str, owner: str, duration_ms: int) -> bool:
        """Take or renew the lease *name*; return False while another owner's has not run out."""
        with self._database.write() as tx:
            now = tx.now
            return bool(tx.rows(sql.TAKE_LEASE, (name, owner, now + duration_ms, now)))

    def drop_lease(self, name: str, owner: str) -> None:
        """Give the lease back, if it is ours; BusyError soon when somebody writes."""
        with self._notes.write() as tx:
            tx.run(sql.DROP_LEASE, (name, owner))

    def close(self) -> None:
        """Close the metadata database."""
        self._notes.close()
        self._database.close()


def _spelt(path: str | os.PathLike[str]) -> str | None:
    """Return the one spelling of *path*; None for what no file can be called."""
    try:
        spelt = os.path.realpath(path)
        spelt.encode()
    except ValueError:  # a NUL, or bytes that are no text
        return None
    return spelt


def _new_row(record: StoreRecord) -> Row:
    return (
        record.id,
        record.name,
        str(record.kind),
        str(record.path),
        json.dumps(as_record(record.options)),
        record.schema,
        record.revision,
        record.created_at,
    )


def _record(row: Row) -> StoreRecord:
    try:
        kind, options = Kind(row[2]), from_record(json.loads(row[4]))
    except (ValueError, TypeError) as error:
        raise CorruptError(
            f"The registry's record of store {row[1]!r} cannot be read. Restore a backup of "
            "metadata.db, or unregister the store and create it again.",
            store=row[1],
        ) from error
    return StoreRecord(
        id=row[0],
        name=row[1],
        kind=kind,
        path=Path(row[3]),
        options=options,
        schema=row[5],
        revision=row[6],
        created_at=row[7],
        accessed_at=row[8],
        backup_at=row[9],
        health_at=row[10],
        health=row[11],
        verified_at=row[12],
    )
