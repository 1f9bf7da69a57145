"""Page checksums: SQLite's cksumvfs, which apsw ships as an extension.

A database that reserves 8 bytes on every page carries a checksum there, verified whenever the
page is read from disk. Other programs read such a file as usual, but what they write carries no
valid checksum and is reported as damage by us. https://www.sqlite.org/cksumvfs.html
"""

from __future__ import annotations

import threading
from pathlib import Path

import apsw

from dsfactory.errors import UnfitEnvironmentError

RESERVED_BYTES = 8
_VFS = "cksmvfs"
# Where apsw.sqlite_extra looks, whose import costs 13 ms; SQLite adds .so, .dll or .dylib.
_EXTENSION = Path(apsw.__file__).parent / "sqlite_extra_binaries" / "cksumvfs"
_lock = threading.Lock()


def available() -> bool:
    """Whether this build of apsw ships the extension."""
    return any(_EXTENSION.parent.glob(f"{_EXTENSION.name}.*"))


def vfs() -> str:
    """Return the name of the checksumming VFS, registered once for the process.

    Raises UnfitEnvironmentError where apsw was built without it.
    """
    if _VFS in apsw.vfs_names():
        return _VFS
    with _lock:
        if _VFS not in apsw.vfs_names():
            _register()
    return _VFS


def _register() -> None:
    if not available():
        raise UnfitEnvironmentError(
            "This apsw ships no cksumvfs, which page checksums need. Install apsw's wheel from "
            "PyPI, or make the store with page_checksums=False."
        )
    before = apsw.vfs_names()[0]
    scratch = apsw.Connection(":memory:")
    scratch.config(apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1)
    scratch.load_extension(str(_EXTENSION))
    scratch.close()
    # It makes itself the default; the application's own connections must not notice.
    apsw.set_default_vfs(before)


def reserve(connection: apsw.Connection) -> None:
    """Make a database that has no page yet carry checksums; PRAGMA auto_vacuum writes the first."""
    connection.reserve_bytes("main", RESERVED_BYTES)


def carried(connection: apsw.Connection) -> bool:
    """Whether the pages of an existing database have room for checksums."""
    connection.pragma("schema_version")  # SQLite knows only once it has read the header
    return connection.reserve_bytes("main") == RESERVED_BYTES
