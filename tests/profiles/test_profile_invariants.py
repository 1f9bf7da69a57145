"""Each invariant is broken on purpose once, and seen to be reported, alone."""

from __future__ import annotations

import apsw
import pytest
from profile_tools import PUT, made, violations

from dsfactory.model import FEATURES
from dsfactory.profiles import invariants
from dsfactory.profiles.invariants import INVARIANTS

BREAKING = [
    ("I1", "UPDATE meta SET entries = entries + 1", "meta says 3, there are 2"),
    ("I2", "UPDATE meta SET stored_bytes = stored_bytes - 1", "meta says 10, the sum is 11.0"),
    ("I3", "UPDATE meta SET unpacked_bytes = 0", "meta says 0, the sum is 11.0"),
    ("I4", "UPDATE entry SET version = 0 WHERE id = 1", "entry id 1"),
    ("I4", "UPDATE entry SET updated_at = created_at - 1 WHERE id = 2", "entry id 2"),
    ("I5", "DELETE FROM access WHERE entry_id = 2", "entry id 2"),
    ("I5", "INSERT INTO access (entry_id, seq, used_at) VALUES (9, 9, 9)", "entry id 9"),
    ("I6", "INSERT INTO tag (name, entry_id) VALUES ('t', 9)", "tag of entry id 9"),
    ("I7", "UPDATE history SET value = 'other' WHERE key = 'a'", "entry id 1"),
    ("I7", "DELETE FROM history WHERE key = 'b'", "entry id 2"),
    ("I9", "UPDATE rollup_due SET series = 7", "series id 7"),
    ("I10", "UPDATE block SET last_at = 21 WHERE first_at = 10", "series id 1 at 21"),
    ("I10", "UPDATE block SET last_at = 9 WHERE first_at = 10", "series id 1 at 10"),
    ("I11", "UPDATE block SET pieces = 3 WHERE first_at = 10", "there are 3 pieces, owned are 4"),
    ("I11", "DELETE FROM piece WHERE id = 2", "there are 2 pieces, owned are 3"),
]

EVERYTHING = (*FEATURES, "series")
SERIES = (
    "INSERT INTO series VALUES (1, 'cpu', '{}', 'gauge', '', 0)",
    "INSERT INTO rollup_due VALUES (1, 5)",
    "INSERT INTO piece VALUES (1, x'00'), (2, x'00')",
    "INSERT INTO draft VALUES (1, x'00')",
    "INSERT INTO block VALUES (1, 10, 20, 2, 2, 1, 1, 2, 0, 1, 1, 0, 2, 0, 1, 2)",
    "INSERT INTO block VALUES (1, 21, 30, 2, 2, 1, 1, 2, 0, 1, 1, 0, 1, 0, -1, 1)",
)


@pytest.fixture
def connection() -> apsw.Connection:
    """A store with every feature and two entries, one of them tagged."""
    store = made(EVERYTHING)
    store.execute(PUT, ("a", "first"))
    store.execute(PUT, ("b", "second"))
    store.execute("INSERT INTO tag (name, entry_id) VALUES ('t', 1)")
    for statement in SERIES:
        store.execute(statement)
    assert violations(store, EVERYTHING) == []
    return store


@pytest.mark.parametrize(("name", "statement", "detail"), BREAKING)
def test_violation(connection: apsw.Connection, name: str, statement: str, detail: str) -> None:
    """What breaks one invariant is reported under its name, with what was found, and no other."""
    connection.execute(statement)
    assert violations(connection, EVERYTHING) == [name]
    (invariant,) = [each for each in INVARIANTS if each.name.split()[0] == name]
    assert connection.execute(invariant.sql).fetchall() == [(detail,)]


def test_every_invariant_is_broken_once() -> None:
    """No invariant is without a test that sees it fail; their numbers run on."""
    numbers = [invariant.name.split()[0] for invariant in INVARIANTS]
    in_code = {8}  # stores/checking.py: values have to be decoded
    expected = set(range(1, len(INVARIANTS) + 1 + len(in_code))) - in_code
    assert numbers == [f"I{number}" for number in sorted(expected)]
    assert {name for name, _, _ in BREAKING} == set(numbers)


def test_every_violation_is_reported(connection: apsw.Connection) -> None:
    """A violation comes once for each row that is wrong."""
    connection.execute("UPDATE entry SET version = 0")
    (invariant,) = [each for each in INVARIANTS if each.name.startswith("I4")]
    assert connection.execute(invariant.sql).fetchall() == [("entry id 1",), ("entry id 2",)]


def test_invariants_of_features() -> None:
    """A store is asked only about what it has."""
    assert [i.name[:2] for i in invariants([])] == ["I1", "I2", "I3", "I4"]
    assert [i.name[:2] for i in invariants(["access"])] == ["I1", "I2", "I3", "I4", "I5"]
    assert list(invariants(EVERYTHING)) == list(INVARIANTS)


def test_replace_is_reported(connection: apsw.Connection) -> None:
    """REPLACE deletes without telling triggers: what it leaves wrong is found by its name."""
    connection.execute("REPLACE INTO entry (key, value) VALUES ('a', 'again')")
    assert violations(connection, EVERYTHING) == ["I1", "I2", "I3", "I5", "I6"]
