"""init, maintain, shell and completion."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest
from schema_files import file_of

import dsfactory as ds


def opened(root):
    return ds.DataStoreFactory(root, maintenance="manual")


def dsfactory(*arguments, **more):
    line = [sys.executable, "-m", "dsfactory", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False, **more)


# -- init


def test_init(run, tmp_path):
    """A private directory and the stores that were asked for, with their options."""
    root = tmp_path / "new"
    stores = ["--store", "s:state", "--store", "c:cache", "--option", "c.max_entries=9"]
    made = run("init", *stores, "--option", "c.ttl=7d", "--root", root, "--json").json
    assert made["made"] is True
    assert [(store["name"], store["made"]) for store in made["stores"]] == [
        ("s", True),
        ("c", True),
    ]
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    with opened(root) as factory:
        options = factory.get_registered_store("c").options
        assert (options.max_entries, options.ttl) == (9, 7 * 86_400_000)


def test_init_again(run, root):
    """A second run changes nothing, and says so."""
    ran = run("init", "--store", "sessions:state", "--root", root)
    assert (ran.exit_code, "there already" in ran.stdout) == (0, True)
    assert run("init", "--root", root, "--json").json["made"] is False


def test_init_from_environment(run, tmp_path, monkeypatch):
    """DSFACTORY_ROOT names the directory here as well."""
    monkeypatch.setenv("DSFACTORY_ROOT", str(tmp_path / "there"))
    assert run("init").exit_code == 0
    assert (tmp_path / "there" / "metadata.db").exists()


def test_init_config(run, root):
    """A config store made here takes objects; the application's type comes when it opens it."""
    run("init", "--store", "app:config", "--root", root)
    assert run("set", "app", "document", '{"a": 1}', "--root", root).exit_code == 0
    with opened(root) as factory:
        assert factory.create_config_store("app", dict[str, int]).load() == {"a": 1}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--store", "a"], 2),
        (["--store", "a:nosuch"], 2),
        (["--store", "a/b:state"], 2),
        (["--store", "a:state", "--option", "a.nosuch=1"], 2),
        (["--store", "a:state", "--option", "nonsense"], 2),
        (["--option", "a.ttl=1d"], 2),
    ],
)
def test_init_wrong(run, tmp_path, words, code):
    """What is not allowed is refused before there is a directory."""
    ran = run("init", *words, "--root", tmp_path / "new")
    assert ran.exit_code == code
    assert not (tmp_path / "new").exists()


def test_init_in_the_way(run, root, tmp_path):
    """A directory with other things, and a store of another kind, are left alone: exit code 5."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").touch()
    assert run("init", "--root", tmp_path / "home").exit_code == 5
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["letter.txt"]
    assert run("init", "--store", "sessions:cache", "--root", root).exit_code == 5


# -- maintain


def test_maintain(run, root):
    """A round says in numbers what it did."""
    with opened(root) as factory:
        store = factory.get_store("sessions")
        store.set("gone", 1, ttl=1)
        while store.get("gone"):
            pass
    assert run("maintain", "--root", root, "--json").json["expired"] == 1
    assert "entries evicted" in run("maintain", "--root", root).stdout


def test_maintain_while_another_does(run, root):
    """While another process has the lease nothing is done, which is no failure."""
    with opened(root) as factory:
        factory.maintain()
        ran = run("maintain", "--root", root)
    assert (ran.exit_code, "Another process" in ran.stdout) == (0, True)


def test_maintain_fails(run, root):
    """A store that cannot be cared for is named and hinders no other: exit code 1."""
    file_of(root, "thumbs").unlink()
    ran = run("maintain", "--root", root)
    assert ran.exit_code == 1
    assert "thumbs.db is gone" in ran.stdout


# -- shell


def test_shell_rows(root):
    """SQL on the command line prints rows, as JSON when asked; values are unpacked."""
    long = {"text": "x" * 5000}
    with opened(root) as factory:
        factory.get_store("sessions")["long"] = long
    sql = "SELECT value ->> 'text' AS t FROM entries WHERE key = 'long'"
    ran = dsfactory("shell", "sessions", sql, "--root", root, "--json")
    assert (ran.returncode, "x" * 5000 in ran.stdout) == (0, True)


def test_shell_reads_standard_input(root):
    """Without SQL it reads standard input; dot commands are the shell's."""
    ran = dsfactory("shell", "thumbs", "--root", root, input=".tables\nSELECT 40 + 2;\n")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "entry" in ran.stdout
    assert "42" in ran.stdout


@pytest.mark.parametrize(
    "sql",
    ["DELETE FROM entry", "PRAGMA query_only = 0", "CREATE TABLE t (a)", "PRAGMA user_version=9"],
)
def test_shell_looks_only(root, sql):
    """Without --write nothing can be changed: exit code 2, and what to say."""
    ran = dsfactory("shell", "thumbs", sql, "--root", root)
    assert ran.returncode == 2
    assert "--write" in ran.stderr


def test_shell_writes(root):
    """With --write the view packs what is written, and the store reads it."""
    sql = "UPDATE entries SET value = json_object('a', 1) WHERE key = 'a-secret-key'"
    assert dsfactory("shell", "sessions", "--write", sql, "--root", root).returncode == 0
    with opened(root) as factory:
        assert factory.get_store("sessions")["a-secret-key"] == {"a": 1}


def test_shell_wrong_sql(root):
    """A statement that fails is the user's mistake: exit code 2, no traceback, input ends there."""
    assert dsfactory("shell", "thumbs", "SELEC 1", "--root", root).returncode == 2
    ran = dsfactory("shell", "thumbs", "--root", root, input="SELEC 1;\nSELECT 43;\n")
    assert ran.returncode == 2
    assert "43" not in ran.stdout
    assert "Traceback" not in ran.stderr
    assert dsfactory("shell", "thumbs", ".nosuch", "--root", root).returncode == 2


# -- completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(run, shell):
    """Each shell gets a script that asks the program; programs get it as JSON."""
    ran = run("completion", shell)
    assert ran.exit_code == 0
    assert "_DSFACTORY_COMPLETE" in ran.stdout
    assert run("completion", shell, "--json").json["shell"] == shell
    assert run("completion", "tcsh").exit_code == 2


def completed(root, words, place):
    """What bash would be told."""
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(place), "_DSFACTORY_COMPLETE": "bash_complete"}
    environment = {**os.environ, **asked, "DSFACTORY_ROOT": str(root)}
    ran = dsfactory(env=environment)
    return [line.partition(",")[2] for line in ran.stdout.split()]


def test_completion_answers(root, tmp_path):
    """Commands, commands of groups and names of stores are completed; in doubt nothing is."""
    assert completed(root, "dsfactory do", 1) == ["doctor", "downgrade"]
    assert completed(root, "dsfactory backup l", 2) == ["list"]
    assert completed(root, "dsfactory get s", 2) == ["sessions"]
    assert "--reveal" in completed(root, "dsfactory get --r", 2)
    assert completed(tmp_path / "typo", "dsfactory get s", 2) == []
    assert not (tmp_path / "typo").exists()


# -- names of stores that there are not


@pytest.mark.parametrize("words", [("backup", "list"), ("backup", "verify"), ("restore", "--list")])
def test_backups_of_a_mistyped_store(run, root, words):
    """A name that neither a store nor a backup has is an error, not "0 backups"."""
    ran = run(*words, "sesions", "--root", root)
    assert ran.exit_code == 4
    assert "sesions" in ran.stderr
    nothing_verified = 13  # is not "all well"
    there = run(*words, "sessions", "--root", root).exit_code
    assert there == (nothing_verified if "verify" in words else 0)


def test_backups_of_a_store_that_is_gone(run, root):
    """The backups of a store that is registered no more are listed and verified all the same."""
    with opened(root) as factory:
        factory.backup("sessions")
        factory.unregister_store("sessions")
    for words in (("backup", "list"), ("backup", "verify"), ("restore", "--list")):
        assert run(*words, "sessions", "--root", root).exit_code == 0
