"""PersonalityManager: notes, traits, their history, and the text for a prompt."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import personality_worker
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dsfactory as ds
from dsfactory.services import PersonalityManager
from dsfactory.services.personality import Added, PersonalityChange, PersonalityStats


@pytest.fixture
def manager(factory: ds.DataStoreFactory) -> PersonalityManager:
    """Personalities in a factory whose stores are checked at the end."""
    return PersonalityManager(factory)


def texts(manager: PersonalityManager, user: str | int) -> list[str]:
    """The user's notes."""
    return [note.text for note in manager.get(user).notes]


def test_notes(manager: PersonalityManager, clock: ds.ManualClock) -> None:
    """Notes are kept in their order, each user's alone, without the spaces around them."""
    assert manager.add("ann", "  short answers ") == Added(1, None)
    clock.advance(5)
    assert manager.add("ann", "no jokes") == Added(2, None)
    assert texts(manager, "ann") == ["short answers", "no jokes"]
    assert manager.get("ann").notes[1].added_at == clock.now_ms()
    assert manager.get("bob").empty
    assert manager.remove("ann", "short answers")
    assert not manager.remove("ann", "short answers")
    assert texts(manager, "ann") == ["no jokes"]


def test_same_note_twice_is_refused(manager: PersonalityManager) -> None:
    """An exact duplicate is refused and changes nothing; another case is another note."""
    manager.add(7, "be kind")
    with pytest.raises(ds.PersonalityError, match=r"note \(str of 7 characters\)") as refused:
        manager.add(7, "be kind")
    assert "kind" not in str(refused.value)
    assert refused.value.facts["field"] == "note"
    manager.add(7, "Be kind")
    assert len(manager.history(7)) == 2


@pytest.mark.parametrize(
    "text", ["", "   ", "x" * 201, "two\nlines", "bell\a", "\ud800", "a\u2028b", None, 7, b"x"]
)
def test_bad_text(manager: PersonalityManager, text: Any) -> None:
    """A note or trait is one line of text; what is not is refused without being shown."""
    for attempt in (
        lambda: manager.add("ann", text),
        lambda: manager.set_trait("ann", "tone", text),
        lambda: manager.set_trait("ann", text, "warm"),
        lambda: manager.remove("ann", text),
        lambda: manager.remove_trait("ann", text),
    ):
        with pytest.raises(ds.PersonalityError, match="allowed: one line of 1 to") as refused:
            attempt()
        assert refused.value.exit_code == 14
    assert manager.get("ann").empty


def test_twenty_first_note_drops_the_oldest(manager: PersonalityManager) -> None:
    """At most 20 notes: the oldest goes, is reported, and stands in the history."""
    for n in range(20):
        assert manager.add("ann", f"note {n}").dropped is None
    assert manager.add("ann", "one more") == Added(20, "note 0")
    assert texts(manager, "ann")[0] == "note 1"
    assert [(c.change, c.subject) for c in manager.history("ann", 2)] == [
        ("add", "one more"),
        ("drop", "note 0"),
    ]


def test_traits(manager: PersonalityManager) -> None:
    """A trait has one value; setting it returns the one before."""
    assert manager.set_trait("ann", "tone", "warm") is None
    assert manager.set_trait("ann", "tone", "dry") == "warm"
    assert manager.set_trait("ann", "tone", "dry") == "dry"
    assert manager.get("ann").traits == {"tone": "dry"}
    assert manager.remove_trait("ann", "tone")
    assert not manager.remove_trait("ann", "tone")
    assert [c.change for c in manager.history("ann")] == ["remove-trait", "set-trait", "set-trait"]
    for n in range(50):
        manager.set_trait("ann", f"t{n}", "x")
    with pytest.raises(ds.PersonalityError, match="at most 50 traits"):
        manager.set_trait("ann", "one more", "x")


def test_clear_is_recorded(manager: PersonalityManager, clock: ds.ManualClock) -> None:
    """Clearing leaves the history, and a user who is nobody's longer."""
    manager.add("ann", "no jokes")
    manager.set_trait("ann", "tone", "warm")
    assert manager.clear("ann") == 2
    assert manager.clear("ann") == 0
    assert manager.get("ann").empty
    assert manager.history("ann")[0] == PersonalityChange(clock.now_ms(), "clear", "2")
    assert list(manager.all()) == []
    assert manager.forget("ann")
    assert manager.history("ann") == []
    assert not manager.forget("ann")


def test_history_keeps_fifty(manager: PersonalityManager) -> None:
    """The last 50 changes, newest first."""
    for n in range(30):
        manager.add("ann", f"{n}")
        manager.remove("ann", f"{n}")
    changes = manager.history("ann")
    assert len(changes) == 50
    assert (changes[0].change, changes[0].subject) == ("remove", "29")
    assert changes[-1].subject == "5"
    assert len(manager.history("ann", limit=3)) == 3
    with pytest.raises(ds.OptionError, match="limit"):
        manager.history("ann", limit=-1)


def test_context_for_a_prompt(manager: PersonalityManager) -> None:
    """Traits by name, then notes; nothing for whom nothing is known."""
    assert manager.build_context("ann") == ""
    manager.add("ann", "no jokes")
    manager.set_trait("ann", "tone", "warm")
    manager.set_trait("ann", "language", "French")
    assert manager.build_context("ann").splitlines() == [
        "Style that this user asked for:",
        "- language: French",
        "- tone: warm",
        "- no jokes",
    ]


def test_all_and_stats(manager: PersonalityManager, clock: ds.ManualClock) -> None:
    """Everybody's, in numbers."""
    assert manager.stats() == PersonalityStats(0, 0, 0, 0, None)
    manager.add(1, "a")
    manager.add(1, "b")
    manager.set_trait("ann", "tone", "warm")
    assert [user for user, _ in manager.all()] == [1, "ann"]
    assert manager.stats() == PersonalityStats(2, 2, 1, 2, clock.now_ms())


def test_threads_lose_nothing(manager: PersonalityManager) -> None:
    """Notes of one user added by several threads are all there."""

    def work(thread: int) -> None:
        for n in range(5):
            manager.add("ann", f"{thread}:{n}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(texts(manager, "ann")) == [f"{t}:{n}" for t in range(4) for n in range(5)]


def test_killed_process(tmp_path: Path) -> None:
    """After SIGKILL the notes are those that were acknowledged, or one more; never a half."""
    command = [sys.executable, personality_worker.__file__, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(37):
            process.stdout.readline()
        process.kill()
        last = 36 + len(process.stdout.readlines())
    with ds.DataStoreFactory(tmp_path, maintenance="manual") as factory:
        manager = PersonalityManager(factory)
        found = [int(text) for text in texts(manager, "ann")]
        assert found[-1] in (last, last + 1)
        assert found == list(range(found[-1] - 19, found[-1] + 1))
        assert manager.history("ann")[0].subject == str(found[-1])
        assert factory.get_store("personalities").check() == []


operations = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "clear"]), st.sampled_from("abcdefgh")), max_size=30
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(operations)
def test_notes_are_a_list(manager: PersonalityManager, done: list[tuple[str, str]]) -> None:
    """Whatever is done in whatever order: the notes are those of a plain list."""
    manager.forget("model")
    model: list[str] = []
    for operation, text in done:
        if operation == "clear":
            assert manager.clear("model") == len(model)
            model.clear()
        elif operation == "remove":
            assert manager.remove("model", text) is (text in model)
            model = [kept for kept in model if kept != text]
        elif text in model:
            with pytest.raises(ds.PersonalityError):
                manager.add("model", text)
        else:
            manager.add("model", text)
            model.append(text)
        assert texts(manager, "model") == model


@pytest.mark.parametrize("user", [b"ada", "", None, True, 1.5])
def test_users_that_are_refused(manager: PersonalityManager, user: Any) -> None:
    """A user is text or an int: what all() would not tell of is never kept."""
    for ask in (manager.get, manager.forget, manager.clear, lambda u: manager.add(u, "short")):
        with pytest.raises(ds.PersonalityError, match="user"):
            ask(user)
    assert manager.stats().users == 0
