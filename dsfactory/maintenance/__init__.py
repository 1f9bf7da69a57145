"""Work that happens on its own: expiry, eviction, checkpoints, dictionaries."""

from dsfactory.maintenance.chores import Chores
from dsfactory.maintenance.maintainer import Host, Maintainer, MaintenanceThread

__all__ = ["Chores", "Host", "Maintainer", "MaintenanceThread"]
