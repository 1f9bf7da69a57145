"""Where the migrations are, and what they say: one lineage a kind, one head each."""

from __future__ import annotations

import functools
import warnings
from pathlib import Path
from typing import NamedTuple

from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

import dsfactory
from dsfactory.errors import LineageError
from dsfactory.stores.creation import versions_folder

VERSION_TABLE = "alembic_version"
APPLICATION = "application"
APPLICATION_TABLE = "alembic_version_application"
"""An application's own lineage stands beside ours in the same file."""


class Revision(NamedTuple):
    """One step of a lineage."""

    id: str
    down: str | None
    title: str


class Lineage:
    """The revisions of one kind, or of an application's own tables."""

    def __init__(self, name: str, scripts: ScriptDirectory, table: str) -> None:
        """Read all revisions. Raises LineageError when one cannot be imported or is missing."""
        self.name = name
        self.scripts = scripts
        self.table = table
        try:
            with warnings.catch_warnings():
                # Alembic only warns of a revision that is missing or there twice.
                warnings.filterwarnings("error", "Revision ", UserWarning)
                scripts.get_heads()
        except Exception as error:
            # Importing a migration runs anybody's code.
            raise self._torn(error) from error

    def _torn(self, error: Exception) -> LineageError:
        return LineageError(
            f"The migrations of {self.name} in {self.scripts.dir} cannot be read "
            f"({type(error).__name__}: {error}). Mend them, or bring the missing revision back.",
            lineage=self.name,
        )

    @property
    def ours(self) -> bool:
        """Whether this is the lineage of one of our kinds, not an application's."""
        return self.table == VERSION_TABLE

    def head(self) -> str | None:
        """Return the one head; None when there are no revisions. Two heads raise LineageError."""
        heads = self.scripts.get_heads()
        if len(heads) > 1:
            raise LineageError(
                f"The migrations of {self.name} have {len(heads)} heads ({', '.join(heads)}); "
                "allowed: one. Merge them.",
                lineage=self.name,
                heads=tuple(heads),
            )
        return heads[0] if heads else None

    def revisions(self) -> list[Revision]:
        """Return all revisions, the base first."""
        return [_revision(script) for script in reversed(list(self.scripts.walk_revisions()))]

    def reaching(self, revision: str | None) -> list[str]:
        """Return *revision* and all before it, the base first; nothing for None."""
        if revision is None:
            return []
        scripts = self.scripts.walk_revisions(head=revision)
        return [script.revision for script in reversed(list(scripts))]

    def resolve(self, wanted: str) -> str | None:
        """Return the full id of *wanted*: an id, a unique beginning, "head" or "base" (None).

        Raises LineageError when there is no such revision.
        """
        try:
            if wanted == "head":
                return self.head()
            if wanted == "base":
                return None
            script = self.scripts.get_revision(wanted) if wanted else None
        except CommandError as error:
            raise self._unknown(wanted) from error
        if script is None:
            raise self._unknown(wanted)
        return script.revision

    def _unknown(self, wanted: str) -> LineageError:
        known = ", ".join(revision.id for revision in self.revisions())
        return LineageError(
            f"The migrations of {self.name} have no revision {wanted!r}; there are: {known}.",
            lineage=self.name,
            revision=wanted,
        )


def _revision(script: Script) -> Revision:
    down = script.down_revision
    return Revision(script.revision, down if isinstance(down, str) else None, script.doc)


def migrations_root() -> Path:
    """Return the folder of our migrations: inside of the package, or beside it in a checkout."""
    package = Path(dsfactory.__file__).parent
    for folder in (package / "_migrations", package.parent / "migrations"):
        if (folder / "versions").is_dir():
            return folder
    raise LineageError(
        "This installation of dsfactory has no migrations. Install it anew.", lineage="all"
    )


@functools.cache
def lineage_of(kind: str, root: Path | None = None) -> Lineage:
    """Return the lineage of one kind of file, read once for the process.

    *root* is a folder of other migrations than the installed ones.
    """
    root = root or migrations_root()
    scripts = ScriptDirectory(str(root), version_locations=[str(root / "versions" / kind)])
    return Lineage(kind, scripts, VERSION_TABLE)


def application_lineage(folder: Path) -> Lineage:
    """Return the lineage of an application's own tables, from its ``versions`` folder."""
    scripts = ScriptDirectory(str(folder), version_locations=[str(versions_folder(folder))])
    return Lineage(APPLICATION, scripts, APPLICATION_TABLE)


def number_of(revision: str | None) -> int:
    """Return what user_version says at *revision* of ours: "state_0002" is 2, none is 0."""
    return 0 if revision is None else int(revision.rpartition("_")[2])
