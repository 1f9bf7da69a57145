"""What records every change for point-in-time recovery: one table, and triggers that write to it.

No file has these unless recording was switched on, and no revision makes them: off, they cost
nothing. They are triggers because then whoever writes is recorded, other programs too, and a
savepoint that is undone undoes its records; the measured reasons are in backup/DESIGN.md.

A row holds an image of a row of another table as it became, in cells a to k, or ends a commit. Only
a changed value is written again. Of ``meta`` nothing is kept: it follows from the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

JOURNAL = """
CREATE TABLE IF NOT EXISTS journal (
  seq INTEGER NOT NULL,
  op TEXT NOT NULL,
  at INTEGER,
  a ANY, b ANY, c ANY, d ANY, e ANY, f ANY, g ANY, h ANY, i ANY, j ANY, k ANY,
  PRIMARY KEY (seq)
) STRICT
"""

ENTRY_INSERT = """
CREATE TRIGGER journal_entry_insert AFTER INSERT ON entry BEGIN
  INSERT INTO journal (op, a, b, c, d, e, f, g, h)
  VALUES ('entry+', NEW.id, NEW.key, NEW.version, NEW.created_at, NEW.updated_at, NEW.expires_at,
    NEW.unpacked_bytes, NEW.value);
END
"""

# IS alone takes 1 for 1.0.
ENTRY_UPDATE = """
CREATE TRIGGER journal_entry_update AFTER UPDATE ON entry BEGIN
  INSERT INTO journal (op, a, b, c, d, e, f, g, h, i)
  VALUES ('entry=', NEW.id, NEW.key, NEW.version, NEW.created_at, NEW.updated_at, NEW.expires_at,
    NEW.unpacked_bytes,
    iif(NEW.value IS OLD.value AND typeof(NEW.value) = typeof(OLD.value), NULL, NEW.value),
    nullif(OLD.id, NEW.id));
END
"""

# The version raises meta.version_floor.
ENTRY_DELETE = """
CREATE TRIGGER journal_entry_delete AFTER DELETE ON entry BEGIN
  INSERT INTO journal (op, a, b) VALUES ('entry-', OLD.id, OLD.version);
END
"""

TAG_INSERT = """
CREATE TRIGGER journal_tag_insert AFTER INSERT ON tag BEGIN
  INSERT INTO journal (op, a, b) VALUES ('tag+', NEW.name, NEW.entry_id);
END
"""

TAG_UPDATE = """
CREATE TRIGGER journal_tag_update AFTER UPDATE ON tag BEGIN
  INSERT INTO journal (op, a, b)
  VALUES ('tag-', OLD.name, OLD.entry_id), ('tag+', NEW.name, NEW.entry_id);
END
"""

TAG_DELETE = """
CREATE TRIGGER journal_tag_delete AFTER DELETE ON tag BEGIN
  INSERT INTO journal (op, a, b) VALUES ('tag-', OLD.name, OLD.entry_id);
END
"""

HISTORY_INSERT = """
CREATE TRIGGER journal_history_insert AFTER INSERT ON history BEGIN
  INSERT INTO journal (op, a, b, c, d, e, f, g, h, i, j, k)
  VALUES ('history+', NEW.seq, NEW.key, NEW.version, NEW.change, NEW.changed_at, NEW.who, NEW.why,
    NEW.sha256, NEW.unpacked_bytes, NEW.source, NEW.value);
END
"""

HISTORY_UPDATE = """
CREATE TRIGGER journal_history_update AFTER UPDATE ON history BEGIN
  INSERT INTO journal (op, a, b, c, d, e, f, g, h, i, j, k)
  VALUES ('history=', NEW.seq, NEW.key, NEW.version, NEW.change, NEW.changed_at, NEW.who, NEW.why,
    NEW.sha256, NEW.unpacked_bytes, NEW.source,
    iif(NEW.value IS OLD.value AND typeof(NEW.value) = typeof(OLD.value), NULL, NEW.value));
END
"""

HISTORY_DELETE = """
CREATE TRIGGER journal_history_delete AFTER DELETE ON history BEGIN
  INSERT INTO journal (op, a) VALUES ('history-', OLD.seq);
END
"""

DICTIONARY_INSERT = """
CREATE TRIGGER journal_dictionary_insert AFTER INSERT ON dictionary BEGIN
  INSERT INTO journal (op, a, b, c) VALUES ('dictionary+', NEW.id, NEW.created_at, NEW.body);
END
"""

DICTIONARY_DELETE = """
CREATE TRIGGER journal_dictionary_delete AFTER DELETE ON dictionary BEGIN
  INSERT INTO journal (op, a) VALUES ('dictionary-', OLD.id);
END
"""

TRIGGERS: Mapping[str, Mapping[str, str]] = {
    "entry": {
        "journal_entry_insert": ENTRY_INSERT,
        "journal_entry_update": ENTRY_UPDATE,
        "journal_entry_delete": ENTRY_DELETE,
    },
    "tags": {
        "journal_tag_insert": TAG_INSERT,
        "journal_tag_update": TAG_UPDATE,
        "journal_tag_delete": TAG_DELETE,
    },
    "history": {
        "journal_history_insert": HISTORY_INSERT,
        "journal_history_update": HISTORY_UPDATE,
        "journal_history_delete": HISTORY_DELETE,
    },
    "compression": {
        "journal_dictionary_insert": DICTIONARY_INSERT,
        "journal_dictionary_delete": DICTIONARY_DELETE,
    },
}
"""By the feature whose tables they watch, by name."""

RECORDING = """
SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'journal\\_%' ESCAPE '\\'
"""


def recording_triggers(features: Iterable[str]) -> dict[str, str]:
    """Return the triggers that record the changes of a store with *features*, by name."""
    return {
        name: text.strip()
        for feature in ("entry", *sorted(features))
        for name, text in TRIGGERS.get(feature, {}).items()
    }


# -- replaying: an image becomes the row again. Triggers are off, so nothing happens twice.

PUT_ENTRY = """
INSERT OR REPLACE INTO entry
  (id, key, version, created_at, updated_at, expires_at, unpacked_bytes, value)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
"""

# ?9 is its id before, when that changed.
CHANGE_ENTRY = """
UPDATE OR REPLACE entry SET
  id = ?1, key = ?2, version = ?3, created_at = ?4, updated_at = ?5, expires_at = ?6,
  unpacked_bytes = ?7, value = coalesce(?8, value)
WHERE id = coalesce(?9, ?1)
"""

DROP_ENTRY = "DELETE FROM entry WHERE id = ?1"

RAISE_FLOOR = "UPDATE meta SET version_floor = max(version_floor, ?1)"

PUT_TAG = "INSERT OR IGNORE INTO tag (name, entry_id) VALUES (?1, ?2)"

DROP_TAG = "DELETE FROM tag WHERE name = ?1 AND entry_id = ?2"

PUT_HISTORY = """
INSERT OR REPLACE INTO history
  (seq, key, version, change, changed_at, who, why, sha256, unpacked_bytes, source, value)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
"""

CHANGE_HISTORY = """
UPDATE history SET
  key = ?2, version = ?3, change = ?4, changed_at = ?5, who = ?6, why = ?7, sha256 = ?8,
  unpacked_bytes = ?9, source = ?10, value = coalesce(?11, value)
WHERE seq = ?1
"""

DROP_HISTORY = "DELETE FROM history WHERE seq = ?1"

PUT_DICTIONARY = "INSERT OR REPLACE INTO dictionary (id, created_at, body) VALUES (?1, ?2, ?3)"

DROP_DICTIONARY = "DELETE FROM dictionary WHERE id = ?1"


REPLAY: Mapping[str, tuple[str, int]] = {
    "entry+": (PUT_ENTRY, 8),
    "entry=": (CHANGE_ENTRY, 9),
    "entry-": (DROP_ENTRY, 1),
    "tag+": (PUT_TAG, 2),
    "tag-": (DROP_TAG, 2),
    "history+": (PUT_HISTORY, 11),
    "history=": (CHANGE_HISTORY, 11),
    "history-": (DROP_HISTORY, 1),
    "dictionary+": (PUT_DICTIONARY, 3),
    "dictionary-": (DROP_DICTIONARY, 1),
}
"""The statement that does again what a row of the journal tells, and how many cells it takes."""
