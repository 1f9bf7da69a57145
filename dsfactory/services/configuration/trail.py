"""The audit trail: each version's row is the truth, the audit store its lasting projection.

A version's row in the config store holds the document, who, when and the note, written by one
transaction; what changed is found by comparing it with the row before. Entries are made of that
and appended to the audit store before the next version may be written, so that the history can
be trimmed without loss. Killed in between, whoever comes next does it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain, islice
from typing import Any, NamedTuple

from dsfactory.model import Key, Version
from dsfactory.services.configuration import paths
from dsfactory.services.configuration.records import AuditEntry, Note, SavedVersion
from dsfactory.services.configuration.secret import Pattern, masked_at
from dsfactory.stores import ConfigStore, CustomStore

AUDITED = "audited"
"""The key of the newest version whose entries are in the audit store."""
SECRETS = "secrets"
"""The key of where the secrets are, for those who have no schema at hand."""

LAST_ENTRY = 2**63 - 1
FEW = 8
"""Versions that one look reads before it reads all: mostly one is new."""


class Mark(NamedTuple):
    """Which version was seen last. The time tells a restored history from the one it was."""

    version: int
    changed_at: int


NONE = Mark(0, -1)


class Step(NamedTuple):
    """A version with the plain document before it."""

    row: Version[Any]
    before: Any

    def changes(self) -> list[paths.Change]:
        """Return what it changed."""
        return list(paths.changes(self.before, self.row.value))


def mark_of(row: Version[Any]) -> Mark:
    """Return the mark of a version."""
    return Mark(row.version, row.changed_at)


def newer(store: ConfigStore[Any], seen: Mark) -> list[Step]:
    """Return the versions that came after *seen*, oldest first."""
    rows = store.history(limit=FEW, plain=True)
    if len(rows) == FEW and all(mark_of(row) != seen for row in rows):
        rows = store.history(plain=True)
    marks = [mark_of(row) for row in rows]
    if seen in marks:
        new = rows[: marks.index(seen)]
    else:
        # Trimmed, or another history was restored: then the later ones count.
        new = [row for row in rows if row.changed_at > seen.changed_at]
    olds = [*(row.value for row in rows[1:]), None][: len(new)]
    steps = [
        Step(row, old if isinstance(old, dict) else {}) for row, old in zip(new, olds, strict=True)
    ]
    return [step for step in reversed(steps) if step.row.value is not None]


def described(row: Version[Any]) -> SavedVersion:
    """Return a version without its document."""
    note = Note.read(row.why, row.change)
    change = "rollback" if row.change == "rollback" else note.change
    return SavedVersion(
        row.version, row.changed_at, row.who, change, note.reason, note.source, row.sha256
    )


class Trail:
    """Keeps the audit of one configuration."""

    def __init__(
        self, store: ConfigStore[Any], audit: CustomStore[Any] | None, patterns: Sequence[Pattern]
    ) -> None:
        self._store = store
        self._audit = audit
        self._patterns = patterns

    def complete(self) -> None:
        """Append the entries of the versions that have none yet.

        What this thread's transaction has not committed has to be left out: call it before.
        """
        audit, newest = self._audit, self._store.history(limit=1, plain=True)
        if audit is None or not newest or mark_of(newest[0]) == self._audited():
            return
        with audit.transaction():
            steps = newer(self._store, self._audited())
            if steps:
                self._append(audit, steps)

    def _append(self, audit: CustomStore[Any], steps: Sequence[Step]) -> None:
        last = next(iter(audit.scan(end=LAST_ENTRY, reverse=True, limit=1)), (0, None))[0]
        entries = [entry for step in steps for entry in self._entries(step)]
        first = int(last) + 1
        news: dict[Key, Any] = {first + place: asdict(entry) for place, entry in enumerate(entries)}
        news[AUDITED] = list(mark_of(steps[-1].row))
        audit.set_many(news)

    def _entries(self, step: Step) -> list[AuditEntry]:
        saved = described(step.row)
        note = Note.read(step.row.why, step.row.change)
        return [
            AuditEntry(
                timestamp=saved.timestamp,
                version=saved.version,
                who=saved.who,
                change=saved.change,
                path=paths.rendered(at),
                old=masked_at(old, at, self._patterns),
                new=masked_at(new, at, self._patterns),
                reason=saved.reason,
                source=note.others.get(paths.rendered(at), note.source),
            )
            for at, _, old, new in step.changes() or [((), "changed", None, None)]
        ]

    def _audited(self) -> Mark:
        known = None if self._audit is None else self._audit.get(AUDITED)
        return NONE if known is None else Mark(*known)

    def entries(self, limit: int | None) -> list[AuditEntry]:
        """Return the newest entries, newest first; those that nobody has written yet, too."""
        missing = newer(self._store, self._audited())
        ahead = {mark_of(step.row) for step in missing}
        made = [entry for step in missing for entry in self._entries(step)]
        # Somebody may have written them since the mark was read.
        kept = (entry for entry in self._kept() if (entry.version, entry.timestamp) not in ahead)
        return list(islice(chain(reversed(made), kept), limit))

    def _kept(self) -> Iterator[AuditEntry]:
        if self._audit is not None:
            for _, entry in self._audit.scan(end=LAST_ENTRY, reverse=True):
                yield AuditEntry(**entry)
