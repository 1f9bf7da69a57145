"""A monitor that the state of the machine under test does not alert."""

from __future__ import annotations

import dsfactory as ds
from dsfactory.services import HealthMonitor

QUIET = {"memory": None, "disk": None, "save": None, "load": None}
"""Limits of what a busy machine, or the other tests of a process, may well be beyond."""


def quiet_monitor(factory: ds.DataStoreFactory) -> HealthMonitor:
    """Return a monitor that judges only what tests are in control of."""
    monitor = HealthMonitor(factory)
    monitor.configure(limits=QUIET)
    return monitor
