"""What callers hold: DataStore and its five kinds."""

from dsfactory.stores.batch import Batch
from dsfactory.stores.core import NEVER, StoreParts
from dsfactory.stores.creation import (
    FileIdentity,
    adopt_or_create,
    create_file,
    file_identity,
    require_profile,
    settings_of,
)
from dsfactory.stores.kinds import (
    CLASSES,
    CacheStore,
    ConfigStore,
    CustomStore,
    StateStore,
)
from dsfactory.stores.metrics import MetricsStore
from dsfactory.stores.probing import file_probes, store_health
from dsfactory.stores.store import DOCUMENT, DataStore, Rollback
from dsfactory.stores.versions import Difference

__all__ = [
    "CLASSES",
    "DOCUMENT",
    "NEVER",
    "Batch",
    "CacheStore",
    "ConfigStore",
    "CustomStore",
    "DataStore",
    "Difference",
    "FileIdentity",
    "MetricsStore",
    "Rollback",
    "StateStore",
    "StoreParts",
    "adopt_or_create",
    "create_file",
    "file_identity",
    "file_probes",
    "require_profile",
    "settings_of",
    "store_health",
]
