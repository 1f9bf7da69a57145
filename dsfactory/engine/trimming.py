"""Looking after the write-ahead log: copied back, cut, emptied, never endless."""

from __future__ import annotations

import apsw

from dsfactory.clock import ticks_ns
from dsfactory.engine import wal
from dsfactory.engine.files import file_size
from dsfactory.engine.reading import ReadingSide
from dsfactory.errors import BusyError, LogPinnedError

PASSIVE = apsw.SQLITE_CHECKPOINT_PASSIVE
RESTART = apsw.SQLITE_CHECKPOINT_RESTART
TRUNCATE = apsw.SQLITE_CHECKPOINT_TRUNCATE

PAGE_BYTES = 4096

CUT_PATIENCE_MS = 50
"""How long cutting the WAL waits for readers."""

VACUUM = "VACUUM"


class LogSide(ReadingSide):
    """What the writer does with the log; whoever calls these has the writer's turn."""

    _log: wal.Log

    @property
    def checkpoint_failure(self) -> str | None:
        """Why the log could not be copied into the database the last time; None when it was."""
        return self._log.failure

    def _vacuum(self, cursor: apsw.Cursor) -> None:
        connection = cursor.connection
        connection.set_busy_timeout(self._settings.busy_timeout_ms)
        try:
            cursor.execute(VACUUM)
        except apsw.Error as error:
            raise self.failure(error) from error
        finally:
            connection.set_busy_timeout(0)

    def _empty_log(self, connection: apsw.Connection) -> None:
        deadline = ticks_ns() + self._settings.busy_timeout_ms * 1_000_000
        while True:
            self._checkpoint(connection, TRUNCATE)
            if not file_size(f"{self.path}-wal"):
                return
            if ticks_ns() > deadline or self._log.failure is not None:
                names = ", ".join(map(str, wal.readers(self.path))) or "somebody"
                reason = self._log.failure or f"it is being read by {names}"
                raise BusyError(
                    f"The log of {self.path} cannot be emptied: {reason}. What was deleted may "
                    "still be in it; try again.",
                    path=str(self.path),
                )

    def _checkpoint(self, connection: apsw.Connection, mode: int) -> int:
        self._log.failure = None
        in_wal, copied = self._log.pages, 0
        try:
            if mode != PASSIVE:
                # Writers of all processes wait meanwhile: rather try again later.
                connection.set_busy_timeout(CUT_PATIENCE_MS)
            in_wal, copied = connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            pass  # copied as far as it goes; the log stays
        except apsw.Error as error:
            # The commit stands; what cannot be copied now stays in the WAL.
            self._log.failure = str(self.failure(error))
        if mode != PASSIVE:
            connection.set_busy_timeout(0)
        self._log.copied(in_wal, copied)
        return copied

    def _shorten_log(self, connection: apsw.Connection) -> None:
        """Cut a log that reached its limit, or refuse to let it grow."""
        limit = self._settings.max_wal_bytes
        self._checkpoint(connection, TRUNCATE)
        size = file_size(f"{self.path}-wal")
        if limit is None or size <= limit:
            self._log.pages = size // PAGE_BYTES
            return
        names = tuple(map(str, wal.readers(self.path)))
        raise LogPinnedError(
            f"The log of {self.path} has grown to {size} bytes; max_wal_bytes allows {limit}. It "
            f"cannot be cut while somebody reads an old state: {', '.join(names) or 'unknown'}. "
            "Let that end, or raise the limit.",
            path=str(self.path),
            size=size,
            limit=limit,
            processes=names,
        )
