"""Work that happens on its own: expiry, eviction, checkpoints, dictionaries."""

from dsfactory.maintenance.maintainer import Host, Maintainer, MaintenanceThread

__all__ = ["Host", "Maintainer", "MaintenanceThread"]
