"""Step 0002: leases for get_or_set, more to evict by, and where a change came from.

Frozen: never edit, add a step instead.
"""

from __future__ import annotations

from collections.abc import Collection

# Who computes an absent key at the moment, across processes.
MAKE_LEASE = """\
CREATE TABLE lease (
  "key" ANY NOT NULL,
  owner TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY ("key")
) WITHOUT ROWID, STRICT"""

# Which of the application's own migrations the file has seen.
ADD_LINEAGE = "ALTER TABLE meta ADD COLUMN lineage TEXT"

# For policies that count uses (lfu), remember one (sieve) or keep two queues (s3fifo).
ADD_USES = "ALTER TABLE access ADD COLUMN uses INTEGER DEFAULT 0 NOT NULL"
ADD_QUEUE = "ALTER TABLE access ADD COLUMN queue INTEGER DEFAULT 0 NOT NULL"

# "file", "command", "environment" or "api".
ADD_SOURCE = "ALTER TABLE history ADD COLUMN source TEXT"

# What a store's backups are, and whether they are known to restore.
MAKE_BACKUP = """\
CREATE TABLE backup (
  id TEXT NOT NULL,
  store TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  reason TEXT NOT NULL,
  path TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  revision INTEGER NOT NULL,
  verified_at INTEGER,
  pinned INTEGER DEFAULT 0 NOT NULL,
  tags TEXT DEFAULT '[]' NOT NULL,
  PRIMARY KEY (id)
) STRICT"""
INDEX_BACKUP = "CREATE INDEX backup_store ON backup (store, created_at)"


def upgrade_statements(features: Collection[str]) -> list[str]:
    """Return what changes in a store with *features*."""
    statements = [MAKE_LEASE, ADD_LINEAGE]
    if "access" in features:
        statements += [ADD_USES, ADD_QUEUE]
    if "history" in features:
        statements.append(ADD_SOURCE)
    return statements


def downgrade_statements(features: Collection[str]) -> list[str]:
    """Return the way back."""
    statements = ["ALTER TABLE meta DROP COLUMN lineage", "DROP TABLE lease"]
    if "access" in features:
        statements += [
            "ALTER TABLE access DROP COLUMN queue",
            "ALTER TABLE access DROP COLUMN uses",
        ]
    if "history" in features:
        statements.append("ALTER TABLE history DROP COLUMN source")
    return statements


def registry_upgrade() -> list[str]:
    """Return what changes in the metadata database."""
    return [MAKE_BACKUP, INDEX_BACKUP]


def registry_downgrade() -> list[str]:
    """Return the way back."""
    return ["DROP TABLE backup"]
