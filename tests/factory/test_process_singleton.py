"""get_instance(): one factory for the process, from any thread and after any fork."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from factory_traces import PATIENCE_S, in_child

import dsfactory as ds
from dsfactory.places import default_root

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")


@pytest.fixture(autouse=True)
def _instance_of_this_test(monkeypatch: pytest.MonkeyPatch, root: Path) -> Iterator[None]:
    """The process's factory lives in the test's directory and ends with the test."""
    monkeypatch.setenv("DSFACTORY_ROOT", str(root))
    yield
    ds.DataStoreFactory.reset_instance()


def test_instance_is_one() -> None:
    """Every call gives the same factory."""
    assert ds.DataStoreFactory.get_instance() is ds.DataStoreFactory.get_instance()


def test_instance_from_many_threads() -> None:
    """Threads that all ask at once for the first time get the same factory."""
    threads = 16
    barrier = threading.Barrier(threads)

    def ask(_number: int) -> ds.DataStoreFactory:
        barrier.wait(PATIENCE_S)
        return ds.DataStoreFactory.get_instance()

    with ThreadPoolExecutor(threads) as pool:
        found = set(map(id, pool.map(ask, range(threads))))
    assert len(found) == 1


def test_root_from_environment(root: Path) -> None:
    """Without a root the factory is where DSFACTORY_ROOT says."""
    assert ds.DataStoreFactory.get_instance().root == root.resolve()
    assert (root / "metadata.db").is_file()


def test_root_from_environment_with_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """DSFACTORY_ROOT may begin with the home directory's tilde."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DSFACTORY_ROOT", "~/stores")
    assert default_root() == tmp_path / "stores"


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.skipif(os.name != "posix", reason="other platforms have no XDG directories")
def test_root_in_user_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None
) -> None:
    """Without DSFACTORY_ROOT, or with an empty one, it is the user's data directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    if value is None:
        monkeypatch.delenv("DSFACTORY_ROOT")
    else:
        monkeypatch.setenv("DSFACTORY_ROOT", value)
    factory = ds.DataStoreFactory.get_instance()
    assert factory.root.is_relative_to(tmp_path.resolve())
    assert factory.root.name == "dsfactory"


def test_root_given(tmp_path: Path) -> None:
    """A root that is given goes before the environment's."""
    assert ds.DataStoreFactory.get_instance(tmp_path / "own").root == (tmp_path / "own").resolve()


@pytest.mark.parametrize("spell", [str, Path, lambda root: root / ".." / root.name])
def test_same_root_again(root: Path, spell: Callable[[Path], Any]) -> None:
    """The same directory, however it is spelt, gives the same factory."""
    factory = ds.DataStoreFactory.get_instance(root)
    assert ds.DataStoreFactory.get_instance(spell(root)) is factory


def test_another_root(tmp_path: Path, root: Path) -> None:
    """Another directory is a conflict that names both."""
    ds.DataStoreFactory.get_instance()
    with pytest.raises(ds.ConfigurationConflictError) as conflict:
        ds.DataStoreFactory.get_instance(tmp_path / "other")
    assert str(root) in str(conflict.value)
    assert str(tmp_path / "other") in str(conflict.value)
    assert not (tmp_path / "other").exists()


def test_reset_instance(tmp_path: Path) -> None:
    """A reset closes the factory; the next call makes one, wherever it is told to."""
    before = ds.DataStoreFactory.get_instance()
    ds.DataStoreFactory.reset_instance()
    assert before.closed
    after = ds.DataStoreFactory.get_instance(tmp_path / "other")
    assert after is not before
    assert not after.closed


def test_reset_without_instance() -> None:
    """A reset of nothing does nothing, as often as it is asked for."""
    ds.DataStoreFactory.reset_instance()
    ds.DataStoreFactory.reset_instance()


def test_instance_after_close() -> None:
    """When somebody closed the process's factory, the next call makes a new one."""
    before = ds.DataStoreFactory.get_instance()
    before.create_state_store("sessions")["a"] = 1
    before.close()
    after = ds.DataStoreFactory.get_instance()
    assert after is not before
    assert after.get_store("sessions")["a"] == 1


def test_plain_factories_are_no_instances(tmp_path: Path) -> None:
    """A factory that was made in the ordinary way is not the process's."""
    with ds.DataStoreFactory(tmp_path / "plain", maintenance="manual") as plain:
        assert ds.DataStoreFactory.get_instance() is not plain


@needs_fork
def test_instance_after_fork() -> None:
    """The child's instance works on; parent and child read what the other wrote."""
    store = ds.DataStoreFactory.get_instance().create_state_store("sessions")
    store["parent"] = 1

    def child() -> str:
        mine = ds.DataStoreFactory.get_instance().get_store("sessions")
        mine["child"] = 2
        return str(mine["parent"])

    assert in_child(child) == "1"
    assert store["child"] == 2


@needs_fork
def test_fork_while_another_thread_makes_the_instance(root: Path) -> None:
    """A child is not stuck because a thread of the parent was just in get_instance()."""
    entered, leave = threading.Event(), threading.Event()

    class Slow(ds.DataStoreFactory):
        def __init__(self, where: Any = None) -> None:
            entered.set()
            leave.wait(PATIENCE_S)
            super().__init__(where)

    thread = threading.Thread(target=Slow.get_instance)
    thread.start()
    try:
        assert entered.wait(PATIENCE_S)
        said = in_child(lambda: str(ds.DataStoreFactory.get_instance().root), patience_s=5)
    finally:
        leave.set()
        thread.join(PATIENCE_S)
    assert said == str(root.resolve())
