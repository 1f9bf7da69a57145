"""Step 0003 of the registry: what backups are made of, and what happened to stores.

Frozen: never edit, add a step instead.
"""

from __future__ import annotations

CATALOG = (
    "ALTER TABLE backup ADD COLUMN container TEXT DEFAULT 'full' NOT NULL",
    # The id of a backup without which this one cannot be restored, and of the set it belongs to.
    "ALTER TABLE backup ADD COLUMN base TEXT",
    "ALTER TABLE backup ADD COLUMN set_id TEXT",
    "ALTER TABLE backup ADD COLUMN flaws TEXT DEFAULT '[]' NOT NULL",
    "ALTER TABLE backup ADD COLUMN unchanged_at INTEGER",
    # Somebody restores it until then: prune leaves it alone.
    "ALTER TABLE backup ADD COLUMN held_until INTEGER",
    # Marked by prune; deleted afterwards.
    "ALTER TABLE backup ADD COLUMN removed_at INTEGER",
    # When it was found to be damaged.
    "ALTER TABLE backup ADD COLUMN damaged_at INTEGER",
    # When one of its backups last passed a whole restore; outlives that backup.
    "ALTER TABLE store ADD COLUMN verified_at INTEGER",
)

# What people have to hear of: a damaged file put aside, a backup restored in its stead.
MAKE_EVENT = """\
CREATE TABLE event (
  id INTEGER NOT NULL,
  at INTEGER NOT NULL,
  store TEXT NOT NULL,
  what TEXT NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (id)
) STRICT"""


def upgrade_statements() -> list[str]:
    """Return what changes."""
    return [*CATALOG, MAKE_EVENT]


def downgrade_statements() -> list[str]:
    """Return the way back."""
    columns = (
        "held_until",
        "removed_at",
        "damaged_at",
        "unchanged_at",
        "flaws",
        "set_id",
        "base",
        "container",
    )
    return [
        "DROP TABLE event",
        *(f"ALTER TABLE backup DROP COLUMN {column}" for column in columns),
        "ALTER TABLE store DROP COLUMN verified_at",
    ]
