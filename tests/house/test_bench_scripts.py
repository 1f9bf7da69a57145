"""The benchmarks run: each in its shortest form, so that nobody finds them broken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SHORT = {
    "overhead": ("--rounds", "1", "--entries", "50"),
    "startup": ("--rounds", "1"),
    "counting": ("--entries", "1000"),
    "journal": ("--rounds", "1", "--entries", "20"),
    "packs": ("--megabytes", "2", "--nights", "2", "--change", "rows"),
    "hitratio": ("--zipf", "1000", "--size", "20"),
    "limiter": ("--rounds", "1", "--decisions", "50"),
    "limits": ("--entries", "100", "--rounds", "1"),
    "checksums": ("--rounds", "1", "--entries", "200"),
    "fairness": ("--rounds", "1", "--processes", "2", "--commits", "20"),
    "threads": ("--rounds", "1", "--sets", "40"),
    "churn": ("--sets", "400", "--entries", "100"),
    "behind": ("--rounds", "1", "--sets", "100"),
    "hot": ("--rounds", "1", "--entries", "100"),
    "watch": ("--events", "5", "--entries", "10", "--idle", "0.1"),
    "metrics": ("--samples", "4000", "--series", "4"),
    "metrics-queries": ["--series", "8", "--days", "1", "--rounds", "1", "--growth", "4000"],
    "mmap": ("--rounds", "1", "--megabytes", "1"),
    "backup": ("--rounds", "1", "--rows", "500", "--seconds", "0.2", "--plans", "500"),
    "retention": ("--rounds", "1", "--backups", "500"),
}


@pytest.mark.parametrize("name", SHORT)
def test_bench_prints_figures(name: str) -> None:
    """The script ends well and prints numbers."""
    ran = subprocess.run(
        [sys.executable, ROOT / "scripts" / "bench" / name, *SHORT[name]],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ran.returncode == 0, ran.stderr
    assert any(character.isdigit() for character in ran.stdout)


def test_every_bench_is_run_somewhere() -> None:
    """A new benchmark joins this list, or has a test of its own."""
    # simulation.py is a part of hitratio; upgrade has tests/upgrade/test_upgrade_bench.py, run
    # test_bench_run.py.
    elsewhere = {"simulation.py", "upgrade", "run"}
    scripts = {path.name for path in (ROOT / "scripts" / "bench").iterdir() if path.is_file()}
    assert scripts == {*SHORT, *elsewhere}
