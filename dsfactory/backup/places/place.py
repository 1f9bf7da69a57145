"""Where backups are kept: something that holds files by name."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

from dsfactory.engine.files import (
    PRIVATE_FILE,
    private_directory,
    remove_unfinished,
    replaced_at_once,
)
from dsfactory.errors import (
    BackupAbsentError,
    BackupDamagedError,
    BackupPlaceError,
    DataStoreError,
)

CHUNK_BYTES = 1024 * 1024

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}/[A-Za-z0-9][A-Za-z0-9._-]{0,191}")


class Found(NamedTuple):
    """A file that a place holds."""

    name: str
    size_bytes: int


class Place(Protocol):
    """Holds files by names of the form ``folder/file``; each is there as a whole or not at all."""

    @property
    def url(self) -> str:
        """What people call it; no secrets."""
        ...

    def found(self, folder: str | None = None) -> Iterator[Found]:
        """Yield the finished files, of one *folder* or of all; none where nothing is yet."""
        ...

    def write(self, name: str, chunks: Iterable[bytes]) -> int:
        """Keep *chunks* as the file *name*, durably, in the stead of an older one; return bytes."""
        ...

    def read(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open the file for reading; BackupAbsentError when there is none."""
        ...

    def delete(self, name: str) -> None:
        """Remove the file; nothing happens when there is none."""
        ...

    def tidy(self, *, older_than_s: float, now_s: float) -> int:
        """Remove what killed writers left half-made; return how many files."""
        ...


def is_file_name(name: str) -> bool:
    """Whether a file of ours can have this name."""
    return _NAME.fullmatch(name) is not None


def checked_file_name(name: str) -> str:
    """Return *name*, which may come from a manifest: one folder, one file, nothing that climbs."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BackupPlaceError(
            "A file name in a backup is not of the form folder/file. The manifest is not ours, or "
            "somebody changed it: use another backup."
        )
    return name


class _Kept(io.FileIO):
    """A file whose disk may fail: then it is as good as damaged, and no other file is."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._path = path

    def readinto(self, buffer: Any) -> int | None:
        """Fill *buffer*; raise BackupDamagedError for what cannot be read."""
        try:
            return super().readinto(buffer)
        except OSError as error:
            raise BackupDamagedError(
                f"{self._path} cannot be read: {error.strerror}. Use another backup.",
                path=str(self._path),
            ) from error


class DirectoryPlace:
    """A directory: the usual place, ``backups`` beside the stores."""

    def __init__(self, root: Path) -> None:
        """Nothing is made before something is kept."""
        self._root = root

    @property
    def url(self) -> str:
        """The directory's path."""
        return str(self._root)

    @property
    def root(self) -> Path:
        """The directory itself."""
        return self._root

    def found(self, folder: str | None = None) -> Iterator[Found]:
        """Yield the finished files, of one *folder* or of all."""
        with self._reached("listed"):
            for directory in self._folders() if folder is None else [self._root / folder]:
                yield from self._files(directory)

    def _folders(self) -> list[Path]:
        if not self._root.is_dir():
            return []
        # A link could lead anywhere: what it points at was not put here by us.
        return sorted(p for p in self._root.iterdir() if p.is_dir() and not p.is_symlink())

    def _files(self, directory: Path) -> Iterator[Found]:
        if not directory.is_dir() or directory.is_symlink():
            return
        with os.scandir(directory) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                name = f"{directory.name}/{entry.name}"
                if not entry.is_file(follow_symlinks=False) or not _NAME.fullmatch(name):
                    continue
                with contextlib.suppress(FileNotFoundError):  # another process may be pruning
                    yield Found(name, entry.stat(follow_symlinks=False).st_size)

    def write(self, name: str, chunks: Iterable[bytes]) -> int:
        """Keep *chunks* as the file *name*: synced, renamed, the directory synced."""
        path = self.path(name)
        with self._reached("written"):
            private_directory(path.parent)
            written = 0
            with replaced_at_once(path) as scratch, scratch.open("wb") as file:
                for chunk in chunks:
                    written += file.write(chunk)
            return written

    @contextlib.contextmanager
    def read(self, name: str) -> Iterator[BinaryIO]:
        """Open the file for reading; BackupAbsentError when there is none."""
        path = self.path(name)
        with self._reached("read"):
            if path.is_symlink() or not path.is_file():
                raise BackupAbsentError(
                    f"{path} is not there. Run `dsfactory backup rescan`, or use another backup.",
                    path=str(path),
                )
            file = io.BufferedReader(_Kept(path), CHUNK_BYTES)
        with file:
            yield file

    def delete(self, name: str) -> None:
        """Remove the file; nothing happens when there is none."""
        with self._reached("deleted"):
            self.path(name).unlink(missing_ok=True)

    def tidy(self, *, older_than_s: float, now_s: float) -> int:
        """Remove what killed writers left half-made."""
        with self._reached("tidied"):
            return sum(
                remove_unfinished(folder, older_than_s=older_than_s, now_s=now_s)
                for folder in self._folders()
            )

    def path(self, name: str) -> Path:
        """Return where the file *name* is, or would be."""
        return self._root / checked_file_name(name)

    def scratch(self, folder: str) -> Path:
        """Return a path for a file in the making, on the disk of the folder that will hold it."""
        with self._reached("made"):
            directory = private_directory(self._root / folder)
            path = directory / f".{os.urandom(8).hex()}.unfinished"
            path.touch(PRIVATE_FILE, exist_ok=False)
            return path

    @contextlib.contextmanager
    def _reached(self, done: str) -> Iterator[None]:
        try:
            yield
        except DataStoreError:
            raise  # ours already; some of them are OSErrors too
        except OSError as error:
            raise BackupPlaceError.of(error, self.url, done) from error
