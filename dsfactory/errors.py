"""Everything that dsfactory raises, as one tree; the number is the exit code of the command line.

    DataStoreError                          1   anything of ours
    |-- UsageError                          2   asked for something that is not allowed
    |   |-- OptionError           ValueError    an option: unknown, wrong type, out of range
    |   |   `-- OptionTypeError   TypeError
    |   |-- StoreNameError        ValueError    a store name outside the allowed form
    |   |-- KeyRefusedError       ValueError    a key that no store takes
    |   |   `-- KeyTypeError      TypeError
    |   |-- SeriesNameError       ValueError    a name of a series outside the allowed form
    |   |-- LabelError            ValueError    a label: its name, its size, or too many
    |   |-- QueryError            ValueError    a query of series: its times, step or aggregate
    |   `-- FeatureError          ValueError    this store was made without that feature
    |-- ValueRefusedError         ValueError 3  the value; nothing was written
    |   |-- ValueShapeError                     not of the store's type, or not representable
    |   |-- ValueTooDeepError                   nested deeper than the decoder goes
    |   |-- ValueTooLargeError                  over max_value_bytes or max_bytes
    |   |-- SampleRefusedError                  a sample's time or value
    |   |-- SampleFormatError                   what is imported is not in its format
    |   `-- ValidationRefusedError              a validator or hook said no
    |-- AbsentError               KeyError   4  what was asked for is not there
    |   |-- KeyAbsentError                      no live entry under this key
    |   |-- StoreAbsentError                    no such store in the registry
    |   `-- VersionAbsentError                  no such version in the history
    |-- ConflictError                        5  somebody else was here, or something else is
    |   |-- VersionConflictError                if_version did not hold
    |   |-- KindConflictError                   the store is of another kind
    |   |-- ConfigurationConflictError          the store was made differently
    |   `-- SeriesConflictError                 the series is of another type or unit
    |-- StoreFullError                       6  a limit is reached and nothing may be evicted
    |   `-- SeriesLimitError                    max_series
    |-- BusyError                 TimeoutError 7  somebody else held the write lock for too long
    |   `-- LogPinnedError                      a reader kept the log until max_wal_bytes
    |-- StorageError              OSError    8  the disk or the file system
    |   |-- DiskFullError
    |   |-- ReadOnlyError         PermissionError
    |   |-- FileMissingError      FileNotFoundError
    |   `-- DiskFailedError                     an I/O error; a failed fsync closes the store
    |-- FileRefusedError                     9  the file is not what it should be
    |   |-- ForeignFileError                    not SQLite, or of another application
    |   |-- NewerSchemaError                    written by a newer release
    |   |-- OlderSchemaError                    an older revision, and upgrading was not allowed
    |   `-- CorruptError                        damaged
    |       |-- CorruptValueError ValueError    one entry is damaged
    |       `-- DamagedBlockError               one block of one series is damaged
    |-- LifecycleError            RuntimeError 10 used at the wrong moment
    |   |-- ClosedError                         after close
    |   |-- ForkedError                         in a forked child, where it must not be used
    |   `-- TransactionError                    begin, commit or rollback out of turn
    |-- UnfitEnvironmentError     RuntimeError 11 SQLite too old, an extension is missing
    |-- UpgradeError                        12  the file is at the revision where it was
    |   |-- LineageError                        the migrations: two heads, an unknown revision
    |   `-- UpgradeFailedError                  a step failed, and what it did was undone
    |-- BackupError                         13  a backup; the store itself is as it was
    |   |-- BackupAbsentError     KeyError      no such backup, or a file of it is missing
    |   |-- BackupDamagedError                  what was kept is not what was written
    |   |-- BackupPlaceError      OSError       where backups are kept: out of reach, full
    |   |-- BackupSealedError                   encrypted, and no identity at hand opens it
    |   `-- RestoreRefusedError                 restoring would overwrite, or is not possible
    `-- ServiceError                        14  a service refused what it was asked for
        |-- AnalyticsError        ValueError    what is tracked or asked of analytics
        |-- ConfigurationError    ValueError    a setting, a rule, a file or a variable
        |-- LimitExceededError                  a rate limit is reached; facts: decision
        |-- MonitoringError       ValueError    a threshold, a probe, an action or a time
        |-- PersonalityError      ValueError    a style note or a trait
        `-- PreferenceError       ValueError    a preference, alias, schedule or bulk operation
            `-- AliasTakenError                 the user has an alias of that name

A message says what happened, to what, and what to do. Facts (name, path, limit, sizes) are in
``facts``; a stored value never is.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DataStoreError(Exception):
    """The root: ``except DataStoreError`` catches whatever this package raises on purpose."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str = "", /, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts

    def __str__(self) -> str:
        # KeyError would print the repr, OSError its errno.
        return self.message


class UsageError(DataStoreError):
    """The caller asked for something that is not allowed."""

    exit_code = 2


class OptionError(UsageError, ValueError):
    """An option is unknown or out of range; the message names it, its value and what is allowed."""


class OptionTypeError(OptionError, TypeError):
    """An option is of the wrong type."""


class StoreNameError(UsageError, ValueError):
    """A store name is not of the form ``[A-Za-z0-9][A-Za-z0-9._-]{0,127}``."""


class KeyRefusedError(UsageError, ValueError):
    """A key that no store takes: too long, a lone surrogate, an integer beyond 64 bits."""


class KeyTypeError(KeyRefusedError, TypeError):
    """A key that is neither str, int nor bytes (bool is refused too)."""


class SeriesNameError(UsageError, ValueError):
    """The name of a series is not of the form ``[A-Za-z_:][A-Za-z0-9_:]{0,254}``."""


class LabelError(UsageError, ValueError):
    """A label: a name outside the allowed form, more than 30 of them, over 1,024 bytes."""


class QueryError(UsageError, ValueError):
    """A query of series that has no answer: its times, step, aggregate, matchers, or its size."""


class FeatureError(UsageError, ValueError):
    """The store was made without the feature that this call needs."""


class ValueRefusedError(DataStoreError, ValueError):
    """The value was refused before the write; nothing changed."""

    exit_code = 3


class ValueShapeError(ValueRefusedError):
    """Not of the store's type; the message names the path inside the value."""


class ValueTooDeepError(ValueRefusedError):
    """Nested deeper than the decoder can read back."""


class ValueTooLargeError(ValueRefusedError):
    """Encoded larger than max_value_bytes or than max_bytes."""


class SampleRefusedError(ValueRefusedError):
    """A sample outside 1970 to 9999, or a value that a 64-bit float does not hold exactly."""


class SampleFormatError(ValueRefusedError):
    """What is imported is not in its format; facts: the line, or the row."""


class ValidationRefusedError(ValueRefusedError):
    """The store's validator or one of its validation hooks refused the value."""


class AbsentError(DataStoreError, KeyError):
    """What was asked for is not there."""

    exit_code = 4


class KeyAbsentError(AbsentError):
    """No live entry under this key; an expired entry is absent."""


class StoreAbsentError(AbsentError):
    """The registry knows no store of this name."""


class VersionAbsentError(AbsentError):
    """The history holds no such version."""


class ConflictError(DataStoreError):
    """Somebody else was here, or something else is."""

    exit_code = 5


class VersionConflictError(ConflictError):
    """``if_version`` did not hold: the entry changed meanwhile; read it again."""


class KindConflictError(ConflictError):
    """The store exists and is of another kind."""


class ConfigurationConflictError(ConflictError):
    """The store exists and was made with other features, another codec or another type."""


class SeriesConflictError(ConflictError):
    """The series exists and is of another type or has another unit."""


class StoreFullError(DataStoreError):
    """A limit is reached and this store evicts nothing."""

    exit_code = 6


class SeriesLimitError(StoreFullError):
    """The store holds as many series as max_series allows; samples of others are taken."""


class BusyError(DataStoreError, TimeoutError):
    """The write lock stayed with somebody else through every allowed attempt."""

    exit_code = 7


class LogPinnedError(BusyError):
    """A reader kept the write-ahead log from being cut until it reached max_wal_bytes."""


class StorageError(DataStoreError, OSError):
    """The disk or the file system refused."""

    exit_code = 8


class DiskFullError(StorageError):
    """No space left; the transaction was rolled back."""


class ReadOnlyError(StorageError, PermissionError):
    """The file or its directory cannot be written."""


class FileMissingError(StorageError, FileNotFoundError):
    """A registered file is gone or was cut to nothing; it is never created anew silently."""


class DiskFailedError(StorageError):
    """An I/O error. After a failed fsync the store stays closed: reopen it and check it."""


class FileRefusedError(DataStoreError):
    """The file is not what it should be."""

    exit_code = 9


class ForeignFileError(FileRefusedError):
    """Not an SQLite database, or one of another application."""


class NewerSchemaError(FileRefusedError):
    """Written by a newer release; the message names it."""


class OlderSchemaError(FileRefusedError):
    """At an older revision, and upgrading was not allowed."""


class CorruptError(FileRefusedError):
    """The file is damaged; restore a backup."""


class CorruptValueError(CorruptError, ValueError):
    """One stored value cannot be decoded; the others are fine."""


class DamagedBlockError(CorruptError):
    """A block's bytes are not what was written; facts: series, labels, first_at, last_at."""


class LifecycleError(DataStoreError, RuntimeError):
    """Used at the wrong moment."""

    exit_code = 10


class ClosedError(LifecycleError):
    """Used after close."""


class ForkedError(LifecycleError):
    """A transaction or store that a forked child must not use; open the store anew there."""


class TransactionError(LifecycleError):
    """Begin, commit or rollback out of turn."""


class UnfitEnvironmentError(DataStoreError, RuntimeError):
    """This Python, SQLite or platform cannot keep the promises."""

    exit_code = 11


class UpgradeError(DataStoreError):
    """Bringing a file to another revision failed; the file is as it was."""

    exit_code = 12


class LineageError(UpgradeError):
    """The migrations themselves are at fault: two heads, an unknown or missing revision."""


class UpgradeFailedError(UpgradeError):
    """A step failed and was undone; facts: revision, statement, snapshot."""


def shown(value: object) -> str:
    """Return what a message says of an argument: its repr, not longer than a line or two."""
    try:
        text = repr(value)
    except ValueError:  # Python prints no int of more than 4,300 digits
        return f"<{type(value).__name__} too long to print>"
    return text if len(text) <= 120 else f"{text[:117]}..."


class BackupError(DataStoreError):
    """A backup could not be taken, read or restored; the store itself is as it was."""

    exit_code = 13


class BackupAbsentError(BackupError, KeyError):
    """There is no such backup, or one of its files is missing."""


class BackupDamagedError(BackupError):
    """What was kept is not what was written: a bit flip, a file cut short, a manifest changed."""


class BackupPlaceError(BackupError, OSError):
    """The place where backups are kept is out of reach, refuses us, or is full."""

    @classmethod
    def of(cls, error: OSError, place: str, done: str) -> BackupPlaceError:
        """Return the error for *error*, which kept something in *place* from being *done*."""
        return cls(
            f"Backups in {place} cannot be {done}: {error.strerror or type(error).__name__}. "
            "Mend that, or choose another place.",
            place=place,
        )


class BackupSealedError(BackupError):
    """It is encrypted, and there is no identity at hand or not one that opens it."""


class RestoreRefusedError(BackupError):
    """Restoring would overwrite what nobody said may go, or is not possible to that moment."""


class ServiceError(DataStoreError):
    """A service refused what it was asked for; nothing was written."""

    exit_code = 14


class ConfigurationError(ServiceError, ValueError):
    """A setting, a cross-field rule, a file or a variable; facts: field, type and rule."""


class LimitExceededError(ServiceError):
    """A rate limit is reached; facts: limiter, key, decision and retry_after_ms (None: never)."""


class PersonalityError(ServiceError, ValueError):
    """A style note or a trait; facts: field, type and rule."""


class PreferenceError(ServiceError, ValueError):
    """A preference, alias, schedule or bulk operation; facts: field, type and rule."""


class AliasTakenError(PreferenceError):
    """The user has another alias of that name; nothing is overwritten silently."""


class AnalyticsError(ServiceError, ValueError):
    """What is tracked or asked of analytics; facts: field, type and rule."""


class MonitoringError(ServiceError, ValueError):
    """A threshold, a probe, an action or a time; facts: field, type and rule."""
