"""Reports, totals of finished days, and the dashboard."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dsfactory as ds
from dsfactory.services import AnalyticsManager
from dsfactory.services.analytics.sketch import bucket, quantile

HOUR = 3_600_000
DAY_MS = 24 * HOUR
NOON = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp() * 1000)
DAY, NEXT = date(2026, 3, 2), date(2026, 3, 3)


@pytest.fixture
def clock() -> ds.ManualClock:
    """Noon of a Monday, UTC."""
    return ds.ManualClock(NOON)


@pytest.fixture
def analytics(factory: ds.DataStoreFactory) -> AnalyticsManager:
    """Analytics that is on."""
    return AnalyticsManager(factory, enabled=True)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.001, 1e9), min_size=1, max_size=200),
    st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]),
)
def test_quantiles_are_within_one_percent(values: list[float], q: float) -> None:
    """Whatever the values are, a quantile is within 1 % of the one by rank."""
    counts = Counter(map(bucket, values))
    true = sorted(values)[int(q * (len(values) - 1))]
    assert quantile(counts, q) == pytest.approx(true, rel=0.01 + 1e-9)
    assert math.isnan(quantile({}, q))


def test_report_of_a_day(analytics: AnalyticsManager, clock: ds.ManualClock) -> None:
    """A daily report is of yesterday, beside the day before, with what crossed a threshold."""
    for user in range(10):
        for _ in range(3):
            analytics.track_command(user, "help")
    clock.advance(DAY_MS)
    for user in range(5):
        for _ in range(18):
            analytics.track_command(user, "help")
        for _ in range(2):
            analytics.track_command(user, "save", failed=True)
    analytics.track_performance("load", 6000)
    for _ in range(5):
        analytics.track_error("parse", "no")
    clock.advance(DAY_MS)
    analytics.track_command("today", "help")
    report = analytics.report("daily")
    assert (report.summary.start, report.summary.end) == (NEXT, date(2026, 3, 4))
    assert report.top_commands == (("help", 90, 0.9), ("save", 10, 0.1))
    assert (report.unique_users, report.peak_hours) == (5, ((12, 100),))
    assert report.trends["commands"] == pytest.approx(100 / 30 - 1)
    assert report.trends["unique_users"] == -0.5
    assert report.trends["errors"] is None
    assert (report.error_count, report.errors[0].category) == (5, "parse")
    assert report.performance[0].operation == "load"
    assert {(r.rule, r.threshold) for r in report.recommendations} == {
        ("failed-commands", 0.05),
        ("errors", 0.05),
        ("slow", 5000.0),
        ("users-lost", 0.2),
        ("growth", 0.5),
        ("peak", 0.25),
    }
    assert all(r.actual >= r.threshold and r.text for r in report.recommendations)


def test_quiet_report_recommends_nothing(analytics: AnalyticsManager) -> None:
    """Of nothing there is a report of nothing."""
    for period in ("daily", "weekly", "monthly"):
        report = analytics.report(period)
        assert report.summary.commands == 0
        assert report.recommendations == report.top_commands == report.peak_hours == ()
        assert set(report.trends.values()) == {0.0}


def test_weekly_report_counts_a_user_once(
    analytics: AnalyticsManager, clock: ds.ManualClock
) -> None:
    """Who came on seven days is one user of the week."""
    for _ in range(7):
        analytics.track_command("ada", "help")
        clock.advance(DAY_MS)
    report = analytics.report("weekly")
    assert (report.unique_users, report.summary.commands) == (1, 7)
    assert analytics.report("monthly", until=date(2026, 3, 5)).summary.commands == 3


def test_maintenance_adds_up_finished_days(
    factory: ds.DataStoreFactory, analytics: AnalyticsManager, clock: ds.ManualClock
) -> None:
    """Totals are made once a day has ended, and say what its entries say."""
    analytics.track_command("ada", "help", scope="red")
    analytics.track_engagement("bob")
    kept = factory.get_store("analytics-kept")
    assert factory.maintain().chores == 1
    assert list(kept) == []
    counted = analytics.usage_statistics(DAY, NEXT)
    clock.advance(DAY_MS)
    factory.maintain()
    assert list(kept) == [f"d/{DAY}"]
    assert analytics.usage_statistics(DAY, NEXT) == counted
    clock.advance(-DAY_MS)
    analytics.track_command("ada", "late")
    clock.advance(DAY_MS)
    assert analytics.usage_statistics(DAY, NEXT).by_command == {"help": 1, "late": 1}
    factory.maintain()
    assert analytics.usage_statistics(DAY, NEXT).by_command == {"help": 1, "late": 1}


def test_dashboard_has_a_line_for_every_store(
    factory: ds.DataStoreFactory, analytics: AnalyticsManager
) -> None:
    """Every store is there; one that cannot be read says why and hides none of the others."""
    analytics.track_command("ada", "help")
    lost = factory.create_cache_store("lost")
    lost["a"] = 1
    lost.close()
    lost.path.unlink()
    lines = {line.name: line for line in analytics.store_dashboard()}
    assert set(lines) == {"analytics", "analytics-kept", "analytics-secrets", "lost"}
    assert lines["analytics"].entries == 1
    assert lines["analytics"].operations > 0
    assert lines["analytics"].problem is None
    assert "lost" in (lines["lost"].problem or "")
    factory.unregister_store("lost")


@pytest.mark.parametrize("until", [date.min, date(1, 2, 1)])
def test_report_before_there_are_days(factory: ds.DataStoreFactory, until: date) -> None:
    """A report needs a period before it; what the calendar does not have is refused."""
    with pytest.raises(ds.AnalyticsError, match="until"):
        AnalyticsManager(factory).report("monthly", until=until)
