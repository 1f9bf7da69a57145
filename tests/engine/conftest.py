"""What the tests of engine/ are handed. A file handed out here is checked when the test ended."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from engine_tools import BadDisk, Rival, make_file, open_database, sound

from dsfactory.engine import Database


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A database that holds the values 1 and 2."""
    made = make_file(tmp_path / "things.db", 1, 2)
    yield made
    if made.exists():
        assert sound(made)


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """The same, opened with a short patience and no retries."""
    opened = open_database(path)
    yield opened
    opened.close()


@pytest.fixture
def rival(path: Path) -> Iterator[Rival]:
    """Another process that has the same database open."""
    with Rival(path) as process:
        yield process


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user can reach; pytest's own are root's alone."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="dsfactory-") as name:
        made = Path(name)
        made.chmod(0o777)
        yield made
        made.chmod(0o777)


@pytest.fixture
def bad_disk() -> Iterator[BadDisk]:
    """A disk whose fsync can be made to fail, under every connection opened meanwhile."""
    disk = BadDisk()
    yield disk
    apsw.set_default_vfs(disk.base)
    disk.unregister()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MiB."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs takes root")
    target = tmp_path / "small-disk"
    target.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(target)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting a small tmpfs is not permitted: {done.stderr.strip()}")
    try:
        yield target
    finally:
        subprocess.run(["umount", "--lazy", str(target)], check=True)
