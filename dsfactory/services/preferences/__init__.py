"""UserPreferenceManager and what it takes and gives."""

from dsfactory.services.preferences.preferences import UserPreferenceManager
from dsfactory.services.preferences.records import (
    Alias,
    BulkExecutor,
    BulkFailure,
    BulkItem,
    BulkProgress,
    Executor,
    Firing,
    HistoryEntry,
    RunReport,
    ScheduledCommand,
    Suggestion,
    Totals,
    UserStatistics,
)
from dsfactory.services.preferences.schedules import Cron, Daily, Monthly, Schedule, Weekly

__all__ = [
    "Alias",
    "BulkExecutor",
    "BulkFailure",
    "BulkItem",
    "BulkProgress",
    "Cron",
    "Daily",
    "Executor",
    "Firing",
    "HistoryEntry",
    "Monthly",
    "RunReport",
    "Schedule",
    "ScheduledCommand",
    "Suggestion",
    "Totals",
    "UserPreferenceManager",
    "UserStatistics",
    "Weekly",
]
