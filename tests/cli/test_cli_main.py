"""The command line as a whole: help, errors, exit codes, what it imports."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import dsfactory as ds
from dsfactory import errors
from dsfactory.cli import boundary
from dsfactory.cli.index import COMMANDS, GROUPS
from dsfactory.cli.main import EPILOG, dsfactory

# Every command that does something, as it is called.
LEAVES = [[name] for name in COMMANDS if name not in GROUPS] + [
    [group, name] for group, names in GROUPS.items() for name in names
]
DEAR = ("sqlalchemy", "alembic", "apsw", "msgspec", "rich", "zstandard")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


def test_help_lists_commands(run):
    """Help names every command with its line."""
    shown = " ".join(run("--help").stdout.split())
    for name, line in COMMANDS.items():
        assert f"{name} {line}" in shown


def test_help_imports_nothing_dear():
    """Help imports click and no library that takes long."""
    code = "import sys; from dsfactory.cli.main import main\ntry: main(['--help'])\n"
    code += "except SystemExit: print('IMPORTED', *sys.modules)"
    imported = python("-c", code).stdout.partition("IMPORTED")[2].split()
    assert "click" in imported
    assert not set(DEAR) & set(imported)


def test_commands_import_no_schema_tools(root):
    """A command on stores that are up to date imports neither SQLAlchemy nor Alembic."""
    code = "import sys; from dsfactory.cli.main import main\n"
    code += f"try: main(['stats', '--root', {str(root)!r}])\n"
    code += "except SystemExit as end: print('IMPORTED', end.code, *sys.modules)"
    code_and_modules = python("-c", code).stdout.partition("IMPORTED")[2].split()
    assert code_and_modules[0] == "0"
    assert not {"sqlalchemy", "alembic"} & set(code_and_modules)


@pytest.mark.parametrize("name", COMMANDS)
def test_index_line(name):
    """The index says of a command what the command says of itself first."""
    command = dsfactory.get_command(click.Context(dsfactory), name)
    assert command is not None
    assert command.name == name
    assert (command.help or "").partition("\n\n")[0].replace("\n", " ") == COMMANDS[name]


@pytest.mark.parametrize("group", GROUPS)
def test_index_lines_of_groups(group):
    """The index says of a command in a group what the command says of itself first."""
    commands = dsfactory.get_command(click.Context(dsfactory), group)
    for name, line in GROUPS[group].items():
        command = commands.get_command(click.Context(commands), name)
        assert command.name == name
        assert (command.help or "").partition("\n\n")[0].replace("\n", " ") == line


@pytest.mark.parametrize("called", LEAVES, ids=" ".join)
def test_command_help(run, called):
    """Every command explains itself, with --root, --json and the variable for the root."""
    shown = run(*called, "-h")
    assert shown.exit_code == 0
    for said in ("--json",) if called == ["completion"] else ("--root", "DSFACTORY_ROOT", "--json"):
        assert said in shown.stdout


def test_commands_folder_is_the_index():
    """Every file in commands/ is a command of the index, and the other way about."""
    folder = Path(boundary.__file__).parent / "commands"
    assert names_in(folder) == set(COMMANDS)
    for group, names in GROUPS.items():
        assert names_in(folder / group) == set(names)


def names_in(folder: Path) -> set[str]:
    """The commands that a folder has, by the names of its files and folders."""
    stems = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    return {stem.replace("_", "-") for stem in stems if not stem.startswith("__")}


def test_exit_codes_are_documented():
    """Help documents every exit code that an error of ours has, and the one of a bug."""
    classes = [thing for thing in vars(errors).values() if isinstance(thing, type)]
    ours = {c.exit_code for c in classes if issubclass(c, ds.DataStoreError)}
    documented = {int(number) for number in re.findall(r"(?:^|\s{2,})(\d+)  \w", EPILOG)}
    assert documented == {0, boundary.BUG, *ours}


def test_version(run):
    """--version prints the version of the package."""
    assert run("--version").stdout == f"dsfactory {ds.__version__}\n"


def test_unknown_command(run):
    """An unknown command is the user's mistake: exit code 2 and no traceback."""
    ran = run("frobnicate")
    assert ran.exit_code == 2
    assert "No such command" in ran.stderr


def test_unknown_option(run, root):
    """An unknown option is the user's mistake as well."""
    assert run("stores", "--root", root, "--jsn").exit_code == 2


@pytest.mark.parametrize("command", [["stores"], ["health"], ["stats"], ["show", "sessions"]])
def test_absent_directory(run, tmp_path, command):
    """Where there are no stores a command says so, and makes no directory."""
    ran = run(*command, "--root", tmp_path / "typo")
    assert ran.exit_code == ds.AbsentError.exit_code
    assert "typo" in ran.stderr
    assert "--root" in ran.stderr
    assert not (tmp_path / "typo").exists()


def test_root_from_environment(run, root, monkeypatch):
    """DSFACTORY_ROOT names the directory when --root does not."""
    monkeypatch.setenv("DSFACTORY_ROOT", str(root))
    assert str(root) in run("stores").stdout


def test_root_in_home(run, root, monkeypatch):
    """A tilde in the variable, which no shell expanded, is the user's home."""
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.setenv("DSFACTORY_ROOT", "~/data")
    assert str(root) in run("stores").stdout


def test_default_root(run, tmp_path, monkeypatch):
    """Without both it is the user's data directory."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert str(tmp_path) in run("stores").stderr


def test_root_is_a_foreign_file(run, tmp_path):
    """A metadata.db that is something else is refused with its exit code, in one line."""
    (tmp_path / "metadata.db").write_bytes(b"no database, but long enough to be one" * 40)
    ran = run("stores", "--root", tmp_path)
    assert ran.exit_code == ds.ForeignFileError.exit_code
    assert ran.stderr.startswith("dsfactory: ")
    assert ran.stderr.count("\n") == 1


def test_error_of_the_system():
    """A failure of the file system is the user's, not a bug."""
    assert boundary.exit_code(FileNotFoundError(2, "gone")) == ds.StorageError.exit_code
    assert boundary.message(FileNotFoundError(2, "gone")) == "[Errno 2] gone"


def test_bug_is_logged(caplog):
    """What nobody foresaw is logged with its traceback and has an exit code of its own."""
    assert boundary.exit_code(ZeroDivisionError()) == boundary.BUG
    assert caplog.records[0].exc_info[0] is ZeroDivisionError
    assert boundary.message(ZeroDivisionError()) == "ZeroDivisionError"


def test_module_is_the_command(root):
    """python -m dsfactory is the command, with its exit codes."""
    ran = python("-m", "dsfactory", "stores", "--json", "--root", str(root))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert python("-m", "dsfactory.cli.main", "show", "x", "--root", str(root)).returncode == 4


def test_output_that_nobody_reads(root):
    """A reader that goes away, such as head, gets no traceback."""
    line = f"{sys.executable} -m dsfactory show sessions --root {root} | true"
    ran = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert "Traceback" not in ran.stderr


def test_terminal_without_unicode(root):
    """A terminal that cannot show a character shows another one."""
    line = f"PYTHONIOENCODING=ascii {sys.executable} -m dsfactory stores --root {root}"
    ran = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.isascii()
