"""The custom store: the contract of all kinds, and the features that an application chooses."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
from contract.common import MakeStore, Store, nothing_written, stranger
from contract.expiry_contract import ExpiryContract
from contract.store_contract import StoreContract
from store_samples import record

import dsfactory as ds

FEATURES = ("access", "compression", "expiry", "history", "tags")
SUBSETS = [set(chosen) for count in range(6) for chosen in combinations(FEATURES, count)]

PLANTED = {
    "I1": "UPDATE meta SET entries = 7",
    "I2": "UPDATE meta SET stored_bytes = 0",
    "I3": "UPDATE meta SET unpacked_bytes = unpacked_bytes + 1",
    "I4 version": "UPDATE entry SET version = 0 WHERE key = 'k'",
    "I4 times": "UPDATE entry SET updated_at = created_at - 1 WHERE key = 'k'",
    "I5 missing": "DELETE FROM access WHERE seq = 1",
    "I5 orphan": "INSERT INTO access (entry_id, seq, used_at) VALUES (99, 99, 0)",
    "I6": "INSERT INTO tag (name, entry_id) VALUES ('t', 99)",
    "I7 value": "UPDATE history SET value = '0' WHERE key = 'k'",
    "I7 missing": "DELETE FROM history WHERE key = 'k'",
    "I8": "UPDATE entry SET value = '{\"a\":' WHERE key = 'k'",
}
MENDED = {"I1", "I2", "I3", "I5", "I6"}


class TestCustomStore(StoreContract, ExpiryContract):
    """What every kind promises, and those with expiry."""

    kind = "custom"

    def test_all_features(self, make_store: MakeStore, clock: ds.ManualClock) -> None:
        """Every feature works beside every other."""
        store = make_store("custom", features=set(FEATURES), max_entries=2, max_versions=3)
        assert isinstance(store, ds.CustomStore)
        store.set("a", {"n": 1}, ttl=1000, tags=["t"], who="ann")
        store["b"] = "v" * 20_000
        clock.advance(1000)
        assert dict(store) == {"b": "v" * 20_000}
        store["c"] = 3
        assert store.stats().expired == 1
        store["d"] = 4
        assert list(store) == ["c", "d"]
        assert [version.change for version in store.history("a")] == ["delete", "create"]
        assert store.rollback(1, "a") > 1
        assert store["a"] == {"n": 1}

    @pytest.mark.parametrize(
        "features", SUBSETS, ids=lambda chosen: "+".join(sorted(chosen)) or "-"
    )
    def test_feature_subset(self, make_store: MakeStore, features: set[str]) -> None:
        """Whatever subset is chosen, the store works, and what was not chosen is refused."""
        store = make_store("custom", features=features)
        assert set(store.options.features) == features
        store["a"] = "v" * 20_000
        store.increment("n")
        del store["a"]
        assert store == {"n": 1}
        assert store.stats().entries == len(store) == 1
        assert store.repair() == []
        uses: dict[str, Callable[[], object]] = {
            "expiry": lambda: store.set("k", 1, ttl=1000),
            "tags": lambda: store.set("k", 1, tags=["t"]),
            "history": lambda: store.set("k", 1, why="because"),  # type: ignore[call-arg]
            "compression": store.train_dictionary,
        }
        for feature, use in uses.items():
            if feature in features:
                use()
            else:
                with nothing_written(store), pytest.raises(ds.FeatureError, match=feature):
                    use()

    @pytest.mark.parametrize(
        ("feature", "use"),
        [
            ("tags", lambda store: store.evict_tag("t")),
            ("expiry", lambda store: store.touch("k", 1000)),
            ("tags", lambda store: store.batch().set("k", 1, tags=["t"])),
        ],
    )
    def test_missing_feature(
        self, make_store: MakeStore, feature: str, use: Callable[[Store], object]
    ) -> None:
        """The error names the feature; it is a ValueError."""
        store = make_store("custom", features=set())
        with pytest.raises(ds.FeatureError, match=feature) as caught:
            use(store)
        assert isinstance(caught.value, ValueError)
        assert caught.value.facts == {"store": "under-test"}

    @pytest.mark.parametrize("codec", ["json", "msgpack", "raw"])
    def test_codecs(self, make_store: MakeStore, codec: str) -> None:
        """Every codec stores values of its kind, compressed or not, and refuses others."""
        store = make_store("custom", codec=codec)
        small: Any = b"\x00\xff" if codec == "raw" else {"a": [1, "é"]}
        large: Any = b"v" * 20_000 if codec == "raw" else {"a": "é" * 20_000}
        store.update({"small": small, "large": large})
        assert store == {"small": small, "large": large}
        assert store.get_many(["small"]) == {"small": small}
        with nothing_written(store), pytest.raises(ds.ValueShapeError):
            store["k"] = "text" if codec == "raw" else object()

    def test_document_of_bytes(self, make_store: MakeStore) -> None:
        """Raw bytes are counted and hashed as they are."""
        store = make_store("custom", codec="raw", features={"history"})
        assert isinstance(store, ds.CustomStore)
        store.save(b"")
        store.save(b"\x00" * 10)
        assert [version.value for version in store.history()] == [b"\x00" * 10, b""]
        assert store.get_metrics().bytes_written == 10

    @pytest.mark.parametrize("planted", PLANTED)
    def test_check_finds_planted(self, make_store: MakeStore, planted: str) -> None:
        """Each invariant that another program broke is found by name, and only that one.

        What is bookkeeping is mended by repair(); for the rest it says what is still wrong.
        """
        store = make_store("custom", features=set(FEATURES))
        store.set("k", {"a": 1}, tags=["t"])
        store["other"] = 2
        with stranger(store) as other:
            other.execute(PLANTED[planted])
        found = {violation.invariant[:2] for violation in store.check()}
        name = planted[:2]
        also = {"I8": {"I2", "I3", "I7"}}.get(name, set())
        assert name in found
        assert found <= {name} | also
        left = {violation.invariant[:2] for violation in store.repair()}
        assert left == found - MENDED
        store.clear()
        assert store.check() == []

    def test_check_finds_broken_constraint(self, make_store: MakeStore) -> None:
        """What SQLite's own check complains of is told in its words."""
        store = make_store("custom", features=set())
        store["k"] = 1
        with stranger(store) as other:
            other.pragma("ignore_check_constraints", True)
            other.execute("UPDATE entry SET key = 1.5")
        (violation,) = store.check()
        assert violation == ds.Violation("I0 the file is sound", "CHECK constraint failed in entry")
        assert store.repair() == [violation]
        store.clear()

    def test_compressed_value_without_feature(self, make_store: MakeStore) -> None:
        """A frame that another program put into a store without the feature is reported."""
        trained = make_store("custom", "trained")
        trained.update({number: record(number) for number in range(200)})
        assert trained.train_dictionary()
        trained["k"] = record(1000)
        with stranger(trained) as other:
            row = other.execute("SELECT unpacked_bytes, value FROM entry WHERE key = 'k'").get
        store = make_store("custom", features={"expiry"})
        store["k"] = 1
        with stranger(store) as other:
            other.execute("UPDATE entry SET unpacked_bytes = ?, value = ?", row)
        with pytest.raises(ds.CorruptValueError, match="dictionary"):
            store["k"]
        del store["k"]

    def test_large_value_gives_pages_back(self, make_store: MakeStore) -> None:
        """Many freed pages are given back in steps, all of them."""
        store = make_store("custom", codec="raw", compression=False)
        store["k"] = bytes(9_000_000)
        del store["k"]
        free = store.stats().free_bytes
        assert free > 8_192_000
        _, freed = store.maintain()
        assert freed * 4096 == free
        assert store.stats().free_bytes == 0
        assert store.stats().file_bytes < 200_000

    def test_order_of_use_after_repair(self, make_store: MakeStore) -> None:
        """Entries whose place in the order of use was lost are put at its end."""
        store = make_store("custom", features={"access"})
        store.update({"a": 1, "b": 2, "c": 3})
        store.close()
        store = make_store("custom")
        with stranger(store) as other:
            other.execute("DELETE FROM access WHERE seq = (SELECT min(seq) FROM access)")
        assert store.repair() == []
        store.close()
        store = make_store("custom", max_entries=1)
        assert store.evict() == 2
        assert list(store) == ["a"]
