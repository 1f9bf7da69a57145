"""Step 0003: numeric series in metrics files. Frozen: never edit, add a step instead."""

from __future__ import annotations

MAKE = (
    """\
CREATE TABLE series (
  id INTEGER NOT NULL,
  name TEXT NOT NULL,
  labels TEXT NOT NULL,
  type TEXT NOT NULL,
  unit TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (name, labels)
) STRICT""",
    """\
CREATE TABLE series_state (
  id INTEGER NOT NULL CHECK (id = 1),
  generation INTEGER NOT NULL,
  PRIMARY KEY (id)
) STRICT""",
    """\
CREATE TABLE journal (
  id INTEGER NOT NULL,
  written_at INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  samples INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (id)
) STRICT""",
    """\
CREATE TABLE piece (
  id INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (id)
) STRICT""",
    """\
CREATE TABLE draft (
  id INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (id)
) STRICT""",
    """\
CREATE TABLE block (
  series INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  samples INTEGER NOT NULL,
  numbers INTEGER NOT NULL,
  minimum REAL,
  maximum REAL,
  total REAL,
  squares REAL,
  opening REAL,
  closing REAL,
  increase REAL,
  bytes INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  piece INTEGER NOT NULL,
  pieces INTEGER NOT NULL,
  PRIMARY KEY (series, first_at)
) WITHOUT ROWID, STRICT""",
    "CREATE INDEX block_age ON block (last_at)",
    """\
CREATE TABLE rollup (
  tier INTEGER NOT NULL,
  series INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  buckets INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  piece INTEGER NOT NULL,
  pieces INTEGER NOT NULL,
  PRIMARY KEY (tier, series, first_at)
) WITHOUT ROWID, STRICT""",
    "CREATE INDEX rollup_age ON rollup (tier, last_at)",
    """\
CREATE TABLE rollup_due (
  series INTEGER NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (series)
) STRICT""",
)

TABLES = ("rollup_due", "rollup", "block", "draft", "piece", "journal", "series_state", "series")


def upgrade_statements() -> tuple[str, ...]:
    """Return what makes the tables."""
    return MAKE


def downgrade_statements() -> list[str]:
    """Return the way back: all series are lost."""
    return [f"DROP TABLE {table}" for table in TABLES]
