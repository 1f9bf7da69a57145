"""Whether anybody has committed: the header of the WAL-index, seen through a read-only mapping.

In WAL mode a commit, by whichever process, changes the first 48 bytes of the ``-shm`` file before
it returns: the number of the change, of the last frame, their checksums and salts
(www.sqlite.org/walformat.html, "The WAL-Index Header"). So what was read under one header is true
for as long as the header is the same.

Closing a descriptor of that file drops every lock that SQLite holds on it in this process, and
Python's mmap holds a second one. So there is one mapping an inode for the whole process, and it is
closed when nobody can have the file open any more: SQLite has unlinked it, and none of our
connections is left.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

import apsw

from dsfactory.engine import forks
from dsfactory.engine.connection import Settings, open_connection
from dsfactory.engine.forks import Inode
from dsfactory.engine.translate import translated
from dsfactory.errors import FileMissingError

if TYPE_CHECKING:
    from dsfactory.engine.reading import ReadingSide

HEADER_BYTES = 48
HEADER = slice(0, HEADER_BYTES)
Token = bytes | int
"""What stays the same until somebody commits: the header, or SQLite's own data_version."""

WORD: Final = "Q"
"""Six words are compared in half of the time that it takes to copy 48 bytes and compare those."""

MAPPABLE = os.name == "posix"
"""Elsewhere a mapped file hinders SQLite in deleting it."""

_CHANGES = 1
"""The word that holds iChange, the number of the change, in its first four bytes."""

_SHIFT = 0 if sys.byteorder == "little" else 32

_NAME = Struct("=I2sHII8s8s")
"""The number of the change, what never changes, the size of pages, the last frame, the pages of the
database, the checksum of all frames, the salts of the log: bytes 8 to 39 of the header."""

NAME_BYTES = _NAME.size
_NUMBER = Struct("=I").unpack_from

_LOG_HEAD_BYTES = 32
_FRAME_HEAD = Struct(">II8sII")
"""The page, the pages of the database after a commit (0: none yet), the salts, the checksums."""

DATA_VERSION = "PRAGMA data_version"


def words_of(token: Token) -> memoryview[int] | None:
    """Return *token* as Sight.words can be compared with it; None when it never can."""
    return memoryview(token).cast(WORD) if isinstance(token, bytes) and token else None


def follows(header: memoryview[int] | None, earlier: memoryview[int] | None) -> bool:
    """Whether *header* is that of the first commit after *earlier*, with none in between.

    data_version, which has no header, says that there were some, not how many.
    """
    if header is None or earlier is None:
        return False
    changes = (header[_CHANGES] >> _SHIFT) - (earlier[_CHANGES] >> _SHIFT)
    return changes & 0xFFFFFFFF == 1


def commit_of(header: bytes) -> bytes:
    """Return what names the last commit for good: its number and frame, the checksum of all
    frames, the salts of the log, and what never changes."""
    return header[8:40]


def change_of(commit: bytes) -> int:
    """Return the number of a commit, which grows by one with each, modulo 2**32."""
    return _NUMBER(commit)[0]  # type: ignore[no-any-return]


def commits_before(path: Path, header: bytes, frame: int) -> tuple[bytes, bytes] | None:
    """Return what names the commit that ended with *frame*, after the one before it, by the log.

    The log is read from *header* on. None when it does not tell: it was started over meanwhile,
    for instance.
    """
    before = name = commit_of(header)
    number, kept, page_bytes, at, _, _, salts = _NAME.unpack(name)
    try:
        with Path(f"{path}-wal").open("rb", buffering=0) as log:
            for end, pages, here, sums in _frames(log.fileno(), page_bytes, at, frame):
                if here != salts:
                    return None
                if pages:
                    number = (number + 1) & 0xFFFFFFFF
                    fields = (number, kept, page_bytes, end, pages, sums, salts)
                    before, name, at = name, _NAME.pack(*fields), end
    except (OSError, struct.error):  # no such frame
        return None
    return (before, name) if name != before and at == frame else None


def _frames(log: int, page_bytes: int, after: int, last: int) -> Iterator[tuple[Any, ...]]:
    """Yield the number, pages, salts and checksum of each frame behind *after*, up to *last*."""
    frame_bytes = _FRAME_HEAD.size + (65536 if page_bytes == 1 else page_bytes)
    for at in range(after, last):
        head = os.pread(log, _FRAME_HEAD.size, _LOG_HEAD_BYTES + at * frame_bytes)
        _, pages, salts, *sums = _FRAME_HEAD.unpack(head)
        yield at + 1, pages, salts, b"".join(n.to_bytes(4, sys.byteorder) for n in sums)


class _Index:
    """One WAL-index, mapped."""

    __slots__ = ("database", "descriptor", "users", "view")

    def __init__(self, descriptor: int, database: Inode) -> None:
        self.descriptor = descriptor
        self.database = database
        self.users = 0
        self.view = mmap.mmap(descriptor, HEADER_BYTES, prot=mmap.PROT_READ)


class _Indexes(forks.Restarting):
    """Every WAL-index that this process has mapped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mapped: dict[Inode, _Index] = {}
        self._strays: list[int] = []
        forks.watch(self)

    def after_fork_in_child(self) -> None:
        """Keep what came along: a child's copies are closed by the same rule."""
        self._lock = threading.Lock()

    def take(self, path: Path, database: Inode) -> _Index | None:
        """Return the mapping for *path*, which a connection of ours has open; None without one."""
        with self._lock:
            self._close_unlinked()
            try:
                status = os.stat(f"{path}-shm")  # noqa: PTH116 -- no Path made of it
                index = self._mapped.get(forks.inode(status)) or self._map(path, database)
            except (OSError, ValueError):  # no permission, no descriptors left, no such file
                return None
            if index is not None:
                index.users += 1
            return index

    def _map(self, path: Path, database: Inode) -> _Index | None:
        descriptor = os.open(f"{path}-shm", os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(descriptor)
        known = forks.inode(status)
        if known in self._mapped or status.st_size < HEADER_BYTES:
            # Somebody replaced it since we looked. Not closed: see above.
            self._strays.append(descriptor)
            return self._mapped.get(known)
        index = self._mapped[known] = _Index(descriptor, database)
        return index

    def give_back(self, index: _Index) -> None:
        """Have one user less; call it when the connections are closed."""
        with self._lock:
            index.users -= 1
            self._close_unlinked()

    def _close_unlinked(self) -> None:
        for known, index in list(self._mapped.items()):
            if index.users or os.fstat(index.descriptor).st_nlink or forks.has_open(index.database):
                continue
            del self._mapped[known]
            index.view.close()
            os.close(index.descriptor)

    def __len__(self) -> int:
        return len(self._mapped)


indexes = _Indexes()


class Sight:
    """A file while it is watched. When that ends, it shows nothing for good."""

    __slots__ = ("_asked", "_ended", "_index", "_lock", "file", "path", "view", "words")

    def __init__(self, path: Path, file: Inode) -> None:
        self.path = path
        self.file = file
        self.view: mmap.mmap | bytes = b""
        """To be read in HEADER; empty where there is no mapping, and when this has ended."""
        self.words: memoryview[int] = memoryview(b"")
        """The header itself, not a copy; equal to nothing once it is released."""
        self._lock = threading.Lock()
        self._ended = False
        self._index: _Index | None = None
        self._asked: apsw.Cursor | None = None

    def open(self, settings: Settings) -> None:
        """Map the index or, where that cannot be, open a connection to ask."""
        self.require_file()
        if MAPPABLE:
            self._index = indexes.take(self.path, self.file)
        if self._index is not None:
            self.view = self._index.view
            self.words = memoryview(self._index.view).cast(WORD)
            return
        asked = open_connection(self.path, settings)
        if forks.file_of(asked) == self.file:
            self._asked = asked.cursor()
        else:
            asked.close()

    def token(self) -> Token:
        """Return what changes with every commit; b"" when this has ended."""
        view = self.view
        if view:
            try:
                return view[HEADER]
            except ValueError:  # closed meanwhile
                return b""
        with self._lock:
            if self._asked is None:
                return b""
            try:
                version: int = self._asked.execute(DATA_VERSION).get
            except apsw.Error as error:
                raise translated(error, self.path) from error
            return version

    def require_index(self) -> None:
        """Raise FileMissingError unless the mapping can be read."""
        index = self._index
        if index is None:
            return
        try:
            status = os.fstat(index.descriptor)
        except OSError:  # closed meanwhile, by release()
            self._miss("its index (-shm) was closed")
            return
        if status.st_size < HEADER_BYTES or not status.st_nlink:
            self._miss("its index (-shm) was deleted, cut or replaced")

    def require_file(self) -> None:
        """Raise FileMissingError unless the file is still the one that was opened."""
        try:
            status = os.stat(self.path)  # noqa: PTH116 -- at every read of some
        except OSError:
            self._miss("it was deleted or moved")
            return
        if forks.inode(status) != self.file:
            self._miss("it was replaced")

    def _miss(self, what: str) -> None:
        self._blind()
        if self._ended:
            return  # SQLite deletes the index when we close
        raise FileMissingError(
            f"{self.path}: {what} while it was open. Close the store in every process and open it "
            "again, or restore a backup.",
            path=str(self.path),
        )

    def end(self) -> None:
        """Show nothing from now on."""
        self._ended = True
        self._blind()
        with self._lock:
            asked, self._asked = self._asked, None
        if asked is not None:
            with suppress(apsw.CursorClosedError):  # somebody closed it under us
                asked.connection.close(True)

    def _blind(self) -> None:
        self.view = b""
        self.words.release()

    def release(self) -> None:
        """Give the mapping back, once this has ended and the connections are closed."""
        index, self._index = self._index, None
        if index is not None:
            indexes.give_back(index)


class _NoSight(Sight):
    def require_index(self) -> None:
        """Nothing is watched that could be gone."""

    def require_file(self) -> None:
        """Nothing is watched that could be gone."""


NO_SIGHT: Sight = _NoSight(Path(), (0, 0))
"""Where nothing is watched yet."""


class Watch:
    """One database's look at the commits of every process, its own included."""

    def __init__(self, database: ReadingSide, settings: Settings) -> None:
        """Nothing is looked at before it is asked for."""
        self.path = database.path
        self._database = database
        self._settings = settings
        self._lock = threading.Lock()
        self._sight: Sight | None = None
        self._suspended = 0
        forks.watch(self, owner=True)  # told before the connections are closed

    def sight(self) -> Sight | None:
        """Return what is watched, from now on if need be; None when that cannot be.

        Raises FileMissingError when the file that is open is not there any more.
        """
        sight = self._sight
        if sight is not None:
            return sight
        # A fork and a close wait for the reader: as long as one of our connections is open, the
        # file stays the one that SQLite has mapped.
        with self._database.reader() as reader:
            reader.execute(DATA_VERSION).fetchall()  # so that it has the index open
            file = forks.file_of(reader.connection)
            if file is None:
                return None
            with self._lock:
                if self._sight is None and not self._suspended:
                    sight = Sight(self._database.path, file)
                    sight.open(self._settings)
                    self._sight = sight
                return self._sight

    def end(self) -> None:
        """Stop watching; release() follows when the connections are closed."""
        sight = self._sight
        if sight is not None:
            sight.end()

    def release(self) -> None:
        """Give the mapping back; the process keeps it until closing it is safe."""
        with self._lock:
            sight, self._sight = self._sight, None
        if sight is not None:
            sight.end()
            sight.release()

    # -- forks: between closing the connections and opening new ones the index may be made anew

    def before_fork(self) -> None:
        """Watch nothing while no connection is open."""
        with self._lock:
            self._suspended += 1
        self.release()

    def after_fork_in_parent(self) -> None:
        """Let it begin again."""
        with self._lock:
            self._suspended -= 1

    def after_fork_in_child(self) -> None:
        """The same, with a lock of its own."""
        self._lock = threading.Lock()
        self._suspended = 0
