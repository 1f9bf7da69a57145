"""UserPreferenceManager: preferences, aliases, history, suggestions, statistics."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.preference_samples import START, Manager, Preferences, opened

import dsfactory as ds
from dsfactory.services import UserPreferenceManager
from dsfactory.services.preferences import Daily, Suggestion
from dsfactory.services.preferences.book import quoted, unquoted


@pytest.fixture
def manager(factory: ds.DataStoreFactory) -> Manager:
    """A manager whose clock is the test's."""
    return opened(factory)


# -- preferences


def test_unknown_user_has_defaults(manager: Manager) -> None:
    """Nothing was chosen: everything is as the schema says, and nothing is stored."""
    assert manager.get("ada") == Preferences()
    assert manager.chosen("ada") == {}
    assert manager.scopes("ada") == []
    assert manager.totals().users == 0


def test_scopes_are_separate(manager: Manager) -> None:
    """A choice counts for its user in its scope."""
    manager.set("ada", "theme", "dark", scope="work/1")
    manager.set("ada/work", "volume", 1, scope="1")
    assert manager.get("ada", scope="work/1").theme == "dark"
    assert manager.get("ada") == manager.get("bob", scope="work/1") == Preferences()
    assert manager.scopes("ada") == ["work/1"]


def test_defaults_are_filled_on_read(factory: ds.DataStoreFactory, manager: Manager) -> None:
    """What was not chosen follows the schema of the day; names it lost are passed over."""
    manager.update("ada", {"theme": "dark", "volume": 3})

    @dataclass
    class Later:
        theme: str = "light"
        size: int = 12

    later = UserPreferenceManager(factory, Later)
    assert later.get("ada") == Later("dark", 12)
    assert later.set("ada", "size", 14) == Later("dark", 14)
    assert later.chosen("ada") == {"theme": "dark", "size": 14}


def test_reset_goes_back_to_defaults(manager: Manager) -> None:
    """Some names or all of the scope; what was never chosen is no error."""
    manager.update("ada", {"theme": "dark", "volume": 3})
    assert manager.reset("ada", "theme", "tags") == Preferences(volume=3)
    assert manager.reset("ada") == Preferences()
    assert manager.scopes("ada") == []


@pytest.mark.parametrize(
    ("changes", "field", "kind", "rule"),
    [
        ({"volume": "loud"}, "volume", "str", "int"),
        ({"volume": 11}, "volume", "int", "le=10"),
        ({"theme": "blue"}, "theme", "str", "'light', 'dark'"),
        ({"tags": ["a", 1]}, "tags[1]", "int", "list[str]"),
        ({"quiet": True}, "quiet", "ValueError", "Preferences"),
        ({"colour": 1}, "'colour'", "str", "theme, volume, quiet, tags"),
        ({"theme": "dark", "volume": None}, "volume", "NoneType", "int"),
    ],
)
def test_refused_preferences(
    manager: Manager, changes: dict[str, object], field: str, kind: str, rule: str
) -> None:
    """The error names field, type and rule, never the value; nothing of the update is written."""
    manager.set("ada", "volume", 7)
    with pytest.raises(ds.PreferenceError) as caught:
        manager.update("ada", changes)
    facts = caught.value.facts
    assert (facts["field"], facts["type"]) == (field, kind)
    assert rule in facts["rule"]
    assert "loud" not in str(caught.value)
    assert caught.value.exit_code == 14
    assert manager.get("ada") == Preferences(volume=7)


def test_choice_that_the_schema_lost(factory: ds.DataStoreFactory, manager: Manager) -> None:
    """A stored choice of another type is reported, not replaced; reset() mends it."""

    @dataclass
    class Earlier:
        volume: str = "low"

    UserPreferenceManager(factory, Earlier).set("ada", "volume", "loud")
    with pytest.raises(ds.CorruptValueError):
        manager.get("ada")
    assert manager.reset("ada", "volume") == Preferences()


@dataclass
class Required:
    """A schema with a field that has no default."""

    name: str


@pytest.mark.parametrize("schema", [Required, dict, None, Preferences()])
def test_schemas_that_are_refused(factory: ds.DataStoreFactory, schema: type) -> None:
    """Only a dataclass with a default for every field; no store is made for another."""
    with pytest.raises(ds.OptionError):
        UserPreferenceManager(factory, schema)
    assert factory.get_registered_stores() == []


@pytest.mark.parametrize("user", ["", "u" * 129, 5, None, "\ud800"])
def test_users_that_are_refused(manager: Manager, user: str) -> None:
    """A user is 1 to 128 characters of text."""
    with pytest.raises(ds.PreferenceError):
        manager.get(user)
    with pytest.raises(ds.PreferenceError):
        manager.get("ada", scope=user)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.text("a%2F5/", max_size=12))
def test_quoted_names_read_back(name: str) -> None:
    """No two names share a key, whatever slashes and percent signs they have."""
    assert unquoted(quoted(name)) == name
    assert "/" not in quoted(name)


def test_threads_that_choose_together(manager: Manager) -> None:
    """No choice of another thread is lost."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: manager.record("ada", f"say {n}"), range(40)))
    assert manager.statistics("ada").commands == 40
    assert len({entry.text for entry in manager.history("ada")}) == 40


# -- aliases


def test_resolving_an_alias(manager: Manager) -> None:
    """The first word, in any case, is replaced once; the rest stays as it was typed."""
    manager.set_alias("ada", "GM", "say good  morning")
    manager.set_alias("ada", "say", "shout")
    assert manager.resolve("ada", "  gM to  bob ") == "say good  morning to  bob "
    assert manager.resolve("ada", "tell gm") == "tell gm"
    assert manager.resolve("bob", "gm") == "gm"
    assert manager.resolve("ada", " ") == " "


@pytest.mark.parametrize("name", ["", "1st", "a b", "a" * 33, "é", "help", "Status", "ADMIN", 5])
def test_alias_names_that_are_refused(manager: Manager, name: str) -> None:
    """Names outside of the rule, reserved words and available commands are no aliases."""
    with pytest.raises(ds.PreferenceError):
        manager.set_alias("ada", name, "say hi")
    assert manager.aliases("ada") == []


def test_alias_is_not_overwritten_silently(manager: Manager) -> None:
    """Another command needs replace=True; the same command is no conflict."""
    first = manager.set_alias("ada", "gm", "say good morning")
    assert manager.set_alias("ada", "gm", "say good morning") == first
    with pytest.raises(ds.AliasTakenError):
        manager.set_alias("ada", "Gm", "say goodbye moon")
    assert manager.aliases("ada") == [first]
    manager.set_alias("ada", "gm", "say goodbye moon", replace=True)
    assert manager.resolve("ada", "gm") == "say goodbye moon"


def test_removing_aliases(manager: Manager) -> None:
    """An alias that is not there raises AbsentError."""
    manager.set_alias("ada", "gm", "say hi")
    manager.remove_alias("ada", "GM")
    with pytest.raises(ds.AbsentError):
        manager.remove_alias("ada", "gm")


def test_aliases_are_limited(manager: Manager) -> None:
    """A hundred of one user."""
    for number in range(100):
        manager.set_alias("ada", f"a{number}", "say hi")
    with pytest.raises(ds.PreferenceError, match="100"):
        manager.set_alias("ada", "b", "say hi")


# -- history and suggestions


def test_history_newest_first(manager: Manager, clock: ds.ManualClock) -> None:
    """Newest first, also when the clock is set back; limited, searched in both texts."""
    manager.set_alias("ada", "gm", "say Good Morning")
    for text in ("gm bob", "status", "report 1"):
        manager.record("ada", text, ok=text != "status")
        clock.advance(-1000)
    assert [e.text for e in manager.history("ada")] == ["report 1", "status", "gm bob"]
    assert [e.ok for e in manager.history("ada", limit=2)] == [True, False]
    (found,) = manager.history("ada", search="MORNING")
    assert (found.text, found.command, found.at) == ("gm bob", "say Good Morning bob", START)


def test_history_is_trimmed(factory: ds.DataStoreFactory) -> None:
    """The oldest beyond the limit go; they still count."""
    manager = UserPreferenceManager(factory, Preferences, history_limit=3)
    for number in range(5):
        manager.record("ada", f"say {number}")
    assert [e.text for e in manager.history("ada")] == ["say 4", "say 3", "say 2"]
    assert manager.statistics("ada").commands == 5
    assert manager.clear_history("ada") == 3
    assert manager.history("ada") == []
    assert manager.statistics("ada").commands == 0


def test_suggestions_in_their_order(manager: Manager) -> None:
    """Aliases by use, then recent, then available; each text once, under its first source."""
    for name in ("beta", "alpha", "gm"):
        manager.set_alias("ada", name, "say hi")
    for text in ("report 1", "gm", "HELP", "report 1", "gm"):
        manager.record("ada", text)
    assert manager.suggest("ada") == [
        Suggestion("gm", "alias"),
        Suggestion("alpha", "alias"),
        Suggestion("beta", "alias"),
        Suggestion("report 1", "recent"),
        Suggestion("HELP", "recent"),
        Suggestion("status all", "available"),
        Suggestion("report", "available"),
    ]
    assert [s.text for s in manager.suggest("ada", " RE")] == ["report 1", "report"]
    assert len(manager.suggest("ada", limit=2)) == 2


def test_statistics_of_a_user(manager: Manager, clock: ds.ManualClock) -> None:
    """Counts of everything, the most frequent first words first; an unknown user has none."""
    manager.set("ada", "theme", "dark")
    manager.set("ada", "volume", 1, scope="work")
    manager.set_alias("ada", "gm", "say hi")
    for text in ("gm", "say x", "report"):
        manager.record("ada", text, ok=text != "report")
        clock.advance(10)
    scheduled = manager.schedule("ada", "report", Daily("09:00"))
    found = manager.statistics("ada")
    assert found.preferences == {"default": 1, "work": 1}
    assert (found.aliases, found.alias_uses) == (1, {"gm": 1})
    assert (found.commands, found.failed_commands, found.kept) == (3, 1, 3)
    assert found.top_commands == (("say", 2), ("report", 1))
    assert (found.first_at, found.last_at) == (START, START + 20)
    assert (found.scheduled, found.next_at) == (1, scheduled.next_at)
    assert manager.statistics("bob").commands == 0
    manager.record("bob", "help")
    totals = manager.totals()
    assert (totals.users, totals.scopes, totals.commands, totals.scheduled) == (2, 2, 4, 1)


def test_forgetting_a_user(manager: Manager, clock: ds.ManualClock) -> None:
    """Nothing of the user is left, nothing of it fires; others stay."""
    manager.set("ada", "theme", "dark")
    manager.set_timezone("ada", "Europe/Berlin")
    manager.schedule("ada", "report", Daily("09:00"))
    manager.start_bulk("ada", ["a", "b"])
    manager.set("ada2", "theme", "dark")
    assert manager.forget("ada") == 4
    clock.advance(3 * 86_400_000)
    assert manager.due() == []
    assert manager.totals().users == 1


def test_counted_words_are_limited(manager: Manager) -> None:
    """Words without end do not make a row without end."""
    for number in range(110):
        manager.record("ada", f"word{number}")
    manager.record("ada", "word109")
    assert manager.statistics("ada").top_commands[0] == ("word109", 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.record("ada", ""),
        lambda m: m.record("ada", "x" * 2001),
        lambda m: m.record("ada", "hi", ok=1),
        lambda m: m.history("ada", limit=0),
        lambda m: m.history("ada", search=" "),
        lambda m: m.suggest("ada", 5),
        lambda m: m.suggest("ada", limit=True),
        lambda m: m.set_alias("ada", "gm", "  "),
        lambda m: m.set_timezone("ada", "Mars/Olympus"),
        lambda m: m.schedule("ada", "report", "daily"),
        lambda m: m.schedule("ada", "", Daily("09:00")),
        lambda m: m.due("tomorrow"),
        lambda m: m.run_due(print, limit=0),
        lambda m: m.start_bulk("ada", "report"),
        lambda m: m.start_bulk("ada", []),
        lambda m: m.start_bulk("ada", ["a", 5]),
    ],
)
def test_bad_input(manager: Manager, call: Callable[[Manager], object]) -> None:
    """Refused by field, type and rule, before anything is written."""
    with pytest.raises(ds.PreferenceError) as caught:
        call(manager)
    assert {"field", "type", "rule"} <= set(caught.value.facts)
    assert manager.totals().users == 0


def test_nothing_typed_is_logged(manager: Manager, caplog: pytest.LogCaptureFixture) -> None:
    """A failing command is logged by the type of its error alone."""

    def fail(_item: object) -> None:
        raise ValueError("my secret")

    with caplog.at_level(logging.DEBUG):
        bulk = manager.start_bulk("ada", ["secret command"])
        manager.run_bulk("ada", bulk.id, fail)
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_what_an_import_costs(tmp_path: Path) -> None:
    """Until there is a cron schedule, the library that reads them is not imported."""
    script = (
        "import sys\n"
        "from dsfactory.services.preferences import Cron, UserPreferenceManager\n"
        "assert not {'cronsim', 'sqlalchemy', 'alembic', 'numpy'} & set(sys.modules)\n"
        "Cron('* * * * *')\n"
        "assert 'cronsim' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])


def test_arguments_of_other_types(manager: Manager) -> None:
    """What is no mapping and no text is refused by name."""
    with pytest.raises(ds.PreferenceError, match="changes"):
        manager.update("ada", ["volume"])  # type: ignore[arg-type]
    with pytest.raises(ds.PreferenceError, match="text"):
        manager.resolve("ada", 7)  # type: ignore[arg-type]
