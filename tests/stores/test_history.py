"""The history of config and custom stores: every version, signed; differences; the way back."""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from contract.common import MakeStore, nothing_written, stranger

import dsfactory as ds

Config = ds.ConfigStore[Any]


@pytest.fixture
def store(make_store: MakeStore) -> Config:
    """A config store for any value."""
    made = make_store("config")
    assert isinstance(made, ds.ConfigStore)
    return made


def sha256(text: str) -> str:
    """The hash of an encoded value."""
    return hashlib.sha256(text.encode()).hexdigest()


def test_save_makes_one_version(store: Config, clock: ds.ManualClock) -> None:
    """Every save is one version with who, when, why and the hash of what was saved."""
    first = clock.now_ms()
    assert store.save({"a": 1}, who="ann", why="first try") == 1
    clock.advance(5000)
    assert store.save({"a": "é"}) == 2
    assert store.history() == [
        ds.Version(
            version=2,
            key="document",
            value={"a": "é"},
            change="update",
            changed_at=first + 5000,
            who=getpass.getuser(),
            why=None,
            sha256=sha256('{"a":"é"}'),
        ),
        ds.Version(
            version=1,
            key="document",
            value={"a": 1},
            change="create",
            changed_at=first,
            who="ann",
            why="first try",
            sha256=sha256('{"a":1}'),
        ),
    ]


def test_history_of_deletion(store: Config, clock: ds.ManualClock) -> None:
    """A deletion is a version without a value and a hash; the key's next life goes on counting."""
    store.set("k", 1, who="ann")
    clock.advance(10)
    with store.signed("bob", "cleaning up"):
        del store["k"]
    store.set("k", 2)
    found = [(v.version, v.change, v.value) for v in store.history("k")]
    assert found == [(3, "create", 2), (2, "delete", None), (1, "create", 1)]
    deletion = store.history("k")[1]
    assert (deletion.who, deletion.why, deletion.sha256) == ("bob", "cleaning up", None)
    assert deletion.changed_at == clock.now_ms()


@pytest.mark.parametrize(
    ("limit", "versions"),
    [(None, [3, 2, 1]), (2, [3, 2]), (0, []), (9, [3, 2, 1])],
)
def test_history_limit(store: Config, limit: int | None, versions: list[int]) -> None:
    """The newest come first, as many as asked for."""
    for value in range(3):
        store.save(value)
    assert [version.version for version in store.history(limit=limit)] == versions
    assert store.history("unknown") == []


@pytest.mark.parametrize("limit", [-1, True, "1", 1.5, 2**70])
def test_history_limit_refused(store: Config, limit: Any) -> None:
    """A limit is a count, or None."""
    store.save(1)
    with pytest.raises(ds.OptionError, match="limit"):
        store.history(limit=limit)


def test_history_of_every_operation(store: Config) -> None:
    """Whatever changes a value makes one version; what changes nothing makes none."""
    store["k"] = 1
    store.add("k", 0)
    store.increment("k")
    store.update_with("k", lambda old: old + 1)
    store.set_many({"k": 4})
    store.batch().set("k", 5).commit()
    store.setdefault("k", 0)
    store.get("k")
    with pytest.raises(ds.VersionConflictError):
        store.set("k", 0, if_version=1)
    assert [version.value for version in store.history("k")] == [5, 4, 3, 2, 1]
    assert len({version.who for version in store.history("k")}) == 1


def test_version_of_key(store: Config) -> None:
    """version() gives the value of any version, also of a deleted key."""
    store.set("k", [1])
    store.set("k", [2])
    del store["k"]
    assert [store.version(1, "k"), store.version(2, "k")] == [[1], [2]]


@pytest.mark.parametrize("version", [0, 3, 4, -1, 2**70])
@pytest.mark.parametrize(
    "use",
    [
        lambda store, version: store.version(version),
        lambda store, version: store.rollback(version),
        lambda store, version: store.diff(version, 1),
        lambda store, version: store.diff(1, version),
    ],
    ids=["version", "rollback", "diff old", "diff new"],
)
def test_unknown_version(store: Config, use: Callable[..., object], version: int) -> None:
    """What was never saved cannot be read, compared or restored: deletions neither."""
    store.save(1)
    store.save(2)
    del store["document"]
    with nothing_written(store), pytest.raises(ds.VersionAbsentError, match=str(version)):
        use(store, version)


@pytest.mark.parametrize("version", [True, "1", 1.0, None])
def test_version_of_wrong_type(store: Config, version: Any) -> None:
    """A version is an int."""
    store.save(1)
    with nothing_written(store):
        for use in (store.version, store.rollback, lambda wrong: store.diff(wrong, 1)):
            with pytest.raises(ds.OptionTypeError, match="version"):
                use(version)


# -- differences


def test_diff_paths(store: Config) -> None:
    """Each place that was added, removed or changed is named, sorted by path."""
    store.save({"a": 1, "gone": [1], "same": {"x": 1}, "list": [1, {"p": 1, "q": 2}, 3], "n": 1})
    store.save({"a": 2, "new": {}, "same": {"x": 1}, "list": [1, {"p": 5}], "n": 1.0})
    found = [(d.path, d.change, d.old, d.new) for d in store.diff(1, 2)]
    assert found == [
        ("$.a", "changed", 1, 2),
        ("$.gone", "removed", [1], None),
        ("$.list[1].p", "changed", 1, 5),
        ("$.list[1].q", "removed", 2, None),
        ("$.list[2]", "removed", 3, None),
        ("$.n", "changed", 1, 1.0),
        ("$.new", "added", None, {}),
    ]
    assert [(d.path, d.change) for d in store.diff(2, 1)] == [
        (path, {"added": "removed", "removed": "added"}.get(change, change))
        for path, change, _, _ in found
    ]
    assert store.diff(1, 1) == []


@pytest.mark.parametrize(("old", "new"), [(1, "1"), ([1], {"0": 1}), (None, 0), (True, 1)])
def test_diff_of_whole_value(store: Config, old: Any, new: Any) -> None:
    """Values of different types differ as a whole."""
    store.set("k", old)
    store.set("k", new)
    assert store.diff(1, 2, "k") == [ds.Difference("$", "changed", old, new)]


def test_diff_of_typed_values(factory: ds.DataStoreFactory) -> None:
    """Typed values are compared as what is stored of them."""
    store = factory.create_config_store("typed", dict[str, tuple[int, ...]])
    store.save({"a": (1, 2)})
    store.save({"a": (1, 3)})
    assert store.diff(1, 2) == [ds.Difference("$.a[1]", "changed", 2, 3)]


# -- the way back


def test_rollback_makes_version(store: Config) -> None:
    """A rollback is a new version that says so; nothing is forgotten."""
    store.save({"a": 1})
    store.save({"a": 2})
    assert store.rollback(1, who="ann", why="was better") == 3
    assert store.load() == {"a": 1}
    newest = store.history()[0]
    assert (newest.version, newest.change, newest.value) == (3, "rollback", {"a": 1})
    assert (newest.who, newest.why) == ("ann", "was better")
    assert newest.sha256 == store.history()[2].sha256
    assert len(store.history()) == 3


def test_rollback_of_deleted_key(store: Config) -> None:
    """A deleted key comes back."""
    store.set("k", 1)
    store.set("other", 1)
    del store["k"]
    assert store.rollback(1, "k") == 3
    assert store["k"] == 1
    assert [version.change for version in store.history("k")] == ["rollback", "delete", "create"]
    assert [version.change for version in store.history("other")] == ["create"]


def test_rollback_to_value_of_old_type(factory: ds.DataStoreFactory) -> None:
    """A version that is not of the store's type any more is not restored."""
    store: Config = factory.create_config_store("typed", dict[str, int])
    store.save({"a": 1})
    store.close()
    later = factory.create_config_store("typed", list[int])
    later.save([1])
    with nothing_written(later), pytest.raises(ds.CorruptValueError):
        later.rollback(1)
    assert later.load() == [1]
    factory.unregister_store("typed")


def test_rollback_asks_validators(store: Config) -> None:
    """What the validators refuse today does not come back by a rollback."""
    store.save({"port": 80})
    store.save({"port": 8080})
    store.add_validation_hook(lambda value: value["port"] > 1024)
    with nothing_written(store), pytest.raises(ds.ValidationRefusedError):
        store.rollback(1)


def test_rollback_to_value_over_limit(make_store: MakeStore) -> None:
    """A version that is larger than today's limits allow is not restored."""
    features = {"history", "access"}
    store = make_store("custom", features=features)
    store["k"] = "v" * 98
    store["k"] = 1
    store.close()
    store = make_store("custom", max_bytes=50)
    assert isinstance(store, ds.CustomStore)
    with nothing_written(store), pytest.raises(ds.ValueTooLargeError):
        store.rollback(1, "k")
    assert store == {"k": 1}


def test_rollback_in_full_store(make_store: MakeStore) -> None:
    """The mark of a rollback goes to the restored key, not to what had to make room for it."""
    store = make_store("custom", features={"history", "access"}, max_entries=1)
    assert isinstance(store, ds.CustomStore)
    store["a"] = 1
    store["b"] = 2
    store.rollback(1, "a")
    assert dict(store) == {"a": 1}
    assert [version.change for version in store.history("a")] == ["rollback", "delete", "create"]
    assert [version.change for version in store.history("b")] == ["delete", "create"]


@pytest.mark.parametrize(
    "use", [lambda s: s.version(1), lambda s: s.rollback(1), lambda s: s.diff(1, 2)]
)
def test_tampered_history(store: Config, use: Callable[[Config], object]) -> None:
    """A version that was changed afterwards does not match its hash, and is not believed."""
    store.save({"a": 1})
    store.save({"a": 2})
    with stranger(store) as other:
        other.execute("""UPDATE history SET value = '{"a":7}' WHERE version = 1""")
    with nothing_written(store), pytest.raises(ds.CorruptValueError, match="hash") as caught:
        use(store)
    assert caught.value.facts == {"key": "document", "version": 1}
    assert store.version(2) == {"a": 2}


# -- limits


def test_max_versions(make_store: MakeStore) -> None:
    """Only the newest versions of each key are kept; the current one always is."""
    store = make_store("config", max_versions=2)
    assert isinstance(store, ds.ConfigStore)
    store["other"] = 0
    for value in range(5):
        store["k"] = value
    assert [version.value for version in store.history("k")] == [4, 3]
    assert [version.value for version in store.history("other")] == [0]
    with store.transaction():
        store["k"] = 5
        store["k"] = 6
        store["k"] = 7
        del store["other"]
    assert [version.value for version in store.history("k")] == [7, 6]
    assert [version.change for version in store.history("other")] == ["delete", "create"]
    with pytest.raises(ds.VersionAbsentError):
        store.version(1, "k")
    assert store.check() == []


# -- other programs, compressed values


def test_change_by_another_program(store: Config) -> None:
    """What was changed past this package is in the history too, unsigned, and can be restored."""
    store.save(1)
    with stranger(store) as other:
        other.execute("UPDATE entry SET version = version + 1, value = '2'")
        other.execute("INSERT INTO entry (key, value) VALUES ('k', '[]')")
    store.save(3)
    assert [(v.value, v.change) for v in store.history()] == [
        (3, "update"),
        (2, "update"),
        (1, "create"),
    ]
    newest, foreign, _ = store.history()
    assert (foreign.who, foreign.why, foreign.sha256) == (None, None, None)
    assert newest.who == getpass.getuser()
    assert store.history("k")[0].who is None
    assert store.version(2) == 2
    assert store.rollback(2) == 4
    assert store.load() == 2
    assert store.check() == []


def test_history_of_compressed_values(store: Config) -> None:
    """Compressed versions are kept compressed; hash, diff and rollback are about the value."""
    long, longer = {"a": "x" * 5000}, {"a": "x" * 5000, "b": 1}
    store.save(long)
    store.save(longer)
    assert store.history()[1].sha256 == sha256('{"a":"' + "x" * 5000 + '"}')
    assert store.version(1) == long
    assert store.diff(1, 2) == [ds.Difference("$.b", "added", None, 1)]
    store.rollback(1)
    entry = store.entry("document")
    assert entry is not None
    assert (entry.value, entry.compressed) == (long, True)
    assert entry.size_bytes < 100


# -- without the feature


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.history(),
        lambda store: store.version(1),
        lambda store: store.diff(1, 2),
        lambda store: store.rollback(1),
        lambda store: store.save(1, who="ann"),
        lambda store: store.set("k", 1, why="because"),
        lambda store: store.signed("ann").__enter__(),
    ],
)
def test_no_history(make_store: MakeStore, use: Callable[[Any], object]) -> None:
    """A custom store without the feature says that it is missing, and writes nothing."""
    store = make_store("custom")
    store["document"] = 0
    with nothing_written(store), pytest.raises(ds.FeatureError, match="history"):
        use(store)
