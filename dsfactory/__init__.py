"""Durable, typed stores on SQLite for single-host applications, without a server.

    import dsfactory as ds

    with ds.DataStoreFactory("data") as factory:
        cache = factory.create_cache_store("thumbs", max_entries=10_000, ttl="7d")
        cache["cat.jpg"] = {"width": 120}

Names are imported when they are first used, so that ``import dsfactory`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsfactory.clock import (
        Clock,
        ManualClock,
        SystemClock,
    )
    from dsfactory.errors import (
        AbsentError,
        AliasTakenError,
        AnalyticsError,
        BackupAbsentError,
        BackupDamagedError,
        BackupError,
        BackupPlaceError,
        BackupSealedError,
        BusyError,
        ClosedError,
        ConfigurationConflictError,
        ConfigurationError,
        ConflictError,
        CorruptError,
        CorruptValueError,
        DamagedBlockError,
        DataStoreError,
        DiskFailedError,
        DiskFullError,
        FeatureError,
        FileMissingError,
        FileRefusedError,
        ForeignFileError,
        ForkedError,
        KeyAbsentError,
        KeyRefusedError,
        KeyTypeError,
        KindConflictError,
        LabelError,
        LifecycleError,
        LimitExceededError,
        LineageError,
        LogPinnedError,
        MonitoringError,
        NewerSchemaError,
        OlderSchemaError,
        OptionError,
        OptionTypeError,
        PersonalityError,
        PreferenceError,
        QueryError,
        ReadOnlyError,
        RestoreRefusedError,
        SampleFormatError,
        SampleRefusedError,
        SeriesConflictError,
        SeriesLimitError,
        SeriesNameError,
        ServiceError,
        StorageError,
        StoreAbsentError,
        StoreFullError,
        StoreNameError,
        TransactionError,
        UnfitEnvironmentError,
        UpgradeError,
        UpgradeFailedError,
        UsageError,
        ValidationRefusedError,
        ValueRefusedError,
        ValueShapeError,
        ValueTooDeepError,
        ValueTooLargeError,
        VersionAbsentError,
        VersionConflictError,
    )
    from dsfactory.factory import (
        DataStoreFactory,
    )
    from dsfactory.model import (
        Backup,
        BackupConfig,
        Change,
        Entry,
        Event,
        FactoryConfig,
        HealthReport,
        Key,
        Kind,
        MaintenanceReport,
        OperationEvent,
        Probe,
        RegistryStats,
        SeriesRecord,
        StoreHealth,
        StoreMetrics,
        StoreRecord,
        StoreStats,
        Version,
        Violation,
    )
    from dsfactory.stores import (
        Batch,
        CacheStore,
        ConfigStore,
        CustomStore,
        DataStore,
        Difference,
        MetricsStore,
        Rollback,
        StateStore,
    )

__version__ = "0.1.0"

__all__ = [
    "AbsentError",
    "AliasTakenError",
    "AnalyticsError",
    "Backup",
    "BackupAbsentError",
    "BackupConfig",
    "BackupDamagedError",
    "BackupError",
    "BackupPlaceError",
    "BackupSealedError",
    "Batch",
    "BusyError",
    "CacheStore",
    "Change",
    "Clock",
    "ClosedError",
    "ConfigStore",
    "ConfigurationConflictError",
    "ConfigurationError",
    "ConflictError",
    "CorruptError",
    "CorruptValueError",
    "CustomStore",
    "DamagedBlockError",
    "DataStore",
    "DataStoreError",
    "DataStoreFactory",
    "Difference",
    "DiskFailedError",
    "DiskFullError",
    "Entry",
    "Event",
    "FactoryConfig",
    "FeatureError",
    "FileMissingError",
    "FileRefusedError",
    "ForeignFileError",
    "ForkedError",
    "HealthReport",
    "Key",
    "KeyAbsentError",
    "KeyRefusedError",
    "KeyTypeError",
    "Kind",
    "KindConflictError",
    "LabelError",
    "LifecycleError",
    "LimitExceededError",
    "LineageError",
    "LogPinnedError",
    "MaintenanceReport",
    "ManualClock",
    "MetricsStore",
    "MonitoringError",
    "NewerSchemaError",
    "OlderSchemaError",
    "OperationEvent",
    "OptionError",
    "OptionTypeError",
    "PersonalityError",
    "PreferenceError",
    "Probe",
    "QueryError",
    "ReadOnlyError",
    "RegistryStats",
    "RestoreRefusedError",
    "Rollback",
    "SampleFormatError",
    "SampleRefusedError",
    "SeriesConflictError",
    "SeriesLimitError",
    "SeriesNameError",
    "SeriesRecord",
    "ServiceError",
    "StateStore",
    "StorageError",
    "StoreAbsentError",
    "StoreFullError",
    "StoreHealth",
    "StoreMetrics",
    "StoreNameError",
    "StoreRecord",
    "StoreStats",
    "SystemClock",
    "TransactionError",
    "UnfitEnvironmentError",
    "UpgradeError",
    "UpgradeFailedError",
    "UsageError",
    "ValidationRefusedError",
    "ValueRefusedError",
    "ValueShapeError",
    "ValueTooDeepError",
    "ValueTooLargeError",
    "Version",
    "VersionAbsentError",
    "VersionConflictError",
    "Violation",
]

# From cheap to dear: a name is looked for in the rooms in this order.
_ROOMS = ("errors", "model", "clock", "stores", "factory")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for room in _ROOMS:
            found = getattr(importlib.import_module(f"dsfactory.{room}"), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module 'dsfactory' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
