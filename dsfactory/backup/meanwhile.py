"""Work that another thread does meanwhile: reading and hashing a file needs no Python."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Meanwhile(Generic[T]):
    """Runs *work* in a thread of its own; leave it with `result` or as a context manager.

    No executor: the first one of a process cannot be made while the interpreter ends, and
    maintenance may be about to take a backup just then.
    """

    def __init__(self, work: Callable[[], T], name: str) -> None:
        self._work = work
        self._outcome: list[T] = []
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome.append(self._work())
        except BaseException as error:  # noqa: BLE001 -- it belongs to whoever asks for the result
            self._failure = error

    def wait(self) -> None:
        """Wait until the work is done, whatever became of it."""
        self._thread.join()

    def result(self) -> T:
        """Return what came of the work, or raise what it raised."""
        self.wait()
        if self._failure is not None:
            raise self._failure
        return self._outcome[0]
