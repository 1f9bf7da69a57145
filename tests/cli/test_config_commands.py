"""dsfactory config: configurations at the command line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest

import dsfactory as ds
from dsfactory.services.configuration import (
    AccountSettings,
    ApplicationSettings,
    ConfigurationManager,
    Secret,
)

SCHEMA = "dsfactory.services.configuration:ApplicationSettings"
WORD = "very-secret-word"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with a configuration of two versions, with a secret in it."""
    monkeypatch.delenv("DSFACTORY_CONFIG_SCHEMA", raising=False)
    where = tmp_path / "data"
    with ds.DataStoreFactory(where, maintenance="manual") as factory:
        manager = ConfigurationManager(factory, ApplicationSettings, name="app")
        manager.update({"account.user": "ada", "account.token": WORD}, who="ada", reason="set up")
        factory.create_state_store("state")
    yield where
    with ds.DataStoreFactory(where, maintenance="manual") as factory:
        for record in factory.get_registered_stores():
            assert factory.get_store(record.name).check() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("show",),
        ("get", "account"),
        ("get", "account.token"),
        ("diff", "1", "2"),
        ("audit",),
        ("history",),
        ("export",),
        ("export", "--format", "toml"),
        ("export", "--format", "yaml"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["people", "programs"])
def test_secrets_are_masked(run, root, arguments, form):
    """No command shows a secret unasked, to people or to programs."""
    command, *rest = arguments
    ran = run("config", command, "app", *rest, *form, "--root", root)
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert WORD not in ran.stdout
    if form:
        assert ran.json["name"] == "app"
    if command != "history":
        assert "***" in ran.stdout


@pytest.mark.parametrize("arguments", [("show",), ("get", "account.token"), ("export",)])
def test_reveal(run, root, arguments):
    """--reveal shows them."""
    command, *rest = arguments
    assert WORD in run("config", command, "app", *rest, "--reveal", "--root", root).stdout


def test_set(run, root, monkeypatch):
    """set coerces by the schema, saves a version, and is audited as a command."""
    options = ("--schema", SCHEMA, "--root", root)
    ran = run("config", "set", "app", "server.port", "99", "--why", "taken", *options)
    assert ran.stdout == "app is at version 3.\n"
    monkeypatch.setenv("DSFACTORY_CONFIG_SCHEMA", SCHEMA)
    assert run("config", "set", "app", "name", "99", "--who", "bob", "--root", root).exit_code == 0
    newest, before = run("config", "audit", "app", "--limit", "2", "--json", "--root", root).json[
        "entries"
    ]
    assert (newest["new"], newest["who"]) == ("99", "bob")
    told = [before[name] for name in ("path", "old", "new", "reason", "source", "change")]
    assert told == ["$.server.port", 8080, 99, "taken", "command", "update"]
    assert run("config", "get", "app", "server.port", "--root", root).stdout == "99\n"


def test_set_from_standard_input(run, root, monkeypatch):
    """A secret need not stand on the command line; what is no UTF-8 is refused."""
    options = ("--schema", SCHEMA, "--root", root)
    for content, code in ((b"from-a-pipe\n", 0), (b"\xff", 14)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert run("config", "set", "app", "account.token", *options).exit_code == code
    shown = run("config", "get", "app", "account.token", "--reveal", "--root", root)
    assert shown.stdout == '"from-a-pipe"\n'


def test_rollback(run, root):
    """rollback makes a new version."""
    ran = run("config", "rollback", "app", "1", "--schema", SCHEMA, "--json", "--root", root)
    assert ran.json == {"name": "app", "version": 3}
    shown = run("config", "show", "app", "--json", "--root", root).json
    assert shown["settings"]["account"] == {"user": "", "token": None}
    old = run("config", "show", "app", "--version", "2", "--json", "--root", root).json
    assert (old["version"], old["settings"]["account"]["user"]) == (2, "ada")
    changes = run("config", "history", "app", "--json", "--root", root).json["versions"]
    assert [one["change"] for one in changes] == ["rollback", "update", "create"]


def test_export_and_import(run, root, tmp_path):
    """A masked export, edited, comes back without harm to the secret."""
    target = tmp_path / "out.json"
    assert run("config", "export", "app", "--to", target, "--root", root).exit_code == 0
    edited = json.loads(target.read_text())
    edited["server"]["port"] = 4
    target.write_text(json.dumps(edited))
    options = ("--schema", SCHEMA, "--root", root)
    assert "version 3" in run("config", "import", "app", target, *options).stdout
    target.write_text('{"name": "merged"}')
    run("config", "import", "app", target, "--merge", *options)
    ran = run("config", "get", "app", "$", "--reveal", "--root", root)
    settings = json.loads(ran.stdout)
    assert (settings["server"]["port"], settings["name"]) == (4, "merged")
    assert settings["account"]["token"] == WORD


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("set", "app", "name", "x"), 2, "--schema"),
        (("set", "app", "name", "x", "--schema", "nowhere:Else"), 2, "nowhere:Else"),
        (("set", "app", "name", "x", "--schema", "json"), 2, "MODULE:NAME"),
        (("set", "app", "nme", "x", "--schema", SCHEMA), 14, "$.nme"),
        (("set", "app", "server.port", "SECRET", "--schema", SCHEMA), 14, "$.server.port"),
        (("import", "app", "absent.toml", "--schema", SCHEMA), 14, "absent.toml"),
        (("rollback", "app", "9", "--schema", SCHEMA), 4, "9"),
        (("show", "app", "--version", "9"), 4, "9"),
        (("diff", "app", "1", "9"), 4, "9"),
        (("get", "app", "server.prot"), 14, "server.prot"),
        (("get", "app", r'features["\q"]'), 14, "no path"),
        (("show", "absent"), 4, "absent"),
        (("show", "state"), 5, "state"),
        (("export", "app", "--format", "ini"), 14, "ini"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_mistakes(run, root, arguments, code, said):
    """A mistake is one line on standard error and its family's exit code; nothing is written."""
    ran = run("config", *arguments, "--root", root)
    assert ran.exit_code == code
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert "SECRET" not in ran.stderr
    assert (
        run("config", "history", "app", "--json", "--root", root).json["versions"][0]["version"]
        == 2
    )


@pytest.mark.parametrize("text", ["def (", "raise RuntimeError('no')", "import nowhere"])
def test_schema_that_cannot_be_imported(run, root, tmp_path, monkeypatch, text):
    """Whatever the application's module raises is the user's to mend, and no bug of ours."""
    (tmp_path / "broken_schema.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    for schema in ("broken_schema:App", "..broken_schema:App"):
        ran = run("config", "set", "app", "name", "x", "--schema", schema, "--root", root)
        assert ran.exit_code == 2
        assert "cannot be imported" in ran.stderr


def test_set_keeps_versions(run, tmp_path):
    """A change at the command line leaves as many versions as the application keeps."""
    where = tmp_path / "many"
    with ds.DataStoreFactory(where, maintenance="manual") as factory:
        manager = ConfigurationManager(factory, ApplicationSettings, name="app", keep_versions=80)
        for port in range(1, 61):
            manager.update("server.port", port)
    assert run("config", "set", "app", "name", "x", "--schema", SCHEMA, "--root", where).stdout
    listed = run("config", "history", "app", "--json", "--root", where).json["versions"]
    assert len(listed) == 62


def test_looking_leaves_no_trace(run, root):
    """Commands that only look note no time of use and make no store for an audit."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        factory.create_config_store("bare", dict).save({"a": 1})
        before = factory.get_registered_stores()
    for command in (("show",), ("history",), ("audit",), ("export",), ("get", "$")):
        for name in ("app", "bare"):
            assert run("config", command[0], name, *command[1:], "--root", root).exit_code == 0
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        assert factory.get_registered_stores() == before


@dataclass
class Pinned:
    """Settings with a secret whose name does not say so."""

    pin: Annotated[str, Secret()] = WORD
    codes: dict[str, Annotated[str, Secret()]] = field(default_factory=lambda: {"a": WORD})
    named: dict[str, AccountSettings] = field(default_factory=dict)
    name: str = "x"


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "pinned", "document"),
        ("scan", "pinned"),
        ("history", "pinned", "--values"),
        ("diff", "pinned", "1", "2", "--values"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["people", "programs"])
def test_commands_of_entries_mask_too(run, tmp_path, arguments, form):
    """What a schema says is secret is masked by commands that know nothing of configurations."""
    where = tmp_path / "pinned"
    with ds.DataStoreFactory(where, maintenance="manual") as factory:
        manager = ConfigurationManager(factory, Pinned, name="pinned", env_prefix="P", environ={})
        odd = {key: AccountSettings("u", WORD) for key in ("a.b", 'c"', "")}
        manager.update({"pin": f"2 {WORD}", "codes": {"b": WORD}, "named": odd, "name": "y"})
    ran = run(*arguments, *form, "--root", where)
    assert (ran.exit_code, WORD in ran.stdout) == (0, False)
    assert "(masked)" in ran.stdout
    assert WORD in run(*arguments, *form, "--reveal", "--root", where).stdout


def test_masked_document_is_not_set(run, tmp_path):
    """What get printed with its secrets masked is refused by set."""
    where = tmp_path / "pinned"
    with ds.DataStoreFactory(where, maintenance="manual") as factory:
        ConfigurationManager(factory, Pinned, name="pinned")
    shown = run("get", "pinned", "document", "--root", where).stdout
    assert run("set", "pinned", "document", shown, "--unchecked", "--root", where).exit_code == 2
