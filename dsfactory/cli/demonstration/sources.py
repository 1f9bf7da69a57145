"""Which source files the demo reads: those of the running Python's standard library."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import dsfactory

PASSED_OVER = frozenset(
    {"__pycache__", "dist-packages", "idle_test", "site-packages", "test", "tests"}
)
"""Folders that are not the library: what was installed, and its tests."""


def standard_library() -> Path:
    """Return the folder of the standard library's source files; without them, that of our own."""
    folder = Path(sysconfig.get_path("stdlib"))
    # An embedded Python may have its library in a zip file.
    return folder if (folder / "ast.py").exists() else Path(dsfactory.__file__).parent


def source_files(folder: Path, at_most: int | None = None) -> list[Path]:
    """Return the Python files in *folder*, top-level modules first, without the tests."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - PASSED_OVER)  # what is cut here is not walked
        found += [Path(place, name) for name in sorted(files) if name.endswith(".py")]
    return found[:at_most]


def package_of(path: str, folder: Path) -> str:
    """Return the top-level module or package that the file belongs to."""
    return Path(path).relative_to(folder).parts[0].removesuffix(".py")
