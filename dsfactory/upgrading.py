"""When files are brought to head: at opening, or when an operator asks.

Alembic is imported only when a file is behind: opening an up-to-date store never pays for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dsfactory.clock import Clock
from dsfactory.codecs import codec_for
from dsfactory.engine import Connection, Database, Row, Settings
from dsfactory.errors import DataStoreError, OlderSchemaError
from dsfactory.model import Kind, StoreRecord, UpgradeReport
from dsfactory.options import StoreOptions
from dsfactory.places import METADATA, SNAPSHOTS
from dsfactory.registry import NewStore, Registry
from dsfactory.stores import settings_of
from dsfactory.stores.creation import fingerprint
from dsfactory.stores.values import Values

if TYPE_CHECKING:
    from dsfactory.upgrade import Target

POLICIES = ("auto", "never", "check")
REGISTRY = "registry"

Progress = Callable[[int, int], None]


class Upgrader:
    """Brings the files of one factory to another revision."""

    def __init__(self, root: Path, clock: Clock, policy: str) -> None:
        self._root = root
        self._now = clock.now_ms
        self._policy = policy

    def store(self, record: StoreRecord) -> Target:
        """Return what upgrading a store needs to know."""
        return self._target(record.name, record.kind, record.path, record.options)

    def finish(self, new: NewStore) -> Callable[[Connection], None] | None:
        """Return what makes the application's own tables in a new file; None when it has none.

        Whatever the policy: a new file is never behind.
        """
        if new.options.migrations is None:
            return None
        from dsfactory.upgrade import install

        target = self._target(new.name, new.kind, new.path, new.options)
        seen = fingerprint(Path(new.options.migrations))
        return lambda connection: install(target, connection, seen)

    def _target(self, name: str, kind: Kind, path: Path, options: StoreOptions) -> Target:
        from dsfactory.upgrade import Target

        return Target(
            name=name,
            kind=str(kind),
            path=path,
            settings=settings_of(options),
            features=options.features,
            snapshots=self._root / SNAPSHOTS,
            clock=self._now,
            prepare=lambda connection: _give_functions(connection, options),
            application=Path(options.migrations) if options.migrations else None,
        )

    def everything(self, registry: Registry, *, down: bool) -> Iterator[Target]:
        """Yield what upgrading the registry and all its stores needs to know, in their order.

        The registry goes up first and down last: it is what finds the stores, and whoever takes
        the first target has brought it to head before the second is looked for.
        """
        itself = self.registry(registry.path, registry.settings)
        if not down:
            yield itself
        for record in registry.records():
            yield self.store(record)
        if down:
            yield itself

    def registry(self, path: Path, settings: Settings) -> Target:
        """Return what upgrading the metadata database needs to know."""
        from dsfactory.upgrade import Target

        return Target(
            name=REGISTRY,
            kind=REGISTRY,
            path=path,
            settings=settings,
            features=(),
            snapshots=self._root / SNAPSHOTS,
            clock=self._now,
        )

    def registry_behind(self, settings: Settings, behind: OlderSchemaError) -> None:
        """Do what the policy says about a metadata database that is behind."""
        self.at_opening(self.registry(self._root / METADATA, settings), behind)

    def at_opening(self, target: Target, behind: OlderSchemaError) -> None:
        """Do what the policy says about a file that is behind: upgrade it, or raise *behind*.

        With "check" the upgrade is tried on a copy first, and the error says how that went. An
        application's folder that changed without a new revision is noted under every policy.
        """
        from dsfactory.upgrade import dry_run, pending, upgrade_file

        if self._policy == "auto" or not (steps := pending(target)):
            upgrade_file(target)
            return
        if self._policy == "check":
            dry_run(target)
            behind = OlderSchemaError(
                f"{behind.message} Tried on a copy, {', '.join(steps)} went well: upgrade it "
                "with factory.upgrade() or `dsfactory upgrade`.",
                **behind.facts,
                pending=steps,
            )
        raise behind

    def run(
        self, target: Target, *, to: str, down: bool, progress: Progress | None
    ) -> UpgradeReport:
        """Bring one file to *to*; a failure becomes part of the report."""
        from dsfactory.upgrade import upgrade_file

        try:
            return upgrade_file(target, to=to, down=down, progress=progress)
        except DataStoreError as error:
            return UpgradeReport(
                name=target.name, kind=target.kind, steps=(), snapshot=None, error=str(error)
            )


class _Dictionaries:
    """The dictionaries of the very file that is upgraded, for values compressed with them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def committed_rows(self, sql: str, parameters: Row = ()) -> list[Row]:
        """Return all rows, the transaction's own changes included."""
        return self._connection.execute(sql, parameters).fetchall()


def _give_functions(connection: Connection, options: StoreOptions) -> None:
    """Let views and migrations read and write values as the store does."""
    values: Values[Any] = Values(codec_for(options.codec), options)
    values.functions(connection)
    values.attach(
        cast("Database", _Dictionaries(connection)), dictionaries="compression" in options.features
    )
