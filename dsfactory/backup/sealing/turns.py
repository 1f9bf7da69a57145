"""Work that reads one file and writes another, as a link in a chain of chunks.

The work runs on a thread, everything else of the chain on the caller's: the thread asks for a
chunk, the caller fetches it. So the caller's errors stay the caller's, nothing of it runs where it
does not expect to, and what waits between the two is a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

from dsfactory.backup.places.place import CHUNK_BYTES


class Ended(NamedTuple):
    """The work is over."""

    error: BaseException | None


class AbandonedError(Exception):
    """Nobody wants the rest; seen by the work alone."""


class Source:
    """What the work reads from: a file as far as ``read`` goes."""

    def __init__(self, hungry: Callable[[], bytes | None]) -> None:
        self._hungry = hungry
        self._chunk = memoryview(b"")
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """Return what is at hand, *size* bytes at most; nothing at the end."""
        if not self._chunk and not self._ended:
            chunk = self._hungry()
            if chunk is None:
                raise AbandonedError
            self._chunk, self._ended = memoryview(chunk), not chunk
        count = len(self._chunk) if size < 0 else min(size, len(self._chunk))
        part, self._chunk = self._chunk[:count], self._chunk[count:]
        return bytes(part)


class Sink:
    """What the work writes to: its small pieces go on as chunks."""

    def __init__(self, full: Callable[[bytes], None]) -> None:
        self._full = full
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, piece: bytes) -> int:
        """Take *piece*."""
        self._pieces.append(bytes(piece))
        self._size += len(piece)
        if self._size >= CHUNK_BYTES:
            self.flush()
        return len(piece)

    def flush(self) -> None:
        """Hand over what was taken."""
        if self._size:
            self._full(b"".join(self._pieces))
            self._pieces, self._size = [], 0


Work = Callable[[Source, Sink], None]


def worked(work: Work, chunks: Iterable[bytes], name: str) -> Generator[bytes, None, None]:
    """Yield what *work*, on a thread called *name*, makes of *chunks*; raise what it raises."""
    given: SimpleQueue[bytes | None] = SimpleQueue()
    said: SimpleQueue[bytes | Ended | None] = SimpleQueue()  # None: it needs a chunk
    thread = Thread(target=_run, args=(work, given, said), name=name, daemon=True)
    thread.start()
    source = filter(None, chunks)  # an empty chunk is not the end
    try:
        while not isinstance(word := said.get(), Ended):
            if word is None:
                given.put(next(source, b""))
            else:
                yield word
    finally:
        given.put(None)
        thread.join()
    if word.error is not None:
        raise word.error


def _run(
    work: Work,
    given: SimpleQueue[bytes | None],
    said: SimpleQueue[bytes | Ended | None],
) -> None:
    def hungry() -> bytes | None:
        said.put(None)
        return given.get()

    sink = Sink(said.put)
    try:
        work(Source(hungry), sink)
        sink.flush()
    except BaseException as error:  # noqa: BLE001 -- raised where it is waited for
        said.put(Ended(error))
    else:
        said.put(Ended(None))
