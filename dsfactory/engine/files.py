"""Files and directories that only their owner may read, whatever the umask."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from dsfactory.errors import (
    DataStoreError,
    DiskFailedError,
    DiskFullError,
    FileMissingError,
    ForeignFileError,
    ReadOnlyError,
    StorageError,
)

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700
SIDE_FILES = ("-wal", "-shm")
QUEUE_FILE = "-queue"
"""Where processes that wait to write queue; it holds nothing. See queue.py."""
NOTICES_FILE = "-notices"
"""What each commit changed, for processes that have entries in memory. See notices.py."""
PASSING_FILES = (QUEUE_FILE, NOTICES_FILE)
"""They hold nothing that is needed when nobody has the database open."""
_UNFINISHED = ".unfinished"

_BY_ERRNO: dict[int | None, tuple[type[DataStoreError], str]] = {
    errno.ENOTDIR: (ForeignFileError, "a part of it is a file"),
    errno.EACCES: (ReadOnlyError, "no permission"),
    errno.EPERM: (ReadOnlyError, "no permission"),
    errno.EROFS: (ReadOnlyError, "its file system is read-only"),
    errno.ENOSPC: (DiskFullError, "no space left"),
    errno.EIO: (DiskFailedError, "the disk failed"),
}


def unmakeable(error: OSError, path: Path) -> DataStoreError:
    """Return our error for *error*, which kept *path* from being made."""
    family, reason = _BY_ERRNO.get(error.errno, (StorageError, error.strerror))
    return family(f"{path} cannot be made: {reason}. Choose another root.", path=str(path))


def private_directory(path: Path) -> Path:
    """Make *path* and its missing parents, each 0700; return it absolute, symlinks resolved.

    An existing directory keeps its mode: it may be somebody's home.
    """
    try:
        missing = [p for p in (path, *path.parents) if not p.exists()]
        for directory in reversed(missing):
            with contextlib.suppress(FileExistsError):
                directory.mkdir(mode=PRIVATE_DIRECTORY)
            # mkdir's mode is cut by the umask.
            directory.chmod(PRIVATE_DIRECTORY)
    except OSError as error:
        raise unmakeable(error, path) from error
    if not path.is_dir():
        raise ForeignFileError(f"{path} is not a directory. Choose another root.", path=str(path))
    return path.resolve()


def require_file(path: Path) -> os.stat_result:
    """Return what the file system says of *path*; refuse what no database can be.

    That is a path which is missing, empty, out of reach, a directory or a device. Looks only at
    the directory entry: opening a live database would drop SQLite's locks.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileMissingError(
            f"{path} is gone. Restore a backup, or unregister the store.", path=str(path)
        ) from error
    except OSError as error:
        raise ReadOnlyError(
            f"{path} cannot be reached: {error.strerror}. Check the permissions of its directory.",
            path=str(path),
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise ForeignFileError(f"{path} is not a regular file. Move it away.", path=str(path))
    if status.st_size == 1:
        # SQLite takes a single byte for an empty database and writes into it.
        raise ForeignFileError(
            f"{path} is one byte long: no database. Restore a backup, or move it away.",
            path=str(path),
        )
    if status.st_size == 0:
        raise FileMissingError(
            f"{path} was cut to nothing. Restore a backup, or unregister the store.",
            path=str(path),
        )
    return status


def free_side_files(path: Path) -> None:
    """Let a file that was read-only for a while be written again.

    SQLite gives the log and the index the mode of the database; left behind by a reader, they
    would keep the database read-only after its own mode was mended. Only their owner can.
    """
    if not os.access(path, os.W_OK):
        return
    for suffix in SIDE_FILES:
        side = Path(f"{path}{suffix}")
        if side.exists() and not os.access(side, os.W_OK):
            with contextlib.suppress(OSError):
                side.chmod(PRIVATE_FILE)


def refuse_lost_file(path: Path) -> None:
    """Refuse to make *path* anew beside the log of a lost one, which would be replayed into it."""
    # The log is looked for first: of a file that another process just made, both are there.
    log = Path(f"{path}-wal")
    if log.exists() and not path.exists():
        raise FileMissingError(
            f"{path} is gone, but its log {log.name} is still there. Put the file back or restore "
            "a backup; to begin anew, move the log away.",
            path=str(path),
        )


@contextlib.contextmanager
def created_at_once(path: Path) -> Iterator[Path]:
    """Yield a private scratch path beside *path*; afterwards *path* is that file, whole.

    Killed at any moment, *path* either does not exist or is complete and on disk. If somebody
    else made *path* meanwhile, theirs stays and ours is dropped.
    """
    with unfinished(path) as scratch:
        yield scratch
        sync(scratch)
        with contextlib.suppress(FileExistsError):
            _move_new(scratch, path)
        sync(path.parent)


@contextlib.contextmanager
def replaced_at_once(path: Path, *, keep: bool = False) -> Iterator[Path]:
    """Yield a private scratch path beside *path*; afterwards *path* is that file, whole.

    Killed at any moment, *path* is the old file or the new one, and on disk. With *keep* it is
    the old one in the end as well.
    """
    with unfinished(path) as scratch:
        yield scratch
        if not keep:
            sync(scratch)
            scratch.replace(path)
            sync(path.parent)


@contextlib.contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Yield an empty private file beside *path*; what is left of it afterwards is deleted."""
    scratch = path.with_name(f".{path.name}.{os.urandom(8).hex()}{_UNFINISHED}")
    descriptor = os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_RDWR, PRIVATE_FILE)
    os.close(descriptor)
    try:
        scratch.chmod(PRIVATE_FILE)
        yield scratch
    finally:
        for suffix in ("", *SIDE_FILES):
            Path(f"{scratch}{suffix}").unlink(missing_ok=True)


def remove_unfinished(directory: Path, *, older_than_s: float, now_s: float) -> int:
    """Delete what a killed process left half-made in *directory*; return how many files."""
    removed = 0
    for path in directory.glob(f".*{_UNFINISHED}*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < now_s - older_than_s:
                path.unlink()
                removed += 1
    return removed


def remove_database(path: Path) -> None:
    """Delete a closed database with its side files."""
    for suffix in ("", *SIDE_FILES, *PASSING_FILES):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def file_size(path: Path | str) -> int:
    """Return the size in bytes; a missing file has none."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 -- hot enough that no Path is made
    except FileNotFoundError:
        return 0


def _move_new(scratch: Path, path: Path) -> None:
    # A hard link fails when the name exists, which a rename does not (except on Windows).
    try:
        os.link(scratch, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(path) from None
        scratch.rename(path)


def sync(path: Path) -> None:
    """Have a file or a directory on disk before going on."""
    if path.is_dir() and os.name == "nt":
        return  # Windows has no fsync of a directory
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
