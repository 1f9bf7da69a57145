"""The tables of every feature as SQLAlchemy metadata: what Alembic compares with.

Nothing at run time imports this module: a new file is made from frozen.py, and a test holds the
two against each other.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import (
    BLOB,
    INTEGER,
    REAL,
    TEXT,
    CheckConstraint,
    Column,
    Computed,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from dsfactory.engine.dialect import ANY

# Milliseconds since the epoch, in words that the SQLite of ten years ago understands.
NOW_MS = text("(CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))")

# Of a block: over its numbers, NULL for none. squares: of the deviations from the mean.
SUMMARY = ("minimum", "maximum", "total", "squares", "opening", "closing", "increase")
# Where the bytes are, and what they have to be.
PAYLOAD = ("bytes", "crc", "piece", "pieces")


def metadata(features: Iterable[str]) -> MetaData:
    """Return the tables of a store with *features*; "registry" gives the metadata database."""
    tables = MetaData()
    for feature in ("entry", *sorted(features)):
        TABLES[feature](tables)
    return tables


def registry_metadata() -> MetaData:
    """Return the tables of the metadata database."""
    tables = MetaData()
    _registry(tables)
    return tables


def _entry(tables: MetaData) -> None:
    Table(
        "meta",
        tables,
        Column("id", INTEGER, CheckConstraint("id = 1"), primary_key=True),
        Column("store_id", TEXT, nullable=False),
        Column("name", TEXT, nullable=False),
        Column("kind", TEXT, nullable=False),
        Column("codec", TEXT, nullable=False),
        Column("features", TEXT, nullable=False),
        Column("release", TEXT, nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("clock_ms", INTEGER, nullable=False),
        Column("entries", INTEGER, nullable=False, server_default=text("0")),
        Column("stored_bytes", INTEGER, nullable=False, server_default=text("0")),
        Column("unpacked_bytes", INTEGER, nullable=False, server_default=text("0")),
        Column("version_floor", INTEGER, nullable=False, server_default=text("0")),
        Column("lineage", TEXT),
        sqlite_strict=True,
    )
    _entries(tables)


def _entries(tables: MetaData) -> None:
    entry = Table(
        "entry",
        tables,
        Column("id", INTEGER, primary_key=True),
        Column("key", ANY, nullable=False),
        Column("version", INTEGER, nullable=False, server_default=text("1")),
        Column("created_at", INTEGER, nullable=False, server_default=NOW_MS),
        Column("updated_at", INTEGER, nullable=False, server_default=NOW_MS),
        Column("expires_at", INTEGER),
        Column("unpacked_bytes", INTEGER),
        Column(
            "size_bytes",
            INTEGER,
            Computed("length(CAST(value AS BLOB))", persisted=False),
            nullable=False,
        ),
        # Last, so that reading the rest of a row never walks a large value's overflow pages.
        Column("value", ANY, nullable=False),
        UniqueConstraint("key"),
        CheckConstraint("typeof(key) IN ('integer', 'text', 'blob')", name="key_type"),
        CheckConstraint("unpacked_bytes IS NULL OR typeof(value) = 'blob'", name="packed_is_blob"),
        sqlite_strict=True,
    )
    # Empty where nothing expires, so that counting the expired costs nothing there either.
    Index(
        "entry_expiry",
        entry.c.expires_at,
        entry.c.size_bytes,
        sqlite_where=entry.c.expires_at.is_not(None),
    )
    Table(
        "lease",
        tables,
        Column("key", ANY, primary_key=True, nullable=False),
        Column("owner", TEXT, nullable=False),
        Column("expires_at", INTEGER, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _expiry(_tables: MetaData) -> None:
    """Nothing of its own: every entry can expire, the feature is the permission to say when."""


def _access(tables: MetaData) -> None:
    access = Table(
        "access",
        tables,
        Column("entry_id", INTEGER, primary_key=True),
        Column("seq", INTEGER, nullable=False),
        Column("used_at", INTEGER, nullable=False),
        Column("uses", INTEGER, nullable=False, server_default=text("0")),
        Column("queue", INTEGER, nullable=False, server_default=text("0")),
        sqlite_strict=True,
    )
    Index("access_order", access.c.seq)


def _tags(tables: MetaData) -> None:
    tag = Table(
        "tag",
        tables,
        Column("name", TEXT, primary_key=True),
        Column("entry_id", INTEGER, primary_key=True),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    Index("tag_entry", tag.c.entry_id)


def _history(tables: MetaData) -> None:
    history = Table(
        "history",
        tables,
        Column("seq", INTEGER, primary_key=True),
        Column("key", ANY, nullable=False),
        Column("version", INTEGER, nullable=False),
        Column("change", TEXT, nullable=False),
        Column("changed_at", INTEGER, nullable=False),
        Column("who", TEXT),
        Column("why", TEXT),
        Column("sha256", TEXT),
        Column("unpacked_bytes", INTEGER),
        Column("value", ANY),
        Column("source", TEXT),
        CheckConstraint(
            "change IN ('create', 'update', 'delete', 'rollback')", name="known_change"
        ),
        sqlite_strict=True,
    )
    Index("history_key", history.c.key, history.c.version)


def _compression(tables: MetaData) -> None:
    Table(
        "dictionary",
        tables,
        Column("id", INTEGER, primary_key=True),
        Column("created_at", INTEGER, nullable=False),
        Column("body", BLOB, nullable=False),
        sqlite_strict=True,
    )


def _series(tables: MetaData) -> None:
    Table(
        "series",
        tables,
        Column("id", INTEGER, primary_key=True),
        Column("name", TEXT, nullable=False),
        Column("labels", TEXT, nullable=False),
        Column("type", TEXT, nullable=False),
        Column("unit", TEXT, nullable=False),
        Column("created_at", INTEGER, nullable=False),
        UniqueConstraint("name", "labels"),
        sqlite_strict=True,
    )
    Table(
        "series_state",
        tables,
        Column("id", INTEGER, CheckConstraint("id = 1"), primary_key=True),
        Column("generation", INTEGER, nullable=False),
        sqlite_strict=True,
    )
    Table(
        "journal",
        tables,
        Column("id", INTEGER, primary_key=True),
        Column("written_at", INTEGER, nullable=False),
        Column("first_at", INTEGER, nullable=False),
        Column("last_at", INTEGER, nullable=False),
        Column("samples", INTEGER, nullable=False),
        Column("crc", INTEGER, nullable=False),
        Column("data", BLOB, nullable=False),
        sqlite_strict=True,
    )
    # Full blocks and those that will be merged with more: apart, so that full pages stay full.
    for name in ("piece", "draft"):
        Table(
            name,
            tables,
            Column("id", INTEGER, primary_key=True),
            Column("data", BLOB, nullable=False),
            sqlite_strict=True,
        )
    _blocks(tables)


def _blocks(tables: MetaData) -> None:
    block = Table(
        "block",
        tables,
        Column("series", INTEGER, primary_key=True),
        Column("first_at", INTEGER, primary_key=True),
        Column("last_at", INTEGER, nullable=False),
        Column("samples", INTEGER, nullable=False),
        Column("numbers", INTEGER, nullable=False),
        *(Column(name, REAL) for name in SUMMARY),
        *(Column(name, INTEGER, nullable=False) for name in PAYLOAD),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    Index("block_age", block.c.last_at)
    rollup = Table(
        "rollup",
        tables,
        Column("tier", INTEGER, primary_key=True),
        Column("series", INTEGER, primary_key=True),
        Column("first_at", INTEGER, primary_key=True),
        Column("last_at", INTEGER, nullable=False),
        Column("buckets", INTEGER, nullable=False),
        *(Column(name, INTEGER, nullable=False) for name in PAYLOAD),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    Index("rollup_age", rollup.c.tier, rollup.c.last_at)
    Table(
        "rollup_due",
        tables,
        Column("series", INTEGER, primary_key=True),
        Column("since", INTEGER, nullable=False),
        sqlite_strict=True,
    )


def _registry(tables: MetaData) -> None:
    Table(
        "registry_meta",
        tables,
        Column("id", INTEGER, CheckConstraint("id = 1"), primary_key=True),
        Column("release", TEXT, nullable=False),
        Column("created_at", INTEGER, nullable=False),
        sqlite_strict=True,
    )
    Table(
        "store",
        tables,
        Column("id", TEXT, primary_key=True, nullable=False),
        Column("name", TEXT, nullable=False),
        Column("kind", TEXT, nullable=False),
        Column("path", TEXT, nullable=False),
        Column("options", TEXT, nullable=False),
        Column("value_type", TEXT),
        Column("revision", INTEGER, nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("accessed_at", INTEGER, nullable=False),
        Column("backup_at", INTEGER),
        Column("health_at", INTEGER),
        Column("health", TEXT),
        Column("verified_at", INTEGER),
        UniqueConstraint("name"),
        UniqueConstraint("path"),
        sqlite_strict=True,
    )
    _backups(tables)
    Table(
        "lease",
        tables,
        Column("name", TEXT, primary_key=True, nullable=False),
        Column("owner", TEXT, nullable=False),
        Column("expires_at", INTEGER, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _backups(tables: MetaData) -> None:
    backup = Table(
        "backup",
        tables,
        Column("id", TEXT, primary_key=True, nullable=False),
        Column("store", TEXT, nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("reason", TEXT, nullable=False),
        Column("path", TEXT, nullable=False),
        Column("size_bytes", INTEGER, nullable=False),
        Column("sha256", TEXT, nullable=False),
        Column("revision", INTEGER, nullable=False),
        Column("verified_at", INTEGER),
        Column("pinned", INTEGER, nullable=False, server_default=text("0")),
        Column("tags", TEXT, nullable=False, server_default=text("'[]'")),
        Column("container", TEXT, nullable=False, server_default=text("'full'")),
        Column("base", TEXT),
        Column("set_id", TEXT),
        Column("flaws", TEXT, nullable=False, server_default=text("'[]'")),
        Column("unchanged_at", INTEGER),
        Column("held_until", INTEGER),
        Column("removed_at", INTEGER),
        Column("damaged_at", INTEGER),
        sqlite_strict=True,
    )
    Index("backup_store", backup.c.store, backup.c.created_at)
    Table(
        "event",
        tables,
        Column("id", INTEGER, primary_key=True, nullable=False),
        Column("at", INTEGER, nullable=False),
        Column("store", TEXT, nullable=False),
        Column("what", TEXT, nullable=False),
        Column("detail", TEXT, nullable=False),
        sqlite_strict=True,
    )


TABLES = {
    "entry": _entry,
    "access": _access,
    "compression": _compression,
    "expiry": _expiry,
    "history": _history,
    "series": _series,
    "tags": _tags,
}
