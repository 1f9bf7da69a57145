"""scripts/quickstart and scripts/test: what they ask of a machine, and what they do only once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPTS = ("scripts/quickstart", "scripts/test", "scripts/setup.sh", ".ci/run")

# Plays a Python: is as new as VERSION says, has ensurepip or not, makes a venv in which it plays
# itself, and writes down what is installed and run.
PYTHON = """#!/bin/sh
case "$*" in
    *version_info*) [ "$VERSION" != 3.9.2 ] ;;
    *ensurepip*) [ -z "$NO_ENSUREPIP" ] ;;
    --version) echo "Python $VERSION" ;;
    "-m venv"*)
        mkdir -p "$4/bin" && cp "$0" "$4/bin/python"
        printf '#!/bin/sh\\necho dsfactory $* >>"$LOG"\\n' >"$4/bin/dsfactory"
        chmod +x "$4/bin/dsfactory"
        echo "venv" >>"$LOG" ;;
    -m*) shift; echo "$*" >>"$LOG"; [ -z "$FAILING" ] || [ "${*#*$FAILING}" = "$*" ] ;;
esac
"""


class Machine:
    """A checkout of the scripts on a machine whose only Python is a played one."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "check out"
        (self.checkout / "scripts").mkdir(parents=True)
        for name in ("scripts/quickstart", "scripts/test", "scripts/setup.sh", "pyproject.toml"):
            shutil.copy(CHECKOUT / name, self.checkout / name)
        self.log = folder / "log"
        tools = folder / "bin"
        tools.mkdir()
        for tool in ("sh", "dirname", "cat", "cksum", "mkdir", "cp", "chmod", "tee"):
            found = shutil.which(tool)
            assert found
            (tools / tool).symlink_to(found)
        (tools / "python3").write_text(PYTHON)
        (tools / "python3").chmod(0o755)
        self.environment = {"PATH": str(tools), "LOG": str(self.log), "VERSION": "3.11.2"}

    def run(self, script: str, *arguments: str, **environment: str) -> tuple[int, str, list[str]]:
        """Return the exit code, what people read, and what was done."""
        self.log.write_text("")
        ran = subprocess.run(
            [str(self.checkout / "scripts" / script), *arguments],
            capture_output=True,
            text=True,
            env={**self.environment, **environment},
            cwd="/",
            check=False,
        )
        return ran.returncode, ran.stderr, self.log.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def installed(done: list[str]) -> list[str]:
    return [line.rpartition(" ")[2] for line in done if line.startswith("pip install")]


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_syntax(name):
    """Every script is one that its shell can read, and can be executed unless it is sourced."""
    path = CHECKOUT / name
    shell = "bash" if name == ".ci/run" else "sh"
    subprocess.run([shell, "-n", str(path)], check=True)
    assert os.access(path, os.X_OK) != name.endswith(".sh")


@pytest.mark.parametrize("name", [*SCRIPTS, "pyproject.toml"])
def test_no_host_names(name):
    """No script names a host of the network or a path of somebody's machine."""
    text = (CHECKOUT / name).read_text()
    assert "://" not in text
    assert "/home/" not in text


def test_first_run(machine):
    """The first run makes a virtual environment, installs, and does the main job."""
    code, said, done = machine.run("quickstart", "--root", "a b")
    assert code == 0
    assert done[0] == "venv"
    assert installed(done) == ["out"]  # of "check out"
    assert done[-1] == "dsfactory demo --root a b"
    assert "Making a virtual environment" in said
    assert "Installing" in said


def test_second_run(machine):
    """The second run installs nothing and says nothing of it."""
    machine.run("quickstart")
    assert machine.run("quickstart") == (0, "", ["dsfactory demo"])


def test_changed_project(machine):
    """When pyproject.toml changes, it is installed anew."""
    machine.run("quickstart")
    with (machine.checkout / "pyproject.toml").open("a") as project:
        project.write("\n# another dependency\n")
    code, _, done = machine.run("quickstart")
    assert (code, len(installed(done))) == (0, 1)
    assert "venv" not in done


def test_failed_installation(machine):
    """An installation that failed is tried again the next time."""
    code, said, done = machine.run("quickstart", FAILING="install")
    assert (code, "dsfactory demo" in done) == (1, False)
    assert "installation failed" in said
    code, _, done = machine.run("quickstart")
    assert (code, len(installed(done)), done[-1]) == (0, 1, "dsfactory demo")


def test_broken_environment(machine):
    """A virtual environment whose Python went away is made anew."""
    machine.run("quickstart")
    (machine.checkout / ".venv" / "bin" / "python").unlink()
    code, _, done = machine.run("quickstart")
    assert (code, done[0]) == (0, "venv")


def test_old_python(machine):
    """A Python that is too old is refused, with its version and what to do."""
    code, said, done = machine.run("quickstart", VERSION="3.9.2")
    assert (code, done) == (1, [])
    assert "Python 3.9.2" in said
    assert "3.11 or later" in said
    assert "PYTHON=" in said


def test_chosen_python(machine, tmp_path):
    """PYTHON names another one than python3, with a space in its path; a wrong one is named."""
    other = tmp_path / "my python"
    shutil.copy(tmp_path / "bin" / "python3", other)
    (tmp_path / "bin" / "python3").unlink()
    assert machine.run("quickstart", PYTHON=str(other))[0] == 0
    shutil.rmtree(machine.checkout / ".venv")
    code, said, _ = machine.run("quickstart", PYTHON="/nowhere/python")
    assert (code, "no /nowhere/python" in said) == (1, True)


def test_no_ensurepip(machine):
    """Debian without python3-venv is told the package's name."""
    code, said, done = machine.run("quickstart", NO_ENSUREPIP="1")
    assert (code, done) == (1, [])
    assert "apt-get install python3-venv" in said


def test_tests_bring_the_base(machine):
    """After scripts/test, quickstart has nothing to install: it works offline."""
    code, _, done = machine.run("test")
    assert code == 0
    assert installed(done) == ["out[test]"]
    assert installed(machine.run("quickstart")[2]) == []


def test_steps_of_test(machine):
    """scripts/test checks style, types, and runs the tests measured, with a line for each step."""
    machine.run("test")
    code, said, done = machine.run("test")
    tools = [line.split()[0] for line in done]
    assert (code, tools) == (0, ["ruff", "ruff", "mypy", *["coverage"] * 4])
    assert done[-1] == "coverage report"
    assert len([line for line in said.splitlines() if line.startswith("== ")]) == 5


def test_arguments_of_test(machine):
    """Arguments go to pytest, and a part of the tests is not measured against the threshold."""
    machine.run("test")
    code, _, done = machine.run("test", "tests/cli", "-k", "demo")
    assert (code, done[-1]) == (0, "pytest tests/cli -k demo")
    assert not [line for line in done if line.startswith("coverage")]


@pytest.mark.parametrize("tool", ["ruff", "mypy", "pytest", "report"])
def test_failing_step(machine, tool):
    """A step that fails fails the whole, and nothing is done after it."""
    machine.run("test")
    code, _, done = machine.run("test", FAILING=tool)
    assert code != 0
    assert tool in done[-1]
