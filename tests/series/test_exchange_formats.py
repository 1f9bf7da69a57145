"""Samples out and in: exact round trips in every format, and refusals that name the line."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from series_tools import FAR, T0, read

import dsfactory as ds
from dsfactory.clock import END_OF_TIME

Store = ds.MetricsStore[Any]
needs_arrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed"
)
TEXTS = ("prometheus", "openmetrics", "csv", "jsonl")
FORMATS = [*TEXTS, *(pytest.param(name, marks=needs_arrow) for name in ("arrow", "parquet"))]


def contents(store: Store, *, described: bool = True) -> dict[Any, Any]:
    """Every sample of a store to the bit, NaN's and zero's sign aside, with types and units."""
    found = {}
    with store._series.reading() as reader:
        for series in reader.catalogue.all():
            times, values = reader.samples(series.id, 0, FAR)
            values = np.where(np.isnan(values), np.nan, values) + 0.0
            about = (series.type, series.unit) if described else ()
            found[(str(series.identity), *about)] = (times.tobytes(), values.tobytes())
    return found


def imported(store: Store, data: bytes | str, form: str) -> int:
    """Import a text."""
    raw = data.encode() if isinstance(data, str) else data
    return store.import_samples(io.BytesIO(raw), format=form)


@pytest.fixture
def other(factory: ds.DataStoreFactory) -> Store:
    """A second store, to import into."""
    return factory.create_metrics_store("other", ttl=None)


# -- round trips

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
labels = st.dictionaries(
    st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,5}", fullmatch=True), texts, max_size=4
)
names = st.sampled_from(["up", "x_bucket", "x_sum", "x_count", "x", "x_total", "a:b", "_bucket"])
moments = st.integers(0, END_OF_TIME)
rows = st.lists(st.tuples(names, labels, moments, st.floats(width=64)), max_size=40)


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=rows)
def test_round_trip_samples(form: str, rows: list[Any]) -> None:
    """What is exported comes back as the same samples of the same series."""
    with (
        tempfile.TemporaryDirectory() as root,
        ds.DataStoreFactory(root, maintenance="manual") as factory,
    ):
        store, other = (factory.create_metrics_store(name, ttl=None) for name in ("a", "b"))
        store.record_rows(rows)
        file = io.BytesIO()
        count = store.export_samples(file, format=form)
        file.seek(0)
        assert other.import_samples(file, format=form) == count
        assert contents(other) == contents(store)


def several(store: Store) -> None:
    """Record series of every type, more than a block of one, and what is no number."""
    times = T0 + np.arange(9000) * 10
    store.record_many("cpu", np.arange(9000) / 7, labels={"core": 'a"\\\n,}= é'}, at=times)
    store.record_rows(("q", None, T0 + n, v) for n, v in enumerate([math.nan, math.inf, -math.inf]))
    store.counter("hits_total", labels={"route": "/x"}, unit="").inc(2**53)
    lag = store.histogram("lag_seconds", [0.1, 1, 10], labels={"r": "1"}, unit="seconds")
    lag.observe(0.5)
    lag.observe(20)
    store.gauge("temp_celsius", unit="celsius").set(-0.5)
    store.record("q", 5e-324, at=END_OF_TIME)
    store.record("q", 1.7976931348623157e308, at=0)


@pytest.mark.parametrize("form", FORMATS)
def test_round_trip_types(store: Store, other: Store, form: str, tmp_path: Path) -> None:
    """Types and units come back too, by a path; importing twice changes nothing."""
    several(store)
    path = tmp_path / "out"
    count = store.export_samples(path, format=form)
    assert count == store.stats().samples
    assert path.stat().st_mode & 0o777 == 0o600
    for _ in range(2):
        assert other.import_samples(path, format=form) == count
        assert contents(other) == contents(store)
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize("suffix", ["prom", "om", "csv", "jsonl", "ndjson"])
def test_format_by_suffix(store: Store, other: Store, tmp_path: Path, suffix: str) -> None:
    """The ending of a path tells its format."""
    several(store)
    path = tmp_path / f"samples.{suffix.upper()}"
    assert other.import_samples(path) == store.export_samples(path) if path.exists() else True
    store.export_samples(str(path))
    other.import_samples(str(path))
    assert contents(other) == contents(store)


def test_format_unknown(store: Store, tmp_path: Path) -> None:
    """A name that tells no format, or a format that there is not, is refused."""
    for target, form in [(tmp_path / "x.dat", None), (io.BytesIO(), None), (io.BytesIO(), "xml")]:
        with pytest.raises(ds.OptionError, match="format"):
            store.export_samples(target, format=form)


@pytest.mark.parametrize("form", TEXTS)
def test_file_of_text(store: Store, other: Store, form: str) -> None:
    """A file object of text serves as well as one of bytes."""
    several(store)
    file = io.StringIO(newline="\n" if form != "csv" else "")
    store.export_samples(file, format=form)
    file.seek(0)
    other.import_samples(file, format=form)
    assert contents(other) == contents(store)


def test_export_chooses(store: Store) -> None:
    """Names, labels and a half-open interval choose what goes out."""
    store.record_rows(("a", {"x": x}, T0 + n, n) for n in range(10) for x in "12")
    store.record("b", 1, labels={"x": "1"}, at=T0 + 3)

    def out(**chosen: Any) -> list[str]:
        file = io.StringIO()
        store.export_samples(file, format="prometheus", **chosen)
        return [line for line in file.getvalue().splitlines() if line[0] != "#"]

    assert out(names="a", labels={"x": "1"}, start=T0 + 3, end=T0 + 5) == [
        f'a{{x="1"}} 3 {T0 + 3}',
        f'a{{x="1"}} 4 {T0 + 4}',
    ]
    assert len(out(labels={"x": "1"}, start=T0 + 3, end=T0 + 4)) == 2
    assert len(out(names=["a", "b"])) == 21
    assert out(names="absent") == out(labels={"y": "1"}) == out(start=T0, end=T0) == []
    with pytest.raises(ds.OptionError, match="end"):
        out(start=T0, end=T0 - 1)
    with pytest.raises(ds.SeriesNameError):
        out(names="no name")


def test_export_is_whole_or_absent(store: Store, tmp_path: Path) -> None:
    """A failed export leaves the earlier file, and nothing beside it."""
    store.record_many("a", [1.0] * 100, at=range(T0, T0 + 100))
    store.flush()
    path = tmp_path / "out.csv"
    store.export_samples(path)
    before = path.read_bytes()
    with store._database.write() as tx:
        tx.run("UPDATE block SET crc = crc + 1")
    with pytest.raises(ds.DamagedBlockError):
        store.export_samples(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.glob("*out*")] == ["out.csv"]
    assert store.export_samples(path, damaged="skip") == 0
    with store._database.write() as tx:
        tx.run("UPDATE block SET crc = crc - 1")


def test_export_without_room(store: Store, tmp_path: Path) -> None:
    """An export that the file system cuts short raises an error of ours and leaves nothing."""
    store.record_many("a", np.random.default_rng(1).normal(0, 1, 50_000), at=T0 + np.arange(50_000))
    store.flush()
    target = tmp_path / "whole.csv"
    target.write_text("earlier")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    try:
        with pytest.raises(ds.StorageError, match="cannot be written"):
            store.export_samples(target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert target.read_text() == "earlier"
    assert not list(tmp_path.glob(".*"))


def test_unreachable_paths(store: Store, tmp_path: Path) -> None:
    """A path that cannot be had is our error and names it."""
    with pytest.raises(ds.StorageError, match="absent"):
        store.import_samples(tmp_path / "absent.csv")
    with pytest.raises(ds.StorageError, match="nowhere"):
        store.export_samples(tmp_path / "nowhere" / "x.csv")


# -- the text formats, against their specifications


def test_prometheus_example(store: Store) -> None:
    """The example of Prometheus' own documentation is read."""
    text = """# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find:\\n\\"FILE.TXT\\""} 1.458255915e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf 3982045

# A histogram, which has a pretty complex representation in the text format:
# HELP http_request_duration_seconds A histogram of the request duration.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320

# Finally a summary, which has a complex representation, too:
# HELP rpc_duration_seconds A summary of the RPC duration in seconds.
# TYPE rpc_duration_seconds summary
rpc_duration_seconds{quantile="0.01"} 3102
rpc_duration_seconds_sum 1.7560473e+07
"""  # noqa: E501 -- as it is there
    assert imported(store, text, "prometheus") == 11
    assert read(store, "http_requests_total", {"method": "post", "code": "200"}) == [
        (1395066363000, 1027.0)
    ]
    path = {"path": "C:\\DIR\\FILE.TXT", "error": 'Cannot find:\n"FILE.TXT"'}
    assert read(store, "msdos_file_access_time_seconds", path) == [(T0, 1.458255915e9)]
    assert read(store, "something_weird", {"problem": "division by zero"})[0][1] == math.inf
    types = {series.name: series.type for series in store.list_series()}
    assert types["http_requests_total"] == "counter"
    assert types["http_request_duration_seconds_sum"] == "histogram"
    assert types["rpc_duration_seconds"] == types["rpc_duration_seconds_sum"] == "unknown"


def test_openmetrics_example(store: Store) -> None:
    """Seconds, units, exemplars and the end of OpenMetrics are read."""
    text = """# TYPE foo_seconds counter
# UNIT foo_seconds seconds
# HELP foo_seconds help
foo_seconds_total{a="b"} 17.0 1520879607.789
foo_seconds_created{a="b"} 1520430000.123 1520879607
# TYPE lat histogram
lat_bucket{le="+Inf"} 4 1 # {trace_id="KOO5S4vxi0o"} 0.67
# EOF
"""
    assert imported(store, text, "openmetrics") == 3
    assert read(store, "foo_seconds_total", {"a": "b"}) == [(1520879607789, 17.0)]
    assert read(store, "lat_bucket", {"le": "+Inf"}) == [(1000, 4.0)]
    described = {series.name: (series.type, series.unit) for series in store.list_series()}
    assert described["foo_seconds_total"] == ("counter", "seconds")


GOOD = f"a 1 {T0}\n"
BAD = {
    "prometheus": [
        ("b", "no sample"),
        ("b1", "no sample"),
        ("b x", "no number"),
        ("b 1_0", "no number"),
        ("b \u0661", "no number"),
        ("b 1e999", "too large"),
        ("b 1 1.5", "whole number"),
        ("b 1 -1", "1970 to 9999"),
        ("b 1 253402300800000", "1970 to 9999"),
        ("b 1 1 1", "no sample"),
        ("b 1 # no", "comment"),
        ("b{ 1", "no sample"),
        ('b{x="1} 1', "no sample"),
        ("b{x=1} 1", "not of the form"),
        ('b{x="1" y="2"} 1', "not of the form"),
        ('b{x="1",x="2"} 1', "twice"),
        ('b{x="\\q"} 1', "escape"),
        ('b{__name__="q"} 1', "label name"),
        ('{"b", x="1"} 1', "no sample"),
        ("9b 1", "series name"),
        ("b\u00e9 1", "series name"),
        ("# TYPE b gauge2", "type"),
        ("# TYPE b", "type"),
        ("# TYPE", "names no metric"),
        ("# TYPE a gauge", "before its samples"),
        ("# TYPE b gauge\n# TYPE b gauge", "second TYPE"),
    ],
    "csv": [
        ("b,{},1", "cells"),
        ("b,[],unknown,,1,1", "no JSON object"),
        ("b,{,unknown,,1,1", "cells|no JSON"),
        ('b,"{""x"":1}",unknown,,1,1', "label"),
        ("b,{},summary,,1,1", "type"),
        ("b,{},unknown,,now,1", "whole number"),
        ("b,{},unknown,,2026-01-01T00:00:00,1", "time zone"),
        ("b,{},unknown,,2026-13-01T00:00:00Z,1", "no date"),
        ("b,{},unknown,,1,", "no number"),
        ('b,{},unknown,,1,"1', "no CSV"),
    ],
    "jsonl": [
        ("[]", "no JSON object"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"metric":{},"values":[],"timestamps":[]}', "series name"),
        ('{"metric":{"__name__":"b"},"values":[1]}', "metric, values"),
        ('{"metric":{"__name__":"b"},"values":[1],"timestamps":[1],"x":1}', "metric, values"),
        ('{"metric":"b","values":[1],"timestamps":[1]}', "object"),
        ('{"metric":{"__name__":"b","l":1},"values":[1],"timestamps":[1]}', "label"),
        ('{"metric":{"__name__":"b"},"values":[1],"timestamps":[1,2]}', "as many"),
        ('{"metric":{"__name__":"b"},"values":["x"],"timestamps":[1]}', "str"),
        ('{"metric":{"__name__":"b"},"values":[true],"timestamps":[1]}', "bool"),
        ('{"metric":{"__name__":"b"},"values":[NaN],"timestamps":[1]}', "no NaN"),
        ('{"metric":{"__name__":"b"},"values":[1e999],"timestamps":[1]}', "too large"),
        ('{"metric":{"__name__":"b"},"values":[9007199254740993],"timestamps":[1]}', "rounded"),
        ('{"metric":{"__name__":"b"},"values":[1],"timestamps":[1.5]}', "float"),
        ('{"metric":{"__name__":"b"},"values":[1],"timestamps":[-1]}', "1970"),
        ('{"metric":{"__name__":"b"},"values":[1],"timestamps":[1],"type":"x"}', "type"),
        ('{"metric":{"__name__":"b"},"values":[1],"timestamps":[1],"unit":1}', "text"),
    ],
}
BEFORE = {
    "prometheus": GOOD,
    "csv": f"name,labels,type,unit,at,value\r\na,{{}},unknown,,{T0},1\r\n",
    "jsonl": f'{{"metric":{{"__name__":"a"}},"values":[1],"timestamps":[{T0}]}}\n',
}


@pytest.mark.parametrize(
    ("form", "bad", "why"), [(form, *case) for form, cases in BAD.items() for case in cases]
)
def test_bad_lines(store: Store, form: str, bad: str, why: str) -> None:
    """A line that is not of the format is named, and what stands before it is kept."""
    before = BEFORE[form]
    with pytest.raises(ds.SampleFormatError, match=why) as caught:
        imported(store, f"{before}{bad}\n{before}", form)
    assert caught.value.facts["line"] >= before.count("\n") + 1
    assert f"Line {caught.value.facts['line']}" in str(caught.value)
    assert caught.value.exit_code == 3
    assert read(store, "a") == [(T0, 1.0)]


@pytest.mark.parametrize(
    ("form", "data", "line"),
    [
        ("prometheus", b"a 1\nb 12", 2),
        ("prometheus", b"a 1\n\xff 1\n", 2),
        ("openmetrics", b"a 1\n", 2),
        ("openmetrics", b"a 1\n# EOF\na 1\n", 3),
        ("openmetrics", b"a 1\n\n# EOF\n", 2),
        ("openmetrics", b"a 1\n# a comment\n# EOF\n", 2),
        ("openmetrics", b"a 1 1e3\n# EOF\n", 1),
        ("csv", b"", 1),
        ("csv", b"name,at\n", 1),
        ("csv", b"name,at,value,colour\n", 1),
        ("csv", b"name,at,value,at\n", 1),
        ("jsonl", b"\xff\n", 1),
        ("jsonl", b"{}", 1),
    ],
)
def test_bad_texts(store: Store, form: str, data: bytes, line: int) -> None:
    """A text that is cut short, not UTF-8, or without its header or end is refused."""
    with pytest.raises(ds.SampleFormatError) as caught:
        imported(store, data, form)
    assert caught.value.facts["line"] == line


@pytest.mark.parametrize("form", ["prometheus", "csv", "jsonl"])
def test_errors_of_the_store(
    factory: ds.DataStoreFactory, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """What the store refuses is told as it is, and not as a fault of some line."""
    monkeypatch.setattr("dsfactory.series.exchange.intake.AT_ONCE", 2)
    text = {
        "prometheus": "# TYPE hits gauge\nhits 1\nhits 2\nhits 3\n",
        "csv": "name,type,at,value\n" + "hits,gauge,1,1\n" * 3,
        "jsonl": '{"metric":{"__name__":"hits"},"values":[1],"timestamps":[1],"type":"gauge"}\n',
    }[form]
    store = factory.create_metrics_store("m", ttl=None, max_series=1)
    store.counter("hits").inc()
    store.flush()
    with pytest.raises(ds.SeriesConflictError, match="counter"):
        imported(store, text, form)
    with pytest.raises(ds.SeriesLimitError):
        imported(store, text.replace("hits", "others"), form)
    assert store.stats().samples == 1


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("prometheus", 'a{x="1",y="2"} 1 5\na{y="2",x="1"} 2 5\na{x="1",y="2"} 3 5\n'),
        ("csv", "name,type,at,value\na,,5,1\na,gauge,5,2\na,,5,3\n"),
    ],
)
def test_import_last_wins(store: Store, form: str, text: str) -> None:
    """Of several samples at one time the last one of the text wins, however its series is put."""
    assert imported(store, text, form) == 3
    (held,) = store.list_series()
    assert (held.samples, held.type) == (1, "gauge" if form == "csv" else "unknown")
    assert read(store, "a", held.labels) == [(5, 3.0)]


def test_lines_that_begin_alike(store: Store) -> None:
    """A line that begins like one before it is read as though it stood alone."""
    lines = ["a 1 5", "a 2 6", 'a {x="1"} 3', 'a {x="1"} 4 8', 'a{x="1"} 5 9', "a 3", " a 4 7 "]
    assert imported(store, "".join(f"{line}\n" for line in lines), "prometheus") == 7
    assert read(store, "a") == [(5, 1.0), (6, 2.0), (7, 4.0), (T0, 3.0)]
    assert read(store, "a", {"x": "1"}) == [(8, 4.0), (9, 5.0), (T0, 3.0)]
    for bad in ("a 1 x", "a x 5", "a 1  5 6", "a 1 5 #", "a 1_0 5"):
        with pytest.raises(ds.SampleFormatError, match="Line 2 "):
            imported(store, f"a 1 5\n{bad}\n", "prometheus")


@pytest.mark.parametrize("form", ["prometheus", "csv"])
def test_import_up_to_a_conflict(store: Store, form: str) -> None:
    """Where a series is of another type, what stands before it is taken and nothing behind it;
    a type that came with refused samples only does not stay.
    """
    text = {
        "prometheus": "a 1 5\n# TYPE hits gauge\nhits 3 6\na 1 7\n",
        "csv": "name,type,at,value\na,,5,1\nhits,gauge,6,3\na,,7,1\n",
    }[form]
    store.counter("hits").inc()
    store.flush()
    with pytest.raises(ds.SeriesConflictError, match="counter"):
        imported(store, text, form)
    assert read(store, "a") == [(5, 1.0)]
    with pytest.raises(ds.SampleFormatError):
        imported(store, text.replace("hits", "b").replace("3", "three"), form)
    assert store.counter("b").kind == "counter"


def test_long_line(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without end is not read into memory."""
    monkeypatch.setattr("dsfactory.series.exchange.ports.MAX_LINE", 100)
    with pytest.raises(ds.SampleFormatError, match="over 100 bytes"):
        imported(store, "a" * 1000, "prometheus")


def test_csv_by_hand(store: Store) -> None:
    """Columns in another order, without labels, with ISO times, are read."""
    text = "\ufeffvalue,name,at\n1.5,a,2023-11-14T22:13:20Z\n\n2,a,1700000000001\n"
    assert imported(store, text, "csv") == 2
    assert read(store, "a") == [(T0, 1.5), (T0 + 1, 2.0)]


def test_jsonl_null(store: Store) -> None:
    """null, which VictoriaMetrics writes, is NaN."""
    line = {"metric": {"__name__": "a"}, "values": [None, 1], "timestamps": [T0, T0 + 1]}
    imported(store, json.dumps(line) + "\n", "jsonl")
    assert math.isnan(read(store, "a")[0][1])


@needs_arrow
def test_arrow_of_others(store: Store, tmp_path: Path) -> None:
    """Dictionaries, other units of time, integers and missing columns are taken."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "name": pa.array(["a", "a", "b"]).dictionary_encode(),
            "at": pa.array([T0 * 1000, T0 * 1000 + 1999, T0 * 1000], pa.timestamp("us")),
            "value": pa.array([1, 2, 3], pa.int32()),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    assert store.import_samples(tmp_path / "x.parquet") == 3
    assert read(store, "a") == [(T0, 1.0), (T0 + 1, 2.0)]


@needs_arrow
@pytest.mark.parametrize(
    ("column", "values", "why"),
    [
        ("name", ["a", None], "nulls"),
        ("name", ["a", "no name"], "series name"),
        ("name", [1, 2], "no text"),
        ("value", ["1", "2"], "numbers"),
        ("at", [1.5, 2.5], "timestamps"),
        ("at", [1, -2], "1970"),
        ("colour", ["red", "red"], "columns"),
    ],
)
def test_arrow_refused(
    store: Store, tmp_path: Path, column: str, values: list[Any], why: str
) -> None:
    """What is not as it should be in a table is refused, and the row named."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = {"name": ["a", "b"], "at": [T0, T0], "value": [1.0, 2.0], column: values}
    pq.write_table(pa.table(table), tmp_path / "x.parquet")
    with pytest.raises(ds.SampleFormatError, match=why) as caught:
        store.import_samples(tmp_path / "x.parquet")
    assert "row" in caught.value.facts


@needs_arrow
@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_arrow_damaged(store: Store, form: str) -> None:
    """A file that is none, or cut short, is refused as ours."""
    store.record_many("a", [1.0] * 100, at=range(T0, T0 + 100))
    file = io.BytesIO()
    store.export_samples(file, format=form)
    for data in (b"", b"nothing of the kind", file.getvalue()[:-20], file.getvalue()[:300]):
        with pytest.raises(ds.SampleFormatError, match="cannot be read"):
            imported(store, data, form)


def test_arrow_absent(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow, asking for it says what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "dsfactory.series.exchange.arrow", raising=False)
    monkeypatch.delattr("dsfactory.series.exchange.arrow", raising=False)
    with pytest.raises(ds.UnfitEnvironmentError, match=r"dsfactory\[arrow\]"):
        store.export_samples(io.BytesIO(), format="parquet")


# -- the exposition


def test_exposition(store: Store) -> None:
    """The last sample of each series, sealed or not, in the order that Prometheus asks for."""
    several(store)
    store.record("cpu", 7, labels={"core": "2"}, at=T0)
    assert store.exposition(helps={"cpu": "Load,\nof a \\core."}).splitlines() == [
        r"# HELP cpu Load,\nof a \\core.",
        "# TYPE cpu untyped",
        'cpu{core="2"} 7',
        r'cpu{core="a\"\\\n,}= é"} 1285.5714285714287',
        "# TYPE hits_total counter",
        'hits_total{route="/x"} 9007199254740992',
        "# TYPE lag_seconds histogram",
        "# UNIT lag_seconds seconds",
        'lag_seconds_bucket{le="0.1",r="1"} 0',
        'lag_seconds_bucket{le="1",r="1"} 1',
        'lag_seconds_bucket{le="10",r="1"} 1',
        'lag_seconds_bucket{le="+Inf",r="1"} 2',
        'lag_seconds_sum{r="1"} 20.5',
        'lag_seconds_count{r="1"} 2',
        "# TYPE q untyped",
        "q 5e-324",
        "# TYPE temp_celsius gauge",
        "# UNIT temp_celsius celsius",
        "temp_celsius -0.5",
    ]
    assert store.exposition(["q"], openmetrics=True) == "# TYPE q unknown\nq 5e-324\n# EOF\n"
    assert store.exposition(labels={"core": "2"}) == '# TYPE cpu untyped\ncpu{core="2"} 7\n'


def test_exposition_last(store: Store) -> None:
    """The latest in time wins, and at one time the one written last; NaN may be it."""
    for last in (1.0, math.nan, 3.0):
        store.record_many("a", [0.0] * 99 + [last], at=range(T0, T0 + 100))
        store.flush()
        expected = "NaN" if math.isnan(last) else f"{last:g}"
        assert store.exposition() == f"# TYPE a untyped\na {expected}\n"
    store.record("a", 9, at=T0 + 50)
    assert store.exposition().endswith("a 3\n")
    store.record("a", 8, at=T0 + 99)
    assert store.exposition().endswith("a 8\n")


def test_scrape(store: Store) -> None:
    """OpenMetrics goes to those who ask for it; both are read back."""
    several(store)
    for accept, form, type_ in [
        ("", "prometheus", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html", "prometheus", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;q=0.5",
            "openmetrics",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
    ]:
        content_type, body = store.scrape(accept)
        assert content_type == type_
        assert imported(store, body, form) == store.stats().series


def test_list_series(store: Store) -> None:
    """Series are listed with what is held of them, sealed and not."""
    store.record_many("a", [1.0] * 100, labels={"x": "1"}, at=range(T0, T0 + 100))
    store.record("a", 1, labels={"x": "1"}, at=T0 + 200)
    store.record("a", 1, at=T0 + 5)
    store.counter("n", unit="bytes").inc()
    assert [
        (s.name, dict(s.labels), s.type, s.unit, s.samples, s.first_at, s.last_at)
        for s in store.list_series()
    ] == [
        ("a", {}, "unknown", "", 1, T0 + 5, T0 + 5),
        ("a", {"x": "1"}, "unknown", "", 101, T0, T0 + 200),
        ("n", {}, "counter", "bytes", 1, T0, T0),
    ]
    assert [s.name for s in store.list_series("n")] == ["n"]
    assert store.list_series("none") == []


def test_bounded_memory(store: Store) -> None:
    """A long series goes out and comes in by portions."""
    store.record_many("a", np.arange(300_000) % 97, at=T0 + np.arange(300_000) * 10)
    store.flush()
    longest = 0

    class Measure(io.RawIOBase):
        def write(self, data: Any) -> int:
            nonlocal longest
            longest = max(longest, len(data))
            return len(data)

    for form in TEXTS:
        assert store.export_samples(Measure(), format=form) == 300_000  # type: ignore[arg-type]
    assert longest < 4096 * 40
