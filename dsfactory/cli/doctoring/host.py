"""Questions about the machine: its SQLite, its file system, its disk, who has stores open."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dsfactory.cli.doctoring.finding import Finding
from dsfactory.cli.units import shown_bytes
from dsfactory.engine.connection import OLDEST_SQLITE, SQLITE_VERSION

PROC = Path("/proc")

NETWORK = frozenset(
    re.findall(
        r"\S+",
        "nfs nfs4 cifs smb3 smbfs 9p afs ceph glusterfs lustre beegfs gpfs ocfs2 gfs2 coda ncpfs "
        "fuse.sshfs fuse.glusterfs fuse.ceph fuse.s3fs fuse.rclone fuse.gcsfuse fuse.davfs davfs "
        "vboxsf prl_fs fuse.vmhgfs-fuse virtiofs",
    )
)
"""File systems whose locks or shared memory do not hold between hosts, or not at all."""

FLEETING = frozenset({"tmpfs", "ramfs"})

OTHER_SQLITE = re.compile(r"/(libsqlite3[^/]*|_sqlite3[^/]*|libsqlcipher[^/]*)\.(so|dylib)[.\d]*$")
OURS = re.compile(r"/apsw/")

LEAST_FREE = 256 * 1024 * 1024
"""Room for a few logs (4 MiB each) and the copy that an upgrade makes of a small store."""


def sqlite() -> Iterator[Finding]:
    """Say which SQLite is at work; older ones are refused at import."""
    oldest = ".".join(map(str, OLDEST_SQLITE))
    yield Finding.good("SQLite", "this program", f"{SQLITE_VERSION}; needed: {oldest} or later")


def second_library(root: Path, proc: Path = PROC) -> Iterator[Finding]:
    """Look for processes that hold stores of *root* open and have a second SQLite loaded."""
    check = "second SQLite library"
    if not (proc / "self").exists():
        yield Finding.note(check, "this machine", "cannot be told here", "look at the imports")
        return
    open_in = {*_users(root, proc), os.getpid()}
    guilty = {pid: lib for pid in open_in for lib in [_second(proc / str(pid))] if lib}
    for pid, library in sorted(guilty.items()):
        yield Finding.note(
            check,
            f"{_name(proc / str(pid))} ({pid})",
            f"{library} beside apsw's",
            "see that it opens no store's file with the standard library's sqlite3, nor with "
            "open(): commits would be lost. For other files it may be used",
        )
    if not guilty:
        others = len(open_in) - 1
        yield Finding.good(check, "this machine", f"none; {others} other programs have stores open")


def _users(root: Path, proc: Path) -> Iterator[int]:
    """Yield the processes that have a file below *root* open, as far as we may know."""
    below = f"{root}{os.sep}"
    for folder in proc.glob("[0-9]*"):
        if any(target.startswith(below) for target in _targets(folder / "fd")):
            yield int(folder.name)


def _targets(descriptors: Path) -> Iterator[str]:
    try:
        for descriptor in descriptors.iterdir():
            yield str(descriptor.readlink())
    except OSError:
        return  # somebody else's process, or one that has ended


def _second(process: Path) -> str | None:
    try:
        maps = (process / "maps").read_text(errors="replace").splitlines()
    except OSError:
        return None
    mapped = {line[line.index("/") :] for line in maps if "/" in line}
    if not any(OURS.search(path) for path in mapped):
        return None  # a single library, as that of the sqlite3 program
    found = sorted(path for path in mapped if OTHER_SQLITE.search(path))
    return Path(found[0]).name if found else None


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a process"


def file_system(root: Path, proc: Path = PROC) -> Iterator[Finding]:
    """Say what *root* lies on: SQLite's locks and shared memory want a local file system."""
    check, kind = "file system", _kind_of(root, proc)
    if kind is None:
        yield Finding.note(check, str(root), "cannot be told here", "it has to be a local disk")
    elif kind in NETWORK:
        yield Finding.mend(
            check,
            str(root),
            f"{kind}: locks and shared memory do not hold there",
            "move the directory to a disk of this machine; keep only backups there",
        )
    elif kind in FLEETING:
        yield Finding.note(check, str(root), f"{kind}: a restart of the machine clears it")
    else:
        yield Finding.good(check, str(root), f"{kind}, local")


def _kind_of(root: Path, proc: Path) -> str | None:
    try:
        lines = (proc / "self" / "mounts").read_text(errors="replace").splitlines()
    except OSError:
        return None
    best, kind = "", None
    for line in lines:
        words = line.split()
        if len(words) < 3:
            continue
        place = words[1].replace("\\040", " ")
        # The later of two on the same place hides the earlier.
        if len(place) >= len(best) and root.is_relative_to(place):
            best, kind = place, words[2]
    return kind


def disk_space(root: Path, sizes: Mapping[str, int]) -> Iterator[Finding]:
    """Say whether there is room for what an upgrade or a backup of the largest store needs."""
    free = shutil.disk_usage(root).free
    largest = max(sizes.values(), default=0)
    needed = max(LEAST_FREE, 2 * largest)
    found = f"{shown_bytes(free)} free"
    if free >= needed:
        yield Finding.good("disk space", str(root), found)
        return
    yield Finding.mend(
        "disk space",
        str(root),
        f"{found}; a backup or an upgrade may need {shown_bytes(needed)}",
        "free some space, or lower max_bytes and what backups are kept",
    )


def permissions(root: Path, paths: Iterable[Path]) -> Iterator[Finding]:
    """Look for what others may read, and for what this user may not write."""
    check, fine = "permissions", True
    for path in (root, *paths):
        try:
            status = path.stat()
        except OSError:
            continue  # a missing file has a row of its own
        if not os.access(path, os.R_OK | os.W_OK):
            fine = False
            yield Finding.mend(
                check, str(path), "cannot be written by this user", f"chown or chmod u+rw '{path}'"
            )
        elif os.name == "posix" and path != root and status.st_mode & 0o077:
            fine = False
            yield Finding.mend(
                check,
                str(path),
                f"other users may get at it (mode {status.st_mode & 0o777:o})",
                f"chmod go-rwx '{path}'",
            )
    if fine:
        yield Finding.good(check, str(root), "only this user reads and writes the files")
