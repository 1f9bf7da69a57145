"""create_*: found or made, once; typed; and what differs is said."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypedDict

import msgspec
import pytest
from factory_traces import PATIENCE_S, anything, create, raw, traces

import dsfactory as ds
from dsfactory.model import Kind


@dataclasses.dataclass
class AppConfig:
    port: int
    name: str = "app"


class Session(msgspec.Struct):
    user: str


class Point(TypedDict):
    x: int


CLASSES = {
    Kind.CONFIG: ds.ConfigStore,
    Kind.METRICS: ds.MetricsStore,
    Kind.CACHE: ds.CacheStore,
    Kind.STATE: ds.StateStore,
    Kind.CUSTOM: ds.CustomStore,
}


@pytest.mark.parametrize("kind", Kind)
def test_new_store(factory: ds.DataStoreFactory, kind: Kind) -> None:
    """A new store is of its kind's class, has one file and is in the registry."""
    store = create(factory, kind)
    store["a"] = 1
    assert type(store) is CLASSES[kind]
    assert (store.kind, store.name) == (kind, "x")
    assert store.path == factory.root / "stores" / "x.db"
    assert traces(factory).stores == ["x"]


@pytest.mark.parametrize("kind", Kind)
def test_same_name_twice(factory: ds.DataStoreFactory, kind: Kind) -> None:
    """The same name gives the same object, by create and by get."""
    store = create(factory, kind)
    assert create(factory, kind) is store
    assert factory.get_store("x") is store
    assert traces(factory).stores == ["x"]


@pytest.mark.parametrize(
    "options",
    [
        lambda: {"max_retries": 7, "ttl": "1d"},
        lambda: {"codec": "MSGPACK"},
        lambda: {"features": ["tags", "expiry"]},
        lambda: {"features": {"expiry"}, "compression": False},
        lambda: {"schema": AppConfig},
        lambda: {"schema": dict[str, int]},
        lambda: {"schema": int | None},
        lambda: {"schema": list[Point]},
    ],
)
def test_same_call_twice(
    factory: ds.DataStoreFactory, options: Callable[[], dict[str, Any]]
) -> None:
    """The very same call gives the same object, options and type included."""
    store = create(factory, "custom", **options())
    assert create(factory, "custom", **options()) is store


def test_fewer_options_the_second_time(factory: ds.DataStoreFactory) -> None:
    """What is not asked for the second time is not in conflict."""
    store = factory.create_cache_store("x", Session, max_entries=7)
    assert factory.create_cache_store("x") is store
    assert store.options.max_entries == 7


def test_from_many_threads(factory: ds.DataStoreFactory) -> None:
    """Threads that all ask for a new store at once get the same object."""
    threads = 12
    barrier = threading.Barrier(threads)

    def ask(_number: int) -> ds.DataStore[Any]:
        barrier.wait(PATIENCE_S)
        return factory.create_state_store("x")

    with ThreadPoolExecutor(threads) as pool:
        assert len(set(map(id, pool.map(ask, range(threads))))) == 1
    assert traces(factory).stores == ["x"]


@pytest.mark.parametrize("was_open", [True, False])
@pytest.mark.parametrize(("first", "second"), [("cache", "state"), ("config", "custom")])
def test_another_kind(
    factory: ds.DataStoreFactory, first: str, second: str, was_open: bool
) -> None:
    """A name that is taken by another kind is a conflict that says both kinds."""
    store = create(factory, first)
    if not was_open:
        store.close()
    with pytest.raises(ds.KindConflictError, match=f"is a {first} store, not a {second}") as error:
        create(factory, second)
    assert (error.value.facts["found"], error.value.facts["wanted"]) == (first, second)


@pytest.mark.parametrize("was_open", [True, False])
@pytest.mark.parametrize(
    ("option", "there", "asked_for"),
    [
        ("codec", "json", "msgpack"),
        ("features", ("compression", "expiry", "tags"), ("expiry",)),
        ("page_checksums", False, True),
    ],
)
def test_another_structure(
    factory: ds.DataStoreFactory, option: str, there: Any, asked_for: Any, was_open: bool
) -> None:
    """What is fixed in the file cannot be asked for otherwise; the error says what differs."""
    store = create(factory, "custom")
    if not was_open:
        store.close()
    with pytest.raises(ds.ConfigurationConflictError) as conflict:
        create(factory, "custom", **{option: asked_for})
    for words in ("'x'", option, repr(there), repr(asked_for)):
        assert words in str(conflict.value)
    assert getattr(factory.get_store("x").options, option) == there


def test_other_tunables_while_open(factory: ds.DataStoreFactory) -> None:
    """An open store cannot get other options; the error says which differ, and how."""
    create(factory, "cache", max_entries=5)
    with pytest.raises(ds.ConfigurationConflictError, match="max_entries=5 now, 6 asked for"):
        create(factory, "cache", max_entries=6)
    assert factory.get_store("x").options.max_entries == 5


def test_other_tunables_after_close(factory: ds.DataStoreFactory) -> None:
    """Options given later are recorded, and hold whenever the store is opened again."""
    create(factory, "cache", max_entries=5).close()
    create(factory, "cache", max_entries=6, ttl="1d").close()
    store = factory.get_store("x")
    record = factory.get_registered_store("x")
    assert (store.options.max_entries, store.options.ttl) == (6, 86_400_000)
    assert record is not None
    assert record.options == store.options


def test_tunables_survive_a_restart(opened: Any) -> None:
    """The next factory opens a store with the options that the last one recorded."""
    create(
        opened(), "custom", codec="msgpack", features={"expiry"}, max_retries=0, ttl=5000
    ).close()
    first = opened().get_store("x")
    assert first.options.codec == "msgpack"
    assert first.options.features == ("expiry",)
    assert (first.options.max_retries, first.options.ttl) == (0, 5000)


def test_another_type_while_open(factory: ds.DataStoreFactory) -> None:
    """An open store cannot get another type; the error names both."""
    factory.create_state_store("x", Session)
    with pytest.raises(ds.ConfigurationConflictError, match=r"\.Session now, .*\.AppConfig asked"):
        factory.create_state_store("x", AppConfig)
    with pytest.raises(ds.ConfigurationConflictError, match="AppConfig asked for"):
        factory.get_store("x", AppConfig)


def test_type_for_a_store_opened_without(factory: ds.DataStoreFactory) -> None:
    """A store that is open without a type is not silently given one."""
    factory.create_state_store("x")
    with pytest.raises(ds.ConfigurationConflictError, match="type None now"):
        factory.create_state_store("x", Session)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (AppConfig, AppConfig(80), {"port": 80}),
        (Session, Session("ann"), AppConfig(80)),
        (Point, {"x": 1}, {"x": "1"}),
        (list[int], [1, 2], ["1"]),
        (dict[str, Session], {"a": Session("ann")}, {"a": "ann"}),
    ],
)
@pytest.mark.parametrize("kind", ["state", "config"])
def test_typed_store(
    factory: ds.DataStoreFactory, kind: str, schema: Any, good: Any, bad: Any
) -> None:
    """A typed store gives back values of its type and takes no others."""
    store = create(factory, kind, schema=schema)
    store["a"] = good
    assert store["a"] == good
    with pytest.raises(ds.ValueShapeError):
        store["a"] = bad
    assert store["a"] == good


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        (None, None),
        (AppConfig, f"{__name__}.AppConfig"),
        (dict[str, int], "dict[str, int]"),
        (int, "builtins.int"),
    ],
)
def test_type_is_recorded(factory: ds.DataStoreFactory, schema: Any, name: str | None) -> None:
    """The registry tells people what the values are."""
    create(factory, "state", schema=schema)
    record = factory.get_registered_store("x")
    assert record is not None
    assert record.schema == name


def test_validator(factory: ds.DataStoreFactory) -> None:
    """A validator refuses values before they are written, by False or by raising."""
    store = factory.create_config_store("x", validator=lambda value: value["port"] > 0)
    store["a"] = {"port": 80}
    with pytest.raises(ds.ValidationRefusedError):
        store["a"] = {"port": 0}
    with pytest.raises(ds.ValidationRefusedError, match="KeyError"):
        store["a"] = {}
    assert dict(store) == {"a": {"port": 80}}


def above(least: int) -> Callable[[Any], bool]:
    """A validator that is made anew by every call."""
    return lambda value: value > least


def test_same_validator_again(factory: ds.DataStoreFactory) -> None:
    """The same call gives the same store, also where it makes its validator anew."""
    store = factory.create_config_store("x", validator=above(0))
    assert factory.create_config_store("x", validator=above(0)) is store
    with pytest.raises(ds.ConfigurationConflictError, match="validator"):
        factory.create_config_store("x", validator=above(5))
    with pytest.raises(ds.ConfigurationConflictError, match="validator"):
        factory.create_config_store("x", validator=bool)


def test_validator_of_a_later_call(factory: ds.DataStoreFactory) -> None:
    """A validator given while the store is open is heard or refused, never passed over."""
    create(factory, "config", validator=anything)["a"] = 1
    with pytest.raises((ds.ConfigurationConflictError, ds.ValidationRefusedError)):
        factory.create_config_store("x", validator=lambda _value: False)["a"] = 2
    assert factory.get_store("x")["a"] == 1


def test_refused_type_of_existing_store(factory: ds.DataStoreFactory) -> None:
    """A type that cannot be stored is refused, and the store stays as it was."""
    factory.create_state_store("x")["a"] = 1
    factory.get_store("x").close()
    with pytest.raises(ds.OptionError, match="cannot be stored"):
        factory.get_store("x", object.__class__)
    assert factory.get_store("x")["a"] == 1


def test_validator_of_wrong_type_for_existing_store(factory: ds.DataStoreFactory) -> None:
    """A validator that cannot be called leaves no handle behind."""
    create(factory, "state").close()
    bad: Any = 5
    with pytest.raises(ds.OptionTypeError):
        factory.create_state_store("x", validator=bad)
    assert factory.create_state_store("x", Session).closed is False


def test_opening_that_cannot_be_recorded(factory: ds.DataStoreFactory) -> None:
    """A store whose new options cannot be recorded is not left open with them."""
    create(factory, "cache", max_entries=5).close()
    registry = raw(factory.root / "metadata.db")
    refusing = "CREATE TRIGGER refusing BEFORE UPDATE ON store BEGIN SELECT RAISE(ABORT, ''); END"
    registry.execute(refusing)
    with pytest.raises(ds.DataStoreError, match=r"metadata\.db"):
        create(factory, "cache", max_entries=6)
    registry.execute("DROP TRIGGER refusing")
    registry.close()
    assert factory.get_store("x").options.max_entries == 5
