"""Queries against an independent calculation: intervals, aggregates, groups, matchers."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from series_reference import AGGREGATES, answered, buckets, close, latest
from series_tools import T0

import dsfactory as ds
from dsfactory.clock import END_OF_TIME

Store = ds.MetricsStore[Any]
MINUTE = 60_000
FIXTURES = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def points(result: Any) -> list[tuple[int, float]]:
    """A result as pairs, empty buckets left out."""
    pairs = zip(result.timestamps.tolist(), result.values.tolist(), strict=True)
    return [(t, v) for t, v in pairs if not math.isnan(v)]


# -- intervals and buckets

# Samples at 0, 10, ... 90, worth their number. start, end, step: what is summed in which bucket.
GOLDEN = [
    ((0, 100, 50), [(0, 0 + 1 + 2 + 3 + 4), (50, 5 + 6 + 7 + 8 + 9)]),
    ((0, 91, 50), [(0, 10), (50, 35)]),
    ((0, 90, 50), [(0, 10), (50, 26)]),  # the end is not part of it
    ((10, 90, 50), [(0, 10), (50, 26)]),  # the start is; the bucket keeps its place
    ((11, 90, 50), [(0, 9), (50, 26)]),
    ((49, 51, 50), [(0, math.nan), (50, 5)]),
    ((30, 30, 50), []),
    ((30, 31, 50), [(0, 3)]),
    ((50, 60, 1000), [(0, 5)]),
    ((91, 135, 20), [(80, math.nan), (100, math.nan), (120, math.nan)]),
    ((70, 100, 10), [(70, 7), (80, 8), (90, 9)]),
]


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize(("asked", "expected"), GOLDEN)
def test_alignment(
    store: Store, asked: tuple[int, int, int], expected: list[tuple[int, float]], sealed: bool
) -> None:
    """Intervals are half-open; buckets lie on the grid of the epoch, whatever the start is."""
    store.record_many("x", list(range(10)), at=range(0, 100, 10))
    store.flush()
    if sealed:
        store._series.seal(everything=True)
    start, end, step = asked
    result = store.query("x", start=start, end=end, step=step, agg="sum")
    assert result.timestamps.tolist() == [t for t, _ in expected]
    np.testing.assert_array_equal(result.values, [v for _, v in expected])
    assert result.timestamps.dtype == np.int64
    assert result.values.dtype == np.float64


def test_times_as_datetimes(store: Store) -> None:
    """Times may be datetimes, and steps durations as text; days begin at midnight in UTC."""
    noon = datetime(2023, 11, 14, 12, tzinfo=UTC)
    store.record("x", 5, at=noon)
    result = store.query(
        "x", start=noon.replace(hour=0), end=noon.replace(hour=13), step="1d", agg="last"
    )
    midnight = int(noon.replace(hour=0).timestamp()) * 1000
    assert points(result) == [(midnight, 5.0)]


def test_without_step(store: Store) -> None:
    """Without a step the samples come as they are, NaN and infinities too."""
    values = [1.0, math.nan, math.inf, -2.5]
    store.record_many("x", values, at=[5, 6, 7, 8])
    result = store.query("x", start=6, end=8)
    assert result.timestamps.tolist() == [6, 7]
    np.testing.assert_array_equal(result.values, values[1:3])
    assert (result.agg, result.step, result.tier) == ("raw", None, "raw")


# -- aggregates

FINITE = st.floats(-1e6, 1e6, allow_subnormal=False) | st.integers(0, 50).map(float)
ADVERSARIAL = FINITE | st.sampled_from([math.nan, 0.0, 1e-300, -1e150, 1e150, 7.0, 7.0])
TIMES = st.integers(0, 4000)


@st.composite
def written(draw: st.DrawFn) -> list[list[tuple[int, float]]]:
    """Several portions of samples: unordered, overlapping, with duplicates."""
    portion = st.lists(st.tuples(TIMES, ADVERSARIAL), max_size=40)
    return draw(st.lists(portion, min_size=1, max_size=4))


def record(store: Store, name: str, portions: list[list[tuple[int, float]]], seal: int) -> None:
    """Record portions, each flushed; those of which a bit in *seal* is set are sealed as well."""
    for number, portion in enumerate(portions):
        if portion:
            times, values = zip(*portion, strict=True)
            store.record_many(name, values, at=times)
            store.flush()
            if seal >> number & 1:
                store._series.seal(everything=True)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store that many examples share, each under a name of its own."""
    root = tmp_path_factory.mktemp("queries")
    with ds.DataStoreFactory(root, maintenance="manual", clock=ds.ManualClock(T0)) as factory:
        store = factory.create_metrics_store("m", ttl=None)
        yield store, iter(range(10**6))
        assert store.check() == []


@settings(max_examples=60, deadline=None, suppress_health_check=FIXTURES)
@given(
    portions=written(),
    seal=st.integers(0, 15),
    start=TIMES,
    length=TIMES,
    step=st.sampled_from([1, 7, 100, 250, 1000, 10_000]),
)
def test_aggregates(
    shared: Any, portions: Any, seal: int, start: int, length: int, step: int
) -> None:
    """Every aggregate is what plain Python makes of the same samples, in blocks or not."""
    store, numbers = shared
    name = f"s{next(numbers)}"
    record(store, name, portions, seal)
    stored = latest(pair for portion in portions for pair in portion)
    end = start + length
    size = max((abs(v) for _, v in stored if not math.isnan(v)), default=1.0) * (len(stored) + 1)
    for agg in AGGREGATES if stored else ():
        result = store.query(name, start=start, end=end, step=step, agg=agg)
        assert result.timestamps.tolist() == buckets(start, end, step)
        expected = answered([stored], start, end, step, agg)
        # A bucket may be a millisecond long, so that a rate is a thousand times as large.
        scale = size * 1000 if agg == "rate" else size
        for found, wanted in zip(result.values.tolist(), expected, strict=True):
            assert close(found, wanted, scale), (agg, found, wanted)


@settings(max_examples=25, deadline=None, suppress_health_check=FIXTURES)
@given(
    series=st.lists(written(), min_size=2, max_size=4),
    seal=st.integers(0, 15),
    step=st.sampled_from([100, 1000]),
)
def test_pooled_aggregates(shared: Any, series: Any, seal: int, step: int) -> None:
    """A group is aggregated as though its samples were of one series; rates are added."""
    store, numbers = shared
    name = f"s{next(numbers)}"
    stored = []
    for number, portions in enumerate(series):
        rows = [[(t, v) for t, v in portion] for portion in portions]
        for portion in rows:
            store.record_rows((name, {"n": str(number)}, t, v) for t, v in portion)
            store.flush()
        if seal >> number & 1:
            store._series.seal(everything=True)
        stored.append(latest(pair for portion in portions for pair in portion))
    for agg in AGGREGATES if any(stored) else ():
        result = store.query(name, start=0, end=4000, step=step, agg=agg, by=())
        expected = answered(stored, 0, 4000, step, agg)
        size = 1 + sum(abs(v) for pairs in stored for _, v in pairs if not math.isnan(v))
        for found, wanted in zip(result.values.tolist(), expected, strict=True):
            assert close(found, wanted, size), agg


def test_infinities(store: Store) -> None:
    """Infinities are values as others are; inf - inf is NaN."""
    store.record_many("x", [math.inf, 1, -math.inf, 2], at=[0, 1, 2, 3])
    for seal in (False, True):
        if seal:
            store.flush()
            store._series.seal(everything=True)
        got = {
            agg: store.query("x", start=0, end=4, step=4, agg=agg).values[0]
            for agg in ("sum", "min", "max", "count", "last", "quantile(0.5)", "quantile(1)")
        }
        assert math.isnan(got["sum"])
        assert (got["min"], got["max"], got["count"]) == (-math.inf, math.inf, 4)
        assert (got["last"], got["quantile(0.5)"], got["quantile(1)"]) == (2, 1.5, math.inf)


def test_increase_across_borders(store: Store) -> None:
    """No step is lost between buckets, blocks or queries: the parts add up to the whole."""
    rng = np.random.default_rng(11)
    values = np.cumsum(rng.poisson(3, 20_000)).astype(np.float64)
    for reset in (3000, 3001, 8192, 15_000):
        values[reset:] -= values[reset] - rng.integers(0, 3)
    store.record_many("c", values, at=np.arange(20_000) * 1000)
    steps = np.diff(values)
    whole = np.where(steps >= 0, steps, values[1:]).sum()
    ask = {"agg": "increase", "end": 20_000_000}
    for step in (1000, 7000, 60_000, 5_000_000, 100_000_000):
        result = store.query("c", start=0, step=step, **ask)
        assert np.nansum(result.values) == whole
    late = store.query("c", start=10_000_000, step=MINUTE, **ask)
    early = store.query("c", start=0, step=MINUTE, agg="increase", end=10_000_000)
    assert np.nansum(late.values) + np.nansum(early.values) == whole


def test_rate(store: Store) -> None:
    """A rate is the increase a second of what of the bucket is asked for; the first sample of all
    has nothing to have risen from.
    """
    store.record_many("c", [10, 20, 35, 5], at=[0, 10_000, 20_000, 30_000])
    result = store.query("c", start=0, end=40_000, step=10_000, agg="rate")
    np.testing.assert_array_equal(result.values, [math.nan, 1.0, 1.5, 0.5])
    half = store.query("c", start=5_000, end=40_000, step=20_000, agg="rate")
    np.testing.assert_allclose(half.values, [10 / 15, 20 / 20])


def test_summaries_spare_decoding(store: Store) -> None:
    """Blocks that lie in one bucket are not decoded: their summaries suffice."""
    store.record_many("x", np.arange(40_960) % 7, at=np.arange(40_960) * 10)
    store.flush()
    store._series.seal(everything=True)
    expected = store.query("x", start=0, end=409_600, step=409_600, agg="sum", tier="raw").values
    with store._database.write() as tx:
        tx.run("UPDATE piece SET data = zeroblob(length(data))")
    found = store.query("x", start=0, end=409_600, step=409_600, agg="sum")
    assert found.values[0] == expected[0] == (np.arange(40_960) % 7).sum()
    with pytest.raises(ds.DamagedBlockError, match=r"x \{\} from 0 to 40950"):
        store.query("x", start=0, end=409_600, step=1000, agg="sum")
    with store._database.write() as tx:  # the store is checked when the test has ended
        tx.run("DELETE FROM piece")
        tx.run("DELETE FROM block")


# -- several series


@pytest.fixture
def routes(store: Store) -> Store:
    """Requests of three routes with two codes, and one series without labels."""
    for n, (route, code) in enumerate(
        [("/a", "200"), ("/a", "500"), ("/b", "200"), ("/b", "503"), ("/c", "200")]
    ):
        store.record("req", 2.0**n, labels={"route": route, "code": code}, at=1000)
    store.record("req", 100, at=1000)
    return store


ASK: dict[str, Any] = {"start": 0, "end": 2000, "step": 2000, "agg": "sum"}


@pytest.mark.parametrize(
    ("labels", "where", "total"),
    [
        ({}, [], 131),
        ({"route": "/a"}, [], 3),
        ({"route": ""}, [], 100),
        ({"route": "/a", "code": "500"}, [], 2),
        ({}, ["code=~5.."], 10),
        ({}, ['code=~"5.."', ("route", "!=", "/a")], 8),
        ({}, ['code!~"5.."'], 121),
        ({}, ["code=~5"], 0),  # anchored at both ends
        ({}, ["code=~.+"], 31),
        ({}, ["code=~(?:200|503)"], 29),
        ({}, [r'route="\"/a\""'], 0),
        ({"route": "/b"}, [("code", "=~", "[2-4]..")], 4),
    ],
)
def test_matchers(routes: Store, labels: Any, where: Any, total: float) -> None:
    """Labels are exact, matchers those of Prometheus; a missing label is empty."""
    result = routes.query("req", labels=labels, where=where, by=(), **ASK)
    assert np.nansum(result.values) == total


def test_groups(routes: Store) -> None:
    """by= makes a group for each value; absent is empty; without by= each series is its own."""
    groups = routes.query("req", by=("route",), **ASK)
    assert [(g.labels, g.values[0]) for g in groups] == [
        ({}, 100),
        ({"route": "/a"}, 3),
        ({"route": "/b"}, 12),
        ({"route": "/c"}, 16),
    ]
    assert [g.values[0] for g in routes.query("req", by=("nowhere",), **ASK)] == [131]
    each = routes.query("req", **ASK)
    assert sorted(one.values[0] for one in each) == [1, 2, 4, 8, 16, 100]
    single = routes.query("req", labels={"code": "503"}, **ASK)
    assert single.labels == {"code": "503", "route": "/b"}
    assert [one.values[0] for one in single] == [8]
    nothing = routes.query("nowhere", **ASK)
    assert (len(nothing), nothing.name) == (0, "nowhere")
    assert routes.query_all("nowhere", **ASK) == []


# -- what cannot be asked


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"step": 0}, "step=0"),
        ({"step": -5}, "step=-5"),
        ({"step": "soon"}, "no duration"),
        ({"step": 1.5}, "no duration"),
        ({"start": 10, "end": 5}, "before the start"),
        ({"start": -1}, "outside 1970"),
        ({"end": 253_402_300_800_001}, "outside 1970"),
        ({"end": datetime(2020, 1, 1)}, "time zone"),
        ({"start": "yesterday"}, "type str"),
        ({"agg": "median"}, "allowed: avg"),
        ({"agg": None}, "allowed: avg"),
        ({"agg": "quantile(1.01)"}, "0 to 1"),
        ({"agg": "quantile(nan)"}, "0 to 1"),
        ({"agg": "quantile(x)"}, "0 to 1"),
        ({"by": "route"}, "allowed: labels"),
        ({"by": [3]}, "allowed: labels"),
        ({"step": None, "by": ("route",)}, "need a step"),
        ({"tier": "5m"}, "no multiple"),
        ({"tier": "1s"}, "no tier 1s"),
        ({"end": 100_000_000, "step": 1}, "too many"),
        ({"where": 'a="b"'}, "a list of"),
        ({"where": ["a"]}, "matcher 'a'"),
        ({"where": [("a", "~", "b")]}, "matcher"),
        ({"where": ["a=~("]}, "cannot be read"),
        ({"where": ["a=~(a+)+"]}, "repeats something"),
        ({"where": ["a=~(a|a)*"]}, "repeats something"),
        ({"where": [("a", "=~", r"(a)\1")]}, "look around"),
        ({"where": ["a=~(?=a)a"]}, "look around"),
        ({"where": ["a=~" + "a*" * 5]}, "more than 4"),
        ({"where": ["a=~" + "a" * 513]}, "too long"),
    ],
)
def test_refused(store: Store, wrong: dict[str, Any], said: str) -> None:
    """What has no answer is refused with an error that says what is allowed."""
    store.record("x", 1, at=1000)
    with pytest.raises(ds.QueryError, match=said.replace("(", r"\(")) as caught:
        store.query("x", **{**ASK, **wrong})
    assert caught.value.exit_code == 2


def test_no_series_has_no_points(store: Store) -> None:
    """Where no series is found the answer is empty, however short the step and long the time."""
    assert store.query_all("nowhere", start=0, end=END_OF_TIME, step=1) == []


def test_names_and_labels_are_checked(store: Store) -> None:
    """A name or label that no series can have is refused as it is when recording."""
    with pytest.raises(ds.SeriesNameError):
        store.query("no name", **ASK)
    with pytest.raises(ds.LabelError):
        store.query("x", labels={"0": "1"}, **ASK)


def test_the_whole_calendar(store: Store) -> None:
    """The first and the last millisecond can be stored and asked for."""
    last = 253_402_300_799_999
    store.record_many("x", [1, 2], at=[0, last])
    result = store.query("x", start=0, end=last + 1, step="1000d", agg="count")
    assert (result.values.sum(), result.values[0], result.values[-1]) == (2, 1, 1)


# -- damage


def test_damaged_block(store: Store) -> None:
    """A damaged block is named; asked to skip it, a query gives the rest and says what is gone."""
    store.record_many("x", np.arange(8192.0), at=np.arange(8192))
    store.flush()
    with store._database.write() as tx:
        ((data,),) = tx.rows("SELECT data FROM piece WHERE id = 1")
        tx.run("UPDATE piece SET data = zeroblob(length(data)) WHERE id = 1")
    for agg in ("avg", "quantile(0.5)"):
        with pytest.raises(ds.DamagedBlockError, match=r"x \{\} from 0 to 4095") as caught:
            store.query("x", start=0, end=8192, step=1024, agg=agg)
        assert caught.value.facts["first_at"] == 0
        rest = store.query("x", start=0, end=8192, step=1024, agg=agg, damaged="skip")
        assert np.isnan(rest.values).tolist() == [True] * 4 + [False] * 4
        assert "from 0 to 4095" in rest.left_out[0]
        assert rest.damaged[0].facts["samples"] == 4096
    samples = store.query("x", start=0, end=8192, damaged="skip")
    assert (len(samples), len(samples.left_out)) == (4096, 1)
    whole = store.query("x", start=4096, end=8192, step=1024)
    assert whole.left_out == ()
    with store._database.write() as tx:
        tx.run("UPDATE piece SET data = ? WHERE id = 1", (data,))
