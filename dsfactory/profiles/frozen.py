"""What a new file is made of, by feature. Written by scripts/freeze: do not edit."""

# fmt: off
STATEMENTS: dict[str, tuple[str, ...]] = {
    "registry": (
        """CREATE TABLE registry_meta (
  id INTEGER NOT NULL CHECK (id = 1),
  release TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (id)
) STRICT""",
        """CREATE TABLE store (
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  path TEXT NOT NULL,
  options TEXT NOT NULL,
  value_type TEXT,
  revision INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  accessed_at INTEGER NOT NULL,
  backup_at INTEGER,
  health_at INTEGER,
  health TEXT, verified_at INTEGER,
  PRIMARY KEY (id),
  UNIQUE (name),
  UNIQUE (path)
) STRICT""",
        """CREATE TABLE lease (
  name TEXT NOT NULL,
  owner TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (name)
) WITHOUT ROWID, STRICT""",
        """CREATE TABLE backup (
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
  tags TEXT DEFAULT '[]' NOT NULL, container TEXT DEFAULT 'full' NOT NULL, base TEXT, set_id TEXT, flaws TEXT DEFAULT '[]' NOT NULL, unchanged_at INTEGER, held_until INTEGER, removed_at INTEGER, damaged_at INTEGER,
  PRIMARY KEY (id)
) STRICT""",
        """CREATE INDEX backup_store ON backup (store, created_at)""",
        """CREATE TABLE event (
  id INTEGER NOT NULL,
  at INTEGER NOT NULL,
  store TEXT NOT NULL,
  what TEXT NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (id)
) STRICT""",
    ),
    "entry": (
        """CREATE TABLE meta (
  id INTEGER NOT NULL CHECK (id = 1),
  store_id TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  codec TEXT NOT NULL,
  features TEXT NOT NULL,
  release TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  clock_ms INTEGER NOT NULL,
  entries INTEGER DEFAULT 0 NOT NULL,
  stored_bytes INTEGER DEFAULT 0 NOT NULL,
  unpacked_bytes INTEGER DEFAULT 0 NOT NULL,
  version_floor INTEGER DEFAULT 0 NOT NULL, lineage TEXT,
  PRIMARY KEY (id)
) STRICT""",
        """CREATE TABLE entry (
  id INTEGER NOT NULL,
  "key" ANY NOT NULL,
  version INTEGER DEFAULT 1 NOT NULL,
  created_at INTEGER DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)) NOT NULL,
  updated_at INTEGER DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)) NOT NULL,
  expires_at INTEGER,
  unpacked_bytes INTEGER,
  size_bytes INTEGER NOT NULL GENERATED ALWAYS AS (length(CAST(value AS BLOB))) VIRTUAL,
  value ANY NOT NULL,
  PRIMARY KEY (id),
  UNIQUE ("key"),
  CONSTRAINT key_type CHECK (typeof(key) IN ('integer', 'text', 'blob')),
  CONSTRAINT packed_is_blob CHECK (unpacked_bytes IS NULL OR typeof(value) = 'blob')
) STRICT""",
        """CREATE INDEX entry_expiry ON entry (expires_at, size_bytes) WHERE expires_at IS NOT NULL""",
        """CREATE TRIGGER entry_insert_counts AFTER INSERT ON entry BEGIN
  UPDATE meta SET
    entries = entries + 1,
    stored_bytes = stored_bytes + NEW.size_bytes,
    unpacked_bytes = unpacked_bytes + coalesce(NEW.unpacked_bytes, NEW.size_bytes),
    clock_ms = max(clock_ms, NEW.updated_at)
  WHERE id = 1;
END""",
        """CREATE TRIGGER entry_update_counts AFTER UPDATE OF value, unpacked_bytes ON entry
WHEN NEW.size_bytes <> OLD.size_bytes OR NEW.unpacked_bytes IS NOT OLD.unpacked_bytes BEGIN
  UPDATE meta SET
    stored_bytes = stored_bytes + NEW.size_bytes - OLD.size_bytes,
    unpacked_bytes = unpacked_bytes + coalesce(NEW.unpacked_bytes, NEW.size_bytes)
      - coalesce(OLD.unpacked_bytes, OLD.size_bytes),
    clock_ms = max(clock_ms, NEW.updated_at)
  WHERE id = 1;
END""",
        """CREATE TRIGGER entry_delete_counts AFTER DELETE ON entry BEGIN
  UPDATE meta SET
    entries = entries - 1,
    stored_bytes = stored_bytes - OLD.size_bytes,
    unpacked_bytes = unpacked_bytes - coalesce(OLD.unpacked_bytes, OLD.size_bytes),
    version_floor = max(version_floor, OLD.version + 1)
  WHERE id = 1;
END""",
        """CREATE TABLE lease (
  "key" ANY NOT NULL,
  owner TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY ("key")
) WITHOUT ROWID, STRICT""",
    ),
    "access": (
        """CREATE TABLE access (
  entry_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  used_at INTEGER NOT NULL, uses INTEGER DEFAULT 0 NOT NULL, queue INTEGER DEFAULT 0 NOT NULL,
  PRIMARY KEY (entry_id)
) STRICT""",
        """CREATE INDEX access_order ON access (seq)""",
        """CREATE TRIGGER entry_insert_access AFTER INSERT ON entry BEGIN
  INSERT INTO access (entry_id, seq, used_at)
  VALUES (NEW.id, (SELECT coalesce(max(seq), 0) + 1 FROM access), NEW.updated_at);
END""",
        """CREATE TRIGGER entry_delete_access AFTER DELETE ON entry BEGIN
  DELETE FROM access WHERE entry_id = OLD.id;
END""",
    ),
    "compression": (
        """CREATE TABLE dictionary (
  id INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (id)
) STRICT""",
        """CREATE VIEW entries AS
SELECT key, ds_unpack(value, unpacked_bytes) AS value, version, created_at, updated_at,
  expires_at, size_bytes, unpacked_bytes IS NOT NULL AS compressed
FROM entry""",
        """CREATE TRIGGER entries_insert INSTEAD OF INSERT ON entries BEGIN
  INSERT INTO entry (key, version, expires_at, unpacked_bytes, value)
  SELECT NEW.key, (SELECT version_floor + 1 FROM meta), NEW.expires_at,
    iif(packed IS NEW.value, NULL, length(CAST(NEW.value AS BLOB))), packed
  FROM (SELECT ds_pack(NEW.value) AS packed LIMIT 1) WHERE true
  ON CONFLICT (key) DO UPDATE SET
    version = version + 1, updated_at = excluded.updated_at, expires_at = excluded.expires_at,
    unpacked_bytes = excluded.unpacked_bytes, value = excluded.value;
END""",
        """CREATE TRIGGER entries_update INSTEAD OF UPDATE ON entries BEGIN
  UPDATE entry SET
    version = version + 1,
    updated_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER),
    expires_at = NEW.expires_at,
    unpacked_bytes = iif(packed IS NEW.value, NULL, length(CAST(NEW.value AS BLOB))),
    value = packed
  FROM (SELECT ds_pack(NEW.value) AS packed LIMIT 1)
  WHERE key = OLD.key;
END""",
        """CREATE TRIGGER entries_delete INSTEAD OF DELETE ON entries BEGIN
  DELETE FROM entry WHERE key = OLD.key;
END""",
    ),
    "expiry": (),
    "history": (
        """CREATE TABLE history (
  seq INTEGER NOT NULL,
  "key" ANY NOT NULL,
  version INTEGER NOT NULL,
  change TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  who TEXT,
  why TEXT,
  sha256 TEXT,
  unpacked_bytes INTEGER,
  value ANY, source TEXT,
  PRIMARY KEY (seq),
  CONSTRAINT known_change CHECK (change IN ('create', 'update', 'delete', 'rollback'))
) STRICT""",
        """CREATE INDEX history_key ON history ("key", version)""",
        """CREATE TRIGGER entry_insert_history AFTER INSERT ON entry BEGIN
  INSERT INTO history (key, version, change, changed_at, unpacked_bytes, value)
  VALUES (NEW.key, NEW.version, 'create', NEW.updated_at, NEW.unpacked_bytes, NEW.value);
END""",
        """CREATE TRIGGER entry_update_history AFTER UPDATE OF value ON entry BEGIN
  INSERT INTO history (key, version, change, changed_at, unpacked_bytes, value)
  VALUES (NEW.key, NEW.version, 'update', NEW.updated_at, NEW.unpacked_bytes, NEW.value);
END""",
        """CREATE TRIGGER entry_delete_history AFTER DELETE ON entry BEGIN
  INSERT INTO history (key, version, change, changed_at)
  VALUES (OLD.key, OLD.version + 1, 'delete',
    CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END""",
    ),
    "series": (
        """CREATE TABLE series (
  id INTEGER NOT NULL,
  name TEXT NOT NULL,
  labels TEXT NOT NULL,
  type TEXT NOT NULL,
  unit TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (name, labels)
) STRICT""",
        """CREATE TABLE series_state (
  id INTEGER NOT NULL CHECK (id = 1),
  generation INTEGER NOT NULL,
  PRIMARY KEY (id)
) STRICT""",
        """CREATE TABLE journal (
  id INTEGER NOT NULL,
  written_at INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  samples INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (id)
) STRICT""",
        """CREATE TABLE piece (
  id INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (id)
) STRICT""",
        """CREATE TABLE draft (
  id INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (id)
) STRICT""",
        """CREATE TABLE block (
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
        """CREATE INDEX block_age ON block (last_at)""",
        """CREATE TABLE rollup (
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
        """CREATE INDEX rollup_age ON rollup (tier, last_at)""",
        """CREATE TABLE rollup_due (
  series INTEGER NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (series)
) STRICT""",
    ),
    "tags": (
        """CREATE TABLE tag (
  name TEXT NOT NULL,
  entry_id INTEGER NOT NULL,
  PRIMARY KEY (name, entry_id)
) WITHOUT ROWID, STRICT""",
        """CREATE INDEX tag_entry ON tag (entry_id)""",
        """CREATE TRIGGER entry_delete_tags AFTER DELETE ON entry BEGIN
  DELETE FROM tag WHERE entry_id = OLD.id;
END""",
        """CREATE TRIGGER entry_update_tags AFTER UPDATE OF created_at ON entry BEGIN
  DELETE FROM tag WHERE entry_id = NEW.id;
END""",
    ),
}
