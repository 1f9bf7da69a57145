"""Who is compared: one module each, one row here."""

from __future__ import annotations

from peers.side import Subject
from peers.subjects import bare, dbm, diskcache, lmdb, ours, sqlitedict

SUBJECTS: dict[str, Subject] = {
    subject.name: subject
    for subject in (
        *ours.SUBJECTS,
        bare.SUBJECT,
        lmdb.SUBJECT,
        diskcache.SUBJECT,
        sqlitedict.SUBJECT,
        dbm.SUBJECT,
    )
}
PLAIN = ("dsfactory", "bare apsw", "LMDB", "diskcache", "sqlitedict", "dbm.sqlite3")
"""Each in its usual form; the first is what the others are compared with."""
