"""One SQLite file in use: one writer, and as many readers as threads read at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import apsw

from dsfactory.clock import pause, ticks_ns
from dsfactory.engine import forks
from dsfactory.engine.connection import Settings
from dsfactory.engine.pool import ReaderPool
from dsfactory.engine.queue import STANDARD_RETRY, Retry
from dsfactory.engine.transaction import Witness
from dsfactory.engine.turns import Turns
from dsfactory.engine.writing import WritingSide
from dsfactory.errors import ClosedError, TransactionError

FORK_PATIENCE_S = 5
"""How long a fork waits for other threads to leave the database."""


class Database(WritingSide):
    """Every access of this process to one file, safe to share between threads."""

    def __init__(
        self,
        path: Path,
        settings: Settings,
        *,
        clock: Callable[[], int],
        retry: Retry = STANDARD_RETRY,
        prepare: Callable[[apsw.Connection], None] | None = None,
        witness: Witness | None = None,
    ) -> None:
        """Nothing is opened before it is needed.

        *prepare* registers functions on every new connection; *witness* takes part in every
        write transaction.
        """
        super().__init__(path, settings, prepare)
        self._clock = clock
        self._retry = retry
        self._witness = witness
        self._held_for_fork = False
        forks.watch(self)

    def close(self) -> None:
        """Close every connection; the last one of all processes copies the WAL back.

        Waits for other threads to finish; a second close does nothing. Raises TransactionError
        inside of this thread's own transaction.
        """
        if self.in_transaction:
            raise TransactionError(
                f"{self.path} cannot be closed inside of a transaction. Leave it first."
            )
        self._wait_for_turn(None)
        try:
            if self._refusal is None:
                self._refusal = ClosedError(
                    f"The store at {self.path} is closed. Open it again.", path=str(self.path)
                )
            if self.observer is not None:
                self.observer.detach()
            self._readers.close()
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.connection.close(True)
            self._queue.close()
        finally:
            self._turns.give()

    # -- forks; the reasons are in forks.py

    def before_fork(self) -> None:
        """Close every connection, so that the child inherits no picture of locks."""
        self._readers.shut_gate()
        try:
            if not self.in_transaction and self._turns.take(FORK_PATIENCE_S):
                self._held_for_fork = True
                self._close_for_fork()
        except BaseException:
            self.after_fork_in_parent()
            raise

    def _close_for_fork(self) -> None:
        deadline = ticks_ns() + FORK_PATIENCE_S * 1_000_000_000
        while not self._readers.all_in():
            if ticks_ns() > deadline:
                return
            pause(0.0005)
        cursors = self._readers.empty()
        if self._writer is not None:
            cursors.append(self._writer)
            self._writer = None
        for cursor in cursors:
            with contextlib.suppress(apsw.CursorClosedError):  # somebody closed it under us
                # A checkpoint would make the fork wait for the disk.
                cursor.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                cursor.connection.close(True)

    def after_fork_in_parent(self) -> None:
        """Go on; connections are opened again when needed."""
        if self._held_for_fork:
            self._held_for_fork = False
            self._turns.give()
        self._readers.open_gate()

    def after_fork_in_child(self) -> None:
        """Start over, or refuse for good when a connection came along."""
        self._turns = Turns()
        self._queue.drop()
        everybody_out, self._held_for_fork = self._held_for_fork, False
        self.generation += 1
        if not everybody_out or self._readers.opened or self._writer is not None:
            self._refusal = forks.inherited(self.path)
            if self._transaction is not None:
                self._transaction.refuse(self._refusal)
        self._readers = ReaderPool(self._open_reader)
        self._owner = 0
        self._transaction = None
        self._writer = None
