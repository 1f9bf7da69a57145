"""diskcache: Cache with its defaults, entries that expire, and bytes, which it stores unpickled."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peers.records import TTL_S, Record, decode, encode
from peers.side import Side, Subject, Wanted

LARGE = 1 << 40
FULL = 2

COLD = """
import diskcache, msgspec
msgspec.msgpack.decode(diskcache.Cache(place)[key])
"""


def _open(place: Path, wanted: Wanted) -> Side:
    options: dict[str, Any] = {"size_limit": LARGE, "eviction_policy": "least-recently-used"}
    if wanted.limit is None:
        options["eviction_policy"] = "least-recently-stored"  # its default: a get writes nothing
    if wanted.synced:
        options["sqlite_synchronous"] = FULL
    cache = importlib.import_module("diskcache").Cache(str(place), **options)

    def get(key: str) -> Record | None:
        value = cache.get(key)
        return None if value is None else decode(value)

    def put(key: str, value: Record) -> None:
        cache.set(key, encode(value), expire=TTL_S)

    def set_many(pairs: Mapping[str, Record]) -> None:
        with cache.transact():
            for key, value in pairs.items():
                cache.set(key, encode(value), expire=TTL_S)

    def delete_many(keys: list[str]) -> None:
        with cache.transact():
            for key in keys:
                cache.delete(key)

    return Side(get, put, set_many, delete_many, cache.close, inside=cache)


SUBJECT = Subject("diskcache", "diskcache", _open, "WAL, NORMAL", "WAL, FULL", COLD)
