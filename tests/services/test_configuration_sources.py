"""Where settings come from: defaults, files, environment; and reading them again."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dsfactory as ds
from dsfactory.services.configuration import (
    ApplicationSettings,
    ConfigurationManager,
    formats,
    paths,
)
from dsfactory.services.configuration.environment import read_environment

FILES = {
    "a.toml": '[server]\nport = 1000\nhost = "toml"\n[features]\nx = true\n',
    "b.json": '{"server": {"host": "json"}, "features": {"y": false}}',
    "c.yaml": "log:\n  level: debug\n",
}


@dataclass
class Inner:
    number: int = 0
    share: float = 0.5


@dataclass
class Everything:
    text: str = ""
    flag: bool = False
    many: list[int] = field(default_factory=list)
    maybe: int | None = 3
    day: date | None = None
    inner: Inner = field(default_factory=Inner)
    optional: Inner | None = None
    free: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A file in each format."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return [tmp_path / name for name in FILES]


def opened(factory: ds.DataStoreFactory, *files: Path, **environ: str) -> Any:
    return ConfigurationManager(
        factory, ApplicationSettings, name="app", files=files, env_prefix="APP", environ=environ
    )


def test_layers(factory: ds.DataStoreFactory, files: list[Path]) -> None:
    """Defaults lie under files, earlier files under later ones, all under the environment."""
    manager = opened(factory, *files, APP_SERVER__PORT="2000", APP_FEATURES__Z="on", HOME="/")
    config = manager.config
    assert (config.server.host, config.server.port, config.server.admin_port) == (
        "json",
        2000,
        8081,
    )
    assert config.features == {"x": True, "y": False, "z": True}
    assert config.log.level == "debug"
    sources = {entry.path: entry.source for entry in manager.audit_log()}
    assert sources["$.server.port"] == sources["$.features.z"] == "environment"
    assert sources["$.server.host"] == sources["$.log.level"] == "file"
    assert sources["$.server.admin_port"] == "api"


def test_environment_is_coerced() -> None:
    """Each variable becomes what the schema says of its place."""
    environ = {
        "E_TEXT": "12",
        "E_FLAG": "yes",
        "E_MANY": "[1, 2]",
        "E_MAYBE": "null",
        "E_DAY": "2024-02-29",
        "E__INNER__NUMBER": "7",
        "E_INNER__SHARE": "1",
        "E_OPTIONAL__NUMBER": "8",
        "E_LIMITS__UPLOAD": "9",
        "E_FREE": '{"a": [1]}',
        "OTHER": "x",
    }
    assert read_environment(Everything, "E_", environ) == {
        "text": "12",
        "flag": True,
        "many": [1, 2],
        "maybe": None,
        "day": "2024-02-29",
        "inner": {"number": 7, "share": 1.0},
        "optional": {"number": 8},
        "limits": {"upload": 9},
        "free": {"a": [1]},
    }


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("APP_SERVER__PROT", "1", "APP_SERVER__PROT"),
        ("APP_SERVER__PORT", "SECRET", r"\$\.server\.port \(str\)"),
        ("APP_FEATURES__X", "SECRET", r"\$\.features"),
        ("APP_SERVER__PORT__X", "1", "names no setting"),
        ("APP_SERVER__PORT", "8081", "differ"),
    ],
)
def test_environment_refused(
    factory: ds.DataStoreFactory, variable: str, value: str, said: str
) -> None:
    """A variable that names nothing or spells nothing is refused, and nothing is made of it."""
    with pytest.raises(ds.ConfigurationError, match=said) as caught:
        opened(factory, **{variable: value})
    assert "SECRET" not in str(caught.value)
    assert len(factory.get_store("app")) == 0


def test_empty_prefix() -> None:
    """A prefix that every variable has is refused, whatever the environment."""
    for prefix in ("", "_", "__"):
        with pytest.raises(ds.ConfigurationError, match="env_prefix"):
            read_environment(Everything, prefix, {"PATH": "/bin"})


BAD_FILES = {
    "bad.toml": "[server\n",
    "bad.json": '{"name": "SECRET", "name": "SECRET"}',
    "nan.json": '{"name": NaN}',
    "list.json": "[1]",
    "deep.json": "[" * 100_000,
    "tag.yaml": "!!python/object/apply:os.system ['true']",
    "alias.yaml": "a: &a [SECRET]\nb: *a\n",
    "twice.yaml": "a: 1\na: 2\n",
    "on.yaml": "on: 1\n",
    "odd.yaml": "{a: [}",
    "control.yaml": "name: \x00SECRET\n",
    "unknown.toml": "prot = 1\n",
    "type.yaml": "server: {port: 'SECRET'}\n",
    "utf.toml": b"name = '\xff'",
    "suffix.ini": "",
}


@pytest.mark.parametrize("name", [*BAD_FILES, "absent.toml"])
def test_bad_file(factory: ds.DataStoreFactory, tmp_path: Path, name: str) -> None:
    """A file that is absent, no such format or against the schema changes nothing."""
    good = tmp_path / "good.toml"
    good.write_text("name = 'good'\n")
    bad = tmp_path / name
    if name in BAD_FILES:
        text = BAD_FILES[name]
        bad.write_bytes(text if isinstance(text, bytes) else str(text).encode())
    manager = opened(factory, good)
    heard: list[str] = []
    with manager:
        manager.subscribe(lambda event: heard.append(event.what))
        with pytest.raises(ds.ConfigurationError) as caught:
            opened(factory, good, bad)
    assert "SECRET" not in str(caught.value) + repr(caught.value.facts)
    assert (manager.get("name"), manager.version) == ("good", 1)


def test_empty_files(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """Empty TOML and YAML say nothing."""
    for name in ("e.toml", "e.yaml"):
        (tmp_path / name).write_text("")
    assert opened(factory, tmp_path / "e.toml", tmp_path / "e.yaml").config == ApplicationSettings()


# -- reading again


def test_reload(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """What changed in a file is taken, what went goes back, what was updated here stays."""
    file = tmp_path / "a.toml"
    file.write_text("[server]\nport = 5\nhost = 'h'\n[features]\nx = true\n")
    manager = opened(factory, file)
    manager.update({"log.level": "error", "features.mine": True})
    assert manager.reload() == 2
    file.write_text("[server]\nport = 6\n")
    assert manager.reload(reason="deployed", who="ops") == 3
    config = manager.config
    assert (config.server.port, config.server.host) == (6, "127.0.0.1")
    assert (config.log.level, config.features) == ("error", {"mine": True})
    told = {(e.path, e.old, e.new): (e.change, e.source) for e in manager.audit_log(3)}
    assert told == {
        ("$.server.port", 5, 6): ("reload", "file"),
        ("$.server.host", "h", "127.0.0.1"): ("reload", "file"),
        ("$.features.x", True, None): ("reload", "file"),
    }
    assert manager.audit_log(1)[0].reason == "deployed"


def test_reload_at_opening(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """What changed in the sources while nothing ran is taken when the next one opens."""
    file = tmp_path / "a.toml"
    file.write_text("name = 'one'\n")
    opened(factory, file).update("server.port", 7)
    file.write_text("name = 'two'\n")
    again = opened(factory, file, APP_LOG__LEVEL="error")
    assert (again.get("name"), again.get("server.port")) == ("two", 7)
    assert (again.get("log.level"), again.version) == ("error", 3)
    assert {e.path: e.source for e in again.audit_log(2)} == {
        "$.name": "file",
        "$.log.level": "environment",
    }


def test_reload_that_fails(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """A broken file is an error event, and everything stays."""
    file = tmp_path / "a.toml"
    file.write_text("name = 'one'\n")
    with opened(factory, file) as manager:
        heard: list[str] = []
        manager.subscribe(lambda event: heard.append(event.what))
        file.write_text("name = ")
        with pytest.raises(ds.ConfigurationError):
            manager.reload()
    assert (heard, manager.get("name")) == (["error"], "one")


def test_toml_cannot_say_null(factory: ds.DataStoreFactory) -> None:
    """An export that would import as something else is refused."""
    manager = ConfigurationManager(factory, Everything, name="e")
    assert manager.import_(manager.export("toml"), "toml") == 1
    manager.update("maybe", None)
    with pytest.raises(ds.ConfigurationError, match="no null"):
        manager.export("toml")
    assert manager.import_(manager.export("yaml"), "yaml") == 2
    with pytest.raises(ds.ConfigurationError, match="no format"):
        manager.export("ini")


def test_import_merges_or_replaces(factory: ds.DataStoreFactory) -> None:
    """What an import does not name goes to its default, or stays with merge."""
    manager = ConfigurationManager(factory, Everything, name="e")
    manager.update({"text": "t", "flag": True})
    manager.import_('{"flag": false}', merge=True)
    assert (manager.get("text"), manager.get("flag")) == ("t", False)
    manager.import_('{"flag": true}')
    assert (manager.get("text"), manager.get("flag")) == ("", True)


# -- for all settings

plain_scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=6)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
plains = st.recursive(
    plain_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(names, plains, max_size=4)


@given(steps=st.lists(names | st.integers(-9, 9), max_size=4))
def test_paths_read_back(steps: list[str | int]) -> None:
    """Every place has a text that leads to it."""
    assert paths.steps_of(paths.rendered(tuple(steps))) == tuple(steps)


@given(old=documents, new=documents)
def test_changes_lead_from_old_to_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Applied to the old settings, the differences give the new ones, empty sections aside."""
    made: Any = old
    for steps, what, _, value in paths.changes(old, new):
        made = paths.removed(made, steps) if what == "removed" else paths.put(made, steps, value)
    assert not [c for c in paths.changes(made, new) if c[2] != {}]


@given(document=documents)
def test_formats_read_back(document: dict[str, Any]) -> None:
    """What is written in a format reads back; TOML leaves out null."""
    for name in ("json", "yaml"):
        assert formats.parsed(formats.named(name).write(document), name, "x") == document
    if "null" not in json.dumps(document):
        assert formats.parsed(formats.named("toml").write(document), "toml", "x") == document


edits = st.lists(
    st.tuples(
        st.sampled_from(["text", "limits.a", "limits.b", "many", "inner.number", "optional"]),
        st.sampled_from(["t", 1, [1, 2], {"number": 4}, None, 2**70]),
    ),
    max_size=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(edits=edits)
def test_audit_leads_to_the_document(edits: list[tuple[str, Any]]) -> None:
    """Whatever was updated or refused, the audit, applied in order, gives the document."""
    with (
        tempfile.TemporaryDirectory() as root,
        ds.DataStoreFactory(root, maintenance="manual") as factory,
    ):
        manager = ConfigurationManager(factory, Everything, name="e")
        for path, value in edits:
            try:
                manager.update(path, value)
            except ds.ConfigurationError:
                continue
        replayed: Any = {}
        for entry in reversed(manager.audit_log(None)):
            at = paths.steps_of(entry.path)
            known = [steps for steps, _ in paths.leaves(replayed)]
            gone = entry.new is None and at[0] == "limits" and at in known
            replayed = paths.removed(replayed, at) if gone else paths.put(replayed, at, entry.new)
        assert not [c for c in paths.changes(replayed, manager.as_dict()) if c[2] not in (None, {})]
        assert [v.version for v in manager.version_history()] == list(range(manager.version, 0, -1))
