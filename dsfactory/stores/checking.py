"""The deep looks into a store's file: its invariants, their repair, its dictionaries, its pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dsfactory.codecs import train_dictionary
from dsfactory.engine import Database, Reading, Transaction
from dsfactory.errors import CorruptError, CorruptValueError
from dsfactory.model import Violation
from dsfactory.profiles import invariants
from dsfactory.stores import sql
from dsfactory.stores.values import Values

_PAGE_ROWS = 500

SOUND = "I0 the file is sound"

QUICK_CHECK = "PRAGMA quick_check(100)"
FREE_PAGES = "SELECT freelist_count FROM pragma_freelist_count"
# 8 MB a step: a few milliseconds of the write lock.
GIVE_BACK = "PRAGMA incremental_vacuum(2000)"

REPAIRS = {
    "access": (
        "DELETE FROM access WHERE entry_id NOT IN (SELECT id FROM entry)",
        """
        INSERT INTO access (entry_id, seq, used_at)
        SELECT id, (SELECT coalesce(max(seq), 0) FROM access) + row_number() OVER (ORDER BY id),
          updated_at
        FROM entry WHERE id NOT IN (SELECT entry_id FROM access)
        """,
    ),
    "series": (
        "DELETE FROM block WHERE series NOT IN (SELECT id FROM series)",
        "DELETE FROM rollup WHERE series NOT IN (SELECT id FROM series)",
        "DELETE FROM rollup_due WHERE series NOT IN (SELECT id FROM series)",
        """
        DELETE FROM piece WHERE id NOT IN (
          WITH RECURSIVE owned (id, last) AS (
            SELECT piece, piece + pieces - 1 FROM block WHERE piece > 0
            UNION ALL SELECT piece, piece + pieces - 1 FROM rollup WHERE piece > 0
            UNION ALL SELECT id + 1, last FROM owned WHERE id < last
          ) SELECT id FROM owned
        )
        """,
        """
        DELETE FROM draft WHERE id NOT IN (
          WITH RECURSIVE owned (id, last) AS (
            SELECT -piece, pieces - piece - 1 FROM block WHERE piece < 0
            UNION ALL SELECT -piece, pieces - piece - 1 FROM rollup WHERE piece < 0
            UNION ALL SELECT id + 1, last FROM owned WHERE id < last
          ) SELECT id FROM owned
        )
        """,
    ),
    "tags": ("DELETE FROM tag WHERE entry_id NOT IN (SELECT id FROM entry)",),
}


def violations(
    database: Database, values: Values[Any], features: Iterable[str]
) -> Iterator[Violation]:
    """Yield every broken invariant of the file, at one moment."""
    with database.snapshot() as snapshot:
        try:
            yield from _unsound(snapshot)
            yield from _broken(snapshot, features)
            yield from _undecodable(snapshot, values)
        except CorruptError as error:
            yield Violation(SOUND, str(error))


def _unsound(reading: Reading) -> Iterator[Violation]:
    for (line,) in reading.rows(QUICK_CHECK):
        if line != "ok":
            yield Violation(SOUND, str(line))


def _broken(reading: Reading, features: Iterable[str]) -> Iterator[Violation]:
    for invariant in invariants(features):
        for (detail,) in reading.rows(invariant.sql):
            yield Violation(invariant.name, str(detail))


def _undecodable(reading: Reading, values: Values[Any]) -> Iterator[Violation]:
    last = 0
    while rows := reading.rows(sql.EVERYTHING, (last, _PAGE_ROWS)):
        for entry_id, stored, unpacked_bytes in rows:
            try:
                values.decode(stored, unpacked_bytes)
            except CorruptValueError as error:
                yield Violation("I8 every value decodes", f"entry id {entry_id}: {error}")
        last = rows[-1][0]


def repair(tx: Transaction, features: Iterable[str]) -> None:
    """Make the bookkeeping tables agree with the entries."""
    for feature in features:
        for statement in REPAIRS.get(feature, ()):
            tx.run(statement)
    tx.run(sql.RECOUNT)


def train(database: Database, values: Values[Any], now: int, samples: int) -> bool:
    """Train a dictionary from the newest *samples* values and compress with it from now on."""
    rows = database.rows(sql.SAMPLES, (samples,))
    dictionary = train_dictionary([values.unpacked(stored, size) for stored, size in rows])
    if dictionary is None:
        return False
    with database.write() as tx:
        tx.run(sql.ADD_DICTIONARY, (dictionary.id, now, dictionary.body))
    values.use_newest_dictionary()
    return True


def give_back(database: Database) -> int:
    """Give pages that deletes freed back to the file system; return how many."""
    freed: int = 0
    while True:
        with database.write() as tx:
            ((before,),) = tx.rows(FREE_PAGES)
            tx.rows(GIVE_BACK)
            ((after,),) = tx.rows(FREE_PAGES)
        freed += before - after
        if not after or after == before:
            return freed
