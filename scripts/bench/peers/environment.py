"""The benchmark's own environment: a venv with dsfactory's dependencies and the peers.

Made once and used again until pyproject.toml, the peers or the Python change. pip works as it is
configured here. This file imports nothing but the standard library: it runs before all else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
VENV = ROOT / ".venv" / "bench"
PEERS = ("diskcache>=5.6,<6", "lmdb>=1.6,<4", "sqlitedict>=2.1,<3")
STAMP = "installed"


def prepared(venv: Path) -> Path:
    """Return the Python of the environment at *venv*, made and filled if it is not yet.

    A peer that cannot be installed is left out and named. SystemExit says what to do when nothing
    can be installed.
    """
    python = venv / "bin" / "python"
    stamp = venv / STAMP
    if stamp.is_file() and stamp.read_text() == fingerprint() and works(python):
        return python
    tell(f"Making the benchmark's environment in {venv}; this takes the network, once ...")
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=False)
    if made.returncode:
        sys.exit(f"{sys.executable} could not make a venv in {venv}; --venv DIR names another.")
    if complaint := install(python, *requirements()):
        sys.exit(unreachable("dsfactory's dependencies", complaint))
    missing = [peer for peer in PEERS if install(python, peer)]
    if len(missing) == len(PEERS):
        sys.exit(unreachable("the peers", install(python, *PEERS)))
    for peer in missing:
        tell(f"{peer} could not be installed: it is left out, now and until {stamp} is deleted.")
    stamp.write_text(fingerprint())
    return python


def fingerprint() -> str:
    """Return what an environment depends on."""
    return "\n".join([sys.version, *requirements(), *PEERS])


def requirements() -> list[str]:
    """Return what dsfactory depends on, and no extras."""
    text = (ROOT / "pyproject.toml").read_text()
    found: list[str] = tomllib.loads(text)["project"]["dependencies"]
    return found


def works(python: Path) -> bool:
    """Whether that interpreter is still there: an upgrade of the system may take it away."""
    return python.exists() and not subprocess.run([python, "-c", ""], check=False).returncode


def install(python: Path, *packages: str) -> str:
    """Install *packages*; return what pip complained about, nothing when it went well."""
    ran = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
        check=False,
        capture_output=True,
        text=True,
    )
    return ran.stderr.strip() if ran.returncode else ""


def unreachable(what: str, complaint: str) -> str:
    """Return the message for when pip gave up."""
    said = "\n".join(f"  {line}" for line in complaint.splitlines()[-4:])
    return (
        f"pip could not install {what}. It said:\n{said}\n"
        "If PyPI cannot be reached from here, tell pip of an index that can (PIP_INDEX_URL, "
        "HTTPS_PROXY or pip.conf),\nor measure with what a Python already has: "
        "PYTHON scripts/bench/run --here"
    )


def enter(venv: Path, program: Path, arguments: list[str]) -> None:
    """Become *program* in the environment."""
    python = prepared(venv)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [str(python), str(program), "--here", *arguments]
    os.execve(python, command, environment)  # noqa: S606 -- no shell is wanted


def tell(text: str) -> None:
    """Say something to whoever waits."""
    print(text, file=sys.stderr, flush=True)
