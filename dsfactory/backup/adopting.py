"""The copies that upgrades make first, entered among the backups.

An upgrade has a copy before it has a catalog: the registry itself may be what is upgraded. So it
leaves plain files, and whoever looks after backups makes backups of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dsfactory.backup.snapshot import Subject
from dsfactory.backup.taking import Wish, take_image
from dsfactory.backup.vault import Vault
from dsfactory.model import StoreRecord

REASON = "before-upgrade"


def waiting(folder: Path, record: StoreRecord) -> list[Path]:
    """Return the copies of one store that upgrades left, the oldest first."""
    # Names contain dashes: only the whole pattern tells "a" from "a-b".
    pattern = re.compile(rf"{re.escape(record.name)}-(?:base|{record.kind}_\d+)-\d+\.db")
    found = folder.glob(f"{record.name}-*.db") if folder.is_dir() else ()
    return sorted(path for path in found if pattern.fullmatch(path.name))


def adopted(vault: Vault, record: StoreRecord, folder: Path) -> Iterator[tuple[Path, str]]:
    """Make a backup of each copy that is waiting, and only then delete the copy; yield both files.

    Killed in between, the next time finds the backup there already.
    """
    for path in waiting(folder, record):
        taken_at = path.stat().st_mtime_ns // 1_000_000
        known = {b.created_at for b in vault.catalog.backups(record.name) if b.reason == REASON}
        wish = Wish(REASON, force=taken_at not in known)
        backup = take_image(vault, Subject(record), path, taken_at, wish)
        path.unlink()
        yield path, vault.manifest(backup).payload.file
