"""What is true of every store's file after every commit, and the query that finds what is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Invariant(NamedTuple):
    """A named truth. *sql* gives one row of text for each violation."""

    name: str
    feature: str
    sql: str


INVARIANTS = (
    Invariant(
        "I1 meta.entries equals the number of entries",
        "entry",
        """
        SELECT 'meta says ' || entries || ', there are ' || n
        FROM meta, (SELECT count(*) AS n FROM entry) WHERE entries <> n
        """,
    ),
    Invariant(
        "I2 meta.stored_bytes equals the sum of entry sizes",
        "entry",
        """
        SELECT 'meta says ' || stored_bytes || ', the sum is ' || n
        FROM meta, (SELECT total(size_bytes) AS n FROM entry) WHERE stored_bytes <> n
        """,
    ),
    Invariant(
        "I3 meta.unpacked_bytes equals the sum of sizes before compression",
        "entry",
        """
        SELECT 'meta says ' || meta.unpacked_bytes || ', the sum is ' || n
        FROM meta, (SELECT total(coalesce(unpacked_bytes, size_bytes)) AS n FROM entry)
        WHERE meta.unpacked_bytes <> n
        """,
    ),
    Invariant(
        "I4 every version is at least 1 and no entry was updated before it was created",
        "entry",
        """
        SELECT 'entry id ' || id FROM entry WHERE version < 1 OR updated_at < created_at
        """,
    ),
    Invariant(
        "I5 every entry has one access row and every access row its entry",
        "access",
        """
        SELECT 'entry id ' || coalesce(entry.id, access.entry_id)
        FROM entry FULL JOIN access ON access.entry_id = entry.id
        WHERE entry.id IS NULL OR access.entry_id IS NULL
        """,
    ),
    Invariant(
        "I6 every tag belongs to an entry",
        "tags",
        """
        SELECT 'tag of entry id ' || entry_id FROM tag
        WHERE NOT EXISTS (SELECT 1 FROM entry WHERE entry.id = tag.entry_id)
        """,
    ),
    Invariant(
        "I7 the newest history of a key is its entry",
        "history",
        """
        SELECT 'entry id ' || entry.id FROM entry
        WHERE value IS NOT (
          SELECT value FROM history WHERE history.key = entry.key ORDER BY seq DESC LIMIT 1
        )
        """,
    ),
    Invariant(
        "I9 every block and rollup belongs to a series",
        "series",
        """
        SELECT 'series id ' || series FROM (
          SELECT series FROM block UNION SELECT series FROM rollup
          UNION SELECT series FROM rollup_due
        ) WHERE series NOT IN (SELECT id FROM series)
        """,
    ),
    Invariant(
        "I10 blocks of one series do not overlap, and none ends before it begins",
        "series",
        """
        SELECT 'series id ' || series || ' at ' || first_at FROM (
          SELECT series, first_at, last_at,
            lag(last_at) OVER (PARTITION BY series ORDER BY first_at) AS before
          FROM block
        ) WHERE last_at < first_at OR first_at <= before
        """,
    ),
    Invariant(
        "I11 every piece belongs to one block or rollup",
        "series",
        """
        WITH place AS (
          SELECT piece, pieces FROM block UNION ALL SELECT piece, pieces FROM rollup
        ), taken AS (
          SELECT abs(piece) AS piece, pieces, piece < 0 AS draft FROM place
        )
        SELECT 'piece ' || piece || ' has two owners' FROM (
          SELECT piece, lag(piece + pieces) OVER (PARTITION BY draft ORDER BY piece) AS free
          FROM taken
        ) WHERE piece < free
        UNION ALL
        SELECT 'there are ' || there || ' pieces, owned are ' || owned FROM (
          SELECT (SELECT count(*) FROM piece) + (SELECT count(*) FROM draft) AS there,
            (SELECT coalesce(sum(pieces), 0) FROM place) AS owned
        ) WHERE there <> owned
        """,
    ),
)


def invariants(features: Iterable[str]) -> Iterator[Invariant]:
    """Yield the invariants of a store with *features*."""
    chosen = {"entry", *features}
    return (invariant for invariant in INVARIANTS if invariant.feature in chosen)
