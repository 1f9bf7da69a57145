"""A scan reads its range, not the rest of the table."""

from __future__ import annotations

import pytest
from contract.common import MakeStore, stranger

from dsfactory.stores import sql


@pytest.mark.parametrize("query", [sql.FORWARD, sql.KEYS_FORWARD, sql.BACKWARD])
def test_scan_is_bounded_at_both_ends(make_store: MakeStore, query: str) -> None:
    """The search of the index begins at the first key and ends at the last, also without an end."""
    store = make_store("state")
    with stranger(store) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {query}", ("a", 1, "b", 0, 5)).fetchall()
    assert any("key>? AND key<?" in row[3] for row in plan)


def test_scan_without_end_reaches_the_last_key(make_store: MakeStore) -> None:
    """The highest key that a store takes is within every open range."""
    store, last = make_store("state"), b"\xff" * 1024
    store.set_many({"a": 1, b"": 2, last: 3})
    assert list(store) == ["a", b"", last]
    assert [key for key, _ in store.scan(prefix=b"\xff", reverse=True)] == [last]
