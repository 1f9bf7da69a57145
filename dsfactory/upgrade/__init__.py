"""Bringing a file to head. The only room that knows Alembic; importing it costs half a second."""

from dsfactory.upgrade.guarded import dry_run, install, pending, upgrade_file
from dsfactory.upgrade.planning import Target
from dsfactory.upgrade.scripts import Lineage, Revision, application_lineage, lineage_of

__all__ = [
    "Lineage",
    "Revision",
    "Target",
    "application_lineage",
    "dry_run",
    "install",
    "lineage_of",
    "pending",
    "upgrade_file",
]
