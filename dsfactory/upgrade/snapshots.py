"""Copies of a file from before an upgrade: proven sound, on disk, and few."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import apsw

from dsfactory.engine.copying import copy_online
from dsfactory.engine.files import (
    PRIVATE_FILE,
    created_at_once,
    private_directory,
    remove_database,
    remove_unfinished,
)
from dsfactory.engine.translate import translated
from dsfactory.errors import DataStoreError, UpgradeFailedError
from dsfactory.upgrade.planning import Target

KEPT = 3
"""Revisions whose newest copy stays: an upgrade that fails at every opening repeats its own copy
and does not push out the one from the upgrade before."""

UNFINISHED_AGE_S = 3600


class Snapshot(NamedTuple):
    """A copy from before, by what its name says."""

    number: int
    revision: str
    path: Path


def taken(target: Target, revision: str | None) -> Path:
    """Copy the file as it is and return where; older copies that it supersedes are deleted.

    The caller holds the file's write lock. Raises UpgradeFailedError: nothing was changed then.
    """
    with _needed(target, revision):
        directory = _directory(target)
        there = snapshots(directory, target)
        number = max((copy.number for copy in there), default=0) + 1
        # A number and not the time: a clock may stand still or go back, and nothing is overwritten.
        path = directory / f"{target.name}-{revision or 'base'}-{number:06d}.db"
        with created_at_once(path) as scratch:
            copy_online(target.path, target.settings, scratch)
        for old in superseded([*there, Snapshot(number, revision or "base", path)]):
            old.path.unlink(missing_ok=True)
    return path


@contextlib.contextmanager
def scratch_copy(target: Target) -> Iterator[Path]:
    """Yield a copy to try things on; it is deleted afterwards."""
    with _needed(target, None):
        name = f".{target.name}.{os.urandom(8).hex()}.dry-run.unfinished"
        path = _directory(target) / name
        path.touch(PRIVATE_FILE, exist_ok=False)
    try:
        with _needed(target, None):
            copy_online(target.path, target.settings, path)
        yield path
    finally:
        remove_database(path)


def snapshots(directory: Path, target: Target) -> list[Snapshot]:
    """Return the copies of one file, in no order."""
    # Names contain dashes: only the whole pattern tells "a" from "a-b".
    pattern = re.compile(rf"{re.escape(target.name)}-(base|{target.kind}_\d+)-(\d+)\.db")
    matches = ((pattern.fullmatch(path.name), path) for path in directory.iterdir())
    return [Snapshot(int(match[2]), match[1], path) for match, path in matches if match]


def superseded(copies: list[Snapshot]) -> list[Snapshot]:
    """Return the copies to delete: all but the newest of each of the newest KEPT revisions."""
    newest: dict[str, Snapshot] = {}
    for copy in sorted(copies, reverse=True):
        newest.setdefault(copy.revision, copy)
    kept = list(newest.values())[:KEPT]
    return [copy for copy in copies if copy not in kept]


def _directory(target: Target) -> Path:
    directory = private_directory(target.snapshots)
    remove_unfinished(
        directory, older_than_s=UNFINISHED_AGE_S, now_s=target.clock() / 1000
    )  # of killed processes
    return directory


@contextlib.contextmanager
def _needed(target: Target, revision: str | None) -> Iterator[None]:
    try:
        yield
    except (DataStoreError, apsw.Error, OSError) as error:
        reason = translated(error, target.path) if isinstance(error, apsw.Error) else error
        raise UpgradeFailedError(
            f"{target.name}: no copy could be made in {target.snapshots} before the upgrade "
            f"({type(reason).__name__}: {reason}). The file is unchanged. Mend that, then try "
            "again.",
            store=target.name,
            revision=revision,
            statement=None,
            snapshot=None,
        ) from error
