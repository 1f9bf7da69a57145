"""history, diff and rollback: the versions of a config store on the command line."""

from __future__ import annotations

import pytest

import dsfactory as ds


@pytest.fixture
def versions(run, root):
    """A config store with three versions of its document, one field of which is a secret."""
    run("init", "--store", "app:config", "--root", root)
    for number, why in ((1, "first"), (2, "more"), (3, "most")):
        value = f'{{"port": {number}, "db": {{"password": "pw-{number}"}}}}'
        run("set", "app", "document", value, "--why", why, "--who", "ada", "--root", root)
    return root


def test_history(run, versions):
    """Versions come newest first with who and why, and without values."""
    shown = run("history", "app", "--root", versions).stdout
    assert shown.index("most") < shown.index("first")
    assert "pw-" not in shown
    listed = run("history", "app", "--limit", "2", "--root", versions, "--json").json["versions"]
    assert [(v["version"], v["why"], v["who"]) for v in listed] == [
        (3, "most", "ada"),
        (2, "more", "ada"),
    ]
    assert "value" not in listed[0]


def test_history_values(run, versions):
    """Values are shown when asked for, secrets only with --reveal."""
    asked = ["history", "app", "--values", "--root", versions]
    assert "pw-" not in run(*asked).stdout
    assert run(*asked, "--json").json["versions"][0]["value"]["port"] == 3
    assert "pw-3" in run(*asked, "--reveal").stdout


def test_diff(run, versions):
    """Paths and what became of them; values when asked for, secrets only with --reveal."""
    asked = ["diff", "app", "1", "2", "--root", versions]
    found = run(*asked, "--json").json["differences"]
    assert found == [
        {"path": "$.db.password", "change": "changed"},
        {"path": "$.port", "change": "changed"},
    ]
    assert "pw-" not in run(*asked, "--values").stdout
    revealed = run(*asked, "--values", "--reveal", "--json").json["differences"]
    assert (revealed[0]["old"], revealed[0]["new"]) == ("pw-1", "pw-2")
    assert run("diff", "app", "2", "2", "--root", versions).stdout == "no difference\n"


def test_rollback(run, versions):
    """An earlier version is current again, as a new one with its reason."""
    ran = run("rollback", "app", "1", "--why", "worse", "--root", versions, "--json")
    assert (ran.json["version"], ran.json["of"]) == (4, 1)
    assert run("get", "app", "document", "--root", versions).json["port"] == 1
    newest = run("history", "app", "--root", versions, "--json").json["versions"][0]
    assert (newest["change"], newest["why"]) == ("rollback", "worse")


@pytest.mark.parametrize("command", [["rollback", "app", "9"], ["diff", "app", "1", "9"]])
def test_unknown_version(run, versions, command):
    """An unknown version exits with 4."""
    assert run(*command, "--root", versions).exit_code == ds.VersionAbsentError.exit_code


@pytest.mark.parametrize(
    "command",
    [["history", "sessions"], ["diff", "sessions", "1", "2"], ["rollback", "sessions", "1"]],
)
def test_without_history(run, root, command):
    """A store that keeps no history says so: exit code 2."""
    ran = run(*command, "--root", root)
    assert ran.exit_code == ds.FeatureError.exit_code
    assert "keeps no history" in ran.stderr


def test_why_without_history(run, root):
    """A reason that could be kept nowhere is refused before the write."""
    assert run("set", "sessions", "k", "1", "--why", "x", "--root", root).exit_code == 2
    assert run("get", "sessions", "k", "--root", root).exit_code == 4
