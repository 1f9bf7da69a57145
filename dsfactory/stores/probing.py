"""What can be asked about one store's file without disturbing it, and the answers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dsfactory.engine import (
    Connection,
    Settings,
    damage,
    identity,
    open_connection,
    pinned_by,
    require_write_lock,
)
from dsfactory.engine.files import file_size, require_file
from dsfactory.errors import BusyError, DataStoreError
from dsfactory.model import Probe, StoreHealth
from dsfactory.profiles import kind_of
from dsfactory.stores.core import StoreParts
from dsfactory.stores.creation import settings_of

# Short: a health check must not queue behind a long write.
PATIENCE_MS = 250


def store_health(parts: StoreParts[Any]) -> StoreHealth:
    """Ask everything about one store."""
    probes = file_probes(
        parts.path,
        settings_of(parts.options),
        application_id=parts.application_id,
        head=parts.revision,
    )
    return StoreHealth(parts.name, parts.kind, parts.path, tuple(probes))


def file_probes(path: Path, settings: Settings, *, application_id: int, head: int) -> list[Probe]:
    """Return the answers about one file; later questions are skipped when an early one fails."""
    try:
        require_file(path)
    except DataStoreError as error:
        return [Probe("file", ok=False, detail=str(error))]
    probes = [Probe("file", ok=True, detail=f"{path.stat().st_size} bytes")]
    settings = settings._replace(busy_timeout_ms=PATIENCE_MS)
    try:
        connection = open_connection(path, settings)
    except DataStoreError as error:
        return [*probes, Probe("readable", ok=False, detail=str(error))]
    try:
        probes.append(Probe("readable", ok=True, detail="opens"))
        probes.append(_schema(connection, application_id, head))
        probes.append(_sound(connection, path, settings))
        ours = identity(connection).application_id == application_id
    finally:
        connection.close(True)
    if ours:  # a writer's connection would change what is somebody else's
        probes.insert(2, _writable(path, settings))
    return [*probes, *_pinned(path)]


def _pinned(path: Path) -> list[Probe]:
    names = pinned_by(path)
    if not names:
        return []
    size = file_size(f"{path}-wal")
    detail = f"{size} bytes, kept from being cut by who reads an old state: {', '.join(names)}"
    return [Probe("log", ok=False, detail=f"{detail} (let that end)")]


def _schema(connection: Connection, application_id: int, head: int) -> Probe:
    found = identity(connection)
    if found.application_id != application_id:
        other = kind_of(found.application_id) or "database of another application"
        return Probe("schema", ok=False, detail=f"a {other}: move it away, or restore a backup")
    if found.revision != head:
        behind = "the store" if found.revision < head else "dsfactory"
        detail = f"revision {found.revision}, head is {head}: upgrade {behind}"
        return Probe("schema", ok=False, detail=detail)
    return Probe("schema", ok=True, detail=f"revision {head}, at head")


def _sound(connection: Connection, path: Path, settings: Settings) -> Probe:
    name = "quick_check and checksums" if settings.page_checksums else "quick_check"
    found = damage(connection, path)
    if found:
        return Probe(name, ok=False, detail=f"{found[0]} (restore a backup)")
    return Probe(name, ok=True, detail="sound")


def _writable(path: Path, settings: Settings) -> Probe:
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        detail = "no permission: check the modes and owners of the file and of its directory"
        return Probe("writable", ok=False, detail=detail)
    try:
        connection = open_connection(path, settings, write=True)
    except DataStoreError as error:
        return Probe("writable", ok=False, detail=str(error))
    try:
        return _lockable(connection, path)
    finally:
        connection.close(True)


def _lockable(connection: Connection, path: Path) -> Probe:
    try:
        require_write_lock(connection, path)
    except BusyError:
        return Probe("writable", ok=True, detail="yes; somebody writes at the moment")
    except DataStoreError as error:
        return Probe("writable", ok=False, detail=str(error))
    return Probe("writable", ok=True, detail="yes")
