"""Every statement about series, by name. ?1 is a series' id, times are milliseconds."""

# -- which series there are

# Both change when what is cached of the catalogue may be wrong, or incomplete.
STATE = """
SELECT coalesce((SELECT generation FROM series_state), 0), coalesce(max(id), 0) FROM series
"""

BUMP = """
INSERT INTO series_state (id, generation) VALUES (1, 1)
ON CONFLICT (id) DO UPDATE SET generation = generation + 1
"""

# ?1 name, ?2 labels.
FIND = "SELECT id, type, unit FROM series WHERE name = ?1 AND labels = ?2"

# ?1 name, ?2 labels, ?3 type, ?4 unit, ?5 now.
ADD_SERIES = """
INSERT INTO series (name, labels, type, unit, created_at) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id
"""

# ?2 type, ?3 unit.
DESCRIBE = "UPDATE series SET type = ?2, unit = ?3 WHERE id = ?1"

ANY = "SELECT 1 FROM series LIMIT 1"
COUNT = "SELECT count(*) FROM series"
SERIES = "SELECT id, name, labels, type, unit FROM series WHERE id = ?1"
# ?1 name, ?2 the last id that is known.
NAMED = "SELECT id, name, labels, type, unit FROM series WHERE name = ?1 AND id > ?2 ORDER BY id"
NAMES = "SELECT DISTINCT name FROM series ORDER BY name"
# ?1 the last id before, ?2 how many.
SERIES_AFTER = """
SELECT id, name, labels, type, unit FROM series WHERE id > ?1 ORDER BY id LIMIT ?2
"""

# Changes nothing, but makes a commit.
TOUCH = "UPDATE meta SET clock_ms = clock_ms"

# -- samples that are not sealed yet

JOURNAL_KEYS = "SELECT id, crc, samples FROM journal ORDER BY id"
# ?1 the last id that is known.
JOURNAL_AFTER = "SELECT id, crc, samples, data FROM journal WHERE id > ?1 ORDER BY id"
# ?1 id or NULL for the next, ?2 now, ?3 and ?4 first and last time, ?5 samples, ?6 crc, ?7 data.
ADD_JOURNAL = """
INSERT INTO journal (id, written_at, first_at, last_at, samples, crc, data)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
"""
# ?1 id.
DROP_JOURNAL = "DELETE FROM journal WHERE id = ?1"
# max(id) stands for the number of series: counting them would read them all.
JOURNAL_SIZE = """
SELECT count(*), coalesce(sum(samples), 0), coalesce((SELECT max(id) FROM series), 0),
  min(written_at)
FROM journal
"""
JOURNAL_SPAN = "SELECT min(first_at), max(last_at) FROM journal"

# -- blocks

_COLUMNS = """
series, first_at, last_at, samples, numbers, minimum, maximum, total, squares, opening, closing,
increase, bytes, crc, piece, pieces
"""

ADD_BLOCK = f"""
INSERT INTO block ({_COLUMNS})
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
"""  # noqa: S608 -- of the constant above

# ?2 first_at.
DROP_BLOCK = "DELETE FROM block WHERE series = ?1 AND first_at = ?2"

# ?2 start, ?3 end. The first one may end before the start.
BLOCKS = f"""
SELECT {_COLUMNS} FROM block
WHERE series = ?1 AND first_at < ?3 AND first_at >= coalesce(
  (SELECT max(first_at) FROM block WHERE series = ?1 AND first_at <= ?2), ?2)
ORDER BY first_at
"""  # noqa: S608 -- of the constant above

# ?2 the first time, ?3 the last one: what may overlap, with a neighbour on each side.
AROUND = f"""
SELECT {_COLUMNS} FROM block
WHERE series = ?1
  AND first_at >= coalesce(
    (SELECT max(first_at) FROM block WHERE series = ?1 AND first_at < ?2), ?2)
  AND first_at <= coalesce(
    (SELECT min(first_at) FROM block WHERE series = ?1 AND first_at > ?3), ?3)
ORDER BY first_at
"""  # noqa: S608 -- of the constant above

# ?2 the time before which it begins.
BLOCK_BEFORE = f"""
SELECT {_COLUMNS} FROM block WHERE series = ?1 AND first_at < ?2 ORDER BY first_at DESC LIMIT 1
"""  # noqa: S608 -- of the constant above

# ?2 the time after which it begins.
BLOCK_BEHIND = f"""
SELECT {_COLUMNS} FROM block WHERE series = ?1 AND first_at > ?2 ORDER BY first_at LIMIT 1
"""  # noqa: S608 -- of the constant above

# ?1 and ?2: series and first_at of the last block before; ?3 how many.
BLOCKS_AFTER = f"""
SELECT {_COLUMNS} FROM block WHERE (series, first_at) > (?1, ?2)
ORDER BY series, first_at LIMIT ?3
"""  # noqa: S608 -- of the constant above

SPAN = "SELECT coalesce(sum(samples), 0), min(first_at), max(last_at) FROM block WHERE series = ?1"

# -- payloads

# For full blocks, and for drafts, which will be merged with more.
NEXT_PIECE = "SELECT coalesce(max(id), 0) + 1 FROM piece"
NEXT_DRAFT = "SELECT coalesce(max(id), 0) + 1 FROM draft"
ADD_PIECE = "INSERT INTO piece (id, data) VALUES (?1, ?2)"
ADD_DRAFT = "INSERT INTO draft (id, data) VALUES (?1, ?2)"
# ?1 the first, ?2 the one after the last.
PIECES = "SELECT data FROM piece WHERE id >= ?1 AND id < ?2 ORDER BY id"
DRAFTS = "SELECT data FROM draft WHERE id >= ?1 AND id < ?2 ORDER BY id"
DROP_PIECES = "DELETE FROM piece WHERE id >= ?1 AND id < ?2"
DROP_DRAFTS = "DELETE FROM draft WHERE id >= ?1 AND id < ?2"

# -- rollups

# ?2 the first time that changed.
DUE = """
INSERT INTO rollup_due (series, since) VALUES (?1, ?2)
ON CONFLICT (series) DO UPDATE SET since = min(since, excluded.since)
"""
# Of every series: a tier is new.
ALL_DUE = """
INSERT INTO rollup_due (series, since) SELECT id, 0 FROM series WHERE true
ON CONFLICT (series) DO UPDATE SET since = 0
"""
DUE_OF = "SELECT since FROM rollup_due WHERE series = ?1"
# ?1 the series before, ?2 how many.
DUE_AFTER = "SELECT series FROM rollup_due WHERE series > ?1 ORDER BY series LIMIT ?2"
ANY_BLOCK = "SELECT 1 FROM block LIMIT 1"
ANY_ROLLUP = "SELECT 1 FROM rollup LIMIT 1"

# ?2 a time: the first block at it, or behind it.
FIRST_FROM = """
SELECT min(first_at) FROM block WHERE series = ?1 AND first_at >= coalesce(
  (SELECT max(first_at) FROM block WHERE series = ?1 AND first_at <= ?2 AND last_at >= ?2), ?2)
"""

_ROLLUP = "tier, series, first_at, last_at, buckets, bytes, crc, piece, pieces"
ADD_ROLLUP = f"INSERT INTO rollup ({_ROLLUP}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"  # noqa: S608
# ?1 tier, ?2 series, ?3 first_at.
DROP_ROLLUP = "DELETE FROM rollup WHERE tier = ?1 AND series = ?2 AND first_at = ?3"
# ?1 tier, ?2 series, ?3 start, ?4 end. The first one may end before the start.
ROLLUPS = f"""
SELECT {_ROLLUP} FROM rollup
WHERE tier = ?1 AND series = ?2 AND first_at < ?4 AND first_at >= coalesce(
  (SELECT max(first_at) FROM rollup WHERE tier = ?1 AND series = ?2 AND first_at <= ?3), ?3)
ORDER BY first_at
"""  # noqa: S608 -- of the constant above
# ?1 tier, ?2 series, ?3 the time before which it begins.
ROLLUP_BEFORE = f"""
SELECT {_ROLLUP} FROM rollup WHERE tier = ?1 AND series = ?2 AND first_at < ?3
ORDER BY first_at DESC LIMIT 1
"""  # noqa: S608 -- of the constant above
# ?1 tier, ?2 the time before which they ended, ?3 how many.
OLD_ROLLUPS = f"""
SELECT {_ROLLUP} FROM rollup WHERE tier = ?1 AND last_at < ?2 ORDER BY last_at LIMIT ?3
"""  # noqa: S608 -- of the constant above
# ?1 to ?3: tier, series and first_at of the last one before; ?4 how many.
ROLLUPS_AFTER = f"""
SELECT {_ROLLUP} FROM rollup WHERE (tier, series, first_at) > (?1, ?2, ?3)
ORDER BY tier, series, first_at LIMIT ?4
"""  # noqa: S608 -- of the constant above

# -- retention

_AGED = "SELECT series, first_at, samples, bytes, piece, pieces FROM block"

# ?1 the time before which they ended, ?2 how many.
OLDEST_BEFORE = f"{_AGED} WHERE last_at < ?1 ORDER BY last_at LIMIT ?2"
# ?1 how many.
OLDEST = f"{_AGED} ORDER BY last_at LIMIT ?1"

# ?1 bytes of a block's row, ?2 of a sample in the journal.
USED_BYTES = """
SELECT (SELECT stored_bytes FROM meta)
  + (SELECT coalesce(sum(bytes + ?1), 0) FROM block)
  + (SELECT coalesce(sum(bytes + ?1), 0) FROM rollup)
  + (SELECT coalesce(sum(samples), 0) * ?2 FROM journal)
"""

IDS_AFTER = "SELECT id FROM series WHERE id > ?1 ORDER BY id LIMIT ?2"
HAS_BLOCKS = "SELECT 1 FROM block WHERE series = ?1 LIMIT 1"
# Each found by a step in the index, however many rollups there are.
TIERS = """
WITH RECURSIVE found (tier) AS (
  SELECT min(tier) FROM rollup
  UNION ALL
  SELECT (SELECT min(tier) FROM rollup WHERE rollup.tier > found.tier) FROM found
  WHERE tier IS NOT NULL
)
SELECT tier FROM found WHERE tier IS NOT NULL
"""
# ?1 tier, ?2 series.
HAS_ROLLUPS = "SELECT 1 FROM rollup WHERE tier = ?1 AND series = ?2 LIMIT 1"
DROP_SERIES = "DELETE FROM series WHERE id = ?1"
DROP_DUE = "DELETE FROM rollup_due WHERE series = ?1"

# -- numbers

STATISTICS = """
SELECT (SELECT count(*) FROM series), (SELECT coalesce(sum(samples), 0) FROM journal),
  (SELECT count(*) FROM block), (SELECT coalesce(sum(samples), 0) FROM block),
  (SELECT coalesce(sum(bytes), 0) FROM block),
  (SELECT count(*) FROM rollup), (SELECT coalesce(sum(buckets), 0) FROM rollup),
  (SELECT coalesce(sum(bytes), 0) FROM rollup)
"""
