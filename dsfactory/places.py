"""Where a factory lives, and what lies where in its directory."""

from __future__ import annotations

import os
from pathlib import Path

from dsfactory.errors import OptionError, OptionTypeError, StorageError, shown

METADATA = "metadata.db"
STORES = "stores"
BACKUPS = "backups"
QUARANTINE = "quarantine"
SNAPSHOTS = Path("backups") / "before-upgrade"


def default_root() -> Path:
    """Return where a factory without a root lives: DSFACTORY_ROOT or the user's data directory."""
    chosen = os.environ.get("DSFACTORY_ROOT")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("dsfactory", appauthor=False))


def checked_root(root: object) -> Path:
    """Return the directory *root*, or the default for None: absolute, symlinks resolved.

    Nothing has to be there yet. Raises OptionError for what can be no directory's name, and
    StorageError for a link that leads nowhere.
    """
    if root is None:
        root = default_root()
    if not isinstance(root, (str, os.PathLike)):
        raise OptionTypeError(
            f"root={shown(root)} is not allowed; allowed: the path of a directory, or None.",
            option="root",
        )
    try:
        spelt = os.path.realpath(os.fsdecode(root))
        spelt.encode()  # as SQLite takes names
    except ValueError as error:
        raise OptionError(
            f"root={shown(root)} is not allowed; allowed: a path in UTF-8, without NUL.",
            option="root",
        ) from error
    if os.path.islink(root) and not os.path.exists(spelt):  # noqa: PTH110, PTH114 -- as it came
        # Rather a disk that is not mounted than a directory that has to be made.
        raise StorageError(
            f"{root!s} cannot be made: it is a link to {spelt}, which is not there. Mount or "
            "make that, or choose another root.",
            path=str(root),
        )
    return Path(spelt)
