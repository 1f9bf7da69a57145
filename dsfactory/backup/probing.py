"""What health asks about the backups of a store."""

from __future__ import annotations

from collections.abc import Sequence

from dsfactory.backup.schedule import due_of, last_confirmed
from dsfactory.model import Backup, Event, Probe, StoreRecord

DAY_MS = 86_400_000


def backup_probes(
    record: StoreRecord, backups: Sequence[Backup], events: Sequence[Event], now: int
) -> list[Probe]:
    """Return whether the backups of a store are there, in time, and whole.

    The last of its *events* is told, and is no verdict. Overdue is a backup that was due a whole
    interval ago; a store without ``backup_every`` never is. When one last passed a whole restore
    is said, and is no verdict either.
    """
    probes = [_in_time(record, backups, now), _whole(backups), _verified(record, now)]
    own = [event for event in events if event.store == record.name]
    if own:
        last = own[-1]
        said = f"{last.what} {_ago(last.at, now)}: {last.detail}"
        probes.append(Probe("last event", ok=True, detail=said))
    return probes


def _in_time(record: StoreRecord, backups: Sequence[Backup], now: int) -> Probe:
    every = record.options.backup_every
    last = last_confirmed(backups, now)
    said = "none yet" if last is None else f"the last {_ago(last, now)}"
    if every is None:
        return Probe("backups", ok=True, detail=f"{said}; taken only when asked for")
    due = due_of(record, backups, now)
    since = record.created_at if last is None else due
    if since is not None and since + every < now:
        detail = f"overdue: {said}, due every {_span(every)}: run `dsfactory backup run --due`"
        return Probe("backups", ok=False, detail=detail)
    return Probe("backups", ok=True, detail=f"{said}, due every {_span(every)}")


def _whole(backups: Sequence[Backup]) -> Probe:
    hurt = [backup.id for backup in backups if backup.damaged_at is not None]
    if hurt:
        detail = f"{len(hurt)} of {len(backups)} damaged, such as {hurt[-1]}: take another"
        return Probe("whole backups", ok=False, detail=detail)
    return Probe("whole backups", ok=True, detail=f"{len(backups)}, none known to be damaged")


def _verified(record: StoreRecord, now: int) -> Probe:
    at = record.verified_at
    said = "never: run `dsfactory backup verify --deep`" if at is None else _ago(at, now)
    return Probe("verified restore", ok=True, detail=said)


def _ago(moment: int, now: int) -> str:
    return f"{_span(max(0, now - moment))} ago"


def _span(milliseconds: int) -> str:
    for unit, size in (("d", DAY_MS), ("h", 3_600_000), ("min", 60_000)):
        if milliseconds >= 2 * size:
            return f"{milliseconds // size} {unit}"
    return f"{milliseconds // 1000} s"
