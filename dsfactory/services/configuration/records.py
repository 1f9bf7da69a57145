"""What a configuration tells of itself: versions, audit entries, events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dsfactory.stores import Difference


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One setting that one version changed. Secrets are masked."""

    timestamp: int
    """Milliseconds since the epoch."""
    version: int
    who: str | None
    """None when another program wrote it, past this package."""
    change: str
    """"create", "update", "reload" or "rollback"."""
    path: str
    """As in ``$.server.port``; ``$`` when a version changed nothing."""
    old: Any
    new: Any
    reason: str | None
    source: str
    """"file", "command", "environment" or "api"."""


@dataclass(frozen=True, slots=True)
class SavedVersion:
    """One kept version of the configuration."""

    version: int
    timestamp: int
    """Milliseconds since the epoch."""
    who: str | None
    change: str
    reason: str | None
    source: str
    """Of most of what it changed; the audit tells it of each path."""
    sha256: str | None


@dataclass(frozen=True, slots=True)
class ConfigurationEvent:
    """What a subscriber is told. Secrets are masked: the manager has the values."""

    what: str
    """"validated", "changed", "reloaded", "rollback" or "error"."""
    version: int
    """The configuration's newest version then."""
    here: bool
    """Whether this manager did it; False: another process, or another handle."""
    differences: tuple[Difference, ...] = ()
    entry: SavedVersion | None = None
    """Of the version that was made, if one was."""
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """What a version says of itself beside who and when; kept with it in one row."""

    change: str
    source: str
    reason: str | None = None
    others: Mapping[str, str] = field(default_factory=dict)
    """The source of each path that does not come from *source*."""

    def written(self) -> str:
        """Return the note as the text that the history keeps: the reason, then a line of JSON."""
        told = {"change": self.change, "source": self.source}
        facts = {**told, "others": dict(self.others)} if self.others else told
        return f"{self.reason or ''}\n{json.dumps(facts)}"

    @classmethod
    def read(cls, why: str | None, change: str) -> Note:
        """Return what *why* says; of a version that was written past the manager, what is known."""
        reason, _, line = (why or "").rpartition("\n")
        try:
            facts = json.loads(line)
            return cls(
                str(facts["change"]), str(facts["source"]), reason or None, facts.get("others", {})
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(change, "api", why)
