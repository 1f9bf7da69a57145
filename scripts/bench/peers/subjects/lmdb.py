"""LMDB: a transaction a call, as py-lmdb's documentation shows. It knows no expiry.

Without sync it is as fast as it can be, but a crash of the machine may damage the file: less than
NORMAL gives. With sync, its default, every commit waits for the disk.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

from peers.records import Record, decode, encode
from peers.side import Side, Subject, Wanted

MAP_BYTES = 1 << 34

COLD = """
import lmdb, msgspec
environment = lmdb.open(place, map_size=1 << 34)
with environment.begin() as reading:
    msgspec.msgpack.decode(reading.get(key.encode()))
"""


def _open(place: Path, wanted: Wanted) -> Side:
    environment = importlib.import_module("lmdb").open(
        str(place), map_size=MAP_BYTES, sync=wanted.synced, metasync=wanted.synced
    )
    begin = environment.begin

    def get(key: str) -> Record | None:
        with begin() as reading:
            value = reading.get(key.encode())
        return None if value is None else decode(value)

    def put(key: str, value: Record) -> None:
        with begin(write=True) as writing:
            writing.put(key.encode(), encode(value))

    def set_many(pairs: Mapping[str, Record]) -> None:
        with begin(write=True) as writing:
            writing.cursor().putmulti([(key.encode(), encode(v)) for key, v in pairs.items()])

    def delete_many(keys: list[str]) -> None:
        with begin(write=True) as writing:
            for key in keys:
                writing.delete(key.encode())

    return Side(get, put, set_many, delete_many, environment.close)


SUBJECT = Subject("LMDB", "lmdb", _open, "no sync", "sync", COLD)
