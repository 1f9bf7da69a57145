"""Compression: from the threshold on, with trained dictionaries for small values."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from contract.common import MakeStore, Store, nothing_written, stranger
from store_samples import record

import dsfactory as ds

THRESHOLDS = {"config": 1024, "metrics": 10_000, "state": 2048, "custom": 10_240}


def entry_of(store: Store, key: ds.Key) -> ds.Entry[Any]:
    """An entry that is there."""
    entry = store.entry(key)
    assert entry is not None
    return entry


@pytest.mark.parametrize(("kind", "threshold"), THRESHOLDS.items())
def test_threshold_of_kind(make_store: MakeStore, kind: str, threshold: int) -> None:
    """Encoded values of the threshold's size are stored compressed, shorter ones as they are."""
    store = make_store(kind)
    overhead = len(store._values.codec.encode("v" * threshold)) - threshold
    store["below"] = "v" * (threshold - overhead - 1)
    store["at"] = "v" * (threshold - overhead)
    below, at = entry_of(store, "below"), entry_of(store, "at")
    assert (below.compressed, below.size_bytes) == (False, threshold - 1)
    assert at.compressed
    assert at.size_bytes < 100
    assert at.value == "v" * (threshold - overhead)
    stats = store.stats()
    assert stats.size_bytes == below.size_bytes + at.size_bytes
    assert stats.unpacked_bytes == threshold * 2 - 1
    assert store.get_many(["at", "below"])["at"] == at.value


@pytest.mark.parametrize(
    ("kind", "options"), [("cache", {}), ("state", {"compression": False})], ids=["cache", "off"]
)
def test_compression_off(make_store: MakeStore, kind: str, options: dict[str, Any]) -> None:
    """A cache compresses nothing unless it is told to; neither does any store told not to."""
    store = make_store(kind, **options)
    store["k"] = "v" * 100_000
    assert not entry_of(store, "k").compressed
    store.close()
    store = make_store(kind, compression=True, compression_threshold=100)
    assert store["k"] == "v" * 100_000
    store["k"] = "v" * 100_000
    assert entry_of(store, "k").compressed
    store.close()
    assert make_store(kind, compression=False)["k"] == "v" * 100_000


def test_plain_json_is_text(make_store: MakeStore) -> None:
    """JSON below the threshold is TEXT that every SQLite browser reads; compressed it is a blob."""
    store = make_store("state")
    store["plain"] = {"é": [1, None]}
    store["long"] = "v" * 5000
    with stranger(store) as other:
        found = other.execute("SELECT key, typeof(value), value, unpacked_bytes FROM entry").get
    assert found[0] == ("plain", "text", '{"é":[1,null]}', None)
    assert (found[1][1], found[1][3]) == ("blob", 5002)


@pytest.mark.parametrize(("codec", "form"), [("json", "text"), ("msgpack", "blob")])
def test_many_of_both_sizes(make_store: MakeStore, codec: str, form: str) -> None:
    """Of many at once each is stored as it would be alone, whatever comes before and after it."""
    values: dict[ds.Key, Any] = {
        key: {"é": "v" * (5000 if number % 2 else number)}
        for number, key in enumerate(["a", "é", 1, -(2**63), b"", b"\xff", "", "0", 0, "z" * 1024])
    }
    store = make_store("custom", codec=codec, compression=True, compression_threshold=1024)
    store.set_many(values)
    assert dict(store) == values
    with stranger(store) as other:
        found = dict(other.execute("SELECT key, typeof(value) FROM entry").fetchall())
    assert found == {key: form if number % 2 == 0 else "blob" for number, key in enumerate(values)}


def test_incompressible_value(make_store: MakeStore) -> None:
    """What compression does not make smaller is stored as it is."""
    store = make_store("custom", codec="raw")
    noise = random.Random(1).randbytes(50_000)
    store["k"] = noise
    entry = entry_of(store, "k")
    assert (entry.compressed, entry.size_bytes, entry.value) == (False, 50_000, noise)


def test_damaged_frame(make_store: MakeStore) -> None:
    """A compressed value that was damaged is reported as such by every way of reading."""
    store = make_store("state")
    store["k"] = "v" * 5000
    with stranger(store) as other:
        other.execute("UPDATE entry SET value = CAST(substr(value, 1, 12) AS BLOB)")
    for read in (store.get, store.entry, store.pop, lambda key: store.get_many([key])):
        with pytest.raises(ds.CorruptValueError):
            read("k")
    with pytest.raises(ds.CorruptValueError):
        list(store.scan())
    assert {v.invariant[:2] for v in store.check()} >= {"I8"}
    del store["k"]


class TestDictionary:
    """train_dictionary."""

    @pytest.fixture
    def store(self, make_store: MakeStore) -> Store:
        """A store of 200 small records."""
        store = make_store("state")
        store.set_many({number: record(number) for number in range(200)})
        return store

    @pytest.fixture
    def twin(self, store: Store, factory: ds.DataStoreFactory) -> Iterator[Store]:
        """The same store, opened by another factory before the training."""
        with ds.DataStoreFactory(factory.root, maintenance="manual") as other:
            twin: Store = other.get_store(store.name)
            assert twin[1] == record(1)
            yield twin

    def test_training(self, store: Store) -> None:
        """Small values are compressed from then on; those already stored keep their form."""
        assert not store.has_dictionary()
        assert not entry_of(store, 0).compressed
        assert store.train_dictionary()
        assert store.has_dictionary()
        store["new"] = record(1000)
        new = entry_of(store, "new")
        assert (new.compressed, new.value) == (True, record(1000))
        assert new.size_bytes < 0.7 * len(store._values.codec.encode(record(1000)))
        assert not entry_of(store, 0).compressed
        assert store[0] == record(0)
        assert store.check() == []

    def test_training_over_reopening(self, store: Store, make_store: MakeStore) -> None:
        """A store that is opened later uses the newest dictionary, and reads values of older."""
        store.train_dictionary()
        store["first"] = record(1000)
        store.set_many({number: f"another shape entirely {number}" * 3 for number in range(200)})
        assert store.train_dictionary(samples=200)
        store["second"] = "another shape entirely 1000" * 3
        store.close()
        again = make_store("state")
        assert again.has_dictionary()
        again["third"] = "another shape entirely 2000" * 3
        assert all(entry_of(again, key).compressed for key in ("first", "second", "third"))
        assert again["first"] == record(1000)

    def test_handle_opened_before_training(self, store: Store, twin: Store) -> None:
        """A handle that was open before reads what was compressed with the new dictionary."""
        store.train_dictionary()
        store["new"] = record(1000)
        assert entry_of(store, "new").compressed
        assert twin["new"] == record(1000)
        store["newer"] = record(1001)
        with twin.transaction():
            assert twin["newer"] == record(1001)
        assert dict(twin.scan(prefix="new")) == {"new": record(1000), "newer": record(1001)}
        assert twin.check() == []

    def test_training_without_samples(self, make_store: MakeStore) -> None:
        """Too few values give no dictionary; nothing is written."""
        store = make_store("state")
        store["k"] = record(1)
        with nothing_written(store):
            assert not store.train_dictionary()
        assert not store.has_dictionary()

    @pytest.mark.parametrize("samples", [-5, True, "many", 1.5])
    def test_training_samples_refused(self, store: Store, samples: Any) -> None:
        """The number of samples is a count."""
        with nothing_written(store), pytest.raises(ds.OptionError, match="samples"):
            store.train_dictionary(samples=samples)

    def test_training_undone(self, store: Store, make_store: MakeStore) -> None:
        """No value may depend on a dictionary that a rollback undid."""
        with suppress(ds.TransactionError), store.transaction():  # refusing to train is as good
            store.train_dictionary()
            raise ds.Rollback
        store["new"] = record(1000)
        store.close()
        again = make_store("state")
        assert again["new"] == record(1000)
        assert again.check() == []

    def test_lost_dictionary(self, store: Store, make_store: MakeStore) -> None:
        """A value whose dictionary is gone is reported with the dictionary's id."""
        store.train_dictionary()
        store["new"] = record(1000)
        store.close()
        again = make_store("state")
        with stranger(again) as other:
            ((identifier,),) = other.execute("DELETE FROM dictionary RETURNING id")
        again.close()
        again = make_store("state")
        with pytest.raises(ds.CorruptValueError, match=str(identifier)):
            again["new"]
        assert again[0] == record(0)
        assert [v.invariant[:2] for v in again.check()] == ["I8"]
        del again["new"]

    def test_training_without_feature(self, make_store: MakeStore) -> None:
        """A store without the feature has no dictionaries."""
        store = make_store("custom", features=set())
        assert not store.has_dictionary()
        with pytest.raises(ds.FeatureError, match="compression"):
            store.train_dictionary()
