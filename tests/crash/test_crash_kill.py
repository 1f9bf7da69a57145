"""A process that writes is killed, again and again: what it acknowledged is there, all of it."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import dsfactory as ds

WRITER = Path(__file__).with_name("crash_writer.py")
KILLS = 24
PARTS = {"single": 1, "pair": 2, "batch": 3}


def killed_writer(root: Path, first: int, after: int) -> list[tuple[str, int]]:
    """Run the writer from step *first* on, kill it once it has acknowledged *after* more steps.

    Return everything that it acknowledged. It runs on while the signal is on its way, so it dies
    anywhere: inside of a statement, a commit, an fsync or a checkpoint.
    """
    command = [sys.executable, str(WRITER), str(root), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after)]
        process.kill()
        lines += process.stdout.readlines()
    return [(name, int(number)) for name, number in (line.split() for line in lines)]


class Expectation:
    """What a store must hold, going by what its writers said."""

    def __init__(self) -> None:
        self.acknowledged: set[tuple[str, int]] = set()
        self.next = 0

    def note(self, said: list[tuple[str, int]]) -> None:
        """Add what one more writer acknowledged."""
        self.acknowledged |= set(said)
        # The step that was under way when it died may have been committed unheard.
        self.next = max((number for _, number in said), default=self.next) + 2

    def compare(self, store: ds.DataStore[Any]) -> None:
        """Fail unless everything acknowledged is there, and every transaction whole or absent."""
        found: dict[tuple[str, int], int] = defaultdict(int)
        for key, value in store.scan():
            match = re.fullmatch(r"(single|pair|batch)-(\d+)(?:-\w)?", str(key))
            if match is not None:
                number = int(match[2])
                assert value == [number, f"{number}:" * 200]
                found[match[1], number] += 1
        deleted = {("single", number - 8) for name, number in found if name == "batch"}
        assert self.acknowledged - deleted <= set(found)
        assert {step: parts for step, parts in found.items() if parts != PARTS[step[0]]} == {}
        assert store.get("pairs", 0) == sum(1 for name, _ in found if name == "pair")


def test_killed_writer(tmp_path: Path) -> None:
    """After each of many kills at random moments: nothing acknowledged is lost, nothing is half
    there, every invariant holds, and the next process goes on with the same file.
    """
    chance = random.Random(20)
    expectation = Expectation()
    for _ in range(KILLS):
        said = killed_writer(tmp_path / "data", expectation.next, chance.randint(1, 12))
        assert said
        expectation.note(said)
        with ds.DataStoreFactory(tmp_path / "data", maintenance="manual") as factory:
            store = factory.get_store("crashing")
            assert store.check() == []
            expectation.compare(store)
            assert factory.perform_health_check().healthy
    assert {name for name, _ in expectation.acknowledged} == set(PARTS)


def test_killed_beside_the_living(tmp_path: Path) -> None:
    """A process that has the store open all the while is not disturbed by the deaths of others."""
    chance = random.Random(21)
    expectation = Expectation()
    with ds.DataStoreFactory(tmp_path / "data", maintenance="manual") as factory:
        store: ds.DataStore[Any] = factory.create_state_store("crashing", compression_threshold=200)
        for number in range(6):
            store[f"mine-{number}"] = number
            said = killed_writer(tmp_path / "data", expectation.next, chance.randint(1, 12))
            expectation.note(said)
            expectation.compare(store)
            assert store[f"mine-{number}"] == number
            assert store.check() == []


@pytest.mark.parametrize("after", [0, 1])
def test_killed_at_the_start(tmp_path: Path, after: int) -> None:
    """A process that dies while it makes the factory or the store leaves nothing half-made."""
    for round_ in range(4):
        root = tmp_path / str(round_)
        said = killed_writer(root, 0, after) if after else killed_early(root, round_)
        with ds.DataStoreFactory(root, maintenance="manual") as factory:
            store = factory.create_state_store("crashing", compression_threshold=200)
            expectation = Expectation()
            expectation.note(said)
            expectation.compare(store)
            assert store.check() == []
            assert factory.perform_health_check().healthy


def killed_early(root: Path, event: int) -> list[tuple[str, int]]:
    """Kill the writer as soon as some file of its directory exists; return what it said."""
    command = [sys.executable, str(WRITER), str(root), "0"]
    awaited = [root, root / "metadata.db", root / "stores", root / "stores" / "crashing.db"][event]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not awaited.exists() and process.poll() is None:
            pass
        process.kill()
        lines = process.stdout.readlines()
    return [(name, int(number)) for name, number in (line.split() for line in lines)]
