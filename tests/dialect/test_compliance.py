"""SQLAlchemy's own dialect compliance suite, against apsw.

Run as a program, this compares with stock pysqlite: python tests/dialect/test_compliance.py
"""

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import sqlalchemy

import dsfactory

SUITE = Path(__file__).parent / "compliance"
# What ran when this was written, with 2.0.40 and 2.1.9; releases add tests.
PASSED = 1241 if sqlalchemy.__version__.startswith("2.0.") else 1610


def run_suite(url, folder):
    """Run the suite on *url* in a process of its own; return the outcome of every test by name."""
    report = Path(folder) / "report.xml"
    options = ["-c", SUITE / "setup.cfg", "--dburi", url, "--junitxml", report]
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", SUITE / "suite.py", *options],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert report.exists(), finished.stdout + finished.stderr
    return outcomes(report), finished.stdout


def environment():
    """Ours, without what the pytest and coverage around us have put there."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV"))}
    ours["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    root = str(Path(dsfactory.__file__).parents[1])
    ours["PYTHONPATH"] = os.pathsep.join(filter(None, [root, ours.get("PYTHONPATH")]))
    return ours


def outcomes(report):
    """Read a JUnit report; names are freed of the driver's name and version."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - our own file
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        name = f"{case.get('classname')}::{case.get('name')}"
        found[re.sub(r"_sqlite\+\w+?_[\d_]+", "", name)] = kinds.pop() if kinds else "passed"
    return found


def test_compliance_suite_on_apsw(tmp_path, record_property):
    """SQLAlchemy's compliance suite passes without a failure, and without new skips."""
    found, output = run_suite("sqlite+apsw:///:memory:", tmp_path)
    counts = Counter(found.values())
    record_property("compliance", dict(counts))
    sys.stdout.write(f"compliance: {dict(counts)}\n")
    assert counts["failure"] == counts["error"] == 0, output
    assert counts["passed"] >= PASSED


def compare():
    """Write the counts of both drivers, and each test whose outcome differs."""
    found = {}
    for driver in ("apsw", "pysqlite"):
        for database in (":memory:", "suite.db"):
            with tempfile.TemporaryDirectory() as folder:
                found[driver, database], _ = run_suite(f"sqlite+{driver}:///{database}", folder)
            counts = dict(Counter(found[driver, database].values()))
            sys.stdout.write(f"{driver} {database}: {counts}\n")
    for database in (":memory:", "suite.db"):
        ours, theirs = found["apsw", database], found["pysqlite", database]
        for name in sorted({*ours, *theirs}):
            if ours.get(name) != theirs.get(name):
                sys.stdout.write(f"{name}: {ours.get(name)}, pysqlite {theirs.get(name)}\n")


if __name__ == "__main__":
    compare()
