"""Useful parts for a single-host application, built only on the public face of the stores."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsfactory.services.analytics import AnalyticsManager
    from dsfactory.services.configuration import ConfigurationManager
    from dsfactory.services.limits import RateLimiter
    from dsfactory.services.monitoring import HealthMonitor
    from dsfactory.services.personality import PersonalityManager
    from dsfactory.services.preferences import UserPreferenceManager

__all__ = [
    "AnalyticsManager",
    "ConfigurationManager",
    "HealthMonitor",
    "PersonalityManager",
    "RateLimiter",
    "UserPreferenceManager",
]

# Which file of this room has a name.
_HOMES = {
    "AnalyticsManager": "analytics",
    "ConfigurationManager": "configuration",
    "HealthMonitor": "monitoring",
    "PersonalityManager": "personality",
    "RateLimiter": "limits",
    "UserPreferenceManager": "preferences",
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        module = importlib.import_module(f"dsfactory.services.{_HOMES[name]}")
        found = globals()[name] = getattr(module, name)
        return found
    raise AttributeError(f"module 'dsfactory.services' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
