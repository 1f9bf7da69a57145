"""The main job: run twice over one directory, on few source files."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import dsfactory as ds
from dsfactory.cli.commands import demo
from dsfactory.cli.demonstration import findings, sessions, settings, sources, syntax_cache
from dsfactory.cli.main import main

FILES = 40
STORES = ["demo-settings", "demo-telemetry", "demo-syntax", "demo-sessions", "demo-findings"]


def demonstrated(root: Path, *arguments: str) -> str:
    """What the demo prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main(["demo", "--root", str(root), "--files", str(FILES), *arguments])
    assert ended.value.code == 0
    return out.getvalue()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "with space"


@pytest.fixture(scope="module")
def runs(root: Path) -> list[dict[str, Any]]:
    """The reports of a first, cold run and a second, warm one."""
    return [json.loads(demonstrated(root, "--json")) for _ in range(2)]


@pytest.fixture(scope="module")
def page(root: Path, runs: list[dict[str, Any]]) -> str:
    """What a person reads of a third run."""
    return demonstrated(root)


def test_demo_uses_every_kind(runs):
    """One store of each kind, all with entries and operations of this run."""
    for report in runs:
        assert [store["name"] for store in report["stores"]] == STORES
        assert {store["kind"] for store in report["stores"]} == set(ds.Kind)
        assert all(store["entries"] and store["operations"] for store in report["stores"])


def test_demo_settings_history(runs):
    """Every run tries a change and rolls it back, with who and why; the history grows."""
    first, second = (report["work"]["settings"] for report in runs)
    assert [change["change"] for change in first["history"][:2]] == ["rollback", "update"]
    assert first["history"][-1]["change"] == "create"
    assert second["versions"] == first["versions"] + 2
    assert all(change["who"] and change["why"] for change in second["history"])
    rolled_back, tried, before = (change["sha256"] for change in first["history"][:3])
    assert rolled_back == before != tried


def test_demo_settings_refuses(runs):
    """The validator and the type each refuse a value; the type's refusal names the place."""
    by_validator, by_type = runs[0]["work"]["settings"]["refused"]
    assert "validator" in by_validator
    assert "$.cache_entries" in by_type


def test_demo_telemetry(root, runs):
    """Readings of this host and timings of the run are in the store as typed events."""
    events = sum(report["work"]["telemetry"]["events"] for report in runs)
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        store = factory.get_store("demo-telemetry")
        assert len(store) >= events
        assert any(store.scan(prefix="host/process.cpu.user/"))
        assert any(store.scan(prefix="run/demo-syntax/"))
    assert runs[0]["work"]["telemetry"]["samples"] >= 2


def test_demo_cache_is_cold_then_warm(runs):
    """The first run parses every file once; in the second everything is served."""
    cold, warm = (report["work"]["syntax"] for report in runs)
    assert cold["files"] + cold["unreadable"] == FILES
    assert (cold["first"]["hit_ratio"], cold["second"]["hit_ratio"]) == (0, 1)
    assert (warm["first"]["hit_ratio"], warm["second"]["hit_ratio"]) == (1, 1)
    assert warm["lines"] == cold["lines"] > 0
    assert runs[1]["work"]["parsing_ms"] == runs[0]["work"]["parsing_ms"] > 0


def test_demo_cache_compresses(runs):
    """Summaries are stored in fewer bytes than they have."""
    (cache,) = [store for store in runs[0]["stores"] if store["kind"] == "cache"]
    assert cache["size_bytes"] < cache["unpacked_bytes"]


def test_demo_sessions_lose_nothing(runs):
    """Sessions and counter hold what the threads wrote, without what was rolled back."""
    for report in runs:
        counted = report["work"]["sessions"]
        assert counted["exact"] is True
        assert counted["undone"] > 0
        assert counted["files_in_sessions"] == counted["visits"] - counted["undone"]
        assert counted["lines_in_counter"] == counted["lines"] > 0


def test_demo_findings(runs):
    """Findings are written once; stale writes are refused and drafts go by their tag."""
    first, second = (report["work"]["findings"] for report in runs)
    assert first["written"] == len(first["kept"]) + first["packages"]
    assert second["written"] == 0
    assert [kept["version"] for kept in second["kept"]] == [1] * len(first["kept"])
    for found in (first, second):
        assert found["stale_refused"] == found["drafts_evicted"] == found["packages"] > 0


def test_demo_health(runs):
    """After the work everything is healthy, and the registry knows the five stores."""
    for report in runs:
        assert report["health"]["healthy"] is True
        assert report["registry"]["total"] == len(STORES)
        assert report["maintenance"]["ran"] is True


def test_demo_stores_are_sound(root, runs):
    """Every invariant of every store holds afterwards."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        assert [factory.get_store(name).check() for name in STORES] == [[]] * len(STORES)


def test_demo_page(root, page):
    """People read each store's name and kind, the history, and where the files are."""
    for said in (*STORES, *ds.Kind, "the trial is over", "Nothing lost", "SHA-256", "100%"):
        assert said in page
    assert f"a day's work in {root}, again" in page.splitlines()[0]
    assert "older version" in page
    assert page.count("well") == len(STORES) + 1


def test_demo_sqlite3_line(page):
    """The line for sqlite3 works as it is printed."""
    if shutil.which("sqlite3") is None:
        pytest.skip("the program sqlite3 is not installed (Debian: apt-get install sqlite3)")
    (line,) = [line for line in page.splitlines() if line.strip().startswith("sqlite3 ")]
    ran = subprocess.run(shlex.split(line), capture_output=True, text=True, check=True)
    assert "the trial is over" in ran.stdout


def test_demo_heading_the_first_time(tmp_path):
    """The heading says when the directory is new."""
    assert "for the first time" in demonstrated(tmp_path).splitlines()[0]


def test_demo_without_root(run, tmp_path, monkeypatch):
    """Without a root the demo keeps away from the user's own stores."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    ran = run("demo", "--files", 1, "--json")
    assert Path(ran.json["root"]).name == "dsfactory-demo"
    assert not (Path(ran.json["root"]).parent / "dsfactory").exists()


def test_demo_of_no_files(run, tmp_path):
    """At least one file has to be read."""
    assert run("demo", "--files", 0, "--root", tmp_path / "new").exit_code == 2
    assert not (tmp_path / "new").exists()


def test_demo_in_a_conflict(run, tmp_path):
    """A store of the demo's name that is another kind is left alone: exit code 5."""
    with ds.DataStoreFactory(tmp_path, maintenance="manual") as factory:
        factory.create_state_store("demo-settings")["mine"] = 1
    ran = run("demo", "--root", tmp_path, "--files", 1)
    assert ran.exit_code == ds.KindConflictError.exit_code
    assert "demo-settings" in ran.stderr
    with ds.DataStoreFactory(tmp_path, maintenance="manual") as factory:
        assert dict(factory.get_store("demo-settings")) == {"mine": 1}


def test_demo_says_what_is_lost(monkeypatch):
    """If the sums do not match, the page says so."""
    figures = {
        "threads": 2,
        "readers": 1,
        "visits": 10,
        "undone": 1,
        "lines": 90,
        "files_in_sessions": 8,
        "lines_in_sessions": 80,
        "lines_in_counter": 90,
    }
    report = sessions.SessionsReport(**figures)
    assert (report.lost, report.exact) == (1, False)
    *_, last = demo.page._sessions(report)
    assert "NOT EXACT: 1" in str(last)


def test_settings_fit_the_host(factory, monkeypatch):
    """Another number of processors is a new version of the settings, with the reason."""
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert settings.work(factory).settings.threads == 6
    monkeypatch.setattr("os.cpu_count", lambda: None)
    report = settings.work(factory)
    assert report.settings.threads == 2
    assert "2 threads for 1 processors" in [change.why for change in report.history]


def test_changed_file_is_parsed_again(factory, tmp_path):
    """A file that was changed is a miss; what is no Python is counted and not cached."""
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text("import os\n")
    bad.write_text("import import\n")

    def work() -> syntax_cache.SyntaxReport:
        return syntax_cache.SyntaxCache(factory, settings.Settings()).work([good, bad], print_not)

    first, second = work(), work()
    good.write_text("import os\nimport sys\n")
    third = work()
    assert [report.unreadable for report in (first, second, third)] == [1, 1, 1]
    assert [report.lines for report in (first, second, third)] == [1, 1, 2]
    assert [report.second.missing for report in (first, second, third)] == [1, 1, 1]


def print_not(done: int) -> None:
    """Nobody watches."""


def test_findings_of_nothing(factory, tmp_path):
    """Without any summary there is no finding, and no error."""
    report = findings.work(factory, [], tmp_path, "1d")
    assert report == findings.FindingsReport((), 0, 0, 0, 0)


def test_page_without_parsing_times(runs, factory):
    """A time that is known no longer is not guessed, and unreadable files are mentioned."""
    one = syntax_cache.Pass(2, 1, 1.0)
    report = syntax_cache.SyntaxReport(1, 10, 2, 1, one, one)
    lines = list(demo.page._syntax(FakeWork(report, None)))
    assert lines[-1] == "1 file is no Python of this version."
    assert not [line for line in lines if "Parsing them" in str(line)]
    assert syntax_cache.Pass(0, 0, 1.0).hit_ratio is None


class FakeWork:
    """As much of the work as the page of the cache looks at."""

    def __init__(self, syntax: syntax_cache.SyntaxReport, parsing_ms: float | None) -> None:
        self.syntax, self.parsing_ms = syntax, parsing_ms


def test_progress_on_a_terminal(monkeypatch, capfd):
    """On a terminal a bar shows how far the work is; elsewhere nothing does."""
    with demo._watch(3) as watcher:
        watcher(2)
    assert capfd.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with demo._watch(3) as watcher:
        watcher(2)
    assert "2/3" in capfd.readouterr().err


def test_source_files(tmp_path):
    """Top-level modules come first; tests and installed packages are passed over."""
    for name in ("b.py", "a.py", "c.txt", "pkg/x.py", "pkg/test/y.py", "site-packages/z.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    found = [path.relative_to(tmp_path).as_posix() for path in sources.source_files(tmp_path)]
    assert found == ["a.py", "b.py", "pkg/x.py"]
    assert len(sources.source_files(tmp_path, 2)) == 2
    assert sources.package_of(str(tmp_path / "pkg" / "x.py"), tmp_path) == "pkg"
    assert sources.package_of(str(tmp_path / "a.py"), tmp_path) == "a"


def test_library_without_sources(tmp_path, monkeypatch):
    """A Python whose library is in a zip file has our own source files to read."""
    assert (sources.standard_library() / "ast.py").exists()
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))
    assert sources.source_files(sources.standard_library(), 1)[0].parent.name == "dsfactory"
