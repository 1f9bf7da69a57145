"""Stores to be backed up, and files to be damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dsfactory as ds


def filled(factory: ds.DataStoreFactory, name: str = "sessions", **options: Any) -> Any:
    """A state store with fifty entries that do not compress away."""
    store = factory.create_state_store(name, **options)
    store.set_many({f"key-{n}": {"n": n, "text": f"{n * 7919 % 1009:x}" * 40} for n in range(50)})
    return store


def content(store: Any) -> dict[Any, Any]:
    """What the store holds."""
    return dict(store.items())


def kept(factory: ds.DataStoreFactory, backup: ds.Backup, suffix: str) -> Path:
    """The file of a backup that ends with *suffix*."""
    return factory.root / "backups" / backup.store / f"{backup.id}{suffix}"


def flip(path: Path, at: int) -> None:
    """Turn one bit of a file."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


def files_in(folder: Path) -> set[str]:
    """The names of all files below a folder, hidden ones too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
