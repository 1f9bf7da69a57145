"""Stores that are behind, and small disks."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from upgrade_tools import target_of

import dsfactory as ds
from dsfactory.upgrade import upgrade_file

BASE = "state_0001"


@pytest.fixture
def store_path(factory: ds.DataStoreFactory) -> Path:
    """A closed state store "s" at head, with 50 entries of which one is compressed."""
    with factory.create_state_store("s") as store:
        store.set_many({f"k{n}": {"n": n} for n in range(48)})
        store.set("tagged", 1, tags=["t"])
        store["large"] = "x" * 10_000
    return store.path


@pytest.fixture
def behind_path(factory: ds.DataStoreFactory, store_path: Path) -> Path:
    """The same store at the base."""
    upgrade_file(target_of(factory, "s"), to=BASE, down=True)
    return store_path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 12 MiB."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs takes root")
    folder = tmp_path / "small-disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting a small tmpfs is not permitted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
