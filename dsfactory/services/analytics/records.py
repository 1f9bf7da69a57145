"""What is stored. Nothing here names anybody: users and scopes are keyed hashes."""

from __future__ import annotations

from dataclasses import dataclass, field

HOURS = 24


@dataclass(slots=True)
class Usage:
    """What one user did on one day, in one scope or in all."""

    commands: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    actions: dict[str, int] = field(default_factory=dict)
    hours: list[int] = field(default_factory=lambda: [0] * HOURS)
    """Commands by hour of the day."""
    sessions: int = 0
    """Begun on this day."""
    active_ms: int = 0
    last_at: int | None = None
    """Of the last activity; of the day before, until there is one on this day."""


@dataclass(slots=True)
class Failure:
    """An error, as often as it happened on one day."""

    fingerprint: str
    category: str
    kind: str
    """The exception's class; "" when a text was given."""
    where: str
    """The function that raised it; "" when unknown."""
    count: int = 0
    last_at: int = 0
    """Milliseconds since the epoch."""


@dataclass(slots=True)
class Timing:
    """How long one operation took on one day, in milliseconds."""

    count: int = 0
    total_ms: float = 0.0
    longest_ms: float = 0.0
    buckets: dict[int, int] = field(default_factory=dict)
    """See sketch.py."""


@dataclass(slots=True)
class Tracked:
    """An entry of the metrics store: one of these."""

    usage: dict[str, Usage] | None = None
    """By the hash of the scope; "" is everything together."""
    failure: Failure | None = None
    timing: Timing | None = None


@dataclass(slots=True)
class Totals:
    """A finished day of all users together."""

    users: int = 0
    usage: Usage = field(default_factory=Usage)


@dataclass(slots=True)
class Privacy:
    """What a user decided."""

    opted_out: bool = False
    retention_days: int | None = None
    """Shorter than everybody's; None is as long as everybody's."""
    key: str = ""
    """With which the user's hash was made, so that this key is kept."""


@dataclass(slots=True)
class Erasure:
    """A deletion that was begun; whoever finds it finishes it."""

    users: list[str] = field(default_factory=list)
    days: list[str] = field(default_factory=list)
    """Whose totals must not be made before it is finished."""
    before: str = ""
    """Only what was tracked before this day; "" is everything, and the file is scrubbed."""


@dataclass(slots=True)
class Kept:
    """An entry of the custom store: one of these."""

    totals: Totals | None = None
    privacy: Privacy | None = None
    erasure: Erasure | None = None


@dataclass(slots=True)
class Secret:
    """A key that hashes are made with."""

    id: str
    hex: str
    created_at: int
    retired_at: int | None = None


@dataclass(slots=True)
class Secrets:
    """The document of the state store: the key in use is the last."""

    secrets: list[Secret]
