"""Backups in an object store (S3, Google Cloud Storage, Azure), through the library obstore.

Credentials come from where that library finds them: the environment of the process and, on a
machine of the provider, its identity service. They are in no URL, option, message or manifest.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeVar, cast

from dsfactory.backup.places.place import CHUNK_BYTES, Found, checked_file_name, is_file_name
from dsfactory.backup.places.trouble import is_lost, reason_of
from dsfactory.errors import (
    BackupAbsentError,
    BackupError,
    BackupPlaceError,
    ForkedError,
    OptionError,
    UnfitEnvironmentError,
)

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

T = TypeVar("T")

ENVIRONMENT = {"s3": "AWS", "gs": "GOOGLE", "az": "AZURE"}
"""The schemes, and how the environment variables begin that the library reads for each."""


class Limits(NamedTuple):
    """How long an object store is waited for, and in what portions it is written to.

    A host that is out of reach is given up within 30 s (four attempts and the waits between);
    one that takes requests and does not answer, within retry_s + stall_s: three minutes.
    """

    connect_s: float = 5
    stall_s: float = 60
    """Without a byte from the other side; so a part has to be sent within this."""
    retries: int = 3
    retry_s: float = 120
    """After the first attempt; no retry begins later."""
    part_bytes: int = 8 * 1024 * 1024
    """S3 takes 10,000 parts of at least 5 MiB each: with this a file may have 78 GiB."""
    parts_at_once: int = 2

    @property
    def client(self) -> ClientConfig:
        """How long a request may take, in the library's words."""
        return {
            "connect_timeout": timedelta(seconds=self.connect_s),
            "read_timeout": timedelta(seconds=self.stall_s),
            # Of a whole download: the standard of 30 s would end the long ones.
            "timeout": timedelta(days=7),
        }

    @property
    def retry(self) -> RetryConfig:
        """How often it is tried again, in the library's words."""
        return {"max_retries": self.retries, "retry_timeout": timedelta(seconds=self.retry_s)}


class RemotePlace:
    """A bucket, a container or a folder in one; see the protocol Place."""

    def __init__(
        self, url: str, *, limits: Limits | None = None, config: Mapping[str, str] | None = None
    ) -> None:
        """Reach nothing yet. *url* is as place_for() lets it through.

        Raises UnfitEnvironmentError without the library, OptionError for what that refuses.
        """
        self._url = url
        self._limits = limits or Limits()
        self._store = _opened(url, self._limits, config or {})

    def __repr__(self) -> str:
        return f"RemotePlace({self._url!r})"

    @property
    def url(self) -> str:
        """What people call it."""
        return self._url

    def found(self, folder: str | None = None) -> Iterator[Found]:
        """Yield the finished files, of one *folder* or of all; what cannot be ours is left out."""
        listing = self._asked("listed", lambda: self._store.list(prefix=folder))
        while batch := self._asked("listed", lambda: next(listing, [])):
            for meta in batch:
                if is_file_name(meta["path"]):
                    yield Found(meta["path"], meta["size"])

    def write(self, name: str, chunks: Iterable[bytes]) -> int:
        """Keep *chunks* as the file *name*; it appears when it is whole.

        The parts under way are what is held in memory. An error, of *chunks* too, gives it up.
        """
        path = checked_file_name(name)
        source = _Source(chunks)
        head = source.begun(self._limits.part_bytes)
        if source.ended:
            self._asked("written", lambda: self._store.put(path, head, use_multipart=False))
        else:
            self._upload(path, source)
        return source.taken

    def _upload(self, path: str, source: _Source) -> None:
        try:
            self._asked(
                "written",
                lambda: self._store.put(
                    path,
                    source,
                    use_multipart=True,
                    chunk_size=self._limits.part_bytes,
                    max_concurrency=self._limits.parts_at_once,
                ),
            )
        except Exception:
            if source.failure is not None:
                raise source.failure from None  # the chunks' own, not the place's
            raise

    @contextlib.contextmanager
    def read(self, name: str) -> Iterator[BinaryIO]:
        """Open the file for reading as it is now; it is streamed, and can be sought in."""
        with io.BufferedReader(_Reading(self, checked_file_name(name)), CHUNK_BYTES) as file:
            yield cast("BinaryIO", file)

    def delete(self, name: str) -> None:
        """Remove the file; nothing happens when there is none."""
        path = checked_file_name(name)
        with contextlib.suppress(BackupAbsentError):
            self._asked("deleted", lambda: self._store.delete(path), path)

    def tidy(self, *, older_than_s: float, now_s: float) -> int:  # noqa: ARG002
        """Return 0: there is no file to remove.

        What a killed upload leaves are parts without a name, which none of the library's calls
        shows. Azure drops them after a week; S3 and Google bill them until a lifecycle rule of the
        bucket (AbortIncompleteMultipartUpload) does.
        """
        return 0

    def got(self, path: str, **options: Any) -> GetResult:
        """Begin to download a file."""
        asked = cast("GetOptions", options)
        return self._asked("read", lambda: self._store.get(path, options=asked), path)

    def following(self, stream: Iterator[bytes]) -> bytes:
        """Return what comes next of a download; nothing at its end."""
        return self._asked("read", lambda: next(stream, b""))

    def _asked(self, done: str, request: Callable[[], T], path: str | None = None) -> T:
        from obstore.exceptions import BaseError

        _RUNTIME.require()
        try:
            return request()
        except (BaseError, OSError) as error:
            failure = self._failure(error, done, path)
        # Out here the library's error is not the context of ours: it may hold credentials.
        raise failure

    def _failure(self, error: Exception, done: str, path: str | None) -> BackupError:
        if path is not None and is_lost(error):
            return BackupAbsentError(
                f"{self._url}/{path} is not there. Run `dsfactory backup rescan`, or use another "
                "backup.",
                path=f"{self._url}/{path}",
            )
        return BackupPlaceError(
            f"Backups in {self._url} cannot be {done}: {reason_of(error)}. Mend that, or choose "
            "another place.",
            place=self._url,
        )


class _Source:
    """The chunks of a file, as an upload takes them."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._head = b""
        self.taken = 0
        self.ended = False
        self.failure: BaseException | None = None

    def begun(self, size: int) -> bytes:
        """Return what comes first: *size* bytes or a chunk more, or all there is."""
        parts: list[bytes] = []
        while self.taken < size and not self.ended:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.ended = True
            else:
                parts.append(chunk)
                self.taken += len(chunk)
        self._head = b"".join(parts)
        return self._head

    def __iter__(self) -> Iterator[bytes]:
        head, self._head = self._head, b""
        yield head
        del head
        try:
            for chunk in self._chunks:
                self.taken += len(chunk)
                yield chunk
        except BaseException as error:
            self.failure = error
            raise


class _Reading(io.RawIOBase):
    """A file of an object store, downloaded as it is read."""

    def __init__(self, place: RemotePlace, path: str) -> None:
        self._place = place
        self._path = path
        whole = place.got(path)
        self._size = whole.meta["size"]
        self._tag = whole.meta["e_tag"]
        self._stream: Iterator[bytes] | None = iter(whole.stream(CHUNK_BYTES))
        self._rest = memoryview(b"")
        self._position = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is: a seek begins another download."""
        return True

    def tell(self) -> int:
        """Return the offset of what is read next."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to an offset from the beginning, from here or from the end."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        target = origin + offset
        if target < 0:
            raise ValueError("negative seek position")
        if target != self._position:
            self._position, self._rest, self._stream = target, memoryview(b""), None
        return target

    def readinto(self, buffer: Any) -> int:
        """Fill *buffer* as far as the chunk at hand reaches; 0 at the end of the file."""
        if self._position >= self._size:
            return 0
        if not self._rest:
            self._rest = memoryview(self._place.following(self._download()))
        if not self._rest:
            raise BackupPlaceError(
                f"{self._place.url}/{self._path} ended too early. Try again.",
                place=self._place.url,
            )
        count = min(len(buffer), len(self._rest), self._size - self._position)
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        self._position += count
        return count

    def _download(self) -> Iterator[bytes]:
        if self._stream is None:
            asked: dict[str, Any] = {"range": {"offset": self._position}}
            if self._tag:  # of the same file, not of one that replaced it
                asked["if_match"] = self._tag
            self._stream = iter(self._place.got(self._path, **asked).stream(CHUNK_BYTES))
        return self._stream

    def close(self) -> None:
        """Break the download off."""
        self._stream, self._rest = None, memoryview(b"")
        super().close()


class _Runtime:
    """The library's threads: they do not come along into a forked child, where it would wait for
    them for ever (tests/backup: test_remote_faults).
    """

    def __init__(self) -> None:
        self._process: int | None = None

    def require(self) -> None:
        """Remember the process that begins to use the library; refuse its forked children."""
        if self._process is None:
            self._process = os.getpid()
        if self._process != os.getpid():
            raise ForkedError(
                "Object stores cannot be reached from a forked child of a process that did so "
                "before. Start the child by spawn, or back up in the parent."
            )


_RUNTIME = _Runtime()


def _opened(url: str, limits: Limits, config: Mapping[str, str]) -> ObjectStore:
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError as error:
        raise UnfitEnvironmentError(
            f"Backups in {url} need the library obstore, which is not installed. Run "
            "pip install 'dsfactory[remote]'.",
            place=url,
        ) from error
    scheme = url.partition("://")[0]
    prefix = ENVIRONMENT[scheme]
    settings: Any = dict(config)
    if scheme == "az":
        settings["account_name"] = _azure_account(url)
    client = limits.client
    # What the library reads into its client is lost when we set times: this much is wanted.
    if os.environ.get(f"{prefix}_ALLOW_HTTP", "").casefold() in ("1", "true", "yes", "on"):
        client["allow_http"] = True
    try:
        return from_url(url, config=settings, client_options=client, retry_config=limits.retry)
    except BaseError as error:
        reason = reason_of(error)
    raise OptionError(
        f"Backups cannot be kept in {url}: {reason}. Check the URL and the variables "
        f"{prefix}_... of the environment.",
        option="backup_target",
    )


def _azure_account(url: str) -> str:
    """Return the account, which the library (0.12) takes from the environment and then misses."""
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_ACCOUNT_NAME"):
        if account := os.environ.get(name):
            return account
    raise OptionError(
        f"Backups cannot be kept in {url}: AZURE_STORAGE_ACCOUNT_NAME is not set in the "
        "environment.",
        option="backup_target",
    )
