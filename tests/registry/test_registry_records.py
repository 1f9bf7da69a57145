"""What the registry keeps of each store, and when it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from registry_samples import asked_for, identified, never, options_of, raw

import dsfactory as ds
from dsfactory.model import Kind
from dsfactory.options import as_record
from dsfactory.profiles import PROFILES
from dsfactory.registry import Registry
from dsfactory.registry.registry import FRESH_MS

MINUTE = 60_000


def accessed(registry: Registry, name: str = "x") -> int:
    """When the registry thinks that the store was opened last."""
    return registry.require(name).accessed_at


def test_register_new(registry: Registry, clock: ds.ManualClock) -> None:
    """A new store is recorded with everything that was asked for, and the time."""
    new = asked_for(max_retries=0)._replace(value_type="app.Session")
    record = registry.register(new, identified("id-1"))
    assert (record.id, record.name, record.kind) == ("id-1", "x", Kind.STATE)
    assert (record.path, record.options, record.schema) == (new.path, new.options, "app.Session")
    assert record.created_at == record.accessed_at == clock.now_ms()
    assert (record.backup_at, record.health_at, record.health) == (None, None, None)
    assert record.revision == PROFILES[Kind.STATE].revision
    assert registry.records() == [record]


def test_register_tells_the_time(registry: Registry, clock: ds.ManualClock) -> None:
    """The file is made at the time that is recorded."""
    times: list[int] = []

    def create(now: int) -> str:
        times.append(now)
        clock.advance(MINUTE)
        return "id-1"

    record = registry.register(asked_for(), create)
    assert times == [record.created_at]


def test_register_known(registry: Registry) -> None:
    """A store that is there is given back as it was made; no file is made again."""
    record = registry.register(asked_for(max_retries=1), identified("id-1"))
    assert registry.register(asked_for(max_retries=2), never) == record


def test_register_fails(registry: Registry) -> None:
    """When the file cannot be made, nothing is recorded, and the next attempt is free."""

    def fail(_now: int) -> str:
        raise ds.DiskFullError("No space left.")

    with pytest.raises(ds.DiskFullError):
        registry.register(asked_for(), fail)
    assert registry.records() == []
    assert registry.register(asked_for(), identified("id-1")).id == "id-1"


def test_register_at_a_taken_path(registry: Registry) -> None:
    """Two names never share a file, as they could where file names ignore case."""
    registry.register(asked_for("x"), identified("id-1"))
    shared = asked_for("X")._replace(path=asked_for("x").path)
    with pytest.raises(ds.ConfigurationConflictError, match=r"'X' would share .* with store 'x'"):
        registry.register(shared, never)
    assert [record.name for record in registry.records()] == ["x"]


def test_records_survive(open_registry: Callable[[], Registry], clock: ds.ManualClock) -> None:
    """Another process, or the same one later, reads the same records."""
    first = open_registry()
    for name in ("b", "a"):
        first.register(asked_for(name, ttl=5000), identified(name))
    records = first.records()
    first.close()
    clock.advance(MINUTE)
    assert open_registry().records() == records


def test_records_by_name(registry: Registry) -> None:
    """Records come by name, capitals first, in whatever order they were made."""
    for name in ("b", "A", "a.1", "a", "a-1", "10", "9"):
        registry.register(asked_for(name), identified(name))
    names = [record.name for record in registry.records()]
    assert names == ["10", "9", "A", "a", "a-1", "a.1", "b"] == sorted(names)


@pytest.mark.parametrize("wanted", ["x", Path("/stores/x.db"), "/stores/../stores/./x.db"])
def test_find(registry: Registry, wanted: Any) -> None:
    """A record is found by name, and by any spelling of its path."""
    record = registry.register(asked_for(), identified("id-1"))
    assert registry.find(wanted) == record


def test_find_path_called_as_a_name(registry: Registry) -> None:
    """A path is never taken for a name."""
    registry.register(asked_for(), identified("id-1"))
    assert registry.find(Path("x")) is None


def test_require_unknown(registry: Registry) -> None:
    """A store that must be there and is not raises StoreAbsentError with the registry's path."""
    with pytest.raises(ds.StoreAbsentError, match=r"metadata\.db knows no store 'x'"):
        registry.require("x")


def test_opened_within_the_minute(registry: Registry, clock: ds.ManualClock) -> None:
    """Opening a store again within a minute writes nothing."""
    record = registry.register(asked_for(), identified("id-1"))
    before = accessed(registry)
    clock.advance(FRESH_MS - 1)
    assert registry.opened(record, record.options, None).accessed_at == before
    assert accessed(registry) == before


def test_opened_after_a_minute(registry: Registry, clock: ds.ManualClock) -> None:
    """A minute later it is written once, and then not again for a minute."""
    record = registry.register(asked_for(), identified("id-1"))
    clock.advance(FRESH_MS)
    record = registry.opened(record, record.options, None)
    assert record.accessed_at == accessed(registry) == clock.now_ms()
    clock.advance(FRESH_MS - 1)
    assert registry.opened(record, record.options, None) == record


def test_opened_with_the_clock_set_back(registry: Registry, clock: ds.ManualClock) -> None:
    """A clock that was set back writes no earlier time."""
    record = registry.register(asked_for(), identified("id-1"))
    clock.advance(-MINUTE * 60)
    assert registry.opened(record, record.options, None) == record


@pytest.mark.parametrize(
    ("options", "value_type"),
    [({"max_retries": 9}, None), ({}, "app.Session"), ({"max_retries": 9}, "app.Session")],
)
def test_opened_otherwise(
    registry: Registry, options: dict[str, Any], value_type: str | None
) -> None:
    """Other options or another type are recorded at once."""
    record = registry.register(asked_for(), identified("id-1"))
    changed = registry.opened(record, options_of(**options), value_type)
    assert changed.options == options_of(**options)
    assert changed.schema == value_type
    assert registry.require("x") == changed


def test_opened_without_a_type(registry: Registry) -> None:
    """Opening a typed store without its type leaves the recorded type."""
    new = asked_for()._replace(value_type="app.Session")
    record = registry.register(new, identified("id-1"))
    assert registry.opened(record, options_of(max_retries=9), None).schema == "app.Session"


def test_unregister(registry: Registry) -> None:
    """A forgotten store leaves where its file is, once; others stay."""
    for name in ("x", "y"):
        registry.register(asked_for(name), identified(name))
    assert registry.unregister("x") == Path("/stores/x.db")
    assert registry.unregister("x") is None
    assert [record.name for record in registry.records()] == ["y"]


def test_judged(registry: Registry, clock: ds.ManualClock) -> None:
    """Verdicts are kept with their time; a store that is gone meanwhile is no error."""
    for name in ("x", "y"):
        registry.register(asked_for(name), identified(name))
    registry.judged({"x": True, "y": False, "gone": True}, clock.now_ms() + 5)
    verdicts = {record.name: (record.health, record.health_at) for record in registry.records()}
    at = clock.now_ms() + 5
    assert verdicts == {"x": ("healthy", at), "y": ("unhealthy", at)}


def test_options_of_a_later_release(registry: Registry, tmp_path: Path) -> None:
    """An option that a later release recorded is passed over; the others hold."""
    record = registry.register(asked_for(max_retries=0), identified("id-1"))
    with raw(tmp_path / "metadata.db") as connection:
        wider = json.dumps(as_record(record.options) | {"warp": {"factor": 9}})
        connection.execute("UPDATE store SET options = ?", (wider,))
    assert registry.require("x").options == record.options


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE store SET options = 'nonsense'",
        "UPDATE store SET options = '[]'",
        "UPDATE store SET kind = 'galaxy'",
    ],
)
def test_unreadable_row(registry: Registry, tmp_path: Path, damage: str) -> None:
    """A row that another program spoilt is a CorruptError that names the store."""
    registry.register(asked_for(), identified("id-1"))
    with raw(tmp_path / "metadata.db") as connection:
        connection.execute(damage)
    with pytest.raises(ds.CorruptError, match="'x'"):
        registry.records()
