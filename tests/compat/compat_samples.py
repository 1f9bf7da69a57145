"""One small file for every revision of every kind: what is in it, and how it is made.

The schema is what the migrations make up to that revision, never a newer file walked back. The
rows are written with statements that every revision since the base understands, the values with
the product's own codec and compression. Same libraries, same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import zstandard

from dsfactory import options as option_table
from dsfactory.codecs import codec_for, train_dictionary
from dsfactory.engine import Connection, Identity, Transaction, create_database
from dsfactory.engine.checksums import available
from dsfactory.engine.files import remove_database
from dsfactory.model import Kind
from dsfactory.options import StoreOptions
from dsfactory.profiles import PROFILES, REGISTRY
from dsfactory.series import journal
from dsfactory.series.samples import columns
from dsfactory.series.sealing import Sealer
from dsfactory.series.sql import ADD_SERIES
from dsfactory.stores.sql import NEW_META
from dsfactory.stores.values import Values
from dsfactory.upgrade.running import Run
from dsfactory.upgrade.scripts import lineage_of, number_of

FILES = Path(__file__).parent / "files"
NAME = "compat"
MADE_AT = 1_700_000_000_000
FAR = 4_000_000_000_000
RELEASE = "0.1.0"
STORES = ("config", "metrics", "cache", "state", "custom")
KINDS = ("registry", *STORES)
FEATURES = ("access", "compression", "expiry", "history", "tags")
"""Of the custom files: all there are."""

NEW_DICTIONARY = "INSERT INTO dictionary (id, created_at, body) VALUES (?1, ?2, ?3)"
NEW_ENTRY = """
INSERT INTO entry (key, version, created_at, updated_at, expires_at, unpacked_bytes, value)
VALUES (?1, 1, ?2, ?2, ?3, ?4, ?5)
"""
CHANGE = """
UPDATE entry SET version = version + 1, updated_at = ?2, unpacked_bytes = ?3, value = ?4
WHERE key = ?1
"""
REMOVE = "DELETE FROM entry WHERE key = ?1"
FIX_TIME = "UPDATE history SET changed_at = ?1 WHERE change = 'delete'"
SIGN = "UPDATE history SET who = 'ada', why = 'first', sha256 = 'ab' WHERE seq = 1"
TAG = "INSERT INTO tag (name, entry_id) SELECT ?2, id FROM entry WHERE key = ?1"
NEW_REGISTRY = "INSERT INTO registry_meta (id, release, created_at) VALUES (1, ?1, ?2)"
NEW_STORE = """
INSERT INTO store (id, name, kind, path, options, value_type, revision, created_at, accessed_at,
  health_at, health)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?7, ?7, 'healthy')
"""
HAS_SERIES = "SELECT 1 FROM sqlite_schema WHERE name = 'series'"
NEW_LEASE = "INSERT INTO lease (name, owner, expires_at) VALUES ('maintenance', 'nobody', ?1)"
# As the first release wrote them; later ones know more.
OPTIONS = '{"codec": "json", "features": ["compression", "tags"], "max_entries": 7}'


def revisions() -> Iterator[tuple[str, str]]:
    """Yield (kind, revision) of every file that there has to be."""
    for kind in KINDS:
        for revision in lineage_of(kind).revisions():
            yield kind, revision.id


def options_of(kind: str) -> StoreOptions:
    """The options of the store in the files of *kind*."""
    base = option_table.defaults(Kind(kind))
    if kind == "custom":
        return base._replace(features=FEATURES)
    return base._replace(page_checksums=base.page_checksums and available())


def values() -> dict[Any, Any]:
    """What every store holds: keys of each type, values of each size; the large ones compressed."""
    found: dict[Any, Any] = {
        f"user-{n:03d}": {
            "user": f"user-{n:03d}",
            "roles": ["reader", "writer"],
            "agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "visits": n * 7919 % 1000,
        }
        for n in range(40)
    }
    return found | {
        7: {"key": "an integer"},
        b"\x00\xff": {"key": "bytes"},
        "large": {"text": "the quick brown fox " * 900},
        "changed": {"now": 2},
    }


def make(kind: str, revision: str, path: Path) -> None:
    """Write the file of *revision* to *path*, closed."""
    profile = REGISTRY if kind == "registry" else PROFILES[Kind(kind)]
    checksums = available() if kind == "registry" else options_of(kind).page_checksums

    def fill(connection: Connection) -> None:
        prepared = _prepared(kind, connection)
        Run(lineage_of(kind)).to(connection, revision)
        prepared()

    who = Identity(profile.application_id, number_of(revision))
    create_database(path, [], who, page_checksums=checksums, finish=fill)


def _prepared(kind: str, connection: Connection) -> Callable[[], None]:
    if kind == "registry":
        return lambda: _fill_registry(connection)
    options = options_of(kind)
    coder: Values[Any] = Values(codec_for(options.codec), options)
    coder.functions(connection)
    return lambda: _fill_store(connection, kind, options, coder)


def _fill_registry(connection: Connection) -> None:
    connection.execute(NEW_REGISTRY, (RELEASE, MADE_AT))
    for number, kind in enumerate(STORES):
        path = f"/srv/app/stores/{kind}.db"
        row = (f"{number:032x}", f"my-{kind}", kind, path, OPTIONS, "app.Session", MADE_AT)
        connection.execute(NEW_STORE, row)
    connection.execute(NEW_LEASE, (FAR,))


def _fill_store(
    connection: Connection, kind: str, options: StoreOptions, coder: Values[Any]
) -> None:
    features = ",".join(options.features)
    meta = ("0" * 32, NAME, kind, options.codec, features, RELEASE, MADE_AT)
    connection.execute(NEW_META, meta)
    everything = values()
    _put(connection, coder, "changed", {"now": 1})
    _put(connection, coder, "removed", {"gone": True})
    _put(connection, coder, "large", everything["large"])
    _train(connection, coder, options)
    for key, value in everything.items():
        if key not in ("changed", "large"):
            _put(connection, coder, key, value, FAR if "expiry" in options.features else None)
    new = coder.encode("changed", everything["changed"])
    connection.execute(CHANGE, ("changed", MADE_AT + 5, new.unpacked_bytes, new.stored))
    connection.execute(REMOVE, ("removed",))
    if "expiry" in options.features:
        _put(connection, coder, "expired", {"late": True}, MADE_AT + 1)
    if "tags" in options.features:
        connection.execute(TAG, ("user-001", "one"))
        connection.execute(TAG, ("user-002", "two"))
    if connection.execute(HAS_SERIES).fetchall():
        _record(connection)
    if "history" in options.features:
        connection.execute(FIX_TIME, (MADE_AT + 6,))
        connection.execute(SIGN)


def series() -> dict[str, tuple[list[int], list[float]]]:
    """The numeric series of metrics files: sealed, sealed with jitter, and not yet sealed."""
    times = [MADE_AT + 10_000 * n for n in range(5000)]
    return {
        "gauge": (times, [round(20 + (n * 7919 % 97) / 100, 2) for n in range(5000)]),
        "jitter": ([t + t // 10_000 * 7 % 50 for t in times], [n / 3 for n in range(5000)]),
        "recent": (times[:20], [float(n) for n in range(20)]),
    }


def _record(connection: Connection) -> None:
    """Put the numeric series into the file of a revision that has them."""
    tx = cast("Transaction", _Direct(connection))
    for number, (name, (times, values)) in enumerate(series().items(), start=1):
        connection.execute(ADD_SERIES, (name, '{"host":"a"}', "gauge", "", MADE_AT)).fetchall()
        if name == "recent":
            journal.write(tx, np.full(len(times), number, np.int32), columns(values, times))
        else:
            Sealer(tx, rollups=False).seal(number, columns(values, times))


class _Direct:
    """What sealing needs of a transaction, on a bare connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.now = MADE_AT

    def rows(self, sql: str, parameters: Any = ()) -> Any:
        """Run one statement."""
        return self.connection.execute(sql, parameters).fetchall()

    run = rows

    def many(self, sql: str, parameters: Any) -> Any:
        """Run one statement for each."""
        return self.connection.executemany(sql, parameters).fetchall()


def _put(
    connection: Connection, coder: Values[Any], key: Any, value: Any, expires: int | None = None
) -> None:
    new = coder.encode(key, value)
    row = (key, MADE_AT + 2, expires, new.unpacked_bytes, new.stored)
    connection.execute(NEW_ENTRY, row)


def _train(connection: Connection, coder: Values[Any], options: StoreOptions) -> None:
    if "compression" not in options.features:
        return
    samples = [bytes(coder.codec.encode(value)) for value in list(values().values())[:40]]
    dictionary = train_dictionary(samples, size=1024)
    assert dictionary is not None
    connection.execute(NEW_DICTIONARY, (dictionary.id, MADE_AT + 1, dictionary.body))
    coder.packer.use_dictionary(dictionary)


def kept(revision: str) -> Path:
    """Where the file of *revision* is kept, compressed: a tenth of its size."""
    return FILES / f"{revision}.db.zst"


def unpack(revision: str, path: Path) -> None:
    """Write the file that is kept of *revision* to *path*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zstandard.decompress(kept(revision).read_bytes()))


def keep(kind: str, revision: str, scratch: Path) -> int:
    """Make and keep the file of *revision*; return its size in bytes."""
    path = scratch / f"{revision}.db"
    make(kind, revision, path)
    packed = zstandard.compress(path.read_bytes(), 19)
    FILES.mkdir(exist_ok=True)
    kept(revision).write_bytes(packed)
    remove_database(path)
    return len(packed)
