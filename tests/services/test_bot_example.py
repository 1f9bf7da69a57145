"""scripts/bot: all six services over one factory, from start to restart."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dsfactory as ds

CHECKOUT = Path(__file__).resolve().parents[2]
SEEN_BY_NOBODY = "t0k3n-of-a-network"


def said(root: Path, *lines: str) -> list[str]:
    """What the bot answers to *lines*, in a process of its own."""
    ran = subprocess.run(
        [sys.executable, CHECKOUT / "scripts" / "bot", "--root", root],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "BOT_TOKEN": SEEN_BY_NOBODY},
    )
    assert ran.returncode == 0, ran.stderr
    assert SEEN_BY_NOBODY not in ran.stdout + ran.stderr
    return ran.stdout.splitlines()


def test_what_it_knows_survives_a_restart(tmp_path: Path) -> None:
    """Settings, limits, styles, preferences, aliases and counts are there after a restart."""
    assert said(
        tmp_path,
        "ada: !set theme dark",
        "ada: !alias hi hello there",
        "ada: !style short answers",
        "ada: hi",
        "ada: !set colour red",
        "ada: !limit 12",
        "not a message",
    ) == [
        "theme is dark",
        "hi means hello there",
        "noted",
        "hello, ada (dark, 2 lines of style): hello there",
        "no: 'colour' was refused (got str); allowed: a name of theme.",
        "12 a minute",
    ]
    again = said(tmp_path, "ada: hi", "ada: !stats", "bob: hi")
    assert again[0] == "hello, ada (dark, 2 lines of style): hello there"
    assert again[1] == "2 messages, version 2, well"
    assert again[2] == "hello, bob (light, 0 lines of style): hi"
    flood = said(tmp_path, *["ada: more"] * 8)
    assert flood[-1] == "slow down: 12 per minute reached"


def test_mistakes_are_answered(tmp_path: Path) -> None:
    """What a user did wrong is said, stops no message that follows, and breaks no restart."""
    wrong = ["!limit many", "!limit -5", "!remind 25:00 tea", "!set", "!alias", "!style"]
    answers = said(tmp_path, *[f"ada: {text}" for text in wrong], ": who", "ada: hi")
    assert all(answer.startswith("no: ") for answer in answers[:-1])
    assert len(answers) == len(wrong) + 2
    assert said(tmp_path, "ada: hi") == answers[-1:]


def test_forgetting_and_health(tmp_path: Path) -> None:
    """Who asks for it is forgotten everywhere; every store the bot made is sound."""
    answers = said(tmp_path, "ada: !style dry", "ada: !set theme dark", "ada: !forget", "ada: hi")
    assert answers[2:] == ["who are you?", "hello, ada (light, 0 lines of style): hi"]
    with ds.DataStoreFactory(tmp_path, maintenance="manual") as factory:
        assert factory.perform_health_check().healthy
        assert factory.backup().failures == {}
        for record in factory.get_registered_stores():
            assert factory.get_store(record.name).check() == [], record.name
        assert all(report.problem is None for report in factory.verify())
