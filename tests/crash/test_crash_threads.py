"""Threads that share commits are killed: what any of them was told to be written is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import dsfactory as ds

WRITER = Path(__file__).with_name("crash_threads.py")
THREADS = 4


@pytest.mark.parametrize("after", [5, 60, 200])
def test_killed_in_groups(tmp_path: Path, after: int) -> None:
    """After SIGKILL every acknowledged set is there, and no thread has a gap in its numbers."""
    command = [sys.executable, str(WRITER), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after)]
        process.kill()
        lines += process.stdout.readlines()
    acknowledged = {tuple(map(int, line.split())) for line in lines}
    with ds.DataStoreFactory(tmp_path, maintenance="manual") as factory:
        store = factory.get_store("crashing")
        assert store.check() == []
        found = {tuple(value) for _, value in store.scan()}
    assert acknowledged <= found
    for thread in range(THREADS):
        numbers = sorted(number for one, number in found if one == thread)
        assert numbers == list(range(len(numbers)))
        assert len(numbers) <= sum(one == thread for one, _ in acknowledged) + 1
