"""From names to files: those of the stores, and the registry's own."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from dsfactory.cli.opening import unknown_store
from dsfactory.clock import SystemClock
from dsfactory.engine import Settings
from dsfactory.engine.checksums import available
from dsfactory.engine.copying import copy_online
from dsfactory.errors import OlderSchemaError
from dsfactory.model import StoreRecord
from dsfactory.places import METADATA
from dsfactory.registry import Registry
from dsfactory.upgrade import Target, upgrade_file
from dsfactory.upgrading import REGISTRY, Upgrader

Behind = Callable[[Settings, OlderSchemaError], None]


class Targets:
    """The files of one directory that have a schema; finding them changes none.

    Without a factory: its registry may itself be behind, and opening it would upgrade or refuse.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._metadata = root / METADATA
        self._clock = SystemClock()
        self._upgrader = Upgrader(root, self._clock, "never")

    def everything(self) -> list[Target]:
        """Return the registry and all stores by name."""
        return [self._registry(), *map(self._upgrader.store, self._records())]

    def named(self, names: Iterable[str]) -> list[Target]:
        """Return these stores, each once; "registry" is the registry unless a store is called so.

        Raises StoreAbsentError, naming the known ones, before anything is done with the others.
        """
        records = self._records()
        found = {record.name: self._upgrader.store(record) for record in records}
        found.setdefault(REGISTRY, self._registry())
        wanted = list(dict.fromkeys(names))
        for name in wanted:
            if name not in found:
                raise unknown_store(name, self._root, records)
        return [found[name] for name in wanted]

    def _registry(self) -> Target:
        # As Registry opens it.
        settings = Settings(synchronous="FULL", page_checksums=available())
        return self._upgrader.registry(self._metadata, settings)

    def _records(self) -> list[StoreRecord]:
        try:
            return self._read(self._metadata)
        except OlderSchemaError:
            return self._read_upgraded_copy()

    def _read(self, path: Path, behind: Behind | None = None) -> list[StoreRecord]:
        with contextlib.closing(Registry(path, self._clock, behind)) as registry:
            return registry.records()

    def _read_upgraded_copy(self) -> list[StoreRecord]:
        # This release reads the registry at head only, and looking changes nothing.
        with tempfile.TemporaryDirectory(prefix="dsfactory-") as scratch:
            folder = Path(scratch)
            target = self._registry()
            copy = target._replace(path=folder / METADATA, snapshots=folder)
            copy_online(target.path, target.settings, copy.path)
            return self._read(copy.path, lambda _settings, _error: _upgrade(copy))


def _upgrade(target: Target) -> None:
    upgrade_file(target)
