"""Rollup tiers say what the samples said, also when these are gone."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from series_reference import AGGREGATES, answered, close, latest
from series_tools import T0

import dsfactory as ds

Store = ds.MetricsStore[Any]
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
TIERS = [("5m", "90d"), ("1h", "2y")]
NOW = T0 // DAY * DAY


@pytest.fixture
def clock() -> ds.ManualClock:
    """Midnight."""
    return ds.ManualClock(NOW)


@pytest.fixture
def tiered(factory: ds.DataStoreFactory) -> Store:
    """A store that keeps samples for ten days and two tiers for longer."""
    return factory.create_metrics_store("m", ttl="10d", rollups=TIERS)


def days(count: int, first: int, *, every: int = MINUTE) -> tuple[Any, Any]:
    """A counter with resets, some values missing: times and values of so many days."""
    times = first + np.arange(count * DAY // every) * every
    rng = np.random.default_rng(first % 1000)
    values = np.cumsum(rng.poisson(5, len(times))) % 5000.0
    values[rng.integers(0, len(times), 50)] = math.nan
    return times, values


def fill(store: Store, count: int, *, name: str = "x", before: int = 0) -> None:
    """Record a sample a minute of so many days that ended *before* milliseconds ago; sealed."""
    times, values = days(count, store._series.now_ms() - before - count * DAY)
    store.record_many(name, values, at=times)
    store.flush()
    store._series.seal(everything=True)


def alike(one: Any, other: Any, agg: str) -> None:
    """Two results are the same, quantiles within their bound."""
    np.testing.assert_array_equal(one.timestamps, other.timestamps)
    tolerance = 0.011 if agg.startswith("quantile") else 1e-7
    np.testing.assert_allclose(one.values, other.values, rtol=tolerance, atol=1e-6)


@pytest.mark.parametrize("agg", AGGREGATES)
def test_tiers_say_what_samples_say(factory: ds.DataStoreFactory, agg: str) -> None:
    """Each tier gives what the samples give, whole buckets and those that are cut."""
    store = factory.create_metrics_store("m", ttl="20d", rollups=TIERS)
    fill(store, 5)
    store.roll_up()
    for start, end, step in [
        (NOW - 5 * DAY, NOW, "6h"),
        (NOW - 5 * DAY + 7 * MINUTE, NOW - 13 * MINUTE, "1h"),
        (NOW - 3 * DAY + 90 * SECOND, NOW - DAY + 1, "30m"),
    ]:
        ask: dict[str, Any] = {"start": start, "end": end, "step": step, "agg": agg}
        raw = store.query("x", tier="raw", **ask)
        assert (raw.tier, raw.relative_error) == ("raw", 0.0)
        found = store.query("x", **ask)
        assert found.tier == ("5m" if step == "30m" else "1h")
        alike(found, raw, agg)
        fine = store.query("x", tier="5m", **ask)
        assert fine.tier == "5m"
        alike(fine, raw, agg)
        assert found.relative_error == (0.01 if agg.startswith("quantile") else 0.0)


def test_choice_of_tier(tiered: Store) -> None:
    """The coarsest tier whose width divides the step is read; edges come from finer ones."""
    fill(tiered, 5)

    def tiers(start: int, end: int, step: str) -> tuple[str, ...]:
        result = tiered.query("x", start=start, end=end, step=step)
        return tuple(result.tiers)

    day = NOW - 2 * DAY
    assert tiers(day, NOW, "1h") == ("raw",)  # not made yet
    tiered.roll_up()
    assert tiers(day, NOW, "1h") == ("1h",)
    assert tiers(day, NOW, "5m") == ("5m",)
    assert tiers(day, NOW, "90m") == ("5m",)
    assert tiers(day, NOW, "1m") == ("raw",)
    assert tiers(day + 5 * MINUTE, NOW, "1h") == ("1h", "5m")
    assert tiers(day + 1, NOW, "1h") == ("1h", "5m", "raw")
    assert tiers(day + 1, day + 4 * MINUTE, "1h") == ("raw",)
    tiered.record("x", 1, at=NOW - 7 * MINUTE)
    assert tiers(day, NOW, "1h") == ("1h", "5m", "raw")  # what is not sealed is read as it is


def test_spliced_where_samples_expired(
    factory: ds.DataStoreFactory, tiered: Store, clock: ds.ManualClock
) -> None:
    """Past the ttl the tiers still answer, and the answer changes by nothing but its tier."""
    fill(tiered, 9)
    ask: dict[str, Any] = {"start": NOW - 9 * DAY, "end": NOW, "step": "1h", "agg": "increase"}
    before = tiered.query("x", **ask)
    clock.advance(6 * DAY)
    fill(tiered, 5)
    report = factory.maintain()
    assert report.samples_dropped >= 4096
    after = tiered.query("x", **ask)
    assert before.tier == "raw"
    assert after.tier == "1h"
    alike(after, before, "increase")
    whole = tiered.query("x", **{**ask, "end": clock.now_ms(), "agg": "count"})
    assert np.count_nonzero(whole.values) == 14 * 24
    raw = tiered.query("x", tier="raw", **ask)
    assert np.count_nonzero(~np.isnan(raw.values)) == 4 * 24
    assert raw.left_out == ()


def test_coarser_only(factory: ds.DataStoreFactory, tiered: Store, clock: ds.ManualClock) -> None:
    """What a tier cannot give because it does not divide the step is told, not passed over."""
    fill(tiered, 9)
    clock.advance(8 * DAY)
    factory.maintain()
    odd = tiered.query("x", start=NOW - 9 * DAY, end=clock.now_ms(), step="7m")
    assert odd.tier == "raw"
    assert "buckets of 5m only" in odd.left_out[0]
    even = tiered.query("x", start=NOW - 9 * DAY, end=clock.now_ms(), step="10m")
    assert even.left_out == ()
    recent = tiered.query("x", start=NOW - DAY, end=clock.now_ms(), step="7m")
    assert recent.left_out == ()


def test_late_samples(tiered: Store) -> None:
    """Late, repeated and NaN samples change the buckets that they fall into."""
    fill(tiered, 3)
    tiered.roll_up()
    ask: dict[str, Any] = {"start": NOW - 3 * DAY, "end": NOW, "step": "1h", "agg": "sum"}
    for value in (1000.0, 7.0, math.nan):
        tiered.record_many("x", [value] * 120, at=NOW - 2 * DAY + np.arange(120) * 30_000)
        for _ in range(2):
            tiered.flush()
            alike(tiered.query("x", **ask), tiered.query("x", tier="raw", **ask), "sum")
            tiered._series.seal(everything=True)
        tiered.roll_up()
        result = tiered.query("x", **ask)
        assert result.tiers == ("1h",)
        alike(result, tiered.query("x", tier="raw", **ask), "sum")
    assert math.isnan(result.values[24])


def test_late_samples_for_what_expired(
    factory: ds.DataStoreFactory, tiered: Store, clock: ds.ManualClock
) -> None:
    """A bucket whose samples are gone is not made anew from the few that came late."""
    fill(tiered, 9)
    clock.advance(8 * DAY)
    factory.maintain()
    ask: dict[str, Any] = {"start": NOW - 9 * DAY, "end": NOW - 2 * DAY, "step": "1h"}
    before = tiered.query("x", agg="count", **ask)
    tiered.record_many("x", [1.0] * 100, at=NOW - 5 * DAY + np.arange(100) * SECOND)
    tiered.flush()
    factory.maintain()
    after = tiered.query("x", agg="count", **ask)
    np.testing.assert_array_equal(before.values, after.values)


def test_late_samples_at_the_edge(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A late sample that is not past the ttl is in its bucket, most of which is."""
    store = factory.create_metrics_store("m", ttl="10d", rollups=[("1h", "90d"), ("1d", "2y")])
    fill(store, 9)
    factory.maintain()
    clock.advance(2 * DAY + HOUR)  # one hour of NOW - 8 d is past the ttl
    factory.maintain()
    store.record("x", 1, at=NOW - 8 * DAY + 2 * HOUR + 1)
    ask: dict[str, Any] = {"start": NOW - 8 * DAY, "end": NOW - 7 * DAY, "step": "1d"}
    before = store.query("x", agg="count", **ask).values[0]
    store.flush()
    clock.advance(HOUR + 1)
    factory.maintain()
    found = store.query("x", agg="count", **ask)
    assert found.tiers == ("1d",)
    times, values = days(9, NOW - 9 * DAY)
    whole = np.count_nonzero(~np.isnan(values[(times >= ask["start"]) & (times < ask["end"])]))
    assert found.values[0] == before == whole + 1


def test_samples_that_come_too_late(
    factory: ds.DataStoreFactory, tiered: Store, clock: ds.ManualClock
) -> None:
    """A sample past the ttl hides nothing of the tiers, also before they are looked at anew."""
    fill(tiered, 9)
    clock.advance(8 * DAY)
    factory.maintain()
    ask: dict[str, Any] = {"start": NOW - 9 * DAY, "end": clock.now_ms(), "step": "1h"}
    before = tiered.query("x", agg="count", **ask)
    tiered.record("x", 1, at=NOW - 8 * DAY)
    for _ in range(2):
        alike(tiered.query("x", agg="count", **ask), before, "count")
        tiered._series.seal(everything=True)


def test_queries_meanwhile(factory: ds.DataStoreFactory) -> None:
    """Whatever is sealed and rolled up meanwhile, a query sees every sample once."""
    store = factory.create_metrics_store("m", ttl=None, rollups=TIERS)
    times = NOW - 2 * DAY + np.arange(2880) * MINUTE
    values = np.arange(2880) % 700.0
    store.record_many("x", values, at=times)
    store.flush()
    done = threading.Event()

    def work() -> None:
        for first in range(0, 2000, 80):  # the same samples again
            store.record_many("x", values[first:][:90], at=times[first:][:90])
            store.flush()
            store._series.seal(everything=first % 3 == 0)
            store.roll_up()
        done.set()

    ask: dict[str, Any] = {"start": NOW - 2 * DAY, "end": NOW, "step": "1h"}
    expected = {agg: store.query("x", agg=agg, **ask) for agg in ("count", "increase")}
    thread = threading.Thread(target=work)
    thread.start()
    while not done.is_set() and thread.is_alive():
        for agg, result in expected.items():
            alike(store.query("x", agg=agg, **ask), result, agg)
    thread.join()
    assert done.is_set()
    assert store.query("x", **ask).tier == "1h"


def test_max_bytes_rolls_up_before_it_drops(factory: ds.DataStoreFactory) -> None:
    """Blocks that go for want of room are rolled up in the same transaction."""
    store = factory.create_metrics_store("m", ttl="30d", rollups=[("1h", "2y")], max_bytes=8000)
    fill(store, 20)
    assert store.stats().samples < 20 * 1440
    times, values = days(20, NOW - 20 * DAY)
    counts = store.query("x", start=NOW - 20 * DAY, end=NOW, step="1d", agg="count")
    there = ~np.isnan(values)
    for at, count in zip(counts.timestamps, counts.values, strict=True):
        day = there[(times >= at) & (times < at + DAY)].sum()
        assert count == day


def test_tier_of_an_old_store(factory: ds.DataStoreFactory) -> None:
    """A tier that is asked for later is made of what is stored; one that is not any more goes."""
    with factory.create_metrics_store("m", ttl="10d") as store:
        fill(store, 3)
        fill(store, 3, name="y")
    ask: dict[str, Any] = {"start": NOW - 3 * DAY, "end": NOW, "step": "1h"}
    with factory.create_metrics_store("m", rollups=[("10m", "90d")]) as store:
        assert store.query("x", **ask).tier == "raw"
        factory.maintain()
        assert store.query("x", **ask).tiers == store.query("y", **ask).tiers == ("10m",)
    with factory.create_metrics_store("m", rollups=[]) as store:
        assert store.query("x", **ask).tier == "raw"
        store.record_many("x", [5.0] * 100, at=NOW - DAY + np.arange(100) * SECOND)
        store.flush()
        factory.maintain()
    with factory.create_metrics_store("m", rollups=TIERS) as store:
        factory.maintain()
        found = store.query("x", **ask)
        assert found.tiers == ("1h",)
        alike(found, store.query("x", tier="raw", **ask), "avg")
        assert store._database.rows("SELECT DISTINCT tier FROM rollup") == [(300_000,), (HOUR,)]


def test_retention_of_tiers(
    factory: ds.DataStoreFactory, tiered: Store, clock: ds.ManualClock
) -> None:
    """A tier is absent past its retention, and then goes; a series without anything goes too."""
    fill(tiered, 3)
    factory.maintain()
    ask: dict[str, Any] = {"start": NOW - 3 * DAY, "end": NOW, "agg": "count"}
    clock.advance(88 * DAY)
    assert tiered.query("x", step="5m", **ask).values.sum() > 1000
    clock.advance(10 * DAY)
    assert tiered.query("x", step="5m", **ask).values.sum() == 0
    assert "buckets of 1h only" in tiered.query("x", step="5m", **ask).left_out[0]
    assert tiered.query("x", step="1h", **ask).values.sum() > 4000
    factory.maintain()
    assert tiered._database.rows("SELECT DISTINCT tier FROM rollup") == [(HOUR,)]
    clock.advance(700 * DAY)
    factory.maintain()
    assert tiered.stats().series == 0
    assert tiered._database.rows("SELECT count(*) FROM piece") == [(0,)]


def test_rate_begins_in_a_tier(
    factory: ds.DataStoreFactory, tiered: Store, clock: ds.ManualClock
) -> None:
    """The number before the first sample that is left is known from the tier."""
    fill(tiered, 9)
    ask: dict[str, Any] = {"start": NOW - 5 * DAY, "end": NOW - 4 * DAY, "step": "1h"}
    before = tiered.query("x", agg="rate", **ask)
    clock.advance(8 * DAY)
    factory.maintain()
    after = tiered.query("x", agg="rate", **ask)
    assert after.tiers == ("1h",)
    alike(after, before, "rate")


def test_damaged_block(factory: ds.DataStoreFactory, tiered: Store, clock: ds.ManualClock) -> None:
    """A tier does not hide that a block is damaged; the rest is rolled up, and outlives it."""
    fill(tiered, 9)
    rows = tiered._database.rows("SELECT first_at, last_at, piece FROM block ORDER BY first_at")
    first, last, piece = rows[1]
    with tiered._database.write() as tx:
        tx.run("UPDATE piece SET data = zeroblob(length(data)) WHERE id = ?", (piece,))
    factory.maintain()
    factory.maintain()
    ask: dict[str, Any] = {"start": NOW - 9 * DAY, "end": NOW, "step": "1h", "agg": "count"}
    with pytest.raises(ds.DamagedBlockError, match=str(first)):
        tiered.query("x", **ask)
    skipped = tiered.query("x", damaged="skip", **ask)
    assert len(skipped.left_out) == 1
    clock.advance(9 * DAY + 3 * HOUR)
    factory.maintain()
    factory.maintain()
    found = tiered.query("x", **ask)
    np.testing.assert_array_equal(found.values, skipped.values)
    hours = found.timestamps[found.values == 0]
    assert hours.min() > first - HOUR
    assert hours.max() <= last
    assert not tiered._database.rows("SELECT * FROM rollup_due")


def test_damaged_rollup(tiered: Store) -> None:
    """A damaged rollup is named, or left out where that is asked for; check() finds it."""
    fill(tiered, 3)
    tiered.roll_up()
    ((piece, data),) = tiered._database.rows(
        "SELECT id, data FROM draft WHERE id = (SELECT -piece FROM rollup WHERE tier = 3600000)"
    )
    with tiered._database.write() as tx:
        tx.run("UPDATE draft SET data = zeroblob(length(data)) WHERE id = ?", (piece,))
    ask: dict[str, Any] = {"start": NOW - 3 * DAY, "end": NOW, "step": "1h"}
    with pytest.raises(ds.DamagedBlockError, match="rollup of x") as caught:
        tiered.query("x", **ask)
    assert caught.value.facts["tier"] == HOUR
    skipped = tiered.query("x", damaged="skip", **ask)
    assert "rollup of x" in skipped.left_out[0]
    assert any("rollup of x" in violation.detail for violation in tiered.check())
    assert not np.isnan(tiered.query("x", tier="raw", **ask).values).any()
    with tiered._database.write() as tx:
        tx.run("UPDATE draft SET data = ? WHERE id = ?", (data, piece))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    portions=st.lists(
        st.lists(
            st.tuples(
                st.integers(0, 20_000),
                st.floats(-1e6, 1e6, allow_subnormal=False) | st.sampled_from([math.nan, 0.0, 5.0]),
            ),
            min_size=1,
            max_size=30,
        ),
        min_size=1,
        max_size=4,
    ),
    made=st.integers(0, 15),
    start=st.integers(0, 20_000),
    step=st.sampled_from([2000, 4000, 12_000]),
)
def test_any_order_of_events(shared: Any, portions: Any, made: int, start: int, step: int) -> None:
    """Recorded, sealed and rolled up in any order, tiers say what plain Python says."""
    store, numbers = shared
    name = f"s{next(numbers)}"
    for number, portion in enumerate(portions):
        times, values = zip(*portion, strict=True)
        store.record_many(name, values, at=times)
        store.flush()
        if made >> number & 1:
            store._series.seal(everything=True)
            store.roll_up()
    stored = latest(pair for portion in portions for pair in portion)
    size = max((abs(v) for _, v in stored if not math.isnan(v)), default=1.0) * (len(stored) + 1)
    for agg in AGGREGATES[:10]:
        result = store.query(name, start=start, end=20_001, step=step, agg=agg)
        expected = answered([stored], start, 20_001, step, agg)
        # Squares are kept with 28 bits.
        scale = size * 1000 if agg == "stddev" else size
        for found, wanted in zip(result.values.tolist(), expected, strict=True):
            assert close(found, wanted, scale), (agg, result.tiers, found, wanted)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store with small tiers that many examples share, each under a name of its own."""
    root = tmp_path_factory.mktemp("rollups")
    with ds.DataStoreFactory(root, maintenance="manual", clock=ds.ManualClock(20_000)) as factory:
        store = factory.create_metrics_store(
            "m", ttl=None, rollups=[("1s", "90d"), ("2s", "91d"), ("4s", "92d")]
        )
        yield store, iter(range(10**6))
        assert store.check() == []


@pytest.mark.parametrize(
    "wrong",
    [
        "5m",
        [("5m",)],
        [("5m", "90d", "x")],
        ["5m", "1h"],
        [("0s", "90d")],
        [("10ms", "90d")],
        [("1h", "2y"), ("5m", "90d")],
        [("5m", "90d"), ("12m", "2y")],
        [("5m", "90d"), ("1h", "90d")],
        [("5m", "90d"), ("5m", "2y")],
        [("5m", "10d")],  # no longer than the samples
        [("5m", "30s")],
        [(f"{2**n}s", f"{40 + n}d") for n in range(9)],
        {"5m": "90d"},
        3,
    ],
)
def test_refused_tiers(factory: ds.DataStoreFactory, wrong: Any) -> None:
    """Tiers that make no sense are refused, and the error says which ones do."""
    with pytest.raises(ds.OptionError, match="rollups"):
        factory.create_metrics_store("m", ttl="30d", rollups=wrong)


def test_tiers_are_recorded(factory: ds.DataStoreFactory) -> None:
    """A store opened by its name has the tiers that it was made with; other kinds have none."""
    factory.create_metrics_store("m", rollups=TIERS).close()
    store: Any = factory.get_store("m")
    assert store.options.rollups == ((300_000, 90 * DAY), (HOUR, 730 * DAY))
    with pytest.raises(ds.OptionError, match="rollups is for metrics"):
        factory.create_state_store("s", rollups=TIERS)
