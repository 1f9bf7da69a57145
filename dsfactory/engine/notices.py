"""What each commit changed, told to whoever keeps entries in memory in another process.

The WAL-index says that somebody has committed, not what. So whoever commits through us writes a
notice: the commit before, the commit, and the keys that are not what they were. Who kept something
that was true after the first follows the chain of notices to the last commit, forgets those keys,
and keeps the rest. A commit of somebody else, a notice that is missing, torn or too long, breaks
the chain: then everything is forgotten, as it would be without notices. A commit is named for good
by its number, its frame, the salts of the log and the checksum of all frames (engine/watch.py), so
a notice from another life of the file fits nowhere.

Notices go round in a small file beside the database. It is read and written by system calls: a
mapping of a file that somebody cuts is a SIGBUS. Nobody writes unless somebody has lately said
there that he listens, and that says who sees commits of others while he has entries in memory.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from struct import Struct
from typing import Final
from zlib import crc32

from dsfactory.engine import forks
from dsfactory.engine.files import NOTICES_FILE, PRIVATE_FILE
from dsfactory.engine.watch import MAPPABLE, NAME_BYTES, change_of
from dsfactory.keys import MAX_KEY_BYTES
from dsfactory.model import Key

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SLOTS = 1024
"""Notices that are kept; who comes later forgets everything, which costs him as much."""

SLOT_BYTES = 512
"""Some twenty keys; a notice of more says that it cannot tell."""

_HEAD = Struct(f"<IH{NAME_BYTES}s{NAME_BYTES}s")
"""Checksum of the rest, bytes of keys, the commit before, the commit."""

_SUM, _REST = Struct("<I"), Struct(f"<H{NAME_BYTES}s{NAME_BYTES}s")
_ROOM = SLOT_BYTES - _HEAD.size
_TOO_MANY = 0xFFFF

_LISTENING = Struct("<Q")
"""The first slot: when somebody last said that he listens, by the clock since the start of the
machine, in nanoseconds."""

LISTEN_NS: Final = 500_000_000
"""How often whoever listens says so."""

HEARD_NS: Final = 2_000_000_000
"""How long that holds."""

SWEPT: Key = bytes(MAX_KEY_BYTES + 1)
"""Stands for all entries that went because their time was up; no key is so long. Who reads knows
when that is, who watches for deletes does not."""

_KEYS: dict[bytes, Callable[[bytes], Key]] = {
    b"s": bytes.decode,
    b"i": int,
    b"b": bytes,
    b"x": lambda _: SWEPT,
}
"""What a key is read with, by the letter that it is written with; its length comes in between."""

_KEY_HEAD = Struct("<cH")
"""That letter, and how many bytes follow."""


class Notices(forks.Restarting):
    """The notices about one file: ours to write, and everybody's to read."""

    def __init__(self, path: Path, *, usable: bool = True) -> None:
        """Nothing is opened before it is needed; ever, unless *usable*."""
        self._path = f"{path}{NOTICES_FILE}"
        self._descriptor: int | None = None
        self._usable = usable and fcntl is not None and MAPPABLE
        self._said_at = 0
        self._lock = threading.Lock()
        forks.watch(self)

    # -- who commits

    def wanted(self, now_ns: int) -> bool:
        """Whether somebody listens; asks the file system, so not with every commit."""
        if not self._usable or not self._opened(make=False):
            return False
        said = self._read(0, _LISTENING.size)
        if len(said) < _LISTENING.size:
            return False
        (at,) = _LISTENING.unpack(said)
        return bool(0 <= now_ns - at < HEARD_NS)

    def tell(self, before: bytes, commit: bytes, told: bytes | None) -> None:
        """Say that *commit*, which came next after *before*, changed what *told* says."""
        size = _TOO_MANY if told is None else len(told)
        rest = _REST.pack(size, before, commit) + (told or b"")
        self._write(_SUM.pack(crc32(rest)) + rest, (change_of(commit) % SLOTS + 1) * SLOT_BYTES)

    # -- who listens

    def listen(self, now_ns: int) -> None:
        """Say that somebody listens, unless that was said a moment ago."""
        if 0 <= now_ns - self._said_at < LISTEN_NS or not self._usable:
            return
        self._said_at = now_ns
        if self._opened(make=True):
            self._write(_LISTENING.pack(now_ns), 0)

    def follow(self, before: bytes, after: bytes) -> tuple[bytes, list[Key] | None]:
        """Follow the chain of commits from *before* towards *after*: how far it goes, and what
        was changed on the way.

        None in place of the keys: there is no telling, now or later.
        """
        number, found = change_of(before), list[Key]()
        ahead = change_of(after) - number & 0xFFFFFFFF
        if ahead > SLOTS or self._descriptor is None:
            return before, None
        # Nothing is ahead of the same commit, nor of a log that is just being started over.
        while ahead:
            first = (number + 1) % SLOTS
            count = min(ahead, SLOTS - first)
            data = self._read((first + 1) * SLOT_BYTES, count * SLOT_BYTES)
            for start in range(0, count * SLOT_BYTES, SLOT_BYTES):
                commit = _read_notice(data, start, before, found)
                if commit is None:
                    return before, found
                if not commit:
                    return before, None
                before = commit
            number, ahead = number + count, ahead - count
        return before, found

    # -- the file

    def _opened(self, *, make: bool) -> bool:
        with self._lock:
            if self._descriptor is not None and os.fstat(self._descriptor).st_nlink:
                return True
            self._let_go()
            try:
                self._descriptor = _open(self._path, make=make)
            except (FileNotFoundError, BlockingIOError):
                pass  # nobody listens; or the last who did is taking it away
            except OSError:  # no permission, a file system without flock
                self._usable = False
            return self._descriptor is not None

    def _read(self, start: int, size: int) -> bytes:
        descriptor = self._descriptor
        if descriptor is None:
            return b""
        try:
            return os.pread(descriptor, size, start)
        except OSError:  # closed meanwhile; what is read of another file is no notice
            return b""

    def _write(self, data: bytes, start: int) -> None:
        with self._lock:
            if self._descriptor is None:
                return
            try:
                os.pwrite(self._descriptor, data, start)
            except OSError:  # a full disk: a notice that is missing costs time, never truth
                self._usable = False

    def wipe(self) -> None:
        """Leave no key in the file; who follows a chain in it finds its end."""
        # Also where we have given up: others, or we before, may have written keys.
        if fcntl is None or not self._opened(make=False):
            return
        with self._lock:
            if self._descriptor is not None:
                os.ftruncate(self._descriptor, SLOT_BYTES)  # who listens stays: the first slot

    def close(self) -> None:
        """Let go of the file, and take it away unless another process has it."""
        with self._lock:
            if self._descriptor is not None:
                _take_away(self._path, self._descriptor)
            self._let_go()
            self._usable = False

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def after_fork_in_child(self) -> None:
        """Open the file anew: the lock on it is the parent's."""
        self._lock = threading.Lock()
        self._said_at = 0
        self._let_go()


def _open(path: str, *, make: bool) -> int:
    """Open the file and hold it, so that nobody takes it away."""
    flags = os.O_RDWR | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | (os.O_CREAT if make else 0)
    descriptor = os.open(path, flags, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _take_away(path: str, descriptor: int) -> None:
    with contextlib.suppress(OSError):  # somebody else holds it
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:
            Path(path).unlink()


def written(keys: Collection[Key]) -> bytes | None:
    """Return *keys* as a notice has them; None when they do not fit into one."""
    if len(keys) * _KEY_HEAD.size > _ROOM:
        return None
    text = b"".join(map(_written_key, keys))
    return text if len(text) <= _ROOM else None


def _written_key(key: Key) -> bytes:
    if isinstance(key, str):
        kind, text = b"s", key.encode()
    elif isinstance(key, int):
        kind, text = b"i", b"%d" % key
    elif key == SWEPT:
        kind, text = b"x", b""
    else:
        kind, text = b"b", key
    return _KEY_HEAD.pack(kind, len(text)) + text


def _read_notice(data: bytes, start: int, before: bytes, found: list[Key]) -> bytes | None:
    """Return the commit that followed *before*, by the notice at *start*; its keys go to *found*.

    None when there is no notice of it; b"" when the notice does not tell the keys.
    """
    if len(data) < start + _HEAD.size:
        return None
    checksum, size, here, commit = _HEAD.unpack_from(data, start)
    if here != before:
        return None
    text = start + _HEAD.size
    end = text + (size if size <= _ROOM else 0)
    if checksum != crc32(data[start + _SUM.size : end]):
        return None
    if size > _ROOM:
        return b""
    while text < end:
        kind, length = _KEY_HEAD.unpack_from(data, text)
        text += _KEY_HEAD.size
        found.append(_KEYS[kind](data[text : text + length]))
        text += length
    return commit  # type: ignore[no-any-return]
