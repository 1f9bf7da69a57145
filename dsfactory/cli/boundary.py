"""What the shell is told when a command fails: one line on stderr, and an exit code."""

from __future__ import annotations

import logging

from dsfactory.errors import DataStoreError, StorageError

log = logging.getLogger("dsfactory.cli")

BUG = 70
"""Of a failure that nobody foresaw; EX_SOFTWARE of BSD's sysexits."""


def exit_code(error: Exception) -> int:
    """Return the exit code for *error*, and log what is not the user's to mend."""
    if isinstance(error, DataStoreError):
        return error.exit_code
    if isinstance(error, OSError):
        return StorageError.exit_code
    log.error("a bug in dsfactory: please report it with this traceback", exc_info=error)
    return BUG


def message(error: Exception) -> str:
    """Return *error* as one line without its traceback."""
    return str(error) or type(error).__name__
