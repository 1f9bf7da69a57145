"""sqlitedict: WAL, its documented hooks for encoding, a blocking commit() after each set.

It switches synchronous OFF by itself, so that no commit of it can be made to wait for the disk.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

from peers.records import Record, decode, encode
from peers.side import Side, Subject, Wanted

COLD = """
import msgspec, sqlitedict
things = sqlitedict.SqliteDict(
    place + "/bench.sqlite", journal_mode="WAL", decode=msgspec.msgpack.decode
)
things[key]
things.close()
"""


def _open(place: Path, _wanted: Wanted) -> Side:
    things = importlib.import_module("sqlitedict").SqliteDict(
        str(place / "bench.sqlite"),
        journal_mode="WAL",
        encode=encode,
        decode=decode,
        outer_stack=False,  # what its README advises for speed
    )

    def put(key: str, value: Record) -> None:
        things[key] = value
        things.commit()

    def set_many(pairs: Mapping[str, Record]) -> None:
        things.update(pairs)
        things.commit()

    def delete_many(keys: list[str]) -> None:
        for key in keys:
            del things[key]
        things.commit()

    return Side(things.get, put, set_many, delete_many, things.close)


SUBJECT = Subject("sqlitedict", "sqlitedict", _open, "WAL, OFF", None, COLD)
