"""Configurations shared by processes, some of which are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import dsfactory as ds
from dsfactory.services.configuration import (
    ApplicationSettings,
    ConfigurationEvent,
    ConfigurationManager,
)

WORKER = Path(__file__).with_name("configuration_worker.py")
PATIENCE_S = 30


def worker(root: Path, how: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKER), str(root), how, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A directory whose configuration is there already, and is checked in the end."""
    where = tmp_path / "data"
    with ds.DataStoreFactory(where, maintenance="manual") as factory:
        ConfigurationManager(factory, ApplicationSettings, name="app")
    yield where
    with ds.DataStoreFactory(where, maintenance="manual") as factory:
        manager = ConfigurationManager(factory, ApplicationSettings, name="app")
        require_whole(manager)
        for record in factory.get_registered_stores():
            assert factory.get_store(record.name).check() == []


def require_whole(manager: ConfigurationManager[ApplicationSettings]) -> None:
    """Every version has its audit, once, and the audit leads to the document."""
    entries = [entry for entry in manager.audit_log(None) if entry.change == "update"]
    assert sorted(entry.version for entry in entries) == list(range(2, manager.version + 1))
    assert len({entry.path for entry in entries}) == len(entries)
    named = {entry.path.removeprefix("$.features.") for entry in entries}
    assert named == set(manager.config.features)


def test_killed_between_save_and_audit(root: Path) -> None:
    """Killed when the save was committed and its audit not yet, the audit is not lost."""
    dying = worker(root, "die", 3)
    out, _ = dying.communicate(timeout=PATIENCE_S)
    assert (dying.returncode, out) == (-signal.SIGKILL, "")
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        audit = factory.get_store("app-audit")
        before = len(audit)
        manager = ConfigurationManager(factory, ApplicationSettings, name="app")
        assert manager.get("features.die0") is True
        assert manager.version == 2
        (newest,) = manager.audit_log(1)
        assert (newest.version, newest.who, newest.path) == (2, "die", "$.features.die0")
        assert len(audit) == before + 1


@pytest.mark.parametrize("after", [1, 2, 5, 9])
def test_killed_anywhere(root: Path, after: int) -> None:
    """Whatever was acknowledged is there, with version and audit, after kill -9."""
    saving = worker(root, "w", 1000)
    assert saving.stdout is not None
    told = [int(saving.stdout.readline()) for _ in range(after)]
    saving.kill()
    told += [int(line) for line in saving.stdout.read().split("\n") if line]
    saving.wait(PATIENCE_S)
    saving.stdout.close()
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        manager = ConfigurationManager(factory, ApplicationSettings, name="app")
        assert manager.version in (told[-1], told[-1] + 1)
        assert len(manager.config.features) == manager.version - 1
        require_whole(manager)


def test_two_processes_lose_nothing(root: Path) -> None:
    """Two processes that change different settings at once both succeed."""
    both = [worker(root, how, 12) for how in ("a", "b")]
    told = [one.communicate(timeout=PATIENCE_S)[0].split() for one in both]
    assert sorted(int(version) for one in told for version in one) == list(range(2, 26))
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        manager = ConfigurationManager(factory, ApplicationSettings, name="app")
        assert len(manager.config.features) == 24


def test_changes_of_another_process_arrive(root: Path) -> None:
    """A subscriber hears, in order, of every version that another process saves."""
    heard: list[ConfigurationEvent] = []
    all_there = threading.Event()

    def hear(event: ConfigurationEvent) -> None:
        heard.append(event)
        if event.version == 4:
            all_there.set()

    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        manager = ConfigurationManager(factory, ApplicationSettings, name="app")
        with manager:
            manager.subscribe(hear, "changed")
            worker(root, "o", 3).communicate(timeout=PATIENCE_S)
            assert all_there.wait(PATIENCE_S)
    assert [(event.version, event.here) for event in heard] == [(2, False), (3, False), (4, False)]
    assert [event.differences[0].path for event in heard] == [f"$.features.o{n}" for n in range(3)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_saves_and_hears(root: Path) -> None:
    """A forked child goes on with the manager, and hears of others as its parent does."""
    arrived = threading.Event()
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        manager = ConfigurationManager(factory, ApplicationSettings, name="app")
        with manager:
            manager.subscribe(lambda _event: arrived.set(), "changed")
            child = os.fork()
            if not child:
                worker(root, "w", 1).communicate(timeout=PATIENCE_S)
                heard = arrived.wait(PATIENCE_S)
                os._exit(0 if heard and manager.update("features.child", True) == 3 else 1)
            assert os.waitpid(child, 0)[1] == 0
            assert arrived.wait(PATIENCE_S)
            assert manager.get("features.child") is True
