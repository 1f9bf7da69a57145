"""An application's settings: typed, validated, versioned, audited and watched."""

from dsfactory.services.configuration.configuration import ConfigurationManager
from dsfactory.services.configuration.example import (
    AccountSettings,
    ApplicationSettings,
    LogSettings,
    ServerSettings,
)
from dsfactory.services.configuration.records import (
    AuditEntry,
    ConfigurationEvent,
    SavedVersion,
)
from dsfactory.services.configuration.rules import Rule
from dsfactory.services.configuration.saved import SavedConfiguration
from dsfactory.services.configuration.secret import MASK, Secret, masking

__all__ = [
    "MASK",
    "AccountSettings",
    "ApplicationSettings",
    "AuditEntry",
    "ConfigurationEvent",
    "ConfigurationManager",
    "LogSettings",
    "Rule",
    "SavedConfiguration",
    "SavedVersion",
    "Secret",
    "ServerSettings",
    "masking",
]
