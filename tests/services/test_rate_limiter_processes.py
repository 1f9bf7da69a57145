"""Several processes under one limit: never one too many, and none is forgotten."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import rate_workers

import dsfactory as ds
from dsfactory.services import RateLimiter
from dsfactory.services.limits.rules import ALGORITHMS

PROCESSES = 8
LIMIT = 200


def run_all(root: Path, algorithms: tuple[str, ...]) -> None:
    """Let all processes ask at once."""
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=take_all, args=(root, algorithms)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * PROCESSES


def take_all(root: Path, algorithms: tuple[str, ...]) -> None:
    """One process's work."""
    for algorithm in algorithms:
        rate_workers.take_until_refused(root, algorithm)


def test_eight_processes_never_take_too_much(tmp_path: Path) -> None:
    """Eight processes together get exactly the limit of every key, by every algorithm."""
    with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=ds.ManualClock()) as factory:
        for algorithm in ALGORITHMS:
            RateLimiter(
                factory, name=algorithm, per_minute=LIMIT, safety_margin=1, algorithm=algorithm
            )
        run_all(tmp_path, ALGORITHMS)
        counts = factory.create_state_store("counts")
        for algorithm in ALGORITHMS:
            limiter = RateLimiter(factory, name=algorithm)
            for cost, key in enumerate(rate_workers.KEYS, 1):
                taken = LIMIT - LIMIT % cost
                assert counts[f"{algorithm} {key}"] == taken
                assert limiter.status(key).windows["minute"].used == taken
            assert factory.get_store(algorithm).check() == []


def test_killed_process_loses_no_count(tmp_path: Path) -> None:
    """After SIGKILL every acknowledged permit is counted; at most the one under way was unheard."""
    worker = Path(rate_workers.__file__)
    acknowledged = 0
    for kill in range(1, 6):
        command = [sys.executable, str(worker), str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(kill * 7):
                process.stdout.readline()
            process.kill()
            acknowledged += kill * 7 + len(process.stdout.readlines())
        with ds.DataStoreFactory(tmp_path, maintenance="manual") as factory:
            used = RateLimiter(factory).status().windows["day"].used
            assert acknowledged <= used <= acknowledged + kill
            assert factory.get_store("rate-limits").check() == []


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_threads_never_take_too_much(factory: ds.DataStoreFactory, algorithm: str) -> None:
    """Threads of one process share a limit as processes do, while somebody changes it."""
    limiter = RateLimiter(factory, per_minute=50, safety_margin=1, algorithm=algorithm)
    admitted: list[int] = []

    def work() -> None:
        for _ in range(60):
            admitted.extend([1] * limiter.check_and_increment().allowed)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for limit in range(51, 61):
        limiter.update_configuration(per_minute=limit)
    for thread in threads:
        thread.join()
    while limiter.check_and_increment().allowed:
        admitted.append(1)
    assert len(admitted) == 60
