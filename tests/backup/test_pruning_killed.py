"""Killed at any step of pruning: what is listed is whole, and the next run finishes."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import dsfactory as ds
from dsfactory.backup.retention import pruning

STEPS = frozenset({"mark_removed", "delete", "drop", "drop_lost", "forget"})
NOW = ds.ManualClock().now_ms()


def opened(root: Path, now: int = NOW, **rules: Any) -> ds.DataStoreFactory:
    """The factory of *root*, with a store that has these rules."""
    factory = ds.DataStoreFactory(root, maintenance="manual", clock=ds.ManualClock(now))
    factory.create_state_store("s", **rules)
    return factory


def with_backups(root: Path, form: str) -> list[str]:
    """Make a store and four backups in *root*; return their ids. Two are allowed from then on."""
    ids = []
    for n in range(4):
        with opened(root, NOW + n * 1000, backup_format=form, max_backups=9) as factory:
            factory.get_store("s")["key"] = ["value", n] * 100
            ids.append(factory.backup("s").id)
    opened(root, NOW + 4000, max_backups=2).close()
    return ids


def pruned_until(root: Path, fatal: int) -> bool:
    """Prune in a child that kills itself before step number *fatal*; whether it came to that."""
    child = os.fork()
    if child == 0:  # pragma: no cover -- it ends by a signal
        left = fatal

        def watch(frame: FrameType, event: str, _argument: Any) -> None:
            nonlocal left
            if event == "call" and frame.f_code.co_name in STEPS:
                if "backup" in frame.f_code.co_filename or "registry" in frame.f_code.co_filename:
                    left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)

        with opened(root, NOW + 5000) as factory:
            sys.setprofile(watch)
            factory.prune()
            sys.setprofile(None)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL)
    return status != 0


@pytest.mark.parametrize("form", ["full", "pack"])
def test_prune_killed(tmp_path: Path, form: str) -> None:
    """Before each step in turn: what is listed restores, with the catalog and without it."""
    assert pruning is not None  # the child must not spend its steps on importing
    ids = with_backups(tmp_path / "made", form)
    fatal = 1
    while pruned_until(shutil.copytree(tmp_path / "made", tmp_path / f"{fatal}"), fatal):
        root = tmp_path / f"{fatal}"
        lost = tmp_path / f"{fatal}-lost"
        shutil.copytree(root / "backups", lost / "backups")
        for where in (root, lost):
            kept = whole(where)
            assert kept[-2:] == ids[2:]
            assert set(kept) <= set(ids)
        finished(root, ids[2:])
        fatal += 1
    assert fatal > (7 if form == "full" else 5)
    finished(tmp_path / f"{fatal}", ids[2:])


def whole(root: Path) -> list[str]:
    """The backups that *root* lists, all of which are whole."""
    two_hours_later = ds.ManualClock(NOW + 7_200_000)
    with ds.DataStoreFactory(root, maintenance="manual", clock=two_hours_later) as factory:
        if not factory.backups("s"):
            assert factory.rescan_backups().damaged == ()
        reports = factory.verify("s")
        assert [report.problem for report in reports] == [None] * len(reports)
        return [report.backup.id for report in reports]


def finished(root: Path, ids: list[str]) -> None:
    """Prune once more: just the backups *ids* are there, and no file of any other."""
    with opened(root, NOW + 6000) as factory:
        factory.prune()
        assert [b.id for b in factory.backups("s")] == ids
        assert factory.get_store("s").check() == []
        assert factory.prune()[0].removed == ()
    stems = {path.name.split(".")[0] for path in (root / "backups" / "s").iterdir()}
    assert stems - {"pack"} == set(ids)
