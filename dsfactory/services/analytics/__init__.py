"""Usage analytics that keep no ids, and from which a user can be deleted."""

from dsfactory.services.analytics.analytics import AnalyticsManager
from dsfactory.services.analytics.dashboard import StoreLine
from dsfactory.services.analytics.records import Failure, Privacy
from dsfactory.services.analytics.reporting import Recommendation, Report
from dsfactory.services.analytics.statistics import Performance, UsageStatistics

__all__ = [
    "AnalyticsManager",
    "Failure",
    "Performance",
    "Privacy",
    "Recommendation",
    "Report",
    "StoreLine",
    "UsageStatistics",
]
