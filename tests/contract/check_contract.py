"""check() finds what is wrong in a file, repair() mends the bookkeeping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contract.common import Contract, Store, stranger

import dsfactory as ds


def names(found: list[ds.Violation]) -> list[str]:
    """The names of what was found, without its description."""
    return [violation.invariant.split()[0] for violation in found]


def damage_entries(store: Store) -> None:
    """Close the store and overwrite the middle of the page that its table of entries begins on."""
    with stranger(store) as other:
        ((page, size),) = other.execute(
            "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'entry'"
        )
    store.close()
    with Path(store.path).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * (size // 2))


class CheckContract(Contract):
    """check, repair and health_check."""

    @pytest.mark.parametrize(
        ("invariant", "plant"),
        [
            ("I1", "UPDATE meta SET entries = entries + 1"),
            ("I2", "UPDATE meta SET stored_bytes = stored_bytes - 1"),
            ("I3", "UPDATE meta SET unpacked_bytes = 0"),
        ],
    )
    def test_check_finds_wrong_counter(self, store: Store, invariant: str, plant: str) -> None:
        """A counter that another program spoilt is found by name, and mended."""
        store["k"] = "value"
        with stranger(store) as other:
            other.execute(plant)
        found = store.check()
        assert names(found) == [invariant]
        assert str(found[0]).startswith(f"{found[0].invariant}: meta says ")
        assert store.repair() == []
        assert store.check() == []
        assert (len(store), store["k"]) == (1, "value")

    def test_check_finds_undecodable_value(self, store: Store) -> None:
        """A value that cannot be decoded is found without showing it; others can be read."""
        store.update({"bad": "value", "good": 1})
        with stranger(store) as other:
            other.execute("UPDATE entry SET value = x'c1c1' WHERE key = 'bad'")
        assert "I8" in names(store.check())
        assert "I8" in names(store.repair())
        with pytest.raises(ds.CorruptValueError):
            store["bad"]
        with pytest.raises(ds.CorruptValueError):
            store.pop("bad")
        assert "bad" in store
        assert store["good"] == 1
        store["bad"] = "written again"
        assert store.check() == []

    def test_check_finds_damaged_page(self, store: Store, factory: ds.DataStoreFactory) -> None:
        """A page that was overwritten on disk is found, and repair does not claim to mend it."""
        store.set_many(dict.fromkeys(range(50), "value"))
        damage_entries(store)
        again: ds.DataStore[Any] = factory.get_store("under-test")
        assert set(names(again.check())) == {"I0"}
        with pytest.raises(ds.CorruptError):
            again.repair()
        health = again.health_check()
        assert not health.healthy
        assert any("quick_check" in problem for problem in health.problems)
        factory.unregister_store("under-test")

    def test_repair_of_sound_store(self, store: Store) -> None:
        """Mending what is whole changes nothing."""
        store.update({"a": 1, "b": [2]})
        before = store.stats()
        assert store.repair() == []
        assert store.stats() == before
        assert store == {"a": 1, "b": [2]}

    def test_health_check_moves_nothing(self, store: Store) -> None:
        """Asking a store how it is moves none of its counters and needs no open store."""
        store["k"] = 1
        metrics, stats = store.get_metrics(), store.stats()
        health = store.health_check()
        assert health.healthy
        assert health.problems == ()
        assert (health.name, health.kind, health.path) == ("under-test", self.kind, store.path)
        names_of_probes = [probe.name.split()[0] for probe in health.probes]
        assert names_of_probes == ["file", "readable", "writable", "schema", "quick_check"]
        assert store.get_metrics() == metrics
        assert store.stats() == stats
