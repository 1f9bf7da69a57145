"""Files of earlier revisions: upgraded at opening or on demand, or refused, as was chosen."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from factory_traces import create, traces

import dsfactory as ds
from dsfactory.model import Kind
from dsfactory.profiles import PROFILES, REGISTRY
from dsfactory.registry import Registry
from dsfactory.upgrading import Upgrader

BASE = "state_0001"
HEAD = PROFILES[Kind.STATE].head


@pytest.fixture
def behind(opened: Any) -> None:
    """A state store "x" whose file is at the first revision."""
    factory = opened()
    create(factory, "state")["a"] = 1
    factory.get_store("x").close()
    (report,) = factory.upgrade("x", to=BASE, down=True)
    assert report.error is None
    factory.close()


@pytest.mark.usefixtures("behind")
def test_at_opening(opened: Any) -> None:
    """By default a file that is behind is upgraded when it is opened, with its values."""
    factory = opened()
    assert "upgrade" in factory.perform_health_check().problems[0]
    store = factory.get_store("x")
    assert store["a"] == 1
    assert store.check() == []
    assert factory.perform_health_check().healthy


@pytest.mark.usefixtures("behind")
def test_never(opened: Any) -> None:
    """With upgrade="never" a file that is behind is refused and stays as it is."""
    factory = opened(upgrade="never")
    for _ in range(2):
        with pytest.raises(ds.OlderSchemaError, match="Upgrade it first"):
            factory.get_store("x")
    assert factory.get_registry_stats().entries == 0
    assert factory.maintain().failures[0].startswith("x: ")


@pytest.mark.usefixtures("behind")
def test_check(opened: Any) -> None:
    """With upgrade="check" the upgrade is tried on a copy, and the error says how that went."""
    factory = opened(upgrade="check")
    with pytest.raises(ds.OlderSchemaError, match=f"{HEAD} went well"):
        factory.get_store("x")
    with pytest.raises(ds.OlderSchemaError):
        factory.get_store("x")


@pytest.mark.usefixtures("behind")
def test_by_hand(opened: Any) -> None:
    """An operator upgrades what is behind; a second run finds nothing left to do."""
    factory = opened(upgrade="never")
    first, again = factory.upgrade("x"), factory.upgrade("x")
    assert [(report.name, report.kind, report.error) for report in first] == [("x", "state", None)]
    assert first[0].steps == (HEAD,)
    assert first[0].snapshot is not None
    assert first[0].snapshot.is_file()
    assert (again[0].steps, again[0].snapshot) == ((), None)
    assert factory.get_store("x")["a"] == 1


def test_all_stores(opened: Any) -> None:
    """Without a name every store is looked at; one that cannot be upgraded hinders no other."""
    factory = opened()
    for name in ("a", "b", "c"):
        create(factory, "state", name).close()
    (factory.root / "stores" / "b.db").unlink()
    reports = {report.name: report.error for report in factory.upgrade()}
    assert (reports["a"], reports["c"]) == (None, None)
    assert "gone" in (reports["b"] or "")


def test_unknown_store(opened: Any) -> None:
    """A store that is not there cannot be upgraded; a bad name neither."""
    factory = opened()
    with pytest.raises(ds.StoreAbsentError):
        factory.upgrade("x")
    with pytest.raises(ds.StoreNameError):
        factory.upgrade("../x")


def test_down_while_open(opened: Any) -> None:
    """A store that is open is not downgraded under its user's feet."""
    factory = opened()
    store = create(factory, "state")
    with pytest.raises(ds.ConflictError, match="Close it"):
        factory.upgrade("x", to=BASE, down=True)
    store["a"] = 1
    assert store.check() == []


@pytest.mark.parametrize("policy", ["sometimes", None, True])
def test_policy_refused(root: Path, policy: Any) -> None:
    """An unknown policy is refused with those that are known, before there is a directory."""
    with pytest.raises(ds.OptionError, match="allowed: 'auto', 'never', 'check'"):
        ds.DataStoreFactory(root, upgrade=policy)
    assert not root.exists()


@pytest.mark.parametrize("policy", ["auto", "never"])
def test_registry_behind(opened: Any, root: Path, clock: ds.ManualClock, policy: str) -> None:
    """A registry of an earlier revision is treated as the stores are."""
    factory = opened()
    create(factory, "state")["a"] = 1
    factory.close()
    upgrader = Upgrader(root, clock, "auto")
    with contextlib.closing(Registry(root / "metadata.db", clock)) as registry:
        target = upgrader.registry(registry.path, registry.settings)
    report = upgrader.run(target, to="registry_0001", down=True, progress=None)
    assert report.error is None
    if policy == "never":
        with pytest.raises(ds.OlderSchemaError, match=r"metadata\.db"):
            opened(upgrade=policy)
        return
    factory = opened(upgrade=policy)
    assert traces(factory).stores == ["x"]
    assert factory.get_store("x")["a"] == 1
    details = {probe.name: probe.detail for probe in factory.perform_health_check().factory}
    assert details["registry schema"] == f"revision {REGISTRY.revision}, at head"
