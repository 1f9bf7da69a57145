"""Damaged files are put aside, never deleted: somebody may still get something out of them."""

from __future__ import annotations

from pathlib import Path

from dsfactory.engine.files import private_directory, remove_database
from dsfactory.engine.swapping import KEPT, locked_unread, put_aside
from dsfactory.places import METADATA, QUARANTINE


def quarantined(path: Path, quarantine: Path) -> Path | None:
    """Give the file and its log second names in a new directory; return it.

    None when there is nothing to put aside. Directories are numbered, so that nothing is ever
    overwritten.
    """
    if not any(Path(f"{path}{suffix}").exists() for suffix in KEPT):
        return None
    aside = _new_directory(private_directory(quarantine), path.stem)
    put_aside(path, aside)
    return aside


def _new_directory(quarantine: Path, name: str) -> Path:
    number = 1
    while True:
        aside = quarantine / f"{name}-{number:04d}"
        try:
            aside.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
        else:
            return aside


def put_registry_aside(root: Path) -> Path | None:
    """Move a metadata database that cannot be read out of the way; return where it is now."""
    path = root / METADATA
    with locked_unread(path):
        aside = quarantined(path, root / QUARANTINE)
        remove_database(path)
    return aside
