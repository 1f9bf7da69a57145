"""Bare apsw: one table with the columns and the index of expiry of ours, with the same pragmas.

No counters, no order of use, no tags: what somebody would write who needs get, set and a ttl.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dsfactory.clock import SystemClock
from dsfactory.engine import Identity, Settings, create_database, open_connection
from peers.records import TTL_S, Record, decode, encode
from peers.side import Side, Subject, Wanted

TABLE = """
CREATE TABLE entry (
  id INTEGER PRIMARY KEY,
  key ANY NOT NULL UNIQUE,
  version INTEGER NOT NULL DEFAULT 1,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  expires_at INTEGER,
  unpacked_bytes INTEGER,
  size_bytes INTEGER NOT NULL AS (length(CAST(value AS BLOB))) VIRTUAL,
  value ANY NOT NULL
) STRICT
"""
EXPIRY = """
CREATE INDEX entry_expiry ON entry (expires_at, size_bytes) WHERE expires_at IS NOT NULL
"""
GET = "SELECT value FROM entry WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?2)"
PUT = """
INSERT INTO entry (key, created_at, updated_at, expires_at, value) VALUES (?1, ?2, ?2, ?3, ?4)
ON CONFLICT (key) DO UPDATE SET
  version = version + 1, updated_at = ?2, expires_at = ?3, value = ?4
"""
DELETE = "DELETE FROM entry WHERE key = ?1"
TTL_MS = TTL_S * 1000

COLD = """
import apsw, msgspec
connection = apsw.Connection(place + "/bench.db")
((value,),) = connection.execute("SELECT value FROM entry WHERE key = ?", (key,)).fetchall()
msgspec.msgpack.decode(value)
"""


def _open(place: Path, wanted: Wanted) -> Side:
    path = place / "bench.db"
    create_database(path, [(TABLE, ()), (EXPIRY, ())], Identity(1, 1))
    settings = Settings(synchronous="FULL" if wanted.synced else "NORMAL")
    connection = open_connection(path, settings, write=True)
    connection.pragma("wal_autocheckpoint", 1000)  # ours checkpoints as often by itself
    execute, now_ms = connection.cursor().execute, SystemClock().now_ms

    def get(key: str) -> Record | None:
        rows = execute(GET, (key, now_ms())).fetchall()
        return decode(rows[0][0]) if rows else None

    def put(key: str, value: Record) -> None:
        now = now_ms()
        execute(PUT, (key, now, now + TTL_MS, encode(value)))

    def set_many(pairs: Mapping[str, Record]) -> None:
        now = now_ms()
        rows = [(key, now, now + TTL_MS, encode(value)) for key, value in pairs.items()]
        with connection:
            connection.executemany(PUT, rows)

    def delete_many(keys: list[str]) -> None:
        with connection:
            connection.executemany(DELETE, [(key,) for key in keys])

    return Side(get, put, set_many, delete_many, connection.close)


SUBJECT = Subject("bare apsw", "apsw", _open, "WAL, NORMAL", "WAL, FULL", COLD)
