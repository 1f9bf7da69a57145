"""HealthMonitor: what process, requests and stores are doing, kept as series and judged."""

from dsfactory.services.monitoring.baselines import Baseline, Regression
from dsfactory.services.monitoring.histories import Track
from dsfactory.services.monitoring.monitor import HealthMonitor
from dsfactory.services.monitoring.readings import (
    Alert,
    ProcessReading,
    RequestReading,
    Snapshot,
    StoreReading,
)
from dsfactory.services.monitoring.settings import Settings

__all__ = [
    "Alert",
    "Baseline",
    "HealthMonitor",
    "ProcessReading",
    "Regression",
    "RequestReading",
    "Settings",
    "Snapshot",
    "StoreReading",
    "Track",
]
