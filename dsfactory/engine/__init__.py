"""An SQLite file, opened well. The only room that knows apsw."""

from apsw import Connection

from dsfactory.engine.connection import (
    Identity,
    Row,
    Settings,
    create_database,
    damage,
    identity,
    open_connection,
    require_write_lock,
    without_triggers,
)
from dsfactory.engine.database import Database
from dsfactory.engine.functions import register
from dsfactory.engine.queue import Retry
from dsfactory.engine.transaction import ARRAYS, Reading, Snapshot, Transaction, Witness
from dsfactory.engine.wal import pinned_by

__all__ = [
    "ARRAYS",
    "Connection",
    "Database",
    "Identity",
    "Reading",
    "Retry",
    "Row",
    "Settings",
    "Snapshot",
    "Transaction",
    "Witness",
    "create_database",
    "damage",
    "identity",
    "open_connection",
    "pinned_by",
    "register",
    "require_write_lock",
    "without_triggers",
]
