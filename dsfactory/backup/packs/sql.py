"""What a pack file contains, and every statement that runs on one."""

from __future__ import annotations

from dsfactory.engine import Identity

WHO = Identity(int.from_bytes(b"dsfp", "big"), 1)
"""In the header: a pack, and the revision of its schema."""

SCHEMA = (
    # Frames; the id is what lists and deltas name. Ids grow in the order of keeping, so that what
    # one backup added lies together and its list is made of runs.
    "CREATE TABLE chunk (id INTEGER PRIMARY KEY, frame BLOB NOT NULL) STRICT",
    # Which chunk has which content. Apart from the frames, so that looking up stays in memory. A
    # chunk without a row here is in use but is never shared again: it was found damaged.
    "CREATE TABLE digest (hash BLOB PRIMARY KEY, chunk INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    # Chunks whose frame needs another chunk, which itself is never in here.
    """CREATE TABLE delta (
        chunk INTEGER PRIMARY KEY,
        base INTEGER NOT NULL,
        dictionary INTEGER NOT NULL
    ) STRICT""",
    # What frames of one kind of content have in common; "chunks" is how many the image had.
    """CREATE TABLE dictionary (
        id INTEGER PRIMARY KEY,
        body BLOB NOT NULL,
        chunks INTEGER NOT NULL
    ) STRICT""",
    # One backup each: the chunks of its image in order, as runs of ids (lists.py).
    """CREATE TABLE backup (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        size_bytes INTEGER NOT NULL,
        list BLOB NOT NULL
    ) STRICT""",
)

HEADER = """
SELECT application_id, user_version FROM pragma_application_id, pragma_user_version
"""

# -- keeping
LATEST = "SELECT size_bytes, list FROM backup ORDER BY number DESC LIMIT 1"
PAGES = "PRAGMA page_count"
LAST_CHUNK = "SELECT coalesce(max(id), 0) FROM chunk"
FIND = "SELECT (SELECT chunk FROM digest WHERE hash = ?1)"
BASE = """
SELECT id, frame FROM chunk
WHERE id = coalesce((SELECT base FROM delta WHERE chunk = ?1), ?1)
"""
ADD_CHUNK = "INSERT INTO chunk (id, frame) VALUES (?1, ?2)"
ADD_DIGEST = "INSERT INTO digest (hash, chunk) VALUES (?1, ?2)"
ADD_DELTA = "INSERT INTO delta (chunk, base, dictionary) VALUES (?1, ?2, ?3)"
ADD_DICTIONARY = "INSERT OR REPLACE INTO dictionary (id, body, chunks) VALUES (?1, ?2, ?3)"
ADD_BACKUP = "INSERT OR REPLACE INTO backup (id, size_bytes, list) VALUES (?1, ?2, ?3)"

# -- reading
BACKUP = "SELECT size_bytes, list FROM backup WHERE id = ?1"
BACKUPS = "SELECT id FROM backup ORDER BY number"
DICTIONARIES = "SELECT id, body, chunks FROM dictionary ORDER BY chunks"
FETCH = """
SELECT c.id, c.frame, d.base, d.dictionary
FROM chunk c LEFT JOIN delta d ON d.chunk = c.id
WHERE c.id BETWEEN ?1 AND ?2 ORDER BY c.id
"""
FRAME = "SELECT frame FROM chunk WHERE id = ?1"

# -- dropping
COUNT = "SELECT count(*) FROM backup"
REMOVE_BACKUP = "DELETE FROM backup WHERE id = ?1"
NUMBERED = "SELECT number, id FROM backup ORDER BY number"
LIST = "SELECT size_bytes, list FROM backup WHERE number = ?1"
DELTAS = "SELECT chunk, base FROM delta WHERE chunk > ?1 ORDER BY chunk LIMIT ?2"
REMOVE_CHUNKS = "DELETE FROM chunk WHERE id BETWEEN ?1 AND ?2"
REMOVE_DELTAS = "DELETE FROM delta WHERE chunk BETWEEN ?1 AND ?2"
REMOVE_DIGESTS = "DELETE FROM digest WHERE NOT in_use(chunk)"
REMOVE_DICTIONARIES = "DELETE FROM dictionary"
GIVE_BACK = "PRAGMA incremental_vacuum"

# -- checking
CHECK = "PRAGMA quick_check"
CHUNKS = "SELECT count(*) FROM chunk"
DIGESTS = "SELECT hash, chunk FROM digest WHERE hash > ?1 ORDER BY hash LIMIT ?2"
DISTRUST = "DELETE FROM digest WHERE distrusted(chunk)"
