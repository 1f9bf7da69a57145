"""The history of what a user typed: newest first, trimmed, searchable."""

from __future__ import annotations

from dsfactory.services.preferences.aliases import AREA as ALIASES
from dsfactory.services.preferences.aliases import Aliases, resolved
from dsfactory.services.preferences.book import Row, key_of
from dsfactory.services.preferences.records import HistoryEntry, Suggestion
from dsfactory.services.preferences.rules import checked_limit, checked_text, first_word, refused

AREA = "history"

MAX_HISTORY = 1000
"""Entries of one user: they live in one row, rewritten at each command."""

COUNTED_WORDS = 100
"""First words that are counted; beyond that the rarest gives way."""


class History(Aliases):
    """Commands by user, and what may be suggested from them."""

    _available: tuple[str, ...]
    _history_limit: int

    def record(self, user: str, text: str, *, ok: bool = True) -> HistoryEntry:
        """Note that the user gave the command *text*; the oldest beyond the limit goes."""
        key, aliases = key_of(AREA, user), key_of(ALIASES, user)
        text = checked_text("text", text)
        if not isinstance(ok, bool):
            raise refused("ok", ok, "True or False")
        with self._store.transaction():
            known = self._row(aliases)
            entry = HistoryEntry(text, resolved(known, text), self._now(), ok)
            row = self._row(key)
            _note(row, entry)
            _note_use(row, first_word(text), known)
            del row["entries"][self._history_limit :]
            self._store[key] = row
        return entry

    def history(
        self, user: str, *, limit: int | None = None, search: str | None = None
    ) -> list[HistoryEntry]:
        """Return what the user typed, newest first; *search* narrows to texts that contain it.

        Case does not matter. What an alias stands for is searched as well.
        """
        most = MAX_HISTORY if limit is None else checked_limit("limit", limit, MAX_HISTORY)
        wanted = "" if search is None else checked_text("search", search).casefold()
        return [
            entry
            for entry in _entries(self._row(key_of(AREA, user)))
            if wanted in entry.text.casefold() or wanted in entry.command.casefold()
        ][:most]

    def clear_history(self, user: str) -> int:
        """Forget what the user typed, counts included; return how many entries went."""
        key = key_of(AREA, user)
        with self._store.transaction():
            row = self._row(key)
            self._store.delete(key)
        return len(row.get("entries", ()))

    def suggest(self, user: str, prefix: str = "", *, limit: int = 10) -> list[Suggestion]:
        """Return what the user may mean: aliases, then recent commands, then available ones.

        Each text comes once, under its first source; case does not matter. Aliases used most come
        first, recent commands newest first, available ones in the order they were given in.
        """
        if not isinstance(prefix, str):
            raise refused("prefix", prefix, "text")
        most = checked_limit("limit", limit, MAX_HISTORY)
        row, start = self._row(key_of(AREA, user)), prefix.lstrip().casefold()
        uses = row.get("alias_uses", {})
        names = sorted(self._row(key_of(ALIASES, user)), key=lambda n: (-uses.get(n, 0), n))
        texts = [
            *(Suggestion(name, "alias") for name in names),
            *(Suggestion(entry.text.strip(), "recent") for entry in _entries(row)),
            *(Suggestion(text, "available") for text in self._available),
        ]
        found: dict[str, Suggestion] = {}
        for suggestion in texts:
            folded = suggestion.text.casefold()
            if folded.startswith(start):
                found.setdefault(folded, suggestion)
        return list(found.values())[:most]


def _entries(row: Row) -> list[HistoryEntry]:
    return [HistoryEntry(*fields) for fields in row.get("entries", ())]


def _note(row: Row, entry: HistoryEntry) -> None:
    fields = [entry.text, entry.command, entry.at, entry.ok]
    row.setdefault("entries", []).insert(0, fields)
    row.setdefault("first_at", entry.at)
    row["total"] = row.get("total", 0) + 1
    row["failed"] = row.get("failed", 0) + (not entry.ok)
    counts, word = row.setdefault("counts", {}), first_word(entry.command)
    if word not in counts and len(counts) >= COUNTED_WORDS:
        del counts[min(counts, key=counts.__getitem__)]
    counts[word] = counts.get(word, 0) + 1


def _note_use(row: Row, word: str, known: Row) -> None:
    uses = {name: count for name, count in row.get("alias_uses", {}).items() if name in known}
    if word in known:
        uses[word] = uses.get(word, 0) + 1
    row["alias_uses"] = uses
