"""How a connection is set up: one row a setting, each with its reason."""

from __future__ import annotations

from typing import NamedTuple

import apsw


class Pragma(NamedTuple):
    """One pragma that every connection runs."""

    name: str
    value: int | str
    why: str


class Switch(NamedTuple):
    """One sqlite3_db_config switch that every connection sets."""

    option: int
    on: int
    why: str


SWITCHES = (
    Switch(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1, "off by default; applications' tables rely on it"),
    Switch(
        apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA,
        0,
        "a hostile file must not call functions that were not registered as innocuous",
    ),
    Switch(
        apsw.SQLITE_DBCONFIG_DEFENSIVE,
        1,
        "no SQL may write the schema table, shadow tables or turn the journal off",
    ),
    Switch(
        apsw.SQLITE_DBCONFIG_DQS_DML,
        0,
        'a misspelt "column" must be an error, not a string',
    ),
    Switch(apsw.SQLITE_DBCONFIG_DQS_DDL, 0, "the same in schemas"),
)

READER_SWITCHES = (
    Switch(
        apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
        1,
        "SQLite swallows a failed fsync of that checkpoint; it is the writer's business",
    ),
)

EVERYWHERE = (
    Pragma(
        "mmap_size",
        0,
        "a mapped page kills the process with SIGBUS when somebody truncates the file; mapping "
        "saves nothing on 100 B values and 2.5 of 8.5 us on 20 KB ones: scripts/bench/mmap",
    ),
    Pragma("cache_size", -8192, "8 MiB a connection: the inner pages of a 10 GB store fit"),
    Pragma("temp_store", "memory", "sorting must not write to a directory that we did not choose"),
    Pragma(
        "cell_size_check",
        "on",
        "finds a damaged page when it is read, before it is believed",
    ),
)

WRITER = (
    Pragma(
        "journal_mode",
        "wal",
        "readers and the writer never wait for each other; one fsync a commit at most. Not set by "
        "readers: a first look must not change a file that turns out to be somebody else's",
    ),
    Pragma(
        "journal_size_limit",
        4 * 1024 * 1024,
        "after a checkpoint the WAL shrinks to 4 MiB instead of keeping its largest size",
    ),
    Pragma(
        "wal_autocheckpoint",
        0,
        "SQLite swallows a failed fsync of its own checkpoints; ours are in database.py",
    ),
)

READER = (Pragma("query_only", "on", "a reader that writes would be a mistake of ours"),)

AT_CREATION = (
    Pragma("page_size", 4096, "the page of disks and of the page cache"),
    Pragma("auto_vacuum", "incremental", "freed pages can be given back; impossible to add later"),
)
