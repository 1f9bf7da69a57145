"""dsfactory metrics ls, query, export, import."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

import dsfactory as ds
from dsfactory.cli import series
from dsfactory.errors import OptionError
from dsfactory.series.exchange.formats import FORMATS

NOW = 1_700_000_000_000
HOUR = 3_600_000


@pytest.fixture
def root(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a metrics store of two gauges and a counter, in the last hour."""
    monkeypatch.setattr(series, "present", lambda: NOW)
    with ds.DataStoreFactory(root, maintenance="manual", clock=ds.ManualClock(NOW)) as factory:
        store = factory.create_metrics_store("m", ttl=None)
        for core in "12":
            times = range(NOW - HOUR, NOW, 10_000)
            values = [float(int(core) * (n % 7)) for n in range(360)]
            store.record_many("cpu", values, labels={"core": core}, at=times)
        store.counter("hits_total", unit="hits").inc(3)
    return root


def test_ls(run, root):
    """Series are listed with type, unit, how many samples and from when to when."""
    shown = run("metrics", "ls", "m", "--root", root).stdout
    assert "core=1" in shown
    assert "counter" in shown
    assert "3 series, 721 samples" in shown
    held = run("metrics", "ls", "m", "cpu", "-l", "core=~2|3", "--root", root, "--json").json
    assert held == {
        "series": [
            {
                "name": "cpu",
                "labels": {"core": "2"},
                "type": "unknown",
                "unit": "",
                "samples": 360,
                "first_at": NOW - HOUR,
                "last_at": NOW - 10_000,
            }
        ]
    }


def test_ls_nothing(run, root):
    """A store without series is no error."""
    assert run("metrics", "ls", "m", "no", "--root", root).stdout == "0 series, 0 samples\n"


@pytest.mark.parametrize("command", ["ls", "query", "export", "import"])
def test_other_stores(run, root, command):
    """Other kinds of store, and stores that there are not, are refused."""
    more = {"query": ["cpu"], "import": ["-"]}.get(command, [])
    assert run("metrics", command, "thumbs", *more, "--root", root).exit_code == 2
    ran = run("metrics", command, "absent", *more, "--root", root)
    assert ran.exit_code == ds.StoreAbsentError.exit_code


def test_query(run, root, tmp_path):
    """One result is a line, a table, JSON and a picture."""
    asked = ("metrics", "query", "m", "cpu", "-l", "core=2", "--root", root)
    shown = run(*asked, "--step", "10m", "--agg", "max").stdout
    assert "max of every 10m, from raw" in shown
    assert "█" in shown or "▁" in shown or "▄" in shown
    assert shown.count("12") >= 6
    found = run(*asked, "--step", "30m", "--agg", "count", "--json").json["results"]
    assert sum(found[0]["values"]) == 360
    assert found[0]["labels"] == {"core": "2"}
    picture = tmp_path / "cpu.svg"
    assert run(*asked, "--svg", picture).exit_code == 0
    assert picture.read_text().startswith("<svg")


def test_query_several(run, root, tmp_path):
    """Several series are a line each; --by puts them together."""
    asked = ("metrics", "query", "m", "cpu", "--root", root, "--agg", "sum")
    assert run(*asked).stdout.count("core=") == 2
    assert "core=" not in run(*asked, "--by", "").stdout
    assert len(run(*asked, "--by", "core", "--json").json["results"]) == 2
    assert run(*asked, "--svg", tmp_path / "x.svg").exit_code == 2
    assert not (tmp_path / "x.svg").exists()


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["nothing"], 4),
        (["cpu", "-l", "core=9"], 4),
        (["cpu", "--agg", "median"], 2),
        (["cpu", "--step", "0s"], 2),
        (["cpu", "--start", "soon"], 2),
        (["cpu", "--start", "now", "--end", "1h"], 2),
        (["cpu", "-l", "core"], 2),
    ],
)
def test_query_refused(run, root, more, code):
    """What cannot be answered is said in a line, with its exit code."""
    ran = run("metrics", "query", "m", *more, "--root", root)
    assert (ran.exit_code, ran.stdout) == (code, "")
    assert ran.stderr.count("\n") == 1


def test_export_and_import(run, root, tmp_path):
    """What is exported to a file comes back into another store."""
    with ds.DataStoreFactory(root, maintenance="manual", clock=ds.ManualClock(NOW)) as factory:
        factory.create_metrics_store("other", ttl=None)
    file = tmp_path / "out.csv"
    chosen = ("--name", "cpu", "-l", "core!=1", "--start", "30m")
    ran = run("metrics", "export", "m", file, *chosen, "--root", root, "--json")
    assert ran.json == {"samples": 180, "file": str(file)}
    assert "180 samples" in run("metrics", "export", "m", file, *chosen, "--root", root).stdout
    assert "180 samples" in run("metrics", "import", "other", file, "--root", root).stdout
    again = run("metrics", "import", "other", file, "--root", root, "--json")
    assert again.json == {"samples": 180, "store": "other"}
    assert "1 series, 180 samples" in run("metrics", "ls", "other", "--root", root).stdout


def test_export_to_standard_output(run, root, monkeypatch):
    """Without a file Prometheus' text goes to standard output, and comes in from standard input."""
    ran = run("metrics", "export", "m", "--name", "hits_total", "--root", root)
    assert ran.stdout == (
        f"# TYPE hits_total counter\n# UNIT hits_total hits\nhits_total 3 {NOW}\n"
    )
    monkeypatch.setattr(sys, "stdin", io.StringIO(ran.stdout))
    assert "1 sample recorded" in run("metrics", "import", "m", "-", "--root", root).stdout
    assert run("metrics", "export", "m", "--json", "--root", root).exit_code == 2


def test_import_refused(run, root, tmp_path):
    """A bad line is named; a file that is not there, too."""
    file = tmp_path / "bad.prom"
    file.write_text("up 1\nup one\n")
    ran = run("metrics", "import", "m", file, "--root", root)
    assert (ran.exit_code, "Line 2" in ran.stderr) == (3, True)
    ran = run("metrics", "import", "m", tmp_path / "absent.csv", "--root", root)
    assert (ran.exit_code, "absent.csv" in ran.stderr) == (8, True)


def test_formats():
    """The command line knows the formats that there are."""
    assert tuple(FORMATS) == series.FORMATS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("now", NOW),
        ("6h", NOW - 6 * HOUR),
        ("1700000000001", 1_700_000_000_001),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T23:13:20.5+01:00", NOW + 500),
    ],
)
def test_moments(text, expected):
    """Times are now, how long ago, milliseconds, or ISO 8601."""
    assert series.moment(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["", "soon", "6x", "2023-13-01", "-1h", "²", "9" * 5000, "0001-01-01T00:00+23:00"]
)
def test_moments_refused(text):
    """What says no time is refused."""
    with pytest.raises(OptionError):
        series.moment(text, NOW)


def test_looking_leaves_no_trace(run, root):
    """Listing, asking and exporting note no time of use."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        before = factory.get_registered_stores()
    for words in (("ls", "m"), ("query", "m", "cpu"), ("export", "m")):
        assert run("metrics", *words, "--root", root).exit_code == 0
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        assert factory.get_registered_stores() == before
