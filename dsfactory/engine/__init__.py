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
from dsfactory.engine.database import Database, Retry
from dsfactory.engine.functions import register
from dsfactory.engine.transaction import Reading, Snapshot, Transaction, Witness

__all__ = [
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
    "register",
    "require_write_lock",
    "without_triggers",
]
