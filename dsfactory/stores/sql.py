"""Every statement that stores run, by name. ?1 is the key, ?2 the store's time, unless said."""

# -- one entry

LIVE = """
SELECT value, unpacked_bytes FROM entry
WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?2)
"""

PRESENT = """
SELECT 1 FROM entry WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?2)
"""

WHOLE = """
SELECT value, unpacked_bytes, version, created_at, updated_at, expires_at, size_bytes
FROM entry WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?2)
"""

EXPIRES_AT = """
SELECT expires_at FROM entry WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?2)
"""

VERSION = """
SELECT version FROM entry WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?2)
"""

# ?3 expires_at, ?4 unpacked_bytes, ?5 value. A second life begins where the first expired. Two
# processes may disagree about the time after the clock was set: updated_at never goes back.
PUT_MANY = """
INSERT INTO entry (key, version, created_at, updated_at, expires_at, unpacked_bytes, value)
VALUES (?1, (SELECT version_floor + 1 FROM meta), ?2, ?2, ?3, ?4, ?5)
ON CONFLICT (key) DO UPDATE SET
  version = version + 1, created_at = iif(expires_at <= ?2, ?2, created_at),
  updated_at = max(?2, updated_at), expires_at = ?3, unpacked_bytes = ?4, value = ?5
"""

PUT = PUT_MANY + "RETURNING version"

# The same, unless there is a live entry; then no row comes back.
ADD = """
INSERT INTO entry (key, version, created_at, updated_at, expires_at, unpacked_bytes, value)
VALUES (?1, (SELECT version_floor + 1 FROM meta), ?2, ?2, ?3, ?4, ?5)
ON CONFLICT (key) DO UPDATE SET
  version = version + 1, created_at = ?2, updated_at = max(?2, updated_at), expires_at = ?3,
  unpacked_bytes = ?4, value = ?5
WHERE expires_at <= ?2
RETURNING version
"""

# Keeps created_at, expires_at and tags.
CHANGE = """
UPDATE entry SET
  version = version + 1, updated_at = max(?2, updated_at), unpacked_bytes = ?3, value = ?4
WHERE key = ?1
"""

TOUCH = """
UPDATE entry SET expires_at = ?3
WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?2) RETURNING 1
"""

# An expired entry goes as well, and comes back as not live.
DELETE = """
DELETE FROM entry WHERE key = ?1 RETURNING expires_at IS NULL OR expires_at > ?2
"""

TAKE = """
DELETE FROM entry WHERE key = ?1
RETURNING value, unpacked_bytes, expires_at IS NULL OR expires_at > ?2
"""

FIRST_KEY = """
SELECT key FROM entry WHERE expires_at IS NULL OR expires_at > ?1 ORDER BY key LIMIT 1
"""

# -- all entries

COUNT = """
SELECT entries - (SELECT count(*) FROM entry WHERE expires_at <= ?1) FROM meta
"""

CLEAR = "DELETE FROM entry"

# ?1 from which key on (itself only when ?2), ?3 before which key or NULL, ?4 time, ?5 rows.
FORWARD = """
SELECT key, value, unpacked_bytes FROM entry
WHERE key >= ?1 AND (?2 OR key > ?1) AND (?3 IS NULL OR key < ?3)
  AND (expires_at IS NULL OR expires_at > ?4)
ORDER BY key LIMIT ?5
"""

KEYS_FORWARD = """
SELECT key FROM entry
WHERE key >= ?1 AND (?2 OR key > ?1) AND (?3 IS NULL OR key < ?3)
  AND (expires_at IS NULL OR expires_at > ?4)
ORDER BY key LIMIT ?5
"""

# The same from the end; ?2 plays no part.
BACKWARD = """
SELECT key, value, unpacked_bytes FROM entry
WHERE key >= ?1 AND (?3 IS NULL OR key < ?3) AND (expires_at IS NULL OR expires_at > ?4)
ORDER BY key DESC LIMIT ?5
"""

# -- time and room

SWEEP = """
DELETE FROM entry WHERE id IN (
  SELECT id FROM entry WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2
)
"""

# The clock's floor survives a restart: what had expired by then stays expired.
KEEP_TIME = "UPDATE meta SET clock_ms = max(clock_ms, ?1) WHERE clock_ms < ?1"

UNSWEPT = "SELECT 1 FROM entry WHERE expires_at <= ?1 LIMIT 1"

COUNTERS = "SELECT entries, stored_bytes FROM meta"

OLDEST = """
SELECT entry_id, size_bytes FROM access JOIN entry ON entry.id = entry_id ORDER BY seq LIMIT ?1
"""

REMOVE = "DELETE FROM entry WHERE id = ?1"

USED = """
UPDATE access SET seq = (SELECT max(seq) + 1 FROM access), used_at = ?2
WHERE entry_id = (SELECT id FROM entry WHERE key = ?1)
"""

# -- tags

TAG = "INSERT OR IGNORE INTO tag (name, entry_id) SELECT ?2, id FROM entry WHERE key = ?1"

TAGS = """
SELECT name FROM tag WHERE entry_id = (SELECT id FROM entry WHERE key = ?1) ORDER BY name
"""

EVICT_TAG = """
DELETE FROM entry WHERE id IN (SELECT entry_id FROM tag WHERE name = ?1)
RETURNING expires_at IS NULL OR expires_at > ?2
"""

# -- what the file says of itself

META = "SELECT store_id, name, kind, codec, features FROM meta"

CLOCK_FLOOR = "SELECT clock_ms FROM meta"

NEW_META = """
INSERT INTO meta (id, store_id, name, kind, codec, features, release, created_at, clock_ms)
VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
"""

TOTALS = """
SELECT entries, stored_bytes, unpacked_bytes,
  (SELECT count(*) FROM entry WHERE expires_at <= ?1),
  (SELECT coalesce(sum(size_bytes), 0) FROM entry WHERE expires_at <= ?1),
  (SELECT coalesce(sum(coalesce(unpacked_bytes, size_bytes)), 0) FROM entry
   WHERE expires_at <= ?1),
  (SELECT freelist_count FROM pragma_freelist_count)
    * (SELECT page_size FROM pragma_page_size)
FROM meta
"""

RECOUNT = """
UPDATE meta SET
  entries = (SELECT count(*) FROM entry),
  stored_bytes = (SELECT coalesce(sum(size_bytes), 0) FROM entry),
  unpacked_bytes = (SELECT coalesce(sum(coalesce(unpacked_bytes, size_bytes)), 0) FROM entry)
"""

EVERYTHING = "SELECT id, value, unpacked_bytes FROM entry WHERE id > ?1 ORDER BY id LIMIT ?2"

# -- dictionaries

DICTIONARY = "SELECT body FROM dictionary WHERE id = ?1"

NEWEST_DICTIONARY = "SELECT id, body FROM dictionary ORDER BY created_at DESC, id DESC LIMIT 1"

ADD_DICTIONARY = """
INSERT OR IGNORE INTO dictionary (id, created_at, body) VALUES (?1, ?2, ?3)
"""

SAMPLES = """
SELECT value, unpacked_bytes FROM entry
WHERE id IN (SELECT id FROM entry ORDER BY id DESC LIMIT ?1)
"""

# -- history

LAST_CHANGE = "SELECT coalesce(max(seq), 0) FROM history"

UNSIGNED = "SELECT seq, unpacked_bytes, value FROM history WHERE seq > ?1 AND who IS NULL"

SIGN = """
UPDATE history SET who = ?2, why = ?3, sha256 = ?4,
  changed_at = iif(change = 'delete', ?5, changed_at)
WHERE seq = ?1
"""

HISTORY = """
SELECT version, key, change, changed_at, who, why, sha256, unpacked_bytes, value
FROM history WHERE key = ?1 ORDER BY seq DESC LIMIT ?2
"""

ONE_VERSION = """
SELECT unpacked_bytes, value, sha256 FROM history
WHERE key = ?1 AND version = ?2 AND value IS NOT NULL ORDER BY seq DESC LIMIT 1
"""

AS_ROLLBACK = """
UPDATE history SET change = 'rollback'
WHERE seq = (SELECT max(seq) FROM history WHERE key = ?1 AND value IS NOT NULL)
"""

FORGET_VERSIONS = """
DELETE FROM history WHERE key = ?1 AND seq <= (
  SELECT seq FROM history WHERE key = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2
)
"""

CHANGED_KEYS = "SELECT DISTINCT key FROM history WHERE seq > ?1"
