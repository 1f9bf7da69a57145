"""Triggers and views, which SQLAlchemy's metadata cannot hold: named text, one list a feature.

Triggers on base tables call only what every SQLite shell knows, so any program may read and
write them. The view ``entries`` calls ds_pack and ds_unpack (see stores/packing.py); only
connections of this package have those.
"""

from __future__ import annotations

from collections.abc import Mapping

ENTRY_INSERT_COUNTS = """
CREATE TRIGGER entry_insert_counts AFTER INSERT ON entry BEGIN
  UPDATE meta SET
    entries = entries + 1,
    stored_bytes = stored_bytes + NEW.size_bytes,
    unpacked_bytes = unpacked_bytes + coalesce(NEW.unpacked_bytes, NEW.size_bytes),
    clock_ms = max(clock_ms, NEW.updated_at)
  WHERE id = 1;
END
"""

# Most updates keep the size: they must not cost the page of the one meta row.
ENTRY_UPDATE_COUNTS = """
CREATE TRIGGER entry_update_counts AFTER UPDATE OF value, unpacked_bytes ON entry
WHEN NEW.size_bytes <> OLD.size_bytes OR NEW.unpacked_bytes IS NOT OLD.unpacked_bytes BEGIN
  UPDATE meta SET
    stored_bytes = stored_bytes + NEW.size_bytes - OLD.size_bytes,
    unpacked_bytes = unpacked_bytes + coalesce(NEW.unpacked_bytes, NEW.size_bytes)
      - coalesce(OLD.unpacked_bytes, OLD.size_bytes),
    clock_ms = max(clock_ms, NEW.updated_at)
  WHERE id = 1;
END
"""

# version_floor: whoever compares versions must not take a key's second life for its first.
ENTRY_DELETE_COUNTS = """
CREATE TRIGGER entry_delete_counts AFTER DELETE ON entry BEGIN
  UPDATE meta SET
    entries = entries - 1,
    stored_bytes = stored_bytes - OLD.size_bytes,
    unpacked_bytes = unpacked_bytes - coalesce(OLD.unpacked_bytes, OLD.size_bytes),
    version_floor = max(version_floor, OLD.version + 1)
  WHERE id = 1;
END
"""

ENTRY_INSERT_ACCESS = """
CREATE TRIGGER entry_insert_access AFTER INSERT ON entry BEGIN
  INSERT INTO access (entry_id, seq, used_at)
  VALUES (NEW.id, (SELECT coalesce(max(seq), 0) + 1 FROM access), NEW.updated_at);
END
"""

ENTRY_DELETE_ACCESS = """
CREATE TRIGGER entry_delete_access AFTER DELETE ON entry BEGIN
  DELETE FROM access WHERE entry_id = OLD.id;
END
"""

ENTRY_DELETE_TAGS = """
CREATE TRIGGER entry_delete_tags AFTER DELETE ON entry BEGIN
  DELETE FROM tag WHERE entry_id = OLD.id;
END
"""

# A set replaces the tags too. It alone assigns created_at; increment, touch and update_with do
# not, and keep them.
ENTRY_UPDATE_TAGS = """
CREATE TRIGGER entry_update_tags AFTER UPDATE OF created_at ON entry BEGIN
  DELETE FROM tag WHERE entry_id = NEW.id;
END
"""

# who, why and sha256 are filled in by stores/history.py before the commit; a row without them
# was written past this package.
ENTRY_INSERT_HISTORY = """
CREATE TRIGGER entry_insert_history AFTER INSERT ON entry BEGIN
  INSERT INTO history (key, version, change, changed_at, unpacked_bytes, value)
  VALUES (NEW.key, NEW.version, 'create', NEW.updated_at, NEW.unpacked_bytes, NEW.value);
END
"""

ENTRY_UPDATE_HISTORY = """
CREATE TRIGGER entry_update_history AFTER UPDATE OF value ON entry BEGIN
  INSERT INTO history (key, version, change, changed_at, unpacked_bytes, value)
  VALUES (NEW.key, NEW.version, 'update', NEW.updated_at, NEW.unpacked_bytes, NEW.value);
END
"""

ENTRY_DELETE_HISTORY = """
CREATE TRIGGER entry_delete_history AFTER DELETE ON entry BEGIN
  INSERT INTO history (key, version, change, changed_at)
  VALUES (OLD.key, OLD.version + 1, 'delete',
    CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END
"""

ENTRIES = """
CREATE VIEW entries AS
SELECT key, ds_unpack(value, unpacked_bytes) AS value, version, created_at, updated_at,
  expires_at, size_bytes, unpacked_bytes IS NOT NULL AS compressed
FROM entry
"""

# The value is packed once and written once. LIMIT keeps SQLite from flattening the subquery,
# which would pack once for every mention of the result.
ENTRIES_INSERT = """
CREATE TRIGGER entries_insert INSTEAD OF INSERT ON entries BEGIN
  INSERT INTO entry (key, version, expires_at, unpacked_bytes, value)
  SELECT NEW.key, (SELECT version_floor + 1 FROM meta), NEW.expires_at,
    iif(packed IS NEW.value, NULL, length(CAST(NEW.value AS BLOB))), packed
  FROM (SELECT ds_pack(NEW.value) AS packed LIMIT 1) WHERE true
  ON CONFLICT (key) DO UPDATE SET
    version = version + 1, updated_at = excluded.updated_at, expires_at = excluded.expires_at,
    unpacked_bytes = excluded.unpacked_bytes, value = excluded.value;
END
"""

ENTRIES_UPDATE = """
CREATE TRIGGER entries_update INSTEAD OF UPDATE ON entries BEGIN
  UPDATE entry SET
    version = version + 1,
    updated_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER),
    expires_at = NEW.expires_at,
    unpacked_bytes = iif(packed IS NEW.value, NULL, length(CAST(NEW.value AS BLOB))),
    value = packed
  FROM (SELECT ds_pack(NEW.value) AS packed LIMIT 1)
  WHERE key = OLD.key;
END
"""

ENTRIES_DELETE = """
CREATE TRIGGER entries_delete INSTEAD OF DELETE ON entries BEGIN
  DELETE FROM entry WHERE key = OLD.key;
END
"""

BY_FEATURE: Mapping[str, tuple[str, ...]] = {
    "entry": (ENTRY_INSERT_COUNTS, ENTRY_UPDATE_COUNTS, ENTRY_DELETE_COUNTS),
    "access": (ENTRY_INSERT_ACCESS, ENTRY_DELETE_ACCESS),
    "compression": (ENTRIES, ENTRIES_INSERT, ENTRIES_UPDATE, ENTRIES_DELETE),
    "expiry": (),
    "history": (ENTRY_INSERT_HISTORY, ENTRY_UPDATE_HISTORY, ENTRY_DELETE_HISTORY),
    "tags": (ENTRY_DELETE_TAGS, ENTRY_UPDATE_TAGS),
    "registry": (),
    "series": (),
}
