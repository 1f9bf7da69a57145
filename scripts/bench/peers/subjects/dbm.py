"""dbm.sqlite3 of Python 3.13 and later: WAL and SQLite's default, FULL; one commit a set."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

from peers.records import Record, decode, encode
from peers.side import Side, Subject, Wanted

COLD = """
import dbm.sqlite3, msgspec
with dbm.sqlite3.open(place + "/bench.dbm") as things:
    msgspec.msgpack.decode(things[key])
"""


def _open(place: Path, _wanted: Wanted) -> Side:
    things = importlib.import_module("dbm.sqlite3").open(str(place / "bench.dbm"), "c")

    def get(key: str) -> Record | None:
        value = things.get(key)
        return None if value is None else decode(value)

    def put(key: str, value: Record) -> None:
        things[key] = encode(value)

    def set_many(pairs: Mapping[str, Record]) -> None:
        for key, value in pairs.items():  # it has nothing for many
            things[key] = encode(value)

    def delete_many(keys: list[str]) -> None:
        for key in keys:
            del things[key]

    return Side(get, put, set_many, delete_many, things.close)


SUBJECT = Subject("dbm.sqlite3", "dbm.sqlite3", _open, "WAL, FULL", "WAL, FULL", COLD)
