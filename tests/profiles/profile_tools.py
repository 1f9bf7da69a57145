"""What the tests of profiles/ share: an empty store in memory, and its violations."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import apsw

from dsfactory.engine import register
from dsfactory.model import FEATURES
from dsfactory.profiles import ddl, invariants

COMBINATIONS = [
    chosen
    for size in range(len(FEATURES) + 1)
    for chosen in itertools.combinations(sorted(FEATURES), size)
]
"""Every choice of features that a custom store may make."""

META = """
INSERT INTO meta (id, store_id, name, kind, codec, features, release, created_at, clock_ms)
VALUES (1, 'id', 'name', 'custom', 'json', '', '1.0', 1000, 1000)
"""

PUT = "INSERT INTO entry (key, created_at, updated_at, value) VALUES (?1, 1000, 1000, ?2)"

PREFIX = b"packed:"


def pack(value: str | bytes | float | None) -> str | bytes | float | None:
    """Pack what is longer than ten characters; like the stores' ds_pack, but to be read."""
    if not isinstance(value, (str, bytes)):
        return value
    raw = value.encode() if isinstance(value, str) else value
    return PREFIX + raw if len(raw) > 10 else value


def unpack(stored: str | bytes, unpacked_bytes: int | None) -> str | bytes:
    """Undo pack()."""
    if unpacked_bytes is None:
        return stored
    assert isinstance(stored, bytes)
    return stored.removeprefix(PREFIX).decode(errors="replace")


def made(features: Iterable[str] = ()) -> apsw.Connection:
    """Make an empty store with *features* in memory, on a connection like those of stores."""
    connection = apsw.Connection(":memory:")
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    register(connection, "ds_pack", pack, 1)
    register(connection, "ds_unpack", unpack, 2)
    for statement in ddl(features):
        connection.execute(statement)
    connection.execute(META)
    return connection


def violations(connection: apsw.Connection, features: Iterable[str]) -> list[str]:
    """Return the names of the broken invariants, "I5" for short."""
    return [
        invariant.name.split()[0]
        for invariant in invariants(features)
        if connection.execute(invariant.sql).fetchall()
    ]


def counters(connection: apsw.Connection) -> tuple[int, int, int]:
    """Return what the triggers counted: entries, stored bytes, bytes before compression."""
    ((entries, stored, unpacked),) = connection.execute(
        "SELECT entries, stored_bytes, unpacked_bytes FROM meta"
    )
    return entries, stored, unpacked
