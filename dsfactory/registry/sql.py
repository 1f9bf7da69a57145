"""Every statement that the registry runs, by name."""

RECORD = """
SELECT id, name, kind, path, options, value_type, revision, created_at, accessed_at,
  backup_at, health_at, health
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
