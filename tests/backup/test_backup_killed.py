"""Killed at any step of backup, restore or rescan: the old state or the new, and no litter."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from spine_samples import content, files_in, filled

import dsfactory as ds

NOW = ds.ManualClock().now_ms()
LATER = ds.SystemClock().now_ms() + 10_000_000
"""When half-made files are old enough to be cleared away."""

SYSTEM_CALLS = {"open", "fsync", "replace", "rename", "unlink", "mkdir", "write", "link", "lockf"}
SQLITE_CALLS = {"execute", "pragma", "step", "Connection", "backup", "close"}


def opened(root: Path, now: int = NOW) -> ds.DataStoreFactory:
    """The factory of *root* at that time."""
    return ds.DataStoreFactory(root, maintenance="manual", clock=ds.ManualClock(now))


def is_step(event: str, argument: Any) -> bool:
    """Whether the interpreter is about to touch the disk."""
    return event == "c_call" and argument.__name__ in SYSTEM_CALLS | SQLITE_CALLS


def survived(root: Path, work: Callable[[ds.DataStoreFactory], object], fatal: int) -> bool:
    """Do *work* in a child that is killed before step number *fatal*; whether it ended first."""
    child = os.fork()
    if child == 0:  # pragma: no cover -- it ends by a signal
        left = fatal

        def watch(_frame: FrameType, event: str, argument: Any) -> None:
            nonlocal left
            if is_step(event, argument):
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            with opened(root, NOW + 1000) as factory:
                sys.setprofile(watch)
                work(factory)
                sys.setprofile(None)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), status
    return status == 0


def killed_everywhere(
    origin: Path,
    work: Callable[[ds.DataStoreFactory], object],
    judge: Callable[[Path], None],
    every: int,
) -> int:
    """Do *work* on copies of *origin*, killed before every so many-th step; *judge* each."""
    fatal = 1
    while True:
        root = origin.with_name(f"{origin.name}-killed")
        shutil.copytree(origin, root)
        ended = survived(root, work, fatal)
        judge(root)
        shutil.rmtree(root)
        if ended:
            return fatal
        fatal += every


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A directory with a store, one backup of it, and a change since."""
    root = tmp_path / "data"
    with opened(root) as factory:
        store = filled(factory)
        store.backup()
        store["key-1"] = "changed"
    return root


def tidied(root: Path) -> None:
    """Do later what maintenance does."""
    with opened(root, LATER) as factory:
        factory.maintain()
        factory.rescan_backups()


def require_tidy(root: Path) -> None:
    """Every file belongs to a store, the registry, or a backup that is listed and whole."""
    tidied(root)
    with opened(root, LATER) as factory:
        reports = factory.verify()
        assert [report.problem for report in reports if report.problem] == []
        listed = {f"backups/{b.store}/{b.id}" for b in factory.backups()}
    for name in files_in(root):
        if name.startswith("backups/_sets/"):
            continue
        assert name.split(".")[0] in {*listed, "metadata", "stores/sessions"}, name


def test_taking(origin: Path) -> None:
    """A backup is there as a whole or not at all; the next one works, and litter is cleared."""

    def judge(root: Path) -> None:
        with opened(root, NOW + 2000) as factory:
            assert len(factory.backups()) in (1, 2)
            assert factory.get_store("sessions")["key-1"] == "changed"
            newest = factory.backup("sessions")
            assert factory.verify(backup=newest.id)[0].problem is None
        require_tidy(root)

    assert killed_everywhere(origin, lambda f: f.backup("sessions"), judge, every=5) > 60


def test_restoring(origin: Path) -> None:
    """The store is as it was before or as in the backup, whole, and restoring again works."""
    with opened(origin) as factory:
        after = content(factory.get_store("sessions"))
        oldest = factory.backups()[0].id
        factory.restore("sessions", to=origin.with_name("copy.db"))
    before = after | {"key-1": {"n": 1, "text": f"{7919 % 1009:x}" * 40}}

    def judge(root: Path) -> None:
        with opened(root, NOW + 2000) as factory:
            store = factory.get_store("sessions")
            assert content(store) in (before, after)
            assert store.check() == []
            store.close()
            factory.restore("sessions", oldest)
            assert content(factory.get_store("sessions")) == before
        require_tidy(root)

    work = lambda f: f.restore("sessions", oldest)  # noqa: E731 -- one line says it
    assert killed_everywhere(origin, work, judge, every=5) > 80


def test_restoring_a_damaged_file(origin: Path) -> None:
    """The damaged file is in its place or put aside, and restoring again works."""
    with opened(origin) as factory:
        oldest = factory.backups()[0].id
    path = origin / "stores" / "sessions.db"
    path.write_bytes(b"garbage!" * 1000)

    def judge(root: Path) -> None:
        here = root / "stores" / "sessions.db"
        garbage = [p for p in root.rglob("sessions.db") if p.read_bytes()[:8] == b"garbage!"]
        assert garbage
        assert here.exists()
        with opened(root, NOW + 2000) as factory:
            factory.restore("sessions", oldest, force=True)
            assert len(factory.get_store("sessions")) == 50

    work = lambda f: f.restore("sessions", oldest)  # noqa: E731 -- one line says it
    assert killed_everywhere(origin, work, judge, every=5) > 40


def test_rescanning(origin: Path) -> None:
    """A rescan after the registry was lost can be broken off anywhere: the next one goes on."""
    for path in origin.glob("metadata.db*"):
        path.unlink()
    opened(origin).close()

    def judge(root: Path) -> None:
        with opened(root, NOW + 2000) as factory:
            factory.rescan_backups()
            assert len(factory.backups()) == 1
            factory.restore("sessions")

    assert killed_everywhere(origin, lambda f: f.rescan_backups(), judge, every=2) > 4


def test_sets(origin: Path) -> None:
    """A set is there as a whole or not at all."""
    with opened(origin) as factory:
        filled(factory, "other")

    def judge(root: Path) -> None:
        with opened(root, NOW + 2000) as factory:
            for set_id in factory.backup_sets():
                assert len(factory.restore_set(set_id)) == 2
            assert len(factory.backup(force=True)) == 2

    assert killed_everywhere(origin, lambda f: f.backup(), judge, every=17) > 100
