"""Every statement that stores run, by name. ?1 is the key, ?2 the store's time, unless said."""

# -- one entry

LIVE = """
SELECT value, unpacked_bytes FROM entry
WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?2)
"""

LIVE_UNTIL = """
SELECT value, unpacked_bytes, expires_at FROM entry
WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?2)
"""

# Of a get, which compares the time itself: in half of the time.
FOUND = "SELECT value, unpacked_bytes, expires_at FROM entry WHERE key = ?1"

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

# ?3 expires_at, ?4 unpacked_bytes, ?5 value, ?6 id or NULL. A second life begins where the first
# expired. Two processes may disagree about the time after the clock was set: updated_at never
# goes back.
PUT_MANY = """
INSERT INTO entry (key, version, created_at, updated_at, expires_at, unpacked_bytes, value, id)
VALUES (?1, (SELECT version_floor + 1 FROM meta), ?2, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (key) DO UPDATE SET
  version = version + 1, created_at = iif(expires_at <= ?2, ?2, created_at),
  updated_at = max(?2, updated_at), expires_at = ?3, unpacked_bytes = ?4, value = ?5
"""

PUT = PUT_MANY + "RETURNING version"

# For a statement alone: last_insert_rowid() was 0, and is again where nothing was inserted.
PUT_ALONE = """
INSERT INTO entry (key, version, created_at, updated_at, expires_at, unpacked_bytes, value)
VALUES (?1, (SELECT version_floor + 1 FROM meta), ?2, ?2, ?3, ?4, ?5)
ON CONFLICT (key) DO UPDATE SET
  version = version + 1, created_at = iif(expires_at <= ?2, ?2, created_at),
  updated_at = max(?2, updated_at), expires_at = ?3, unpacked_bytes = ?4, value = ?5
RETURNING version, last_insert_rowid()
"""

# No row comes back when there is no room: ?6 max_entries, ?7 max_bytes, ?8 size_bytes.
PUT_WITHIN = """
INSERT INTO entry (key, version, created_at, updated_at, expires_at, unpacked_bytes, value)
SELECT ?1, version_floor + 1, ?2, ?2, ?3, ?4, ?5 FROM meta
WHERE entries - EXISTS (SELECT 1 FROM entry WHERE key = ?1) < ?6 AND stored_bytes + ?8 <= ?7
ON CONFLICT (key) DO UPDATE SET
  version = version + 1, created_at = iif(expires_at <= ?2, ?2, created_at),
  updated_at = max(?2, updated_at), expires_at = ?3, unpacked_bytes = ?4, value = ?5
RETURNING version, last_insert_rowid()
"""

# The same two for what is there already, in a tenth less of the time of a set; else no row.
REPLACE_ALONE = """
UPDATE entry SET
  version = version + 1, created_at = iif(expires_at <= ?2, ?2, created_at),
  updated_at = max(?2, updated_at), expires_at = ?3, unpacked_bytes = ?4, value = ?5
WHERE key = ?1
RETURNING version, 0
"""

REPLACE_WITHIN = """
UPDATE entry SET
  version = version + 1, created_at = iif(expires_at <= ?2, ?2, created_at),
  updated_at = max(?2, updated_at), expires_at = ?3, unpacked_bytes = ?4, value = ?5
WHERE key = ?1 AND (SELECT entries <= ?6 AND stored_bytes + ?8 <= ?7 FROM meta)
RETURNING version, 0
"""

# The same for all items of an array, see bulk.py. ?1 now, ?2 expires_at, ?3 the type of the keys,
# ?4 whether values are text that are not compressed, ?5 the items. With LIMIT the inner SELECT
# stays one, and an item is copied and cut up once, not at every mention.
PUT_EACH = """
INSERT INTO entry (key, version, created_at, updated_at, expires_at, unpacked_bytes, value)
SELECT
  CASE ?3
    WHEN 'str' THEN CAST(substr(item, 15, key_bytes) AS TEXT)
    WHEN 'int' THEN CAST(substr(item, 15, key_bytes) AS INTEGER)
    ELSE substr(item, 15, key_bytes)
  END,
  (SELECT version_floor + 1 FROM meta), ?1, ?1, ?2,
  nullif(size, 0),
  iif(?4 AND size = 0, CAST(substr(item, 15 + key_bytes) AS TEXT), substr(item, 15 + key_bytes))
FROM (
  SELECT
    value AS item, CAST(substr(value, 1, 4) AS INTEGER) AS key_bytes,
    CAST(substr(value, 5, 10) AS INTEGER) AS size
  FROM carray(?5) LIMIT -1
) WHERE true
ON CONFLICT (key) DO UPDATE SET
  version = version + 1, created_at = iif(expires_at <= ?1, ?1, created_at),
  updated_at = max(?1, updated_at), expires_at = ?2,
  unpacked_bytes = excluded.unpacked_bytes, value = excluded.value
"""

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

# After a PUT of ?1: a version that does not go back (?2), and, of what was not there before, the
# times at which it was made and changed (?3, ?4; else NULL).
AS_IT_WAS = """
UPDATE entry SET
  version = max(version, ?2), created_at = coalesce(?3, created_at),
  updated_at = coalesce(?4, updated_at)
WHERE key = ?1 RETURNING version
"""

# ?2 the version, ?3 the time or NULL, of the change that the PUT of ?1 left.
HISTORY_AS_IT_WAS = """
UPDATE history SET version = ?2, changed_at = coalesce(?3, changed_at)
WHERE seq = (SELECT max(seq) FROM history WHERE key = ?1)
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
# NULL becomes what sorts after every key (1,024 bytes at most): "?3 IS NULL OR key < ?3" bounds no
# search of the index, and a short range would read on to the end of the table.
FORWARD = """
SELECT key, value, unpacked_bytes FROM entry
WHERE key >= ?1 AND (?2 OR key > ?1)
  AND key < ifnull(?3, unhex(replace(hex(zeroblob(1025)), '00', 'ff')))
  AND (expires_at IS NULL OR expires_at > ?4)
ORDER BY key LIMIT ?5
"""

KEYS_FORWARD = """
SELECT key FROM entry
WHERE key >= ?1 AND (?2 OR key > ?1)
  AND key < ifnull(?3, unhex(replace(hex(zeroblob(1025)), '00', 'ff')))
  AND (expires_at IS NULL OR expires_at > ?4)
ORDER BY key LIMIT ?5
"""

WHOLE_FORWARD = """
SELECT key, value, unpacked_bytes, version, created_at, updated_at, expires_at, size_bytes
FROM entry
WHERE key >= ?1 AND (?2 OR key > ?1)
  AND key < ifnull(?3, unhex(replace(hex(zeroblob(1025)), '00', 'ff')))
  AND (expires_at IS NULL OR expires_at > ?4)
ORDER BY key LIMIT ?5
"""

# The same from the end; ?2 plays no part.
BACKWARD = """
SELECT key, value, unpacked_bytes FROM entry
WHERE key >= ?1 AND key < ifnull(?3, unhex(replace(hex(zeroblob(1025)), '00', 'ff')))
  AND (expires_at IS NULL OR expires_at > ?4)
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

REMOVE = "DELETE FROM entry WHERE id = ?1"

# What a write of ?1 has to know before it makes room; ?2 is the time.
ROOM = """
SELECT entries, stored_bytes,
  (SELECT id FROM entry WHERE key = ?1),
  (SELECT size_bytes FROM entry WHERE key = ?1),
  EXISTS (SELECT 1 FROM entry WHERE expires_at <= ?2)
FROM meta
"""

# -- the order in which entries go, see policies.py; each candidate comes as
# (entry_id, size_bytes, key, uses, seq), and never is the entry with the key ?1.

LAST_SEQ = "SELECT max(seq) FROM access"

OLDEST = """
SELECT entry_id, size_bytes, key, uses, seq FROM access JOIN entry ON entry.id = entry_id
WHERE key IS NOT ?1 ORDER BY seq LIMIT 1
"""

# ?1 key, ?2 time, ?3 uses, as all statements that write notes of use.
USED_LAST = """
UPDATE access SET
  seq = (SELECT max(seq) + 1 FROM access), used_at = ?2, uses = uses + ?3
WHERE entry_id = (SELECT id FROM entry WHERE key = ?1)
"""

# 131071 uses are the most that are told apart: 17 bits above the 44 of a place among equals.
USED_OFTEN = """
UPDATE access SET
  uses = min(uses + ?3, 131071), used_at = ?2,
  seq = (
    SELECT max((min(access.uses + ?3, 131071) << 44) + 1, coalesce(max(same.seq), 0) + 1)
    FROM access AS same WHERE same.seq < (min(access.uses + ?3, 131071) + 1) << 44
  )
WHERE entry_id = (SELECT id FROM entry WHERE key = ?1)
"""

NEW_SINCE = """
SELECT entry_id, key FROM access JOIN entry ON entry.id = entry_id
WHERE seq > ?1 ORDER BY seq
"""

USED_ONCE = """
UPDATE access SET
  uses = 1,
  seq = (
    SELECT max((1 << 44) + 1, coalesce(max(same.seq), 0) + 1)
    FROM access AS same WHERE same.seq < 2 << 44
  )
WHERE entry_id = ?1
"""

VISITED = """
UPDATE access SET uses = 1, used_at = ?2
WHERE entry_id = (SELECT id FROM entry WHERE key = ?1) AND ?3 > 0
"""

# The hand's lap is that of the newest entry: 32 bits of seq are the place, the rest is the lap.
AT_HAND = """
SELECT entry_id, size_bytes, key, uses, seq FROM access JOIN entry ON entry.id = entry_id
WHERE seq >= ((SELECT max(seq) FROM access) >> 32) << 32 AND key IS NOT ?1
ORDER BY seq LIMIT 1
"""

# A lap down: behind the hand, in the same place.
PASSED = "UPDATE access SET uses = 0, seq = seq - (1 << 32) WHERE entry_id = ?1"

# The small queue lies at and above 1 << 62, the main queue below.
SPANS = """
SELECT coalesce((SELECT max(seq) FROM access) + 1
    - (SELECT min(seq) FROM access WHERE seq >= 1 << 62), 0),
  entries
FROM meta
"""

SMALL_TAIL = """
SELECT entry_id, size_bytes, key, uses, seq FROM access JOIN entry ON entry.id = entry_id
WHERE seq >= 1 << 62 AND key IS NOT ?1 ORDER BY seq LIMIT 1
"""

MAIN_TAIL = """
SELECT entry_id, size_bytes, key, uses, seq FROM access JOIN entry ON entry.id = entry_id
WHERE seq < 1 << 62 AND key IS NOT ?1 ORDER BY seq LIMIT 1
"""

USED_AGAIN = """
UPDATE access SET uses = min(uses + ?3, 3), used_at = ?2
WHERE entry_id = (SELECT id FROM entry WHERE key = ?1)
"""

INTO_SMALL = "UPDATE access SET seq = seq - ?1 + (1 << 62) WHERE seq > ?1"

INTO_MAIN = """
UPDATE access SET
  seq = coalesce((SELECT max(seq) FROM access WHERE seq < 1 << 62), 0) + 1, queue = 1, uses = ?2
WHERE entry_id = ?1
"""

# After a change of policy: the order stays, the numbers begin at 1.
RENUMBER = """
UPDATE access SET seq = ranked.place, queue = 0
FROM (SELECT entry_id AS id, row_number() OVER (ORDER BY seq) AS place FROM access) AS ranked
WHERE entry_id = ranked.id
"""

# -- who computes which key; ?1 key, ?2 holder

LEASE = "SELECT owner, expires_at FROM lease WHERE key = ?1"

# ?3 expires_at, ?4 time, ?5 a holder that has died. A row comes back when the lease is ours.
TAKE_LEASE = """
INSERT INTO lease (key, owner, expires_at) VALUES (?1, ?2, ?3)
ON CONFLICT (key) DO UPDATE SET owner = ?2, expires_at = ?3 WHERE expires_at <= ?4 OR owner = ?5
RETURNING 1
"""

DROP_LEASE = "DELETE FROM lease WHERE key = ?1 AND owner = ?2"

# Left behind by the dead, for keys that nobody asked for again.
OLD_LEASES = "DELETE FROM lease WHERE expires_at <= ?1"

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

# What watch() asks: ?1 after which change, ?2 from which key on, ?3 before which or NULL.
CHANGES = """
SELECT seq, key, change, version FROM history
WHERE seq > ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3) ORDER BY seq
"""

# ?1 from which key on, ?2 before which or NULL.
VERSIONS = "SELECT key, version FROM entry WHERE key >= ?1 AND (?2 IS NULL OR key < ?2)"

VERSION_WITHIN = f"{VERSIONS} AND key = ?3"

CHANGED_KEYS = "SELECT DISTINCT key FROM history WHERE seq > ?1"
