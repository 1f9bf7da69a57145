"""The counters stay exact under any SQL that fires triggers."""

from __future__ import annotations

from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profile_tools import made, violations

from dsfactory.model import FEATURES

KEYS = st.sampled_from(["a", "b", "c", 1, 2, b"a", b""])
VALUES = st.one_of(
    st.text(max_size=20), st.binary(max_size=20), st.integers(-(2**63), 2**63 - 1), st.floats()
).filter(lambda value: value == value)  # noqa: PLR0124 -- SQLite takes NaN for NULL
PACKED = st.tuples(st.integers(0, 10_000), st.binary(max_size=20))

INSERT = "INSERT INTO entry (key, updated_at, value) VALUES (?1, 9e15, ?2)"
INSERT_PACKED = (
    "INSERT INTO entry (key, updated_at, unpacked_bytes, value) VALUES (?1, 9e15, ?2, ?3)"
)
OR_IGNORE = "INSERT OR IGNORE INTO entry (key, updated_at, value) VALUES (?1, 9e15, ?2)"
UPSERT = """
INSERT INTO entry (key, updated_at, value) VALUES (?1, 9e15, ?2)
ON CONFLICT (key) DO UPDATE SET
  version = version + 1, value = excluded.value, unpacked_bytes = NULL
"""
UPDATE = "UPDATE entry SET value = ?2, unpacked_bytes = NULL, version = version + 1 WHERE key = ?1"
UPDATE_PACKED = "UPDATE entry SET unpacked_bytes = ?2, value = ?3 WHERE key = ?1"
UPDATE_ALL = "UPDATE entry SET value = ?2, unpacked_bytes = NULL WHERE key IS NOT ?1"
TOUCH = "UPDATE entry SET expires_at = 1 WHERE key = ?1"
RESET = "UPDATE entry SET created_at = created_at WHERE key = ?1"
DELETE = "DELETE FROM entry WHERE key = ?1"
DELETE_OTHERS = "DELETE FROM entry WHERE key <> ?1"
VIEW_INSERT = "INSERT INTO entries (key, value) VALUES (?1, ?2)"
VIEW_UPDATE = "UPDATE entries SET value = ?2 WHERE key = ?1"
VIEW_DELETE = "DELETE FROM entries WHERE key = ?1"
TAG = "INSERT OR IGNORE INTO tag (name, entry_id) SELECT 't', id FROM entry WHERE key = ?1"

TEXTS = st.one_of(st.text(max_size=20), st.binary(max_size=20))
STEPS = st.one_of(
    st.tuples(st.sampled_from([INSERT, OR_IGNORE, UPSERT, UPDATE, UPDATE_ALL]), KEYS, VALUES),
    st.tuples(st.sampled_from([VIEW_INSERT, VIEW_UPDATE]), KEYS, TEXTS),
    st.tuples(st.sampled_from([TOUCH, RESET, DELETE, DELETE_OTHERS, VIEW_DELETE, TAG]), KEYS),
    st.builds(
        lambda sql, key, packed: (sql, key, *packed),
        st.sampled_from([INSERT_PACKED, UPDATE_PACKED]),
        KEYS,
        PACKED,
    ),
)

COUNTED = """
SELECT entries, stored_bytes, unpacked_bytes FROM meta
"""
RECOUNTED = """
SELECT count(*), coalesce(sum(length(CAST(value AS BLOB))), 0),
  coalesce(sum(coalesce(unpacked_bytes, length(CAST(value AS BLOB)))), 0)
FROM entry
"""


def run(connection: apsw.Connection, step: tuple[Any, ...]) -> None:
    """Run one statement; a key that exists already refuses a plain insert, and that is fine."""
    sql, *parameters = step
    try:
        connection.execute(sql, parameters)
    except apsw.ConstraintError:
        assert sql in (INSERT, INSERT_PACKED)


@pytest.mark.parametrize("features", [(), tuple(sorted(FEATURES))], ids=["bare", "everything"])
@given(steps=st.lists(STEPS, max_size=30), undone=st.lists(STEPS, max_size=5))
@settings(max_examples=250, deadline=None)
def test_counters(
    features: tuple[str, ...], steps: list[tuple[Any, ...]], undone: list[tuple[Any, ...]]
) -> None:
    """After any statements, and any that were rolled back, the counters are what is there."""
    connection = made(features)
    if not features:
        steps, undone = (
            [step for step in some if "entries" not in step[0] and "tag" not in step[0]]
            for some in (steps, undone)
        )
    for step in steps:
        run(connection, step)
        assert connection.execute(COUNTED).fetchall() == connection.execute(RECOUNTED).fetchall()
    connection.execute("SAVEPOINT undone")
    for step in undone:
        run(connection, step)
    connection.execute("ROLLBACK TO undone")
    connection.execute("RELEASE undone")
    assert connection.execute(COUNTED).fetchall() == connection.execute(RECOUNTED).fetchall()
    assert violations(connection, features) == []
    connection.close()
