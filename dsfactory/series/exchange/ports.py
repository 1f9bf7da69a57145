"""Where exchanged bytes come from and go to: a path, or a file object of text or of bytes."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from dsfactory.engine.files import replaced_at_once
from dsfactory.errors import (
    DataStoreError,
    DiskFullError,
    SampleFormatError,
    StorageError,
    UsageError,
    ValueRefusedError,
)

MAX_LINE = 16 * 2**20
"""Bytes. A longer line is no line of these formats, and would be held in memory."""

Port = str | os.PathLike[str] | IO[str] | IO[bytes]


REFUSALS = (UsageError, ValueRefusedError)
"""What a line can be refused for; other errors are of the store, whatever the line says."""


class Line(NamedTuple):
    """One line without its end."""

    number: int
    text: str


@contextlib.contextmanager
def sink(target: Port) -> Iterator[Callable[[bytes], Any]]:
    """Give a function that writes bytes to *target*.

    A file at a path appears when all of it is written, in place of an earlier one, readable by
    its owner only; after a failure there is none, or the earlier one. A file object stays open.
    """
    if not isinstance(target, (str, os.PathLike)):
        yield _writing(target)
        return
    path = Path(target)
    try:
        with replaced_at_once(path) as scratch, scratch.open("wb", buffering=2**18) as file:
            yield file.write
    except DataStoreError:
        raise
    except OSError as error:
        raise _refused(path, "written", error) from error


def _writing(file: IO[Any]) -> Callable[[bytes], Any]:
    raw = getattr(file, "buffer", None)
    if raw is not None:
        file.flush()  # what was written as text comes first
        return raw.write  # type: ignore[no-any-return]  # of an IO of any kind
    if hasattr(file, "encoding"):
        return lambda data: file.write(data.decode())
    return file.write


@contextlib.contextmanager
def source(port: Port) -> Iterator[IO[Any]]:
    """Give the file object to read *port* from, of bytes where it can be."""
    if not isinstance(port, (str, os.PathLike)):
        yield getattr(port, "buffer", port)
        return
    try:
        file = Path(port).open("rb", buffering=2**18)  # noqa: SIM115 -- closed below
    except OSError as error:
        raise _refused(Path(port), "read", error) from error
    with file:
        yield file


def _refused(path: Path, done: str, error: OSError) -> StorageError:
    family = DiskFullError if error.errno == errno.ENOSPC else StorageError
    return family(f"{path} cannot be {done}: {error.strerror}.", path=str(path))


def lines(file: IO[Any]) -> Iterator[Line]:
    """Yield the lines of *file*, which end with a line feed and nothing else.

    Raises SampleFormatError for what is not UTF-8, for a line of more than 16 MiB, and for a last
    one without its end: a text that was cut short could end in half a number.
    """
    number = 0
    while found := file.readline(MAX_LINE):
        number += 1
        text = _decoded(number, found)
        if not text.endswith("\n"):
            long = len(found) >= MAX_LINE
            why = f"is over {MAX_LINE} bytes" if long else "has no end: the text was cut short"
            raise refused(number, f"it {why}")
        yield Line(number, text[:-1])


def _decoded(number: int, found: str | bytes) -> str:
    if isinstance(found, str):
        return found
    try:
        return found.decode()
    except UnicodeDecodeError as error:
        raise refused(number, "it is not UTF-8") from error


def refused(number: int, why: str, *, place: str = "line") -> SampleFormatError:
    """Return the error that names the line (or the row) and says why it is refused."""
    return SampleFormatError(
        f"{place.capitalize()} {number} is refused: {why.rstrip('.')}. What stands before it was "
        "taken; correct it and import again: what is there already does not count twice.",
        **{place: number},
    )
