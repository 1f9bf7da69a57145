"""What has to be done with a file: found out from the file and the migrations, changing neither."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dsfactory.engine import Connection, Settings
from dsfactory.errors import DataStoreError, LineageError
from dsfactory.model import Kind
from dsfactory.profiles import PROFILES, REGISTRY, Profile
from dsfactory.stores.creation import (
    REGISTRY_RELEASE,
    RELEASE,
    fingerprint,
    newer_schema,
    require_application,
)
from dsfactory.upgrade.running import current
from dsfactory.upgrade.scripts import Lineage, application_lineage, lineage_of, number_of

PATIENCE_MS = 120_000
"""How long to wait for the write lock: another process may be upgrading the same file. A million
rows take it some ten seconds: scripts/bench/upgrade."""

LINEAGE_COLUMN = "SELECT 1 FROM pragma_table_info('meta') WHERE name = 'lineage'"
NOTED = "SELECT lineage FROM meta"


class Target(NamedTuple):
    """One file to bring to another revision."""

    name: str
    kind: str
    path: Path
    settings: Settings
    features: tuple[str, ...]
    snapshots: Path
    """Where the copies from before are kept."""
    clock: Callable[[], int]
    prepare: Callable[[Connection], None] = lambda _: None
    """Registers the SQL functions that the file's views and triggers call."""
    application: Path | None = None
    """The folder of the application's own migrations."""
    migrations: Path | None = None
    """Other migrations than the installed ones; they have a folder ``versions/<kind>``."""
    patience_ms: int = PATIENCE_MS

    @property
    def profile(self) -> Profile:
        """What this release's files of this kind are."""
        return REGISTRY if self.kind == REGISTRY.name else PROFILES[Kind(self.kind)]


class Plan(NamedTuple):
    """What has to be done with one lineage of a file."""

    lineage: Lineage
    before: str | None
    after: str | None
    steps: tuple[str, ...]
    """In the order in which they run."""
    down: bool = False


class Plans(NamedTuple):
    """What has to be done with a file."""

    ours: Plan
    application: Plan | None
    noted: str | None
    """What meta.lineage has to say afterwards; None leaves it alone."""

    @property
    def work(self) -> list[Plan]:
        """The lineages that have steps to run."""
        return [plan for plan in (self.ours, self.application) if plan and plan.steps]

    @property
    def steps(self) -> tuple[str, ...]:
        """All revisions that will run, ours first."""
        return tuple(step for plan in self.work for step in plan.steps)


def planned(target: Target, connection: Connection, to: str, *, down: bool = False) -> Plans:
    """Return how the file of *connection* comes to *to*.

    Raises LineageError, NewerSchemaError, ForeignFileError or KindConflictError. An application's
    own lineage always goes to its head, and is never walked down.
    """
    require_application(int(connection.pragma("application_id")), target.path, target.profile)
    lineage = lineage_of(target.kind, target.migrations)
    before = _stands(target, lineage, connection)
    ours = _plan(target, lineage, before, lineage.resolve(to), down=down)
    if target.application is None or down:
        return Plans(ours, None, None)
    seen = fingerprint(target.application)  # before reading: what comes later is seen later
    noted = None if _noted(connection) == seen else seen
    return Plans(ours, application_plan(target, connection), noted)


def application_plan(target: Target, connection: Connection) -> Plan:
    """Return how the application's own tables come to their head."""
    if target.application is None:
        raise LineageError(f"{target.name} has no migrations of its own.", store=target.name)
    lineage = application_lineage(target.application)
    before = current(connection, lineage)
    if before is not None and before not in {revision.id for revision in lineage.revisions()}:
        raise _unknown_revision(target, lineage, before)
    return _plan(target, lineage, before, lineage.head(), down=False)


def can_note(connection: Connection) -> bool:
    """Whether the file is at a revision that has meta.lineage."""
    return bool(connection.execute(LINEAGE_COLUMN).fetchall())


def _noted(connection: Connection) -> str | None:
    if not can_note(connection):
        return None
    ((seen,),) = connection.execute(NOTED).fetchall()
    return None if seen is None else str(seen)


def _plan(
    target: Target, lineage: Lineage, before: str | None, after: str | None, *, down: bool
) -> Plan:
    done, wanted = lineage.reaching(before), lineage.reaching(after)
    if not down:
        steps = tuple(step for step in wanted if step not in done)
        return Plan(lineage, before, after if steps else before, steps)
    if not set(wanted) <= set(done):
        raise LineageError(
            f"{target.path} is at {before or 'base'}; {after} is not behind it.",
            path=str(target.path),
            revision=after,
        )
    steps = tuple(step for step in reversed(done) if step not in wanted)
    return Plan(lineage, before, after, steps, down=True)


def _stands(target: Target, lineage: Lineage, connection: Connection) -> str | None:
    """Return the revision of ours at which the file stands; header and table have to agree."""
    before = current(connection, lineage)
    header = int(connection.pragma("user_version"))
    if header > number_of(lineage.head()):
        raise _newer(target, connection, header)
    if before is not None and before not in {revision.id for revision in lineage.revisions()}:
        raise _unknown_revision(target, lineage, before)
    if header != number_of(before):
        raise LineageError(
            f"{target.path} says {header} in its header and {before or 'nothing'} in "
            f"{lineage.table}: somebody changed one of them. Restore a backup, or set the wrong "
            "one right.",
            path=str(target.path),
            revision=before,
        )
    return before


def _newer(target: Target, connection: Connection, header: int) -> DataStoreError:
    query = REGISTRY_RELEASE if target.kind == REGISTRY.name else RELEASE
    ((release,),) = connection.execute(query).fetchall()
    return newer_schema(target.path, target.profile, header, str(release))


def _unknown_revision(target: Target, lineage: Lineage, found: str) -> LineageError:
    return LineageError(
        f"{target.path} says that it is at revision {found!r}, which the migrations of "
        f"{lineage.name} do not have. Restore a backup, or bring the missing revision back.",
        path=str(target.path),
        lineage=lineage.name,
        revision=found,
    )
