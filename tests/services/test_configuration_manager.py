"""ConfigurationManager: reading, changing, versions, audit and events."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dsfactory as ds
from dsfactory.services.configuration import (
    ApplicationSettings,
    ConfigurationEvent,
    ConfigurationManager,
    Rule,
    SavedConfiguration,
    ServerSettings,
)
from dsfactory.services.configuration.subscribers import Subscribers

Manager = ConfigurationManager[ApplicationSettings]


@pytest.fixture
def manager(factory: ds.DataStoreFactory) -> Iterator[Manager]:
    """A configuration without files and environment."""
    with ConfigurationManager(factory, ApplicationSettings, name="app") as made:
        yield made


# -- reading


def test_defaults_are_the_first_version(manager: Manager, clock: ds.ManualClock) -> None:
    """A new configuration is saved as the schema's defaults, and audited as created."""
    assert manager.config == ApplicationSettings()
    assert manager.version == 1
    entries = manager.audit_log()
    assert {entry.change for entry in entries} == {"create"}
    assert "$.server.port" in {entry.path for entry in entries}
    assert {entry.timestamp for entry in entries} == {clock.now_ms()}


def test_get(manager: Manager) -> None:
    """A path leads to a setting, a section, an item or the whole."""
    manager.update("features", {"a.b": True})
    assert manager.get("server.port") == manager.get("$.server.port") == 8080
    assert manager.get('features["a.b"]') is True
    assert manager.get() == manager.config
    assert manager.get_section("server") == ServerSettings()
    assert manager.sections() == ["server", "account", "log", "features"]


@pytest.mark.parametrize("path", ["nothing", "server.prot", "server.port.x", "features.x", "a[0]"])
def test_get_absent(manager: Manager, path: str) -> None:
    """What is not there gives the default, or an error that names the place."""
    assert manager.get(path, 7) == 7
    with pytest.raises(ds.ConfigurationError, match="no such setting"):
        manager.get(path)


@pytest.mark.parametrize(
    "path", ["a..b", "a[", ".a", "a[x]", "a.b.", "a[0]b", r'a["\q"]', f"a[{'9' * 5000}]", 7]
)
def test_no_path(manager: Manager, path: Any) -> None:
    """What is no path is refused, with a default too: it is a slip, nothing that is absent."""
    with pytest.raises(ds.ConfigurationError, match=r"path|setting"):
        manager.get(path, 7)


def test_section_that_is_none(manager: Manager) -> None:
    """A single setting is no section."""
    with pytest.raises(ds.ConfigurationError, match="no section"):
        manager.get_section("server.port")


# -- changing


def test_update_one_and_many(manager: Manager) -> None:
    """Every update is one version, however many settings it changes."""
    assert manager.update("server.port", 90, who="ada", reason="taken") == 2
    assert manager.update({"server": {"host": "::"}, "log.level": "debug"}) == 3
    assert manager.update_section("log", {"keep_days": 3}) == 4
    assert manager.config.server == ServerSettings("::", 90, 8081)
    assert (manager.config.log.level, manager.config.log.keep_days) == ("debug", 3)
    entry = manager.audit_log()[3]
    told = (entry.version, entry.who, entry.change, entry.path, entry.old, entry.new)
    assert told == (2, "ada", "update", "$.server.port", 8080, 90)
    assert (entry.reason, entry.source) == ("taken", "api")


def test_update_by_record(manager: Manager) -> None:
    """A section may be given as its own type."""
    manager.update("server", ServerSettings("h", 1, 2))
    assert manager.get_section("server") == ServerSettings("h", 1, 2)


def test_same_value_makes_no_version(manager: Manager) -> None:
    """What changes nothing makes no version."""
    assert manager.update("server.port", 8080) == 1
    assert manager.save(ApplicationSettings()) == 1
    assert len(manager.version_history()) == 1


def test_remove(manager: Manager) -> None:
    """A removed setting has its default again; a removed key of a dict is gone."""
    manager.update({"server.port": 5, "features": {"x": True, "y": True}})
    manager.remove("server.port")
    manager.remove("features.x")
    assert (manager.get("server.port"), manager.get("features")) == (8080, {"y": True})
    with pytest.raises(ds.ConfigurationError, match="no such setting"):
        manager.remove("features.x")


def test_remove_item(factory: ds.DataStoreFactory) -> None:
    """Of equal items of a list only the one that was named goes."""
    manager = ConfigurationManager(factory, dict[str, list[int]], name="lists")
    manager.update("ports", [80, 80, 443])
    manager.remove("ports[0]")
    manager.remove("ports[-1]")
    assert manager.get("ports") == [80]


def test_absent_item_is_named_whole(factory: ds.DataStoreFactory) -> None:
    """The error for an item that is not there says where, from the top."""
    manager = ConfigurationManager(factory, dict[str, dict[str, list[int]]], name="deep")
    manager.update("a", {"b": [1]})
    with pytest.raises(ds.ConfigurationError) as caught:
        manager.update("a.b[7]", 2)
    assert caught.value.facts["field"] == "$.a.b[7]"


def test_staged_updates(manager: Manager) -> None:
    """Updates that wait are saved as one version, on top of what others saved meanwhile."""
    manager.update("server.port", 5, save=False)
    manager.update("log.level", "error", save=False)
    assert (manager.pending(), manager.version, manager.get("server.port")) == (2, 1, 8080)
    manager.update("name", "other")
    assert manager.save(reason="both") == 3
    assert (manager.get("server.port"), manager.get("name")) == (5, "other")
    assert [entry.reason for entry in manager.audit_log(3)] == ["both", "both", None]
    manager.update("name", "x", save=False)
    manager.discard()
    assert manager.save() == 3


def test_save_whole(manager: Manager) -> None:
    """A changed copy of the configuration can be saved whole."""
    config = manager.config
    config.server.port = 99
    assert manager.get("server.port") == 8080
    assert manager.save(config, source="command") == 2
    assert manager.get("server.port") == 99
    assert manager.audit_log(1)[0].source == "command"


REFUSED: dict[str, tuple[Callable[[Manager], object], str, str | None, str]] = {
    "type": (lambda m: m.update("server.port", "SECRET"), "$.server.port", "str", "`int`"),
    "unknown": (lambda m: m.update("server.prot", 5), "$.server.prot", "int", "known setting"),
    "unknown in a section": (
        lambda m: m.update_section("log", {"lvl": 5}),
        "$.log.lvl",
        "int",
        "known setting",
    ),
    "enum": (lambda m: m.update("log.level", "SECRET"), "$.log.level", "str", "allowed"),
    "rule": (lambda m: m.update("server.port", 0), "$.server.port", "int", "1 to 65535"),
    "cross-field": (
        lambda m: m.update("server.port", 8081),
        "$.server.port",
        "int, int",
        "differ",
    ),
    "no form": (lambda m: m.update("name", object()), "$.name", "object", "storable"),
    "whole": (lambda m: m.save({"name": "x"}), "$", "dict", "ApplicationSettings"),
    "null": (lambda m: m.update("server", None), "$.server", "NoneType", "object"),
    "source": (lambda m: m.update("name", "x", source="SECRET"), "source", "str", "known"),
    "list": (lambda m: m.update([1], 2), None, "list", "path or mapping"),  # type: ignore[list-item,arg-type,dict-item]
}


@pytest.mark.parametrize(("change", "field", "kind", "rule"), REFUSED.values(), ids=REFUSED)
def test_refused(
    manager: Manager,
    change: Callable[[Manager], object],
    field: str,
    kind: str | None,
    rule: str,
) -> None:
    """What the schema does not allow is refused by field, type and rule; nothing is written."""
    with pytest.raises(ds.ConfigurationError) as caught:
        change(manager)
    facts = caught.value.facts
    assert (facts.get("field"), facts.get("type")) == (field, kind)
    assert rule in facts["rule"]
    assert "SECRET" not in str(caught.value)
    assert (manager.version, manager.pending()) == (1, 0)
    assert {entry.version for entry in manager.audit_log()} == {1}


def test_rules_of_the_application(factory: ds.DataStoreFactory) -> None:
    """Rules are asked at every save; one that raises ValueError is broken."""

    def refuse(config: ApplicationSettings) -> bool:
        if config.name == "bad":
            raise ValueError(config.name)
        return True

    rules = [Rule("the name is good", refuse, "name")]
    manager = ConfigurationManager(factory, ApplicationSettings, name="app", rules=rules)
    manager.validate(ApplicationSettings(name="fine"))
    for refused in (
        lambda: manager.update("name", "bad"),
        lambda: manager.validate(ApplicationSettings(name="bad")),
    ):
        with pytest.raises(ds.ConfigurationError, match="the name is good"):
            refused()


def test_inside_transaction(factory: ds.DataStoreFactory, manager: Manager) -> None:
    """A save cannot be a part of somebody's transaction, which could undo it after its audit."""
    with factory.get_store("app").transaction(), pytest.raises(ds.TransactionError):
        manager.update("name", "x")
    assert manager.update("name", "y") == 2


# -- versions


def test_rollback(manager: Manager) -> None:
    """A rollback is a new version, audited as one."""
    manager.update("server.port", 5)
    assert manager.rollback_to_version(1, who="ada", reason="worse") == 3
    assert manager.config == ApplicationSettings()
    entry = manager.audit_log(1)[0]
    assert (entry.change, entry.old, entry.new, entry.who) == ("rollback", 5, 8080, "ada")
    newest = manager.version_history(1)[0]
    assert (newest.version, newest.change, newest.reason) == (3, "rollback", "worse")
    assert newest.sha256 == manager.version_history()[2].sha256


def test_rollback_to_the_same(manager: Manager) -> None:
    """A rollback that changes nothing is a version too, and is audited."""
    assert manager.rollback_to_version(1) == 2
    assert (manager.audit_log(1)[0].path, manager.audit_log(1)[0].version) == ("$", 2)


def test_rollback_refused(factory: ds.DataStoreFactory, manager: Manager) -> None:
    """A version that is absent, or that today's rules refuse, does not come back."""
    manager.update("name", "old")
    manager.update("name", "new")
    rules = [Rule("never old", lambda c: c.name != "old", "name")]
    strict = ConfigurationManager(factory, ApplicationSettings, name="app", rules=rules)
    with pytest.raises(ds.ConfigurationError, match="never old"):
        strict.rollback_to_version(2)
    with pytest.raises(ds.VersionAbsentError):
        strict.rollback_to_version(9)
    assert manager.version == 3


def test_kept_versions(factory: ds.DataStoreFactory) -> None:
    """Fifty versions are kept unless said otherwise; the audit tells of all."""
    manager = ConfigurationManager(factory, ApplicationSettings, name="app")
    for number in range(60):
        manager.update("server.port", 1 + number)
    assert len(manager.version_history()) == 50
    numbers = [entry.version for entry in manager.audit_log(60)]
    assert numbers == list(range(61, 1, -1))
    with pytest.raises(ds.OptionError, match="keep_versions"):
        ConfigurationManager(factory, ApplicationSettings, name="b", keep_versions=1)


def test_diff(manager: Manager) -> None:
    """diff() compares two kept versions by path."""
    manager.update({"server.port": 5, "features.x": True})
    found = [(d.path, d.change, d.old, d.new) for d in manager.diff(1, 2)]
    assert found == [
        ("$.features.x", "added", None, True),
        ("$.server.port", "changed", 8080, 5),
    ]
    with pytest.raises(ds.VersionAbsentError):
        manager.diff(1, 3)


def test_saved_past_the_manager(factory: ds.DataStoreFactory, manager: Manager) -> None:
    """What is written to the store directly is audited too."""
    store = factory.get_store("app")
    assert isinstance(store, ds.ConfigStore)
    store.save(ApplicationSettings(name="direct"), who="bob", why="by hand")
    entry = manager.audit_log(1)[0]
    assert (entry.path, entry.new, entry.who, entry.reason) == (
        "$.name",
        "direct",
        "bob",
        "by hand",
    )
    assert (entry.change, entry.source) == ("update", "api")


def test_document_that_was_deleted(factory: ds.DataStoreFactory, manager: Manager) -> None:
    """A deleted configuration is said to be absent, and reload() makes it anew."""
    del factory.get_store("app")["document"]
    with pytest.raises(ds.AbsentError, match="deleted"):
        manager.get("name")
    manager.reload()
    assert manager.config == ApplicationSettings()
    assert manager.audit_log(1)[0].change == "create"


def test_restored_store_goes_on_with_its_audit(
    factory: ds.DataStoreFactory, manager: Manager, clock: ds.ManualClock
) -> None:
    """When the config store is restored to an earlier backup, what is saved then is audited."""
    backup = factory.get_store("app").backup()
    clock.advance(1000)
    for port in (5, 6, 7):
        manager.update("server.port", port)
    manager.close()
    factory.restore("app", backup.id)
    clock.advance(1000)
    again = ConfigurationManager(factory, ApplicationSettings, name="app")
    assert again.version == 1
    assert again.update("name", "restored") == 2
    assert [(e.version, e.path) for e in again.audit_log(2)] == [
        (2, "$.name"),
        (4, "$.server.port"),
    ]


# -- events


def test_events(manager: Manager) -> None:
    """Subscribers are told of what was done here, in order, until they end it."""
    heard: list[ConfigurationEvent] = []
    end = manager.subscribe(heard.append)
    manager.update("server.port", 5)
    manager.rollback_to_version(1)
    manager.reload()
    manager.validate(ApplicationSettings())
    with pytest.raises(ds.ConfigurationError):
        manager.update("server.port", "x")
    end()
    manager.update("server.port", 6)
    assert [(event.what, event.version) for event in heard] == [
        ("validated", 2),
        ("changed", 2),
        ("validated", 3),
        ("rollback", 3),
        ("changed", 3),
        ("reloaded", 3),
        ("validated", 3),
        ("error", 3),
    ]
    assert all(event.here for event in heard)
    assert isinstance(heard[-1].error, ds.ConfigurationError)
    assert heard[1].differences == (ds.Difference("$.server.port", "changed", 8080, 5),)


def test_subscriber_that_fails(manager: Manager, caplog: pytest.LogCaptureFixture) -> None:
    """One subscriber's error is logged without its text; the others hear all the same."""
    heard: list[int] = []

    def fail(_event: ConfigurationEvent) -> None:
        raise RuntimeError("SECRET")

    manager.subscribe(fail, "changed")
    manager.subscribe(lambda event: heard.append(event.version), "changed")
    with caplog.at_level(logging.ERROR):
        manager.update("name", "x")
    assert heard == [2]
    assert "RuntimeError" in caplog.text
    assert "SECRET" not in caplog.text


def test_subscriber_that_changes(manager: Manager) -> None:
    """A subscriber may change the configuration; its event comes after."""
    heard: list[int] = []

    def follow(event: ConfigurationEvent) -> None:
        heard.append(event.version)
        if event.version < 4:
            manager.update("server.port", event.version)

    manager.subscribe(follow, "changed")
    manager.update("name", "x")
    assert heard == [2, 3, 4]


class Reluctant(Subscribers):
    """Lets somebody in when the first teller has nothing left to tell but has not returned."""

    def __init__(self) -> None:
        super().__init__()
        self.last_moment: list[Callable[[], None]] = []

    def _tell_next(self) -> bool:
        more = super()._tell_next()
        if not more and self.last_moment:
            self.last_moment.pop()()
        return more


def test_one_teller_at_a_time() -> None:
    """Who has told everything does not send away the one who began to tell meanwhile."""
    subscribers = Reluctant()
    inside, leave, told = threading.Event(), threading.Event(), []

    def hear(event: ConfigurationEvent) -> None:
        if event.version == 2:
            inside.set()
            leave.wait()
        told.append(event.version)

    def tell(version: int) -> None:
        subscribers.tell([ConfigurationEvent("changed", version, here=True)])

    second = threading.Thread(target=tell, args=(2,))

    def let_in() -> None:
        second.start()
        inside.wait()

    subscribers.add(hear, ())
    subscribers.last_moment.append(let_in)
    tell(1)
    tell(3)
    heard_meanwhile = [*told]
    leave.set()
    second.join()
    assert heard_meanwhile == [1]
    assert told == [1, 2, 3]


def test_unknown_event(manager: Manager) -> None:
    """There are five events."""
    with pytest.raises(ds.ConfigurationError, match="no event"):
        manager.subscribe(print, "chnaged")


# -- without the schema


def test_read_without_schema(factory: ds.DataStoreFactory, manager: Manager) -> None:
    """Versions and audit can be read without the schema, secrets masked."""
    manager.update({"account": {"user": "ada", "token": "SECRET"}})
    with SavedConfiguration.looked_at(factory, "app") as saved:
        assert saved.as_dict()["account"] == {"user": "ada", "token": "***"}
        assert saved.as_dict(reveal=True)["account"]["token"] == "SECRET"  # noqa: S105
        assert saved.audit_log(1)[0].new == "***"
        assert saved.audit_log(None) == manager.audit_log(None)
    factory.create_state_store("state")
    with (
        pytest.raises(ds.KindConflictError),
        SavedConfiguration.looked_at(factory, "state"),
    ):
        pass


def test_look_at_bare_store(factory: ds.DataStoreFactory) -> None:
    """Looking at a store that no manager made masks all of it, and makes no store for an audit."""
    factory.create_config_store("bare", dict[str, int]).save({"a": 1})
    before = factory.get_registered_stores()
    with SavedConfiguration.looked_at(factory, "bare") as saved:
        assert saved.as_dict() == "***"
        (entry,) = saved.audit_log(None)
    assert (entry.version, entry.path, entry.new) == (1, "$.a", "***")
    assert factory.get_registered_stores() == before


def test_versions_stay_kept(factory: ds.DataStoreFactory) -> None:
    """Who opens a configuration without saying how many versions to keep trims none."""
    ConfigurationManager(factory, ApplicationSettings, name="many", keep_versions=60)
    manager = ConfigurationManager(factory, ApplicationSettings, name="many")
    for port in range(1, 61):
        manager.update("server.port", port)
    assert len(manager.version_history()) == 60


def test_export_to_file(manager: Manager, tmp_path: Path) -> None:
    """A file's suffix says the format; it is for the user alone."""
    target = tmp_path / "out.toml"
    assert manager.export(path=target) == target.read_text()
    assert target.stat().st_mode & 0o777 == 0o600
    manager.import_(target)
    assert manager.version == 1
    with pytest.raises(ds.ConfigurationError, match="written"):
        manager.export("json", tmp_path / "absent" / "out.json")


def test_unknown_format(manager: Manager) -> None:
    """A format that there is not is told as such, and not as a fault of the text."""
    with pytest.raises(ds.ConfigurationError, match="no format 'xml'"):
        manager.import_("<a/>", "xml")


@pytest.mark.parametrize(
    "fail",
    [
        lambda manager: manager.save(ApplicationSettings(server=ServerSettings(port=10))),
        lambda manager: manager.update("server.port", 10),
        lambda manager: manager.reload(),
        lambda manager: manager.rollback_to_version(99),
    ],
    ids=["save", "update", "reload", "rollback"],
)
def test_who_hears_of_an_error_may_ask(
    factory: ds.DataStoreFactory, tmp_path: Path, fail: Callable[[Manager], object]
) -> None:
    """A failure is told when the manager is free: a hearer may wait for a thread that uses it."""
    file = tmp_path / "app.json"
    file.write_text("{}")
    heard: list[bool] = []

    def ask(_event: ConfigurationEvent) -> None:
        asking = threading.Thread(target=manager.update, args=("log.level", "info"), daemon=True)
        asking.start()
        asking.join(5)
        heard.append(not asking.is_alive())

    rules = [Rule("port is not 10", lambda c: c.server.port != 10, "server.port")]
    with ConfigurationManager(
        factory, ApplicationSettings, name="app", files=[file], rules=rules
    ) as manager:
        manager.subscribe(ask, "error")
        file.write_text('{"server": {"port": 10}}')
        with pytest.raises((ds.ConfigurationError, ds.VersionAbsentError)):
            fail(manager)
    assert heard == [True]
