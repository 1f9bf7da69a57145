"""The write-ahead log: copied back by us, bounded, and who keeps it from being cut."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

import apsw

from dsfactory.engine.files import file_size

CHECKPOINT_PAGES = 900
"""3.7 MB of log, then the writer copies it into the database: a little under SQLite's default of
1000, so that log and last transaction stay under 4 MiB (scripts/bench/churn). Half of it would cost
a set 6 us of fsyncs more."""

STARVED_PAGES = 4 * CHECKPOINT_PAGES
"""15 MB: readers have followed each other without a gap, so the next copy waits for one."""

LARGE_BYTES = 16 * 1024 * 1024
"""A log that is larger has a reason: a transaction as large, or a reader that stays."""

# Where SQLite locks the WAL-index (www.sqlite.org/walformat.html, "WAL-Index File Locks"): five
# bytes for readers behind those for the writer, the checkpointer and the recoverer.
READ_LOCKS = range(123, 128)

LOCKS = Path("/proc/locks")


class Process(NamedTuple):
    """A process of this machine."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({self.pid})"


class Log:
    """What one process knows of the log of its file."""

    def __init__(self) -> None:
        self.pages = 0
        """In the log after our last commit, as SQLite counts them."""
        self.failure: str | None = None
        self.due_at = CHECKPOINT_PAGES
        """So many pages, and it is time to copy the log into the database."""

    def committed(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        """Note the size of the log; SQLite calls this after every commit."""
        self.pages = pages
        return apsw.SQLITE_OK

    @property
    def starved(self) -> bool:
        """Whether there has always been a reader in the way of starting the log over."""
        return self.pages >= STARVED_PAGES

    def copied(self, in_wal: int, copied: int) -> None:
        """Plan the next copy after one that moved *copied* of *in_wal* pages."""
        # Pinned by a reader, or failed: try again a WAL's worth later, not at every commit.
        behind = copied < in_wal or in_wal >= STARVED_PAGES
        self.due_at = CHECKPOINT_PAGES + (in_wal if behind else 0)


def readers(path: Path | str) -> list[Process]:
    """Return the processes that are reading the database *path* at this moment.

    One that stays keeps its log from being started over. Empty where the system does not tell:
    anywhere but on Linux, and of processes outside of this container.
    """
    try:
        index = os.stat(f"{path}-shm")  # noqa: PTH116 -- never opened: see I5
        lines = LOCKS.read_text().splitlines()
    except OSError:
        return []
    found = {}
    for line in lines:
        pid = _reader(line.split(), index)
        if pid is not None:
            found[pid] = Process(pid, _name(pid))
    return sorted(found.values())


def pinned_by(path: Path | str) -> tuple[str, ...]:
    """Return who reads the database *path* while its log is larger than it should be."""
    if file_size(f"{path}-wal") <= LARGE_BYTES:
        return ()
    return tuple(map(str, readers(path)))


def _reader(words: list[str], index: os.stat_result) -> int | None:
    """The pid out of a line such as "1: POSIX ADVISORY READ 4711 08:01:1234 124 124"."""
    if len(words) != 8 or words[1] != "POSIX" or not words[4].isdigit():
        return None
    # The device of a btrfs or overlay file is not the one that stat() tells.
    inode = words[5].rpartition(":")[2]
    if inode != str(index.st_ino) or words[7] == "EOF" or int(words[4]) == 0:
        return None
    locked = range(int(words[6]), int(words[7]) + 1)
    return int(words[4]) if any(byte in READ_LOCKS for byte in locked) else None


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return "a process"
