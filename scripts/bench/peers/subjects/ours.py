"""dsfactory: a cache store as it comes, and what the goals ask for beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dsfactory as ds
from peers.records import TTL_S, Record
from peers.side import Side, Subject, Wanted

NEVER_FULL = 100_000_000
TTL_MS = TTL_S * 1000
# Values of all subjects are encoded alike and packed by nobody.
ALIKE: Mapping[str, Any] = {"codec": "msgpack", "compression": False, "ttl": TTL_MS}


def _side(factory: ds.DataStoreFactory, store: ds.DataStore[Record]) -> Side:
    return Side(
        store.get,
        store.set,
        store.set_many,
        store.delete_many,
        factory.close,
        getattr(store, "flush", lambda: None),
        inside=store,
    )


def _cache(place: Path, wanted: Wanted, **options: Any) -> Side:
    # Maintenance every 30 s would meet some rounds and not others.
    factory = ds.DataStoreFactory(place, maintenance="manual")
    limit = wanted.limit or NEVER_FULL
    made = {**ALIKE, "max_entries": limit, **options}
    return _side(factory, factory.create_cache_store("bench", Record, **made))


def _usual(place: Path, wanted: Wanted) -> Side:
    return _state(place) if wanted.synced else _cache(place, wanted)


def _state(place: Path) -> Side:
    factory = ds.DataStoreFactory(place, maintenance="manual")
    return _side(factory, factory.create_state_store("bench", Record, **ALIKE))


def _without_order(place: Path, wanted: Wanted) -> Side:
    """Only what bare apsw's table has as well: the columns and the index of expiry."""
    factory = ds.DataStoreFactory(place, maintenance="manual")
    synchronous = "FULL" if wanted.synced else "NORMAL"
    options = {**ALIKE, "features": {"expiry"}, "synchronous": synchronous}
    return _side(factory, factory.create_custom_store("bench", Record, **options))


COLD = """
import dsfactory as ds
with ds.DataStoreFactory(place) as factory:
    factory.get_store("bench")[key]
"""

SUBJECTS = (
    Subject("dsfactory", "dsfactory", _usual, "WAL, NORMAL", "WAL, FULL, page checksums", COLD),
    Subject("dsfactory, no LRU", "dsfactory", _without_order, "WAL, NORMAL", "WAL, FULL"),
    Subject(
        "dsfactory, no hot tier",
        "dsfactory",
        lambda place, wanted: _cache(place, wanted, hot_entries=0),
        "WAL, NORMAL",
    ),
    Subject(
        "dsfactory, write-behind",
        "dsfactory",
        lambda place, wanted: _cache(place, wanted, write_behind="50ms"),
        "WAL, NORMAL, after 50 ms",
    ),
)
