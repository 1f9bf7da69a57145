"""What the triggers and the view do beside counting."""

from __future__ import annotations

import apsw
import pytest
from profile_tools import PREFIX, PUT, counters, made, violations

LONG = "a value of more than ten characters"


def rows(connection: apsw.Connection, sql: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    return connection.execute(sql).fetchall()


class TestMeta:
    """The one row of meta."""

    def test_counts(self) -> None:
        """Entries and bytes follow every write, in bytes as stored and before compression."""
        connection = made()
        connection.execute(PUT, ("a", "12345"))
        connection.execute(
            "INSERT INTO entry (key, unpacked_bytes, value) VALUES ('b', 100, x'0102')"
        )
        assert counters(connection) == (2, 7, 105)
        connection.execute("UPDATE entry SET value = 'ä', version = 2 WHERE key = 'a'")
        assert counters(connection) == (2, 4, 102)
        connection.execute("UPDATE entry SET unpacked_bytes = 50 WHERE key = 'b'")
        assert counters(connection) == (2, 4, 52)
        connection.execute("DELETE FROM entry")
        assert counters(connection) == (0, 0, 0)

    def test_update_of_same_size(self) -> None:
        """An update that keeps the size leaves the meta row, and so its page, alone."""
        connection = made()
        connection.execute(PUT, ("a", "12345"))
        before = connection.total_changes()
        connection.execute("UPDATE entry SET value = '54321' WHERE key = 'a'")
        assert connection.total_changes() == before + 1

    def test_clock(self) -> None:
        """meta keeps the latest time that a write of another size saw, and never goes back."""
        connection = made()
        for key, at in (("a", 5000), ("b", 3000)):
            connection.execute(
                "INSERT INTO entry (key, created_at, updated_at, value) VALUES (?, 1, ?, 'v')",
                (key, at),
            )
            assert rows(connection, "SELECT clock_ms FROM meta") == [(5000,)]
        connection.execute("UPDATE entry SET value = 'longer', updated_at = 7000 WHERE key = 'a'")
        assert rows(connection, "SELECT clock_ms FROM meta") == [(7000,)]

    def test_version_floor(self) -> None:
        """The floor rises above every version that was deleted, and never falls."""
        connection = made()
        connection.execute(PUT, ("a", "v"))
        connection.execute("UPDATE entry SET version = 7")
        connection.execute("DELETE FROM entry")
        assert rows(connection, "SELECT version_floor FROM meta") == [(8,)]
        connection.execute(PUT, ("b", "v"))
        connection.execute("DELETE FROM entry")
        assert rows(connection, "SELECT version_floor FROM meta") == [(8,)]


class TestAccess:
    """The order of use."""

    def test_new_entry(self) -> None:
        """A new entry is the one used last."""
        connection = made({"access"})
        for key in ("a", "b", "c"):
            connection.execute(PUT, (key, "v"))
        assert rows(connection, "SELECT entry_id, seq FROM access ORDER BY seq") == [
            (1, 1),
            (2, 2),
            (3, 3),
        ]

    def test_deleted_entry(self) -> None:
        """A deleted entry has no place in the order."""
        connection = made({"access"})
        connection.execute(PUT, ("a", "v"))
        connection.execute(PUT, ("b", "v"))
        connection.execute("DELETE FROM entry WHERE key = 'a'")
        assert rows(connection, "SELECT entry_id FROM access") == [(2,)]


class TestTags:
    """The tags of an entry."""

    def tagged(self) -> apsw.Connection:
        """Return a store with one entry of two tags."""
        connection = made({"tags"})
        connection.execute(PUT, ("a", "v"))
        connection.execute("INSERT INTO tag (name, entry_id) VALUES ('x', 1), ('y', 1)")
        return connection

    def test_deleted_entry(self) -> None:
        """Tags go with their entry."""
        connection = self.tagged()
        connection.execute("DELETE FROM entry")
        assert rows(connection, "SELECT * FROM tag") == []

    def test_replaced_entry(self) -> None:
        """A set, which alone assigns created_at, drops the old tags."""
        connection = self.tagged()
        connection.execute("UPDATE entry SET created_at = created_at, value = 'w'")
        assert rows(connection, "SELECT * FROM tag") == []

    def test_changed_entry(self) -> None:
        """Any other change keeps them."""
        connection = self.tagged()
        connection.execute("UPDATE entry SET value = 'w', expires_at = 9, version = 2")
        assert len(rows(connection, "SELECT * FROM tag")) == 2


class TestHistory:
    """Every version, whoever writes."""

    def test_life_of_a_key(self) -> None:
        """Creation, change and deletion are kept, with the value that each one made."""
        connection = made({"history"})
        connection.execute(PUT, ("a", "v1"))
        connection.execute("UPDATE entry SET value = 'v2', version = 2, updated_at = 2000")
        connection.execute("DELETE FROM entry")
        kept = rows(connection, "SELECT key, version, change, value FROM history ORDER BY seq")
        assert kept == [
            ("a", 1, "create", "v1"),
            ("a", 2, "update", "v2"),
            ("a", 3, "delete", None),
        ]
        times = rows(connection, "SELECT changed_at FROM history ORDER BY seq")
        assert times[:2] == [(1000,), (2000,)]
        assert times[2] > (1_700_000_000_000,)

    def test_unsigned(self) -> None:
        """A change made past this package is nobody's: who, why and hash are empty."""
        connection = made({"history"})
        connection.execute(PUT, ("a", "v1"))
        assert rows(connection, "SELECT who, why, sha256 FROM history") == [(None, None, None)]

    def test_touch(self) -> None:
        """What leaves the value alone is no version."""
        connection = made({"history"})
        connection.execute(PUT, ("a", "v1"))
        connection.execute("UPDATE entry SET expires_at = 99")
        assert rows(connection, "SELECT count(*) FROM history") == [(1,)]


class TestView:
    """The view "entries": values unpacked to read, packed when written, once."""

    @pytest.fixture
    def connection(self) -> apsw.Connection:
        """A store with the view."""
        return made({"compression", "history"})

    def test_insert(self, connection: apsw.Connection) -> None:
        """A long value is stored packed and read as it was; a short one stays as it is."""
        connection.execute("INSERT INTO entries (key, value) VALUES ('a', ?), ('b', 's')", (LONG,))
        assert rows(connection, "SELECT key, value, compressed FROM entries ORDER BY key") == [
            ("a", LONG, 1),
            ("b", "s", 0),
        ]
        assert rows(connection, "SELECT value, unpacked_bytes FROM entry ORDER BY key") == [
            (PREFIX + LONG.encode(), len(LONG)),
            ("s", None),
        ]
        assert violations(connection, {"compression", "history"}) == []

    def test_insert_of_existing_key(self, connection: apsw.Connection) -> None:
        """Writing a key again makes its next version."""
        for value in ("one", LONG):
            connection.execute("INSERT INTO entries (key, value) VALUES ('a', ?)", (value,))
        assert rows(connection, "SELECT value, version FROM entries") == [(LONG, 2)]
        assert rows(connection, "SELECT count(*) FROM history") == [(2,)]

    def test_update(self, connection: apsw.Connection) -> None:
        """An update packs anew, and takes the expiry that it is given."""
        connection.execute("INSERT INTO entries (key, value) VALUES ('a', ?)", (LONG,))
        connection.execute("UPDATE entries SET value = 's', expires_at = 99 WHERE key = 'a'")
        assert rows(connection, "SELECT value, version, expires_at, compressed FROM entries") == [
            ("s", 2, 99, 0)
        ]
        assert counters(connection) == (1, 1, 1)

    def test_delete(self, connection: apsw.Connection) -> None:
        """A delete deletes."""
        connection.execute("INSERT INTO entries (key, value) VALUES ('a', 1), ('b', 2)")
        connection.execute("DELETE FROM entries WHERE key = 'a'")
        assert rows(connection, "SELECT key FROM entry") == [("b",)]
        assert violations(connection, {"compression", "history"}) == []

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO entries (key, value) VALUES ('a', ?1)",
            "INSERT INTO entries (key, value) VALUES ('old', ?1)",
            "UPDATE entries SET value = ?1",
        ],
    )
    def test_packs_once(self, connection: apsw.Connection, statement: str) -> None:
        """A value is packed once a write, and written once, beside its history and the counters."""
        connection.execute(PUT, ("old", "short"))
        packed: list[object] = []

        def pack(value: object) -> bytes:
            packed.append(value)
            return PREFIX + str(value).encode()

        connection.create_scalar_function(
            "ds_pack", pack, 1, deterministic=True, flags=apsw.SQLITE_INNOCUOUS
        )
        before = connection.total_changes()
        connection.execute(statement, (LONG,))
        assert packed == [LONG]
        # the entry, its history, the meta row
        assert connection.total_changes() == before + 3

    def test_second_life(self, connection: apsw.Connection) -> None:
        """A key that was deleted comes back above every version that it had."""
        connection.execute("INSERT INTO entries (key, value) VALUES ('a', 1)")
        connection.execute("UPDATE entries SET value = 2")
        connection.execute("DELETE FROM entries")
        connection.execute("INSERT INTO entries (key, value) VALUES ('a', 3)")
        assert rows(connection, "SELECT version > 3 FROM entries") == [(1,)]
