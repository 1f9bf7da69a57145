"""What a result can be turned into."""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import dsfactory as ds
from dsfactory.series.planning import step_for
from dsfactory.series.results import SeriesResult

Store = ds.MetricsStore[Any]
HOUR, DAY = 3_600_000, 86_400_000


@pytest.fixture
def result() -> SeriesResult:
    """Five points, of which one is empty."""
    return SeriesResult(
        name="cpu",
        labels={"host": 'a<"b"'},
        unit="percent",
        agg="avg",
        step=1000,
        timestamps=np.arange(5) * 1000,
        values=np.array([0.0, 1.0, math.nan, 3.0, 7.0]),
    )


def test_to_dict(result: SeriesResult) -> None:
    """Plain values that JSON takes; NaN is None."""
    found = result.to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["values"] == [0.0, 1.0, None, 3.0, 7.0]
    assert found["timestamps"] == [0, 1000, 2000, 3000, 4000]
    assert (found["name"], found["tier"], found["labels"]) == ("cpu", "raw", {"host": 'a<"b"'})


def test_to_pandas(result: SeriesResult) -> None:
    """A Series over times in UTC."""
    pandas = pytest.importorskip("pandas")
    series = result.to_pandas()
    assert series.index[3] == pandas.Timestamp(3, unit="s", tz="UTC")
    assert (series.iloc[4], series.name, series.isna().sum()) == (7.0, "cpu", 1)


def test_to_polars(result: SeriesResult) -> None:
    """A DataFrame of time and value."""
    polars = pytest.importorskip("polars")
    frame = result.to_polars()
    assert frame.schema == {"time": polars.Datetime("ms", "UTC"), "value": polars.Float64()}
    assert frame["time"].dt.epoch("ms").to_list() == [0, 1000, 2000, 3000, 4000]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_without_the_library(
    result: SeriesResult, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that is not installed is named, and how to get it."""
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ds.UnfitEnvironmentError, match=f"needs {library}"):
        getattr(result, f"to_{library}")()


def test_sparkline(result: SeriesResult) -> None:
    """A bar a point, a space for an empty one; averaged where there is less room."""
    assert result.sparkline() == "▁▂ ▄█"
    assert result.plot() == "0 ▁▂ ▄█ 7 percent"
    wide = SeriesResult(name="x", timestamps=np.arange(1000), values=np.arange(1000.0))
    assert wide.sparkline(8) == "▁▂▃▄▅▆▇█"
    for values in ([], [math.nan], [math.inf], [5.0, 5.0], [-1.7e308, 1.7e308]):
        odd = SeriesResult(name="x", timestamps=np.arange(len(values)), values=np.array(values))
        assert len(odd.sparkline()) == len(values)
        ElementTree.fromstring(odd.to_svg())  # noqa: S314 -- our own
    assert SeriesResult(name="x").plot() == "no points"


def test_to_svg(result: SeriesResult) -> None:
    """A well-formed picture of its own: a line for each run of points, inside of its frame."""
    picture = ElementTree.fromstring(result.to_svg(200, 100))  # noqa: S314 -- our own
    assert (picture.get("width"), picture.get("height")) == ("200", "100")
    lines = picture.findall("{*}polyline")
    assert len(lines) == 2
    numbers = [
        (float(x), float(y))
        for line in lines
        for x, y in re.findall(r"([\d.]+),([\d.]+)", line.get("points") or "")
    ]
    assert len(numbers) == 4
    assert all(0 <= x <= 200 and 0 <= y <= 100 for x, y in numbers)
    assert picture.findtext("{*}title") == 'cpu{host=a<"b"} (avg, percent)'


def test_unit_and_type(store: Store) -> None:
    """A result has its series' unit and type; a group's has what all of its series share."""
    requests = store.counter("requests", labels={"n": "1"}, unit="calls")
    requests.inc(5)
    store.counter("requests", labels={"n": "2"}, unit="calls").inc(5)
    store.flush()
    ask: dict[str, Any] = {"start": 0, "end": 10**13, "step": 10**13, "agg": "sum"}
    group = store.query("requests", by=(), **ask)
    assert (group.unit, group.type) == ("calls", "counter")
    store.record("requests", 1, labels={"n": "3"})
    group = store.query("requests", by=(), **ask)
    assert (group.unit, group.type, group.values[0]) == ("", "unknown", 11)


@pytest.mark.parametrize(
    ("length", "points", "step"),
    [
        (30 * DAY, 300, 3 * HOUR),
        (HOUR, 60, 60_000),
        (HOUR, 3600, 1000),
        (1000, 300, 5),
        (20 * 365 * DAY, 10, 730 * DAY),
        (0, 100, 1),
    ],
)
def test_step_for(length: int, points: int, step: int) -> None:
    """The shortest round step that gives no more points than asked for."""
    assert step_for(DAY, DAY + length, points) == step
