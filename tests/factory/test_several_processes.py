"""Several processes over one directory: one store, one row; and what killed ones leave."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import factory_workers as workers
import pytest
from factory_traces import create, traces

import dsfactory as ds
from dsfactory.maintenance.maintainer import LEASE_MS

SPAWN = multiprocessing.get_context("spawn")

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")


def run(work: Callable[..., None], *arguments: Any) -> int | None:
    """Run *work* in a process of its own to its end; return how that was."""
    process = SPAWN.Process(target=work, args=arguments)
    process.start()
    process.join(workers.PATIENCE_S)
    return process.exitcode


@pytest.mark.parametrize("processes", [2, 10])
def test_same_store_at_once(opened: Any, root: Path, processes: int) -> None:
    """Processes that make the same store at once get one store, and each can write to it."""
    barrier, answers = SPAWN.Barrier(processes), SPAWN.Queue()
    arguments = [(str(root), worker, barrier, answers) for worker in range(processes)]
    started = [SPAWN.Process(target=workers.create_at_once, args=given) for given in arguments]
    for process in started:
        process.start()
    said = [answers.get(timeout=workers.PATIENCE_S) for _ in started]
    for process in started:
        process.join(workers.PATIENCE_S)
    assert [process.exitcode for process in started] == [0] * processes
    assert len({(store_id, path) for _, store_id, path in said}) == 1
    factory = opened()
    assert traces(factory) == (["shared.db"], ["shared"])
    store = factory.get_store("shared")
    assert dict(store) == {f"of-{worker}": worker for worker in range(processes)}
    assert store.check() == []


def test_error_from_another_process(root: Path) -> None:
    """An error of ours reaches the parent process whole."""
    answers = SPAWN.Queue()
    process = SPAWN.Process(target=workers.raise_in_child, args=(str(root), answers))
    process.start()
    error = answers.get(timeout=workers.PATIENCE_S)
    process.join(workers.PATIENCE_S)
    assert type(error) is ds.StoreAbsentError
    assert error.facts["store"] == "absent"
    assert "knows no store 'absent'" in str(error)


@needs_signals
def test_killed_between_file_and_row(opened: Any, root: Path) -> None:
    """A file whose process was killed before the registry knew it is adopted by the next."""
    opened().close()
    assert run(workers.die_before_the_row, str(root), "x") == -signal.SIGKILL
    factory = opened()
    assert traces(factory).stores == []
    assert (root / "stores" / "x.db").is_file()
    store = factory.create_state_store("x")
    store["a"] = 1
    record = factory.get_registered_store("x")
    assert record is not None
    assert record.id == "f" * 32
    assert store.check() == []


@needs_signals
def test_killed_holder_of_the_lease(opened: Any, root: Path, clock: ds.ManualClock) -> None:
    """The lease of a killed process holds until it runs out, and no longer."""
    opened().close()
    assert run(workers.die_holding_the_lease, str(root)) == -signal.SIGKILL
    factory = opened()
    clock.advance(ds.SystemClock().now_ms() - clock.now_ms())
    assert factory.maintain().ran is False
    clock.advance(LEASE_MS)
    assert factory.maintain().ran is True


@needs_signals
def test_killed_writer(opened: Any, root: Path) -> None:
    """What a killed process had acknowledged is there."""
    assert run(workers.die_with_open_stores, str(root)) == -signal.SIGKILL
    store = opened().get_store("x")
    assert len(store) == 50
    assert store.check() == []


@needs_signals
def test_log_of_a_lost_file(opened: Any, root: Path) -> None:
    """The WAL that a killed process left is not replayed into a new store of that name."""
    assert run(workers.die_with_open_stores, str(root)) == -signal.SIGKILL
    factory = opened()
    (root / "stores" / "x.db").unlink()
    assert factory.unregister_store("x")
    try:
        store = factory.create_state_store("x")
    except ds.DataStoreError:
        return  # refused: somebody has to look at that WAL first
    assert list(store) == []


def test_two_factories_of_one_process(opened: Any) -> None:
    """Two factories over one directory are as two processes: own handles, the same stores."""
    first, second = opened(), opened()
    store, same = create(first, "state"), create(second, "state")
    assert store is not same
    store["a"] = 1
    assert same["a"] == 1
    second.close()
    store["b"] = 2
    assert dict(store) == {"a": 1, "b": 2}
