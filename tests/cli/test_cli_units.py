"""Numbers and curves as people read them."""

from __future__ import annotations

import pytest

from dsfactory.cli import pages, units
from dsfactory.cli.demonstration.sparkline import sparkline


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (500_000, "488 KiB"),
        (-2048, "-2.0 KiB"),
        (5 * 1024**5, "5120 TiB"),
    ],
)
def test_shown_bytes(count, shown):
    """Bytes are shown with three digits in the unit that suits them."""
    assert units.shown_bytes(count) == shown


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (None, "-"),
        (0.0214, "21 us"),
        (1, "1.0 ms"),
        (151.4, "151 ms"),
        (1500, "1.5 s"),
        (119_000, "119 s"),
        (600_000, "10.0 min"),
        (10_800_000, "3.0 h"),
        (2_592_000_000, "30.0 d"),
    ],
)
def test_shown_duration(milliseconds, shown):
    """Durations are shown in the unit that suits them."""
    assert units.shown_duration(milliseconds) == shown


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [(None, "-"), (0, "0%"), (0.5, "50%"), (0.9999, "99%"), (1.0, "100%")],
)
def test_shown_percent(ratio, shown):
    """Only what is really everything is 100%."""
    assert units.shown_percent(ratio) == shown


def test_shown_ratio():
    """A ratio has one decimal; none is a dash."""
    assert (units.shown_ratio(2.345), units.shown_ratio(None)) == ("2.3x", "-")


def test_counted():
    """One is singular, every other number is plural."""
    assert units.counted(1, "entry", "entries") == "1 entry"
    assert units.counted(2000, "entry", "entries") == "2,000 entries"


def test_shown_moment(monkeypatch):
    """A moment is shown in local time, to the minute; none is a dash."""
    assert units.shown_moment(None) == "-"
    assert units.shown_moment(1_700_000_000_000).startswith("2023-11-1")


@pytest.mark.parametrize(("age", "shown"), [(0, "just now"), (-5, "just now"), (5000, "5.0 s ago")])
def test_shown_age(age, shown):
    """What lies in the future, after a clock was set back, is now."""
    assert units.shown_age(1_000_000, 1_000_000 + age) == shown


def test_sparkline():
    """The lowest value has the lowest block and the highest the highest."""
    assert sparkline([0, 7]) == "▁█"
    assert sparkline([3, 3, 3]) == "▁▁▁"
    assert sparkline([]) == ""


def test_sparkline_of_many():
    """Many values are drawn as the means of neighbours."""
    assert sparkline([0] * 500 + [10] * 500, width=2) == "▁█"
    assert len(sparkline(range(1000))) == 20


def test_json_of_something_else():
    """What has no form in JSON is a mistake of ours, not a text that looks right."""
    with pytest.raises(TypeError, match="object has no form"):
        pages.print_json({"a": object()})
