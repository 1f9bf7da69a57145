"""What is recorded reads back, whatever the way it came; what is refused leaves nothing."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from series_tools import T0, Pairs, alike, read

import dsfactory as ds

Store = ds.MetricsStore[Any]


def test_record_and_read(store: Store) -> None:
    """A sample is at its time, or at the store's own where none was given."""
    store.record("cpu", 1.5, at=T0 - 5)
    store.record("cpu", 2)
    assert read(store, "cpu") == [(T0 - 5, 1.5), (T0, 2.0)]


def test_labels_make_series(store: Store) -> None:
    """Series differ by any label, not by the order of labels, nor by empty ones."""
    store.record("cpu", 1, labels={"host": "a", "core": "1"}, at=T0)
    store.record("cpu", 2, labels={"core": "1", "host": "a", "zone": ""}, at=T0 + 1)
    store.record("cpu", 3, labels={"host": "b", "core": "1"}, at=T0)
    store.record("cpu", 4, labels={}, at=T0)
    assert read(store, "cpu", {"core": "1", "host": "a"}) == [(T0, 1.0), (T0 + 1, 2.0)]
    assert read(store, "cpu", {"host": "b", "core": "1"}) == [(T0, 3.0)]
    assert read(store, "cpu") == [(T0, 4.0)]
    assert store.stats().series == 0 + 3


def test_times(store: Store) -> None:
    """Times are milliseconds or datetimes with a zone, from 1970 to 9999."""
    east = timezone(timedelta(hours=2))
    store.record("x", 1, at=0)
    store.record("x", 2, at=datetime(2020, 1, 1, 2, 0, 0, 1500, tzinfo=east))
    store.record("x", 3, at=253_402_300_799_999)
    moment = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp() * 1000) + 1
    assert read(store, "x") == [(0, 1.0), (moment, 2.0), (253_402_300_799_999, 3.0)]


@pytest.mark.parametrize(
    "at",
    [
        -1,
        253_402_300_800_000,
        1.5,
        "now",
        True,
        datetime(2020, 1, 1),
        datetime.min.replace(tzinfo=UTC),
    ],
)
def test_refused_times(store: Store, at: Any) -> None:
    """A time outside of that, of another type or without a zone is refused, alone or in columns."""
    with pytest.raises(ds.SampleRefusedError):
        store.record("x", 1, at=at)
    with pytest.raises(ds.SampleRefusedError):
        store.record_many("x", [1.0, 2.0], at=[T0, at])
    with pytest.raises(ds.SampleRefusedError):
        store.record_rows([("x", None, at, 1.0)])
    assert read(store, "x") == []


SPECIAL = [
    math.nan,
    math.inf,
    -math.inf,
    -0.0,
    5e-324,
    1.7976931348623157e308,
    0.1,
    2**53,
    -(2**60),
]


@pytest.mark.parametrize("way", ["record", "columns", "rows", "sealed"])
def test_special_values(store: Store, way: str) -> None:
    """NaN, infinities, the smallest and largest floats and exact large integers come back."""
    pairs: Pairs = [(T0 + n, float(value)) for n, value in enumerate(SPECIAL)]
    if way == "record":
        for at, value in zip(range(T0, FAR_ENOUGH), SPECIAL, strict=False):
            store.record("x", value, at=at)
    elif way == "rows":
        store.record_rows(("x", None, T0 + n, value) for n, value in enumerate(SPECIAL))
    else:
        store.record_many("x", SPECIAL, at=[at for at, _ in pairs])
    if way == "sealed":
        store.flush()
        store._series.seal(everything=True)
        assert store.stats().blocks == 1
    assert alike(read(store, "x"), pairs)


FAR_ENOUGH = T0 + 1000


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 10**400, "1", None, True, 1j, [1.0]])
def test_refused_values(store: Store, value: Any) -> None:
    """An integer that a float would round, and whatever is no number, is refused everywhere."""
    with pytest.raises(ds.SampleRefusedError):
        store.record("x", value, at=T0)
    with pytest.raises(ds.SampleRefusedError):
        store.record_many("x", [1.0, value], at=[T0, T0 + 1])
    with pytest.raises(ds.SampleRefusedError):
        store.record_rows([("x", None, T0, value)])
    assert read(store, "x") == []


@pytest.mark.parametrize(
    ("values", "times"),
    [
        (np.array([1, 2**53 + 1]), [T0, T0 + 1]),
        (np.array([1, 2**63 + 1], np.uint64), [T0, T0 + 1]),
        (np.array([1.0, 2.0]), np.array([2**63 + 1, 1], np.uint64)),
        (np.array([1.0, 2.0]), np.array([T0, -1])),
        (np.array([1.0, 2.0]), np.array([1.0, 2.0])),
        (np.array([1.0, 2.0]), np.array(["2020", "NaT"], "datetime64[ms]")),
        (np.array([[1.0], [2.0]]), [T0, T0 + 1]),
        (np.array([1.0, 2.0]), [T0]),
        (np.array(["1", "2"]), [T0, T0 + 1]),
        (np.ma.array([1.0, 2.0], mask=[True, False]), [T0, T0 + 1]),
        (3.0, T0),
    ],
)
def test_refused_columns(store: Store, values: Any, times: Any) -> None:
    """Columns of wrong types, lengths or shapes are refused as a whole."""
    with pytest.raises(ds.SampleRefusedError):
        store.record_many("x", values, at=times)
    assert store.flush() == 0


@pytest.mark.parametrize(
    "times",
    [
        [T0, T0 + 1],
        (T0, T0 + 1),
        range(T0, T0 + 2),
        np.array([T0, T0 + 1]),
        np.array([T0, T0 + 1], np.uint64),
        np.array([T0, T0 + 1], "datetime64[ms]"),
        np.array([T0, T0 + 1], "datetime64[ms]").astype("datetime64[ns]"),
        [datetime.fromtimestamp(T0 / 1000, UTC), T0 + 1],
    ],
)
def test_columns(store: Store, times: Any) -> None:
    """Columns are any sequences or arrays of numbers and times."""
    values = [np.array([1, 2], np.int8), np.array([1, 2], np.float32), [1, 2.0], (1, 2)]
    for number, column in enumerate(values):
        assert store.record_many(f"x{number}", column, at=times) == 2
        assert read(store, f"x{number}") == [(T0, 1.0), (T0 + 1, 2.0)]


def test_columns_are_copied(store: Store) -> None:
    """What the caller does with its arrays afterwards is the caller's affair."""
    values, times = np.array([1.0, 2.0]), np.array([T0, T0 + 1])
    store.record_many("x", values, at=times)
    values[:], times[:] = 9, 9
    assert read(store, "x") == [(T0, 1.0), (T0 + 1, 2.0)]


def test_empty_columns(store: Store) -> None:
    """No samples make no series."""
    assert store.record_many("x", [], at=[]) == 0
    assert store.record_rows([]) == 0
    assert (store.flush(), store.has_series()) == (0, False)


def test_last_wins(store: Store) -> None:
    """Of several samples at one time the one recorded last is kept, however they came."""
    store.record("x", 1, at=T0)
    store.record("x", 2, at=T0)
    store.record_many("x", [3, 4, 5], at=[T0 + 1, T0 + 1, T0])
    store.record("x", 6, at=T0 + 1)
    assert read(store, "x") == [(T0, 5.0), (T0 + 1, 6.0)]
    store._series.seal(everything=True)
    store.record("x", 7, at=T0)
    assert read(store, "x") == [(T0, 7.0), (T0 + 1, 6.0)]


def test_rows(store: Store) -> None:
    """Rows are of any series; a refused one is named, and those before it are taken."""
    rows = [("a", None, T0, 1.0), ("b", {"k": "v"}, None, 2), ("a", None, T0 + 1, "three")]
    with pytest.raises(ds.SampleRefusedError) as refused:
        store.record_rows(rows)  # type: ignore[arg-type]
    assert refused.value.facts["row"] == 2
    assert (read(store, "a"), read(store, "b", {"k": "v"})) == ([(T0, 1.0)], [(T0, 2.0)])
    with pytest.raises(ZeroDivisionError):
        store.record_rows(("c", None, T0 + n, 1 / (3 - n)) for n in range(9))
    assert len(read(store, "c")) == 3
    for row in [("a", None, T0), None, ("not a name", None, T0, 1.0), ("a", {"le-gal": ""}, T0, 1)]:
        with pytest.raises(ds.DataStoreError):
            store.record_rows([row])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "name", [[], {}, "", "9lives", "a b", "a-b", "naïve", "x" * 256, None, 7, b"x"]
)
def test_refused_names(store: Store, name: Any) -> None:
    """A name is what Prometheus allows."""
    with pytest.raises(ds.SeriesNameError):
        store.record(name, 1.0)
    with pytest.raises(ds.SeriesNameError):
        store.counter(name)


@pytest.mark.parametrize(
    "labels",
    [
        {f"l{n}": "v" for n in range(31)},
        {"l": "v" * 1025},
        {"l": "é" * 513},
        {"l": 7},
        {"l": None},
        {"l": "\ud800"},
        {"l": "a\0b"},
        {"": "v"},
        {"a-b": "v"},
        {"__name__": "v"},
        {"l" * 129: "v"},
        {7: "v"},
        {"l": ["v"]},
        ["l"],
        "l=v",
    ],
)
def test_refused_labels(store: Store, labels: Any) -> None:
    """More than 30 labels, over 1,024 bytes, other types than text and odd names are refused."""
    with pytest.raises(ds.LabelError):
        store.record("x", 1.0, labels=labels)
    assert store.flush() == 0


def test_largest_labels(store: Store) -> None:
    """Thirty labels of 1,024 bytes each are taken."""
    labels = {f"l{n}": "é" * 512 for n in range(30)}
    store.record("x", 1.0, labels=labels, at=T0)
    assert read(store, "x", labels) == [(T0, 1.0)]


def test_max_series(factory: ds.DataStoreFactory) -> None:
    """Beyond max_series only samples of known series are taken; the error says so, once."""
    store = factory.create_metrics_store("few", max_series=2)
    store.record_rows(("x", {"n": str(n)}, T0, 1.0) for n in range(2))
    assert store.flush() == 2
    store.record_rows(("x", {"n": str(n)}, T0 + 1, 2.0) for n in range(4))
    with pytest.raises(ds.SeriesLimitError) as refused:
        store.flush()
    assert refused.value.facts["max_series"] == 2
    assert read(store, "x", {"n": "1"}) == [(T0, 1.0), (T0 + 1, 2.0)]
    assert (read(store, "x", {"n": "2"}), store.stats().series) == ([], 2)
    assert store.flush() == 0


def test_options(factory: ds.DataStoreFactory) -> None:
    """max_series and write_window are options of metrics stores alone."""
    for option, value in (("max_series", 5), ("write_window", "2s")):
        with pytest.raises(ds.OptionError, match="metrics stores"):
            factory.create_cache_store("c", **{option: value})
    with pytest.raises(ds.OptionError):
        factory.create_metrics_store("m", max_series=0)
    store = factory.create_metrics_store("m", write_window="2s")
    assert store.options.write_window == 2000


def test_events_go_on(store: Store) -> None:
    """Entries and series live in one store, and do not know of each other."""
    store["event"] = {"what": "login"}
    store.record("logins", 1, at=T0)
    store.flush()
    store.clear()
    assert (len(store), read(store, "logins")) == (0, [(T0, 1.0)])


def test_statistics(store: Store) -> None:
    """stats() tells how many series, samples and blocks there are, and their bytes."""
    store.record_many("x", np.arange(5000) / 4, at=T0 + np.arange(5000))
    store.record("y", 1)
    store.flush()
    stats = store.stats()
    assert (stats.series, stats.samples, stats.blocks) == (2, 5001, 2)
    assert 0 < stats.series_bytes < 10_000


IMPORTS = """
import sys
import dsfactory as ds
with ds.DataStoreFactory(sys.argv[1]) as factory:
    store = factory.create_metrics_store("m")
    store["a"] = 1
    assert store.check() == [] and store.stats().series == 0 and store.maintain_series() == (0, 0)
    factory.maintain(), factory.perform_health_check()
    assert not {"numpy", "pcodec"} & set(sys.modules), "imported early"
    store.record("x", 1.0)
    assert {"numpy", "pcodec"} <= set(sys.modules)
"""


def test_numpy_only_with_series(tmp_path: Path) -> None:
    """Opening, entries, check and maintenance import neither numpy nor pcodec."""
    command = [sys.executable, "-c", IMPORTS, str(tmp_path / "data")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


WITHOUT = """
import sys
sys.modules["pcodec"] = None
import dsfactory as ds
with ds.DataStoreFactory(sys.argv[1]) as factory:
    try:
        factory.create_metrics_store("m").record("x", 1.0)
    except ds.UnfitEnvironmentError as error:
        assert "dsfactory[metrics]" in str(error)
    else:
        raise SystemExit("no error")
"""


def test_without_the_extra(tmp_path: Path) -> None:
    """Where pcodec is not installed, the error of the first sample says what to install."""
    command = [sys.executable, "-c", WITHOUT, str(tmp_path / "data")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
