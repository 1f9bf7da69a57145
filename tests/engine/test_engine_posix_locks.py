"""The POSIX-lock hazard: closing any descriptor of a file drops all locks that the process has
on it. Another process must be shut out by our write lock whatever else this one does meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_tools import ADD, Rival, add, open_database, values

import dsfactory as ds
from dsfactory.engine import Database, Settings, damage, identity, open_connection
from dsfactory.engine.files import file_size, require_file

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX locks")


def open_and_close(path: Path) -> None:
    """Look at a file by a connection of its own, as probes do."""
    connection = open_connection(path, Settings(), write=True)
    identity(connection)
    damage(connection, path)
    connection.close()


class TestDatabase:
    """What engine/ itself does beside a transaction."""

    @pytest.mark.parametrize(
        "meanwhile",
        [
            pytest.param(open_and_close, id="another connection"),
            pytest.param(require_file, id="require_file"),
            pytest.param(file_size, id="file_size"),
            pytest.param(lambda path: open_database(path).close(), id="unused handle"),
            pytest.param(lambda path: values(open_database(path)), id="second handle"),
        ],
    )
    def test_lock_is_kept(
        self, database: Database, path: Path, rival: Rival, meanwhile: Callable[[Path], object]
    ) -> None:
        """No use of the file by this process lets another one in."""
        with database.write() as tx:
            tx.run(ADD, (3,))
            assert rival.shut_out
            meanwhile(path)
            assert rival.shut_out
        assert not rival.shut_out
        assert values(database) == [1, 2, 3]

    def test_second_handle_closed_midway(
        self, database: Database, path: Path, rival: Rival
    ) -> None:
        """A second handle that was open all along may be closed inside of the transaction."""
        second = open_database(path)
        add(second, 3)
        with database.write() as tx:
            tx.run(ADD, (4,))
            second.close()
            assert rival.shut_out
        assert values(database) == [1, 2, 3, 4]

    def test_hazard_is_real(self, database: Database, path: Path, rival: Rival) -> None:
        """Why: a plain open() and close() of the WAL-index lets another process commit over us."""
        with database.write() as tx:
            tx.run(ADD, ("ours",))
            assert rival.shut_out
            Path(f"{path}-shm").read_bytes()
            assert not rival.shut_out
            assert rival.run("BEGIN IMMEDIATE") == []
            assert rival.run("ROLLBACK") == []
        assert values(database) == [1, 2, "ours"]


LOOKS: dict[str, Callable[[ds.DataStoreFactory, ds.DataStore[Any]], object]] = {
    "check": lambda _factory, store: store.check(),
    "stats": lambda _factory, store: store.stats(),
    "health_check": lambda _factory, store: store.health_check(),
    "get_metrics": lambda _factory, store: store.get_metrics(),
    "scan": lambda _factory, store: list(store.scan()),
    "get_store": lambda factory, store: factory.get_store(store.name),
    "get_registered_stores": lambda factory, _store: factory.get_registered_stores(),
    "get_registry_stats": lambda factory, _store: factory.get_registry_stats(),
    "perform_health_check": lambda factory, _store: factory.perform_health_check(),
}


class TestStore:
    """What people do with a store beside a transaction."""

    @pytest.fixture
    def store(self, factory: ds.DataStoreFactory) -> Iterator[ds.DataStore[Any]]:
        """A state store in use."""
        made = factory.create_state_store("sessions", busy_timeout_ms=50)
        made["before"] = 1
        yield made
        assert made.check() == []

    @pytest.mark.parametrize("look", LOOKS)
    def test_lock_is_kept(
        self, factory: ds.DataStoreFactory, store: ds.DataStore[Any], look: str
    ) -> None:
        """Looking at stores and registry from inside a transaction leaves the others out."""
        with Rival(store.path) as rival, Rival(factory.root / "metadata.db") as other:
            with store.transaction():
                store["during"] = 2
                assert rival.shut_out
                LOOKS[look](factory, store)
                assert rival.shut_out
                store["after"] = 3
            assert not rival.shut_out
            assert not other.shut_out
        assert store == {"before": 1, "during": 2, "after": 3}

    def test_all_looks_before(self, factory: ds.DataStoreFactory, store: ds.DataStore[Any]) -> None:
        """Nothing that was asked earlier weakens a later transaction."""
        for look in LOOKS.values():
            look(factory, store)
        with Rival(store.path) as rival, store.transaction():
            store["during"] = 2
            assert rival.shut_out
        assert store == {"before": 1, "during": 2}

    def test_maintenance_before(
        self, factory: ds.DataStoreFactory, store: ds.DataStore[Any]
    ) -> None:
        """A round of maintenance, which opens and closes stores, weakens nothing either."""
        factory.create_cache_store("thumbs").close()
        assert factory.maintain().failures == ()
        with Rival(store.path) as rival, store.transaction():
            store["during"] = 2
            assert rival.shut_out
        assert store == {"before": 1, "during": 2}
