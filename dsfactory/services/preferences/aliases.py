"""Aliases: a user's own short names for commands."""

from __future__ import annotations

from dsfactory.errors import AbsentError, AliasTakenError
from dsfactory.services.preferences.book import Book, Row, key_of
from dsfactory.services.preferences.records import Alias
from dsfactory.services.preferences.rules import (
    checked_alias,
    checked_text,
    first_word,
    refused,
)

AREA = "alias"

MAX_ALIASES = 100
"""Of one user: they live in one row, rewritten at each change."""


class Aliases(Book):
    """Aliases by user."""

    _reserved: frozenset[str]
    """What none may take."""

    def set_alias(self, user: str, name: str, command: str, *, replace: bool = False) -> Alias:
        """Let *name* stand for *command*.

        Names are a letter, then up to 31 letters, digits, hyphens or underscores; case does not
        matter. Raises PreferenceError for other names, reserved words and available commands,
        AliasTakenError when the user has the name for another command and *replace* is False.
        """
        key, command = key_of(AREA, user), checked_text("command", command)
        name = checked_alias(name, self._reserved)
        alias = Alias(name, command, self._now())
        with self._store.transaction():
            row = self._row(key)
            taken = row.get(name)
            if taken is not None and taken["command"] == command:
                return Alias(name, **taken)
            if taken is not None and not replace:
                raise _taken(name)
            if taken is None and len(row) >= MAX_ALIASES:
                raise refused("alias", name, f"at most {MAX_ALIASES} of one user")
            row[name] = {"command": command, "created_at": alias.created_at}
            self._store[key] = row
        return alias

    def remove_alias(self, user: str, name: str) -> None:
        """Forget the alias; raises AbsentError when the user has none of that name."""
        key, name = key_of(AREA, user), checked_alias(name, ())
        with self._store.transaction():
            row = self._row(key)
            if row.pop(name, None) is None:
                raise AbsentError("The user has no alias of that name. aliases() lists them.")
            self._store[key] = row

    def aliases(self, user: str) -> list[Alias]:
        """Return the user's aliases by name."""
        row = self._row(key_of(AREA, user))
        return [Alias(name, **row[name]) for name in sorted(row)]

    def resolve(self, user: str, text: str) -> str:
        """Return *text* with its first word replaced when that is an alias, else as it is.

        Once: what an alias stands for is never resolved again.
        """
        if not isinstance(text, str):
            raise refused("text", text, "text")
        return resolved(self._row(key_of(AREA, user)), text)


def resolved(row: Row, text: str) -> str:
    """Return *text*, its first word replaced if *row* has it."""
    found = row.get(first_word(text))
    if found is None:
        return text
    word = text.split(maxsplit=1)[0]
    return str(found["command"]) + text.lstrip()[len(word) :]


def _taken(name: str) -> AliasTakenError:
    rule = "a name that the user has not taken, or replace=True"
    return AliasTakenError(
        f"The user has an alias {name!r} for another command; allowed: {rule}.",
        field="alias",
        type="str",
        rule=rule,
    )
