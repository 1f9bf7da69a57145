"""Backups that are known to restore: snapshot, manifest, catalog, retention, verify, restore."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsfactory.backup.rescan import RescanReport
    from dsfactory.backup.restoring import RestoreReport
    from dsfactory.backup.retention.policy import (
        STANDARD,
        Kept,
        RetentionPlan,
        RetentionPolicy,
        plan_retention,
        policy_of,
    )
    from dsfactory.backup.retention.pruning import PruneReport
    from dsfactory.backup.schedule import DueReport
    from dsfactory.backup.sets import BackupSet
    from dsfactory.backup.verifying import VerifyReport

__all__ = [
    "STANDARD",
    "BackupSet",
    "DueReport",
    "Kept",
    "PruneReport",
    "RescanReport",
    "RestoreReport",
    "RetentionPlan",
    "RetentionPolicy",
    "VerifyReport",
    "plan_retention",
    "policy_of",
]

# From cheap to dear: a name is looked for in the files in this order.
_FILES = (
    "retention.policy",
    "retention.pruning",
    "schedule",
    "sets",
    "verifying",
    "restoring",
    "rescan",
)


def __getattr__(name: str) -> Any:
    if name in __all__:
        for file in _FILES:
            found = getattr(importlib.import_module(f"dsfactory.backup.{file}"), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module 'dsfactory.backup' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
