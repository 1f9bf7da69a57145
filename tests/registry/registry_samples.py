"""A registry, the stores that tests ask it for, and a raw connection to its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw

from dsfactory.engine import checksums
from dsfactory.model import Kind
from dsfactory.options import StoreOptions, combined, defaults
from dsfactory.registry import NewStore


def asked_for(name: str = "x", kind: Kind = Kind.STATE, **options: object) -> NewStore:
    """A store that somebody asks for; its file is never made in these tests."""
    return NewStore(name, kind, Path(f"/stores/{name}.db"), options_of(kind, **options), None)


def options_of(kind: Kind = Kind.STATE, **options: object) -> StoreOptions:
    """The options of a kind with some replaced."""
    return combined(defaults(kind), options)


def identified(store_id: str) -> Callable[[int], str]:
    """A way of "making" a file that only says which id it has."""
    return lambda _now: store_id


def never(_now: int) -> str:
    """For stores that are registered already: their file must not be made again."""
    raise AssertionError("the file was made twice")


def raw(path: Path) -> apsw.Connection:
    """Any SQLite tool that knows page checksums."""
    vfs = checksums.vfs() if checksums.available() else None
    return apsw.Connection(str(path), vfs=vfs)
