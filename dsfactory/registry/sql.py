"""Every statement that the registry runs, by name."""

RECORD = """
SELECT id, name, kind, path, options, value_type, revision, created_at, accessed_at,
  backup_at, health_at, health, verified_at
FROM store
"""

ALL = RECORD + "ORDER BY name"

NAMES = "SELECT name FROM store ORDER BY name"

BY_NAME = RECORD + "WHERE name = ?1"

BY_PATH = RECORD + "WHERE path = ?1"

ELSEWHERE = "SELECT name, path FROM store WHERE path NOT LIKE ?1 ESCAPE '|'"

MOVE = "UPDATE store SET path = ?2 WHERE name = ?1"

ADD = """
INSERT INTO store (id, name, kind, path, options, value_type, revision, created_at, accessed_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
"""

OPENED = """
UPDATE store SET accessed_at = ?2, options = ?3, value_type = ?4, revision = ?5 WHERE name = ?1
"""

SET_OPTIONS = "UPDATE store SET options = ?2 WHERE name = ?1"

RESTORED = "UPDATE store SET id = ?2, kind = ?3, options = ?4, revision = ?5 WHERE name = ?1"

JUDGED = "UPDATE store SET health_at = ?2, health = ?3 WHERE name = ?1"

REMOVE = "DELETE FROM store WHERE name = ?1 RETURNING path"

NEW_META = "INSERT INTO registry_meta (id, release, created_at) VALUES (1, ?1, ?2)"

# ?1 name, ?2 owner, ?3 expires_at, ?4 now. A row comes back when the lease is ours. One that ends
# more than twice as late as a new one would was taken before the clock was set back: nobody holds
# it. (Twice: a clock that is corrected by seconds must not take the lease of a live holder.)
TAKE_LEASE = """
INSERT INTO lease (name, owner, expires_at) VALUES (?1, ?2, ?3)
ON CONFLICT (name) DO UPDATE SET owner = ?2, expires_at = ?3
WHERE owner = ?2 OR expires_at <= ?4 OR expires_at > ?4 + 2 * (?3 - ?4)
RETURNING owner
"""

DROP_LEASE = "DELETE FROM lease WHERE name = ?1 AND owner = ?2"

# -- backups

BACKUP = """
SELECT id, store, created_at, reason, size_bytes, sha256, revision, verified_at, tags, pinned,
  container, base, set_id, coalesce(held_until, 0) > ?1, unchanged_at, flaws, damaged_at, path
FROM backup
WHERE removed_at IS NULL
"""

BACKUPS_OF = BACKUP + "AND store = ?2 ORDER BY created_at, id"

ALL_BACKUPS = BACKUP + "ORDER BY store, created_at, id"

BACKUP_BY_ID = BACKUP + "AND id = ?2"

SET_MEMBERS = BACKUP + "AND set_id = ?2 ORDER BY store"

ADD_BACKUP = """
INSERT INTO backup (id, store, created_at, reason, size_bytes, sha256, revision, verified_at, tags,
  pinned, container, base, set_id, flaws, path)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, tags = excluded.tags,
  pinned = excluded.pinned, verified_at = coalesce(excluded.verified_at, verified_at),
  path = excluded.path
"""

NOTE_BACKUP = """
UPDATE store SET backup_at = max(coalesce(backup_at, 0), ?2) WHERE name = ?1
"""

BACKUP_UNCHANGED = "UPDATE backup SET unchanged_at = ?2 WHERE id = ?1"

BACKUP_VERIFIED = "UPDATE backup SET verified_at = ?2, damaged_at = NULL WHERE id = ?1"

STORE_VERIFIED = "UPDATE store SET verified_at = max(coalesce(verified_at, 0), ?2) WHERE name = ?1"

BACKUP_DAMAGED = "UPDATE backup SET damaged_at = ?2 WHERE id = ?1"

BACKUP_PINNED = "UPDATE backup SET pinned = ?2 WHERE id = ?1 AND removed_at IS NULL RETURNING id"

HELD_UNTIL = "SELECT coalesce(held_until, 0) FROM backup WHERE id = ?1 AND removed_at IS NULL"

HOLD_BACKUP = "UPDATE backup SET held_until = ?2 WHERE id = ?1"

RELEASE_BACKUP = "UPDATE backup SET held_until = NULL WHERE id = ?1 AND held_until = ?2"

# Not those that somebody pinned or began to restore since the plan was made.
MARK_REMOVED = """
UPDATE backup SET removed_at = ?2
WHERE id = ?1 AND removed_at IS NULL AND pinned = 0 AND coalesce(held_until, 0) <= ?2
RETURNING id
"""

MARKED = """
SELECT id, store, path, container FROM backup WHERE removed_at IS NOT NULL ORDER BY store, id
"""

FORGET_BACKUP = "DELETE FROM backup WHERE id = ?1"

# -- events

ADD_EVENT = "INSERT INTO event (at, store, what, detail) VALUES (?1, ?2, ?3, ?4)"

EVENTS = "SELECT at, store, what, detail FROM event WHERE at >= ?1 ORDER BY id"

FORGET_EVENTS = """
DELETE FROM event WHERE id <= (SELECT coalesce(max(id), 0) FROM event) - ?1
"""
