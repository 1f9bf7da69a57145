"""The measurements of scripts/bench/upgrade run, in small."""

from __future__ import annotations

import json
import subprocess
import sys

from upgrade_tools import ROOT


def bench(*options: str) -> str:
    """Run it; return what it prints."""
    command = [sys.executable, str(ROOT / "scripts" / "bench" / "upgrade"), *options]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_short_form() -> None:
    """Every goal stands in the table with its number and verdict."""
    lines = bench("--stores", "3", "--rows", "500").splitlines()
    assert lines[0] == "3 state stores of 10 entries; 500 rows"
    assert sum("goal <" in line for line in lines) == 3


def test_as_json() -> None:
    """The numbers are there for machines too, and progress was reported."""
    found = json.loads(bench("--stores", "1", "--rows", "500", "--json"))
    assert found["rebuild, progress reports"] >= 1
    assert found["rebuild, peak MB"] > 0
