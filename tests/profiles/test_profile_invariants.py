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
]


@pytest.fixture
def connection() -> apsw.Connection:
    """A store with every feature and two entries, one of them tagged."""
    store = made(FEATURES)
    store.execute(PUT, ("a", "first"))
    store.execute(PUT, ("b", "second"))
    store.execute("INSERT INTO tag (name, entry_id) VALUES ('t', 1)")
    assert violations(store, FEATURES) == []
    return store


@pytest.mark.parametrize(("name", "statement", "detail"), BREAKING)
def test_violation(connection: apsw.Connection, name: str, statement: str, detail: str) -> None:
    """What breaks one invariant is reported under its name, with what was found, and no other."""
    connection.execute(statement)
    assert violations(connection, FEATURES) == [name]
    (invariant,) = [each for each in INVARIANTS if each.name.startswith(name)]
    assert connection.execute(invariant.sql).fetchall() == [(detail,)]


def test_every_invariant_is_broken_once() -> None:
    """No invariant is without a test that sees it fail; their numbers run on."""
    numbers = [invariant.name.split()[0] for invariant in INVARIANTS]
    assert numbers == [f"I{number}" for number in range(1, len(INVARIANTS) + 1)]
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
    assert list(invariants(FEATURES)) == list(INVARIANTS)


def test_replace_is_reported(connection: apsw.Connection) -> None:
    """REPLACE deletes without telling triggers: what it leaves wrong is found by its name."""
    connection.execute("REPLACE INTO entry (key, value) VALUES ('a', 'again')")
    assert violations(connection, FEATURES) == ["I1", "I2", "I3", "I5", "I6"]
