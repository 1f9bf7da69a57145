"""Forking with open databases.

SQLite keeps its picture of a file's locks in process memory, but POSIX does not hand the locks
themselves to a forked child. A child that opens the file anew is then served from the copied
picture and takes no real locks (seen in the tests: /proc/locks shows none), so another process may
reset the WAL under it. Therefore every database closes its connections just before a fork, and
parent and child open their own at the next use. Only a transaction of the forking thread cannot
be closed: that database stays open in the parent and is refused in the child for good, and so is
every other way to its file there. The same holds for connections that no database looks after: a
probe, a copy, SQLAlchemy's.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from pathlib import Path
from typing import Protocol

import apsw

from dsfactory.errors import ForkedError


class Forking(Protocol):
    """Something that has to know of a fork."""

    def before_fork(self) -> None:
        """Let go of whatever must not be copied; runs in the parent."""
        ...

    def after_fork_in_parent(self) -> None:
        """Go on."""
        ...

    def after_fork_in_child(self) -> None:
        """Start over; no other thread exists here."""
        ...


class Restarting:
    """A part that only has to drop locks in a child, which other threads may have held."""

    def before_fork(self) -> None:
        """Nothing has to be let go."""

    def after_fork_in_parent(self) -> None:
        """Nothing was."""

    def after_fork_in_child(self) -> None:
        """Make new locks."""
        raise NotImplementedError


# Owners first: whoever holds an owner's lock may be waiting for a part's.
_owners: weakref.WeakSet[Forking] = weakref.WeakSet()
_parts: weakref.WeakSet[Forking] = weakref.WeakSet()
_lock = threading.Lock()
Inode = tuple[int, int]
_opened: weakref.WeakKeyDictionary[apsw.Connection, Inode] = weakref.WeakKeyDictionary()
_inherited: set[Inode] = set()


class _Told(threading.local):
    """Whom this thread's fork was announced to; two threads may fork at once."""

    def __init__(self) -> None:
        self.subjects: list[Forking] = []


_told = _Told()


def watch(subject: Forking, *, owner: bool = False) -> None:
    """Tell *subject* of every fork for as long as it lives; an *owner* before its parts."""
    with _lock:
        (_owners if owner else _parts).add(subject)


def opened(connection: apsw.Connection, status: os.stat_result) -> None:
    """Remember which file *connection* has open, in case that it comes along into a child."""
    _opened[connection] = inode(status)


def inode(status: os.stat_result) -> Inode:
    """Return what tells one file from every other for as long as it exists."""
    return status.st_dev, status.st_ino


def file_of(connection: apsw.Connection) -> Inode | None:
    """Return the file that *connection* has open; None for one that was opened elsewhere."""
    return _opened.get(connection)


def has_open(file: Inode) -> bool:
    """Whether a connection of this process may have *file* open."""
    # A connection that was opened elsewhere could be to any file.
    return any(_opened.get(connection, file) == file for connection in apsw.connections())


def used_here(path: Path) -> bool:
    """Whether a connection of this process has the file at *path* open."""
    status = path.stat()
    inode = (status.st_dev, status.st_ino)
    return any(_is_open(c) for c, file in list(_opened.items()) if file == inode)


def _is_open(connection: apsw.Connection) -> bool:
    try:
        connection.total_changes()
    except apsw.ConnectionClosedError:
        return False
    return True


def inherited(path: Path) -> ForkedError:
    """Note that a connection to *path* came along into this child; return why it is refused."""
    with contextlib.suppress(OSError):
        status = path.stat()
        _inherited.add(inode(status))
    return refusal(path)


def refuse_inherited(path: Path, status: os.stat_result) -> None:
    """Refuse a file of which SQLite still has the parent's picture of locks."""
    if inode(status) in _inherited:
        raise refusal(path)


def _abandon(connection: apsw.Connection) -> None:
    """Neither use nor close *connection*, which is the parent's, and refuse its file.

    Python would close it at exit, and SQLite then undo the parent's transaction in the WAL-index
    that both have mapped: the parent finds its database malformed.
    """
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
    if connection in _opened:
        _inherited.add(_opened[connection])
        return
    # Somebody else's. One that another thread was using cannot be asked any more.
    with contextlib.suppress(apsw.Error):
        if connection.filename:  # none in memory
            inherited(Path(connection.filename))


def refusal(path: Path) -> ForkedError:
    """Return why a child must not use *path*."""
    return ForkedError(
        f"{path} was in use when this process was forked from its parent. Fork outside of "
        "transactions, or open the store in the child only.",
        path=str(path),
    )


def _before() -> None:
    with _lock:
        subjects = [*_owners, *_parts]
    for subject in subjects:
        subject.before_fork()
        _told.subjects.append(subject)


def _in_parent() -> None:
    # Only who was told: other threads may have made more of them meanwhile.
    while _told.subjects:
        _told.subjects.pop().after_fork_in_parent()


def _in_child() -> None:
    global _lock  # noqa: PLW0603 -- a thread of the parent may have held it
    _lock = threading.Lock()
    _told.subjects.clear()
    for connection in apsw.connections():
        _abandon(connection)
    for subject in [*_parts, *_owners]:
        subject.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
