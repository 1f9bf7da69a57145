"""PersonalityManager: style notes and traits of users, for prompts."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dsfactory.checks import checked_count
from dsfactory.errors import PersonalityError

if TYPE_CHECKING:
    from dsfactory.factory import DataStoreFactory
    from dsfactory.stores import StateStore

LONGEST_TEXT = 200
LONGEST_NAME = 50
MOST_NOTES = 20
MOST_TRAITS = 50
MOST_CHANGES = 50

BREAKING = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Characters that no text has: controls, lone surrogates, line and paragraph ends. A note is one
line, so that none can pass itself off as another line of the prompt."""

User = str | int
"""Who a personality belongs to: a key of the store."""


@dataclass(frozen=True, slots=True)
class Note:
    """A style note."""

    text: str
    added_at: int
    """Milliseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class PersonalityChange:
    """What was done, and when."""

    at: int
    """Milliseconds since the epoch."""
    change: str
    """add, drop (the oldest, to make room), remove, clear, set-trait or remove-trait."""
    subject: str
    """The note, or the trait's name; of a clear, how many notes and traits went."""


@dataclass(frozen=True, slots=True)
class Personality:
    """What is known of one user's style."""

    notes: tuple[Note, ...] = ()
    """Oldest first."""
    traits: dict[str, str] = field(default_factory=dict)
    changes: tuple[PersonalityChange, ...] = ()
    """The last 50, oldest first."""

    @property
    def empty(self) -> bool:
        """Whether there is neither a note nor a trait."""
        return not self.notes and not self.traits


class Added(NamedTuple):
    """What add() did."""

    notes: int
    """How many notes the user has now."""
    dropped: str | None
    """The oldest note, which went to make room; None when there was room."""


class PersonalityStats(NamedTuple):
    """All personalities in numbers."""

    users: int
    """Users with a note or a trait."""
    notes: int
    traits: int
    most_notes: int
    """Notes of the user with the most."""
    last_change_at: int | None
    """Milliseconds since the epoch; None when nothing was ever changed."""


NOTHING = Personality()


class PersonalityManager:
    """Style notes and traits, one row a user in a state store; shared by threads and processes.

    Every change is one transaction, and on disk when the call returns.
    """

    def __init__(self, factory: DataStoreFactory, *, name: str = "personalities") -> None:
        """Open the personalities in the state store *name*, made when it is new."""
        self._store: StateStore[Personality] = factory.create_state_store(name, Personality)
        self._clock = factory.clock

    # -- notes

    def add(self, user: User, note: str) -> Added:
        """Add a style note of 1 to 200 characters, spaces around it not counted.

        The twenty-first drops the oldest, which is returned. Raises PersonalityError for a text of
        another length, with line ends or control characters, and for one that the user has.
        """
        text = _checked("note", note, LONGEST_TEXT)
        with self._store.transaction():
            before = self.get(user)
            if any(kept.text == text for kept in before.notes):
                raise _refused("note", note, "one that the user does not have yet")
            dropped = before.notes[0].text if len(before.notes) >= MOST_NOTES else None
            now = self._clock.now_ms()
            notes = (*before.notes, Note(text, now))[-MOST_NOTES:]
            done = [] if dropped is None else [("drop", dropped)]
            self._write(user, before, now, *done, ("add", text), notes=notes)
        return Added(len(notes), dropped)

    def remove(self, user: User, note: str) -> bool:
        """Remove the note with exactly this text; return False when there is none."""
        text = _checked("note", note, LONGEST_TEXT)
        with self._store.transaction():
            before = self.get(user)
            notes = tuple(kept for kept in before.notes if kept.text != text)
            if len(notes) == len(before.notes):
                return False
            self._write(user, before, self._clock.now_ms(), ("remove", text), notes=notes)
        return True

    def clear(self, user: User) -> int:
        """Remove every note and trait; return how many. The history stays, and says so."""
        with self._store.transaction():
            before = self.get(user)
            count = len(before.notes) + len(before.traits)
            if count:
                done = ("clear", str(count))
                self._write(user, before, self._clock.now_ms(), done, notes=(), traits={})
        return count

    # -- traits

    def set_trait(self, user: User, name: str, value: str) -> str | None:
        """Set the trait *name* (1 to 50 characters) to *value* (1 to 200); return the one before.

        None when there was none. A user has at most 50 traits; PersonalityError beyond that.
        """
        name = _checked("name", name, LONGEST_NAME)
        value = _checked("value", value, LONGEST_TEXT)
        with self._store.transaction():
            before = self.get(user)
            traits = {**before.traits, name: value}
            if len(traits) > MOST_TRAITS:
                raise _refused("name", name, f"at most {MOST_TRAITS} traits a user; remove one")
            if traits != before.traits:
                done = ("set-trait", name)
                self._write(user, before, self._clock.now_ms(), done, traits=traits)
        return before.traits.get(name)

    def remove_trait(self, user: User, name: str) -> bool:
        """Remove the trait; return False when there is none."""
        name = _checked("name", name, LONGEST_NAME)
        with self._store.transaction():
            before = self.get(user)
            if name not in before.traits:
                return False
            traits = {kept: value for kept, value in before.traits.items() if kept != name}
            done = ("remove-trait", name)
            self._write(user, before, self._clock.now_ms(), done, traits=traits)
        return True

    # -- looking

    def get(self, user: User) -> Personality:
        """Return what is known of *user*; an empty personality when nothing is."""
        return self._store.get(_checked_user(user), NOTHING)

    def all(self) -> Iterator[tuple[User, Personality]]:
        """Iterate over the users with a note or a trait, by user, page by page."""
        for user, personality in self._store.scan():
            if not personality.empty and isinstance(user, (str, int)):
                yield user, personality

    def history(self, user: User, limit: int = MOST_CHANGES) -> list[PersonalityChange]:
        """Return the last changes, newest first: 50 are kept, clears among them."""
        wanted = checked_count("limit", limit)
        return list(reversed(self.get(user).changes))[:wanted]

    def stats(self) -> PersonalityStats:
        """Return all personalities in numbers; reads every row."""
        users = notes = traits = most = 0
        last: int | None = None
        for _, personality in self._store.scan():
            users += not personality.empty
            notes += len(personality.notes)
            traits += len(personality.traits)
            most = max(most, len(personality.notes))
            for change in personality.changes[-1:]:
                last = change.at if last is None else max(last, change.at)
        return PersonalityStats(users, notes, traits, most, last)

    def build_context(self, user: User) -> str:
        """Return what a prompt says of *user*'s style: traits by name, notes oldest first.

        Each is a line of its own. "" when nothing is known.
        """
        personality = self.get(user)
        if personality.empty:
            return ""
        traits = [f"- {name}: {value}" for name, value in sorted(personality.traits.items())]
        notes = [f"- {note.text}" for note in personality.notes]
        return "\n".join(["Style that this user asked for:", *traits, *notes])

    def forget(self, user: User) -> bool:
        """Delete the user's row, history included; return False when there is none."""
        return self._store.delete(_checked_user(user))

    def _write(
        self,
        user: User,
        before: Personality,
        now: int,
        *done: tuple[str, str],
        notes: tuple[Note, ...] | None = None,
        traits: dict[str, str] | None = None,
    ) -> None:
        changes = (*before.changes, *(PersonalityChange(now, *one) for one in done))
        after = dataclasses.replace(
            before,
            notes=before.notes if notes is None else notes,
            traits=before.traits if traits is None else traits,
            changes=changes[-MOST_CHANGES:],
        )
        self._store.set(user, after)


def _checked_user(user: object) -> User:
    if isinstance(user, bool) or not isinstance(user, (str, int)) or user == "":
        raise _refused("user", user, "text that is not empty, or an int")
    return user


def _checked(name: str, value: object, longest: int) -> str:
    rule = f"one line of 1 to {longest} characters without control characters"
    if not isinstance(value, str):
        raise _refused(name, value, rule)
    text = value.strip()
    if not 0 < len(text) <= longest or BREAKING & set(map(unicodedata.category, text)):
        raise _refused(name, value, rule)
    return text


def _refused(name: str, value: object, rule: str) -> PersonalityError:
    kind = type(value).__name__
    if isinstance(value, str):
        kind += f" of {len(value)} characters"
    return PersonalityError(
        f"{name} ({kind}) is refused; allowed: {rule}.",
        field=name,
        type=type(value).__name__,
        rule=rule,
    )
