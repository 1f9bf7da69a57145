"""From open to close: what ends with a factory, and what is refused afterwards."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from factory_traces import PATIENCE_S, create, traces

import dsfactory as ds
from dsfactory.model import Kind

THREAD = "dsfactory-maintenance"

USES: dict[str, Callable[[ds.DataStoreFactory], object]] = {
    "create_config_store": lambda f: f.create_config_store("new", dict),
    "create_metrics_store": lambda f: f.create_metrics_store("new"),
    "create_cache_store": lambda f: f.create_cache_store("new"),
    "create_state_store": lambda f: f.create_state_store("new"),
    "create_custom_store": lambda f: f.create_custom_store("new"),
    "get_store": lambda f: f.get_store("x"),
    "look": lambda f: f.look("x"),
    "get_registered_stores": lambda f: f.get_registered_stores(),
    "get_registered_store": lambda f: f.get_registered_store("x"),
    "unregister_store": lambda f: f.unregister_store("x"),
    "open_stores": lambda f: f.open_stores(),
    "get_registry_stats": lambda f: f.get_registry_stats(),
    "perform_health_check": lambda f: f.perform_health_check(),
    "maintain": lambda f: f.maintain(),
    "add_maintenance": lambda f: f.add_maintenance("x", int),
    "upgrade": lambda f: f.upgrade(),
    "backup": lambda f: f.backup(),
    "backups": lambda f: f.backups(),
    "prune": lambda f: f.prune(),
    "run_due_backups": lambda f: f.run_due_backups(),
    "restore": lambda f: f.restore("x"),
    "restorable": lambda f: f.restorable("x"),
    "backup_sets": lambda f: f.backup_sets(),
    "restore_set": lambda f: f.restore_set("x"),
    "verify": lambda f: f.verify(),
    "pin_backup": lambda f: f.pin_backup("x"),
    "rescan_backups": lambda f: f.rescan_backups(),
    "events": lambda f: f.events(),
}
ALWAYS = {"clock", "close", "closed", "root", "get_factory_config", "get_standard_backup_config"}
OF_CLASS = {"get_instance", "reset_instance"}
OF_FORKS = {"before_fork", "after_fork_in_parent", "after_fork_in_child"}


def maintenance_threads() -> set[threading.Thread]:
    """The maintenance threads of this process."""
    return {thread for thread in threading.enumerate() if thread.name == THREAD}


def test_every_public_method_is_tried() -> None:
    """This file knows of every public name of the factory."""
    public = {name for name in dir(ds.DataStoreFactory) if not name.startswith("_")}
    assert public | {"root"} == {*USES, *ALWAYS, *OF_CLASS, *OF_FORKS}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_use_after_close(opened: Any, root: Path, use: Callable[..., object]) -> None:
    """A closed factory refuses every use, by a ClosedError that names its directory."""
    factory = opened()
    create(factory, "state")
    factory.close()
    with pytest.raises(ds.ClosedError, match=str(root)) as refused:
        use(factory)
    assert isinstance(refused.value, RuntimeError)
    assert traces(opened()).stores == ["x"]


def test_configuration_after_close(opened: Any, root: Path) -> None:
    """How it was made can still be asked of a closed factory: that is in no file."""
    factory = opened()
    factory.close()
    assert factory.get_factory_config().root == root.resolve()
    assert factory.get_standard_backup_config() == ds.BackupConfig()


def test_close_twice(opened: Any) -> None:
    """A second close does nothing."""
    factory = opened()
    assert factory.closed is False
    factory.close()
    factory.close()
    assert factory.closed is True


def test_close_closes_stores(opened: Any) -> None:
    """Stores end with their factory; side files are merged and gone."""
    factory = opened()
    stores = [create(factory, kind, f"of-{kind}") for kind in Kind]
    for store in stores:
        store["a"] = 1
    factory.close()
    assert all(store.closed for store in stores)
    for store in stores:
        with pytest.raises(ds.ClosedError):
            store["a"] = 2
    assert traces(opened()).files == [f"of-{kind}.db" for kind in sorted(Kind)]


def test_context_manager(root: Path) -> None:
    """Leaving the block closes the factory, also by an exception, which goes on."""
    made = ds.DataStoreFactory(root, maintenance="manual")
    store = made.create_state_store("x")
    with pytest.raises(ZeroDivisionError), made:
        store["a"] = 1 // 0
    assert made.closed
    assert store.closed


def test_repr(opened: Any, root: Path) -> None:
    """A factory shows its directory and whether it is closed."""
    factory = opened()
    assert repr(factory) == f"<DataStoreFactory {str(root.resolve())!r}>"
    factory.close()
    assert repr(factory) == f"<DataStoreFactory {str(root.resolve())!r} closed>"


def test_close_from_two_threads(opened: Any) -> None:
    """Closing from several threads at once closes once, without an error."""
    factory = opened(maintenance="auto", maintenance_interval=5)
    create(factory, "state")["a"] = 1
    barrier = threading.Barrier(4)
    errors: list[BaseException] = []

    def close() -> None:
        barrier.wait(PATIENCE_S)
        try:
            factory.close()
        except BaseException as error:  # noqa: BLE001 -- shown by the assertion
            errors.append(error)

    threads = [threading.Thread(target=close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert errors == []
    assert factory.closed


def test_close_inside_a_transaction(opened: Any) -> None:
    """A factory is not closed in the middle of a transaction; all goes on, and closes later."""
    before = maintenance_threads()
    factory = opened(maintenance="auto")
    other, store = create(factory, "state", "other"), create(factory, "state")
    with store.transaction():
        store["a"] = 1
        with pytest.raises(ds.TransactionError):
            factory.close()
        assert (factory.closed, store.closed, other.closed) == (False, False, False)
        assert len(maintenance_threads() - before) == 1
        store["b"] = 2
    factory.close()
    assert (factory.closed, store.closed, other.closed) == (True, True, True)
    assert maintenance_threads() == before
    assert dict(opened().get_store("x")) == {"a": 1, "b": 2}


@pytest.mark.parametrize("trouble", ["BEGIN IMMEDIATE", "DROP TABLE access"])
def test_close_with_a_store_that_cannot_write(opened: Any, trouble: str) -> None:
    """A store that cannot write its last notes is closed all the same, and so are the others."""
    factory = opened()
    cache = factory.create_cache_store("a", busy_timeout_ms=0, max_retries=0)
    cache["k"] = 1
    assert cache["k"] == 1
    other = create(factory, "state")
    somebody = apsw.Connection(str(cache.path))
    somebody.execute(trouble)
    try:
        with contextlib.suppress(ds.DataStoreError):
            factory.close()
        assert (factory.closed, cache.closed, other.closed) == (True, True, True)
    finally:
        somebody.close()


def test_close_while_the_registry_is_written(opened: Any) -> None:
    """A factory that did no maintenance has nothing to give back: closing it waits for nobody."""
    factory = opened()
    create(factory, "state")["a"] = 1
    blocker = apsw.Connection(str(factory.root / "metadata.db"))
    blocker.execute("BEGIN IMMEDIATE")
    closing = threading.Thread(target=factory.close, daemon=True)
    closing.start()
    closing.join(3)
    in_time = not closing.is_alive()
    blocker.close()
    closing.join(PATIENCE_S)
    assert in_time
    assert factory.closed


def test_store_closed_by_itself(factory: ds.DataStoreFactory) -> None:
    """A store that was closed is forgotten: asked for again, it is opened again."""
    with create(factory, "state") as store:
        store["a"] = 1
    assert store.closed
    assert create(factory, "state") is not store
    assert factory.get_store("x")["a"] == 1


def test_store_outlives_names(opened: Any) -> None:
    """A store goes on working when the last name of its factory is gone."""
    store = create(ds.DataStoreFactory(opened().root, maintenance="manual"), "state")
    gc.collect()
    store["a"] = 1
    assert store["a"] == 1
    store.close()


def test_collected_factory_ends_its_thread(root: Path) -> None:
    """A factory that nobody holds any more is collected, and its thread ends."""
    before = maintenance_threads()
    factory = ds.DataStoreFactory(root, maintenance_interval=10)
    (thread,) = maintenance_threads() - before
    reference = weakref.ref(factory)
    del factory
    waiting = threading.Event()
    for _ in range(400):
        gc.collect()
        if reference() is None and not thread.is_alive():
            break
        waiting.wait(0.02)
    assert reference() is None
    assert not thread.is_alive()


def test_collected_factory_of_a_long_interval(root: Path) -> None:
    """A factory that sleeps between rounds is collected, and its thread wakes up to end."""
    before = maintenance_threads()
    factory = ds.DataStoreFactory(root, maintenance_interval="1h")
    (thread,) = maintenance_threads() - before
    reference = weakref.ref(factory)
    del factory
    gc.collect()
    assert reference() is None
    thread.join(3)
    assert not thread.is_alive()


def test_failed_opening_leaves_no_thread(root: Path) -> None:
    """A factory that could not be opened has started nothing."""
    before = maintenance_threads()
    root.mkdir()
    (root / "metadata.db").mkdir()
    with pytest.raises(ds.ForeignFileError):
        ds.DataStoreFactory(root)
    assert maintenance_threads() == before


NEVER_CLOSED = """
import sys, dsfactory as ds
factory = ds.DataStoreFactory(sys.argv[1], maintenance_interval=5)
factory.create_cache_store("x")["a"] = 1
factory.get_store("x")["a"]
print("done")
"""


def test_unclosed_factory_lets_the_process_end(root: Path, opened: Any) -> None:
    """A program that never closes its factory ends by itself, with everything written."""
    done = subprocess.run(
        [sys.executable, "-c", NEVER_CLOSED, str(root)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert traces(opened()) == (["x.db"], ["x"])
