"""The profile of each kind: what its file says that it is, and at which revision it stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dsfactory.model import Kind
from dsfactory.profiles.frozen import STATEMENTS

# As Alembic makes it, so that the plain Alembic program knows where a file stands.
VERSION_TABLE = (
    "CREATE TABLE alembic_version (\n\tversion_num VARCHAR(32) NOT NULL, \n"
    "\tCONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)\n)"
)
STAMP = "INSERT INTO alembic_version (version_num) VALUES (?1)"

# In the order in which a new file gets them; indexes and triggers need their tables.
_ORDER = ("entry", "expiry", "access", "tags", "history", "compression", "series")

# What every file of a kind has beside the features that a store is made with.
_OWN = {Kind.METRICS: ("series",)}


class Profile(NamedTuple):
    """What identifies the files of one kind."""

    name: str
    application_id: int
    """In the header, where file(1) and every SQLite tool show it: "dsf" and a letter."""
    revision: int
    """In user_version: the head of this kind's migrations."""

    @property
    def head(self) -> str:
        """The head's name, as Alembic has it."""
        return f"{self.name}_{self.revision:04d}"


def _profile(name: str, letter: str, revision: int) -> Profile:
    return Profile(name, int.from_bytes(b"dsf" + letter.encode(), "big"), revision)


REGISTRY = _profile("registry", "r", 3)

PROFILES = {
    Kind.CONFIG: _profile("config", "c", 2),
    Kind.METRICS: _profile("metrics", "m", 3),
    Kind.CACHE: _profile("cache", "k", 2),
    Kind.STATE: _profile("state", "s", 2),
    Kind.CUSTOM: _profile("custom", "x", 2),
}


def kind_of(application_id: int) -> str | None:
    """Return the profile's name that *application_id* stands for; None when it is not ours."""
    for profile in (REGISTRY, *PROFILES.values()):
        if profile.application_id == application_id:
            return profile.name
    return None


def stamp(profile: Profile) -> list[tuple[str, tuple[str, ...]]]:
    """Return the statements that tell Alembic that a new file is at head."""
    return [(VERSION_TABLE, ()), (STAMP, (profile.head,))]


def contents(kind: str, features: Iterable[str]) -> tuple[str, ...]:
    """Return *features* and what every file of *kind* has beside them: what ddl() makes."""
    return (*features, *_OWN.get(Kind(kind), ()))


def ddl(features: Iterable[str]) -> list[str]:
    """Return the statements that make a store with *features*."""
    chosen = {"entry", *features}
    return [sql for feature in _ORDER if feature in chosen for sql in STATEMENTS[feature]]


def registry_ddl() -> list[str]:
    """Return the statements that make the metadata database."""
    return list(STATEMENTS["registry"])
