"""The catalog of backups: an index of the manifests, which are the truth and outlive it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from dsfactory.engine import Database, Row
from dsfactory.errors import BackupAbsentError
from dsfactory.model import Backup, Event
from dsfactory.registry import sql

KEPT_EVENTS = 1000


class Marked(NamedTuple):
    """A backup that prune decided to remove, and whose files may still be there."""

    id: str
    store: str
    place: str
    container: str


class Catalog:
    """What the metadata database knows of backups, and of what happened to stores."""

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        """Stand on the registry's own *database*, which the registry opens and closes."""
        self._database = database
        self._now = now

    # -- reading

    def backups(self, store: str | None = None) -> list[Backup]:
        """Return the backups of *store*, or of all by store; the oldest first."""
        if store is None:
            rows = self._database.rows(sql.ALL_BACKUPS, (self._now(),))
        else:
            rows = self._database.rows(sql.BACKUPS_OF, (self._now(), store))
        return [_backup(row) for row in rows]

    def require(self, backup_id: str) -> Backup:
        """Return one backup; raise BackupAbsentError when the catalog has none of this id."""
        rows = self._database.rows(sql.BACKUP_BY_ID, (self._now(), backup_id))
        if not rows:
            raise BackupAbsentError(
                f"There is no backup {backup_id!r}. `dsfactory backup list` names those that are "
                "there; `dsfactory backup rescan` finds what the catalog lost.",
                backup=backup_id,
            )
        return _backup(rows[0])

    def set_members(self, set_id: str) -> list[Backup]:
        """Return the backups of one set, by store; none when there is no such set."""
        rows = self._database.rows(sql.SET_MEMBERS, (self._now(), set_id))
        return [_backup(row) for row in rows]

    # -- what was done

    def add(self, backups: Iterable[Backup]) -> None:
        """Enter backups whose manifests are kept; of those known by id, what may have changed."""
        with self._database.write() as tx:
            for backup in backups:
                tx.run(sql.ADD_BACKUP, _row(backup))
                tx.run(sql.NOTE_BACKUP, (backup.store, backup.created_at))

    def unchanged(self, backup_id: str) -> None:
        """Note that the store is still what this backup holds."""
        with self._database.write() as tx:
            tx.run(sql.BACKUP_UNCHANGED, (backup_id, tx.now))

    def verified(self, backup: Backup, at: int) -> None:
        """Note that the backup passed a whole restore to a scratch place."""
        with self._database.write() as tx:
            tx.run(sql.BACKUP_VERIFIED, (backup.id, at))
            tx.run(sql.STORE_VERIFIED, (backup.store, at))

    def damaged(self, backup_id: str, at: int) -> None:
        """Note that what was kept is not what was written."""
        with self._database.write() as tx:
            tx.run(sql.BACKUP_DAMAGED, (backup_id, at))

    def pin(self, backup_id: str, *, pinned: bool) -> None:
        """Keep the backup whatever the rules say, or no longer; BackupAbsentError when unknown."""
        with self._database.write() as tx:
            if not tx.rows(sql.BACKUP_PINNED, (backup_id, int(pinned))):
                self.require(backup_id)

    @contextlib.contextmanager
    def held(self, backup_id: str, until: int) -> Iterator[None]:
        """Keep prune from the backup meanwhile, and at most *until* then.

        When several hold it at once, nobody knows who is the last: then it stays held until the
        latest of their times. Raises BackupAbsentError when it is gone.
        """
        with self._database.write() as tx:
            others = tx.rows(sql.HELD_UNTIL, (backup_id,))
            if not others:
                self.require(backup_id)
            theirs = others[0][0]
            # Later than theirs: so that the first finds its own time replaced, and leaves it.
            until = max(until, theirs + 1)
            tx.run(sql.HOLD_BACKUP, (backup_id, until))
            alone = theirs <= tx.now
        try:
            yield
        finally:
            if alone:
                with self._database.write() as tx:
                    tx.run(sql.RELEASE_BACKUP, (backup_id, until))

    # -- removing, in two steps

    def mark_removed(self, ids: Iterable[str]) -> list[str]:
        """Take backups out of every answer; return those that were not pinned or held meanwhile."""
        with self._database.write() as tx:
            return [i for i in ids if tx.rows(sql.MARK_REMOVED, (i, tx.now))]

    def marked(self) -> list[Marked]:
        """Return what was marked and not forgotten: its files have to be deleted."""
        return [Marked(*row) for row in self._database.rows(sql.MARKED)]

    def forget(self, backup_id: str) -> None:
        """Leave nothing of a backup whose files are gone."""
        with self._database.write() as tx:
            tx.run(sql.FORGET_BACKUP, (backup_id,))

    # -- events

    def record(self, store: str, what: str, detail: str) -> None:
        """Keep what people have to hear of; the newest thousand are kept."""
        with self._database.write() as tx:
            tx.run(sql.ADD_EVENT, (tx.now, store, what, detail))
            tx.run(sql.FORGET_EVENTS, (KEPT_EVENTS,))

    def events(self, since: int = 0) -> list[Event]:
        """Return what happened at or after *since*, the oldest first."""
        return [Event(*row) for row in self._database.rows(sql.EVENTS, (since,))]


def _backup(row: Row) -> Backup:
    return Backup(
        id=row[0],
        store=row[1],
        created_at=row[2],
        reason=row[3],
        size_bytes=row[4],
        sha256=row[5],
        revision=row[6],
        verified_at=row[7],
        tags=tuple(json.loads(row[8])),
        pinned=bool(row[9]),
        container=row[10],
        base=row[11],
        group=row[12],
        restoring=bool(row[13]),
        unchanged_at=row[14],
        flaws=tuple(json.loads(row[15])),
        damaged_at=row[16],
        place=row[17],
    )


def _row(backup: Backup) -> Row:
    return (
        backup.id,
        backup.store,
        backup.created_at,
        backup.reason,
        backup.size_bytes,
        backup.sha256,
        backup.revision,
        backup.verified_at,
        json.dumps(backup.tags),
        int(backup.pinned),
        backup.container,
        backup.base,
        backup.group,
        json.dumps(backup.flaws),
        backup.place,
    )
