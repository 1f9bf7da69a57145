"""scripts/bench/run compares with the peers: it works whole, and its arithmetic is right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "scripts" / "bench" / "run"
SVG = "{http://www.w3.org/2000/svg}"
NO_INDEX = {
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_FIND_LINKS": "",
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",  # the discard port: nobody answers
    "PIP_EXTRA_INDEX_URL": "",
    "PIP_RETRIES": "0",
}


def ran(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmark."""
    return subprocess.run(
        [sys.executable, RUN, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The short form, run once with what this Python has."""
    out = tmp_path_factory.mktemp("bench")
    ended = ran("--quick", "--here", "--out", out)
    assert ended.returncode == 0, ended.stderr
    return SimpleNamespace(out=out, stdout=ended.stdout)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The modules of the benchmark."""
    monkeypatch.syspath_prepend(str(RUN.parent))
    from peers import environment, goals, plot, report, rounds

    return SimpleNamespace(
        environment=environment, goals=goals, plot=plot, report=report, rounds=rounds
    )


def group(parts: SimpleNamespace, case: str = "100 B", **figures: list[float]) -> Any:
    """Return a group of made-up figures."""
    samples = {
        name.replace("_", " "): [parts.rounds.Sample(f, f / 2) for f in found]
        for name, found in figures.items()
    }
    return parts.rounds.Group("get hit", case, samples, {})


def test_run_measures_everything(quick: SimpleNamespace) -> None:
    """Every measure has figures of ours and of bare apsw, in the table and in the JSON."""
    report = json.loads((quick.out / "run.json").read_text())
    measured = {(row["measure"], row["subject"]) for row in report["rows"]}
    measures = ("get hit", "get miss", "get cold", "set", "set, synced", "set_many")
    for measure in (*measures, "growth, get", "growth, set", "file size"):
        assert {(measure, "dsfactory"), (measure, "bare apsw")} <= measured
        assert f"\n{measure}" in quick.stdout
    alone = {"mixed 90/10", "cold start"} | {"set behind", "eviction"}
    assert alone <= {measure for measure, _ in measured}
    assert all(row["figure"] > 0 and row["samples"] for row in report["rows"])


def test_quick_run_judges_no_goal(quick: SimpleNamespace) -> None:
    """A run of a moment says so, instead of holding itself against the goals."""
    assert json.loads((quick.out / "run.json").read_text())["goals"] == []
    assert "no goal is judged" in quick.stdout
    assert "MISSED" not in quick.stdout


def test_plot_is_well_formed(quick: SimpleNamespace) -> None:
    """The picture is SVG, and everything in it lies on it."""
    picture = ET.parse(quick.out / "run.svg").getroot()  # noqa: S314 -- our own file
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    dots = list(picture.iter(f"{SVG}circle"))
    assert len(dots) >= 60
    assert all(0 <= float(dot.attrib["cx"]) <= width for dot in dots)
    assert all(0 <= float(dot.attrib["cy"]) <= height for dot in dots)
    assert len(list(picture.iter(f"{SVG}polyline"))) >= 4


def test_plot_of_hostile_names(parts: SimpleNamespace) -> None:
    """A name cannot break the picture."""
    hostile = parts.rounds.Group("<a> & b", '"', {"</svg>": [parts.rounds.Sample(1.0)]}, {})
    picture = ET.fromstring(parts.plot.svg([hostile]))  # noqa: S314 -- our own text
    assert '<a> & b "' in [element.text for element in picture.iter(f"{SVG}text")]


def test_rows_ratio_round_by_round(parts: SimpleNamespace) -> None:
    """A ratio compares what ran in the same round; its median and its spread are kept."""
    found = group(parts, dsfactory=[1.0, 2.0, 4.0], LMDB=[3.0, 4.0, 4.0])
    ours, theirs = parts.report.rows([found])
    assert (ours.figure, ours.ratio) == (2.0, 1.0)
    assert (theirs.figure, theirs.cpu_us) == (4.0, 2.0)
    assert (theirs.ratio, theirs.lowest, theirs.highest, theirs.cpu_ratio) == (2.0, 1.0, 3.0, 2.0)


def test_goals_missed_are_said(parts: SimpleNamespace) -> None:
    """A goal is held or missed by the median; one that was not measured is neither."""
    found = group(parts, dsfactory=[1.0, 1.0, 1.0], LMDB=[0.5, 0.9, 9.0], diskcache=[10.0] * 3)
    verdicts = parts.goals.judged([found])
    assert [(v.goal.to, v.goal.of, v.held) for v in verdicts if v.held is not None] == [
        ("dsfactory", "LMDB", False),
        ("dsfactory", "diskcache", True),
    ]
    table = parts.report.table([found])
    assert table.count("MISSED") == table.count("held") == 1


def test_rounds_rotate(parts: SimpleNamespace) -> None:
    """Everybody is first, and everybody comes both before and after everybody else."""
    orders = [parts.rounds.rotated(["a", "b", "c"], turn) for turn in range(6)]
    assert {order[0] for order in orders} == {"a", "b", "c"}
    before = {(x, y) for order in orders for x in order for y in order[order.index(x) + 1 :]}
    assert len(before) == 6


def test_run_without_an_index(tmp_path: Path) -> None:
    """Where pip reaches nothing, the message says what to do, and the next run tries again."""
    venv = tmp_path / "venv"
    ended = ran("--venv", venv, "--quick", "--only", "get", **NO_INDEX)
    assert ended.returncode == 1
    assert "pip could not install" in ended.stderr
    assert "PIP_INDEX_URL" in ended.stderr
    assert "--here" in ended.stderr
    assert not (venv / "installed").exists()


def test_run_again_installs_nothing(parts: SimpleNamespace, tmp_path: Path) -> None:
    """An environment that is complete is used as it is, without the network."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    python = venv / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (venv / "installed").write_text(parts.environment.fingerprint())
    arguments = ("--venv", venv, "--quick", "--only", "sizes", "--out", tmp_path)
    ended = ran(*arguments, **NO_INDEX)
    assert ended.returncode == 0, ended.stderr
    assert "file size" in ended.stdout
    assert "Making" not in ended.stderr
