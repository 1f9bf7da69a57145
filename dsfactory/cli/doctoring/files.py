"""Questions about the files: schema, logs, backups, leftovers. None of them changes anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dsfactory.backup.probing import backup_probes
from dsfactory.cli.doctoring.finding import Finding
from dsfactory.cli.units import counted, shown_bytes
from dsfactory.engine import Settings, identity, open_connection
from dsfactory.engine.files import PASSING_FILES, SIDE_FILES, file_size, require_file
from dsfactory.engine.wal import LARGE_BYTES, pinned_by
from dsfactory.errors import DataStoreError
from dsfactory.model import Backup, Kind, StoreRecord
from dsfactory.places import BACKUPS, QUARANTINE, STORES
from dsfactory.profiles import PROFILES, kind_of
from dsfactory.stores import settings_of

DAY_MS = 86_400_000
WITHOUT_MS = 7 * DAY_MS
"""How long what must not be lost may be there without any backup before doctor asks for one."""
LEFT_MS = 3_600_000
"""What is half-made for longer was left by a killed process; maintenance removes it."""

LASTING = frozenset({Kind.CONFIG, Kind.STATE, Kind.CUSTOM})


def schema(record: StoreRecord) -> Iterator[Finding]:
    """Say at which revision a store's file is."""
    profile = PROFILES[record.kind]
    settings = settings_of(record.options)
    try:
        yield _schema(
            record.name, record.path, settings, (profile.application_id, profile.revision)
        )
    except DataStoreError as error:
        yield Finding.mend("schema", record.name, str(error), _cure(record.name))


def _schema(name: str, path: Path, settings: Settings, wanted: tuple[int, int]) -> Finding:
    require_file(path)
    connection = open_connection(path, settings)
    try:
        found = identity(connection)
    finally:
        connection.close(True)
    application_id, head = wanted
    if found.application_id != application_id:
        other = kind_of(found.application_id) or "database of another application"
        return Finding.mend("schema", name, f"the file is a {other}", _cure(name))
    if found.revision < head:
        said = f"revision {found.revision}, head is {head}"
        return Finding.mend("schema", name, said, f"dsfactory upgrade {name}")
    if found.revision > head:
        said = f"revision {found.revision}, this release knows up to {head}"
        return Finding.mend("schema", name, said, "upgrade dsfactory")
    return Finding.good("schema", name, f"revision {head}, at head")


def _cure(name: str) -> str:
    return f"dsfactory restore {name} --list, then dsfactory restore {name} --force"


def log(name: str, path: Path) -> Iterator[Finding]:
    """Say how large the log of a file is, and who keeps it from being cut."""
    size = file_size(f"{path}-wal")
    if size <= LARGE_BYTES:
        yield Finding.good("log", name, shown_bytes(size))
        return
    names = pinned_by(path)
    if names:
        found = f"{shown_bytes(size)}, kept by readers: {', '.join(names)}"
        yield Finding.mend("pinned log", name, found, "let these programs end their transactions")
    else:
        yield Finding.mend("log", name, shown_bytes(size), "dsfactory maintain")


def backups(record: StoreRecord, kept: Sequence[Backup], now: int) -> Iterator[Finding]:
    """Say whether a store's backups are in time and whole."""
    bad = [probe for probe in backup_probes(record, kept, (), now) if not probe.ok]
    for probe in bad:
        found, _, todo = probe.detail.rpartition(": ")
        yield Finding.mend("backups", record.name, found, todo)
    if bad:
        return
    newest = max((b.unchanged_at or b.created_at for b in kept), default=record.created_at)
    if record.kind in LASTING and now - newest > WITHOUT_MS:
        since = f"none for {(now - newest) // DAY_MS} days"
        todo = f"dsfactory backup create {record.name}, or give the store backup_every"
        yield Finding.mend("backups", record.name, since, todo)
    else:
        yield Finding.good("backups", record.name, counted(len(kept), "backup", "backups"))


def leftovers(root: Path, known: Sequence[Path], now: int) -> Iterator[Finding]:
    """Look for files that belong to nothing."""
    found = [*_unfinished(root, now), *_strays(root, known), *_quarantined(root)]
    yield from found
    if not found:
        yield Finding.good("leftovers", str(root), "none")


def _unfinished(root: Path, now: int) -> Iterator[Finding]:
    old = []
    for folder in (root, root / STORES, root / BACKUPS):
        for path in folder.glob(".*.unfinished*"):
            try:
                made_ms = int(path.stat().st_mtime * 1000)
            except OSError:
                continue  # finished meanwhile
            if now - made_ms > LEFT_MS:
                old.append(path)
    if old:
        said = f"{counted(len(old), 'half-made file', 'half-made files')} of killed processes"
        yield Finding.mend("leftovers", str(root), said, "dsfactory maintain")


def _strays(root: Path, known: Sequence[Path]) -> Iterator[Finding]:
    belonging = {
        f"{path}{suffix}" for path in known for suffix in ("", *SIDE_FILES, *PASSING_FILES)
    }
    for path in sorted((root / STORES).glob("[!.]*")):
        if str(path) in belonging or not path.is_file():
            continue
        if path.name.endswith((*SIDE_FILES, *PASSING_FILES)) and _owner(path).exists():
            continue  # goes with the file that is named itself
        yield Finding.note(
            "leftovers",
            path.name,
            f"{shown_bytes(file_size(path))}, of no registered store",
            "create the store again to take it in, or move the file away",
        )


def _owner(path: Path) -> Path:
    return path.with_name(path.name.rpartition("-")[0])


def _quarantined(root: Path) -> Iterator[Finding]:
    folder = root / QUARANTINE
    count = sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0
    if count:
        said = f"{counted(count, 'item', 'items')} put aside by restores"
        yield Finding.note("leftovers", str(folder), said, "look at them, then delete them")
