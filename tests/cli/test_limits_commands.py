"""``dsfactory limits``: showing, changing and resetting a limiter from outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dsfactory as ds
from dsfactory.services import RateLimiter

Run = Callable[..., Any]


@pytest.fixture
def limited(tmp_path: Path) -> Path:
    """A directory with a limiter under which somebody took something."""
    with ds.DataStoreFactory(tmp_path / "data", maintenance="manual") as factory:
        limiter = RateLimiter(factory, per_day=1000, per_hour=200)
        limiter.check_and_increment("user:7", cost=180)
    return tmp_path / "data"


def test_limits_show(run: Run, limited: Path) -> None:
    """Limits and keys as a table, or as JSON; looking takes nothing."""
    for _ in range(2):
        shown = run("limits", "show", "--root", limited)
        assert shown.exit_code == 0
        assert "user:7" in shown.stdout
        assert "per hour" in shown.stdout
    found = run("limits", "show", "user:7", "nobody", "--json", "--root", limited).json
    assert found["limits"]["per_hour"] == 200
    hour, nobody = (key["windows"]["hour"] for key in found["keys"])
    assert (hour["used"], hour["remaining"]) == (180, 0)
    assert (nobody["used"], nobody["resets_in_ms"]) == (0, 0)


def test_limits_set(run: Run, limited: Path) -> None:
    """What is named changes, for a running limiter too; the rest stays."""
    with ds.DataStoreFactory(limited, maintenance="manual") as factory:
        limiter = RateLimiter(factory)
        assert not limiter.check_and_increment("user:7").allowed
        changed = run("limits", "set", "--per-hour", 300, "--json", "--root", limited).json
        assert changed["limits"]["per_hour"] == 300
        assert limiter.check_and_increment("user:7").allowed
        run("limits", "set", "--key", "user:7", "--per-hour", "none", "--root", limited)
        assert limiter.limits("user:7").per_hour is None
        assert limiter.limits("user:7").per_day == 1000
        run("limits", "set", "--key", "user:7", "--common", "--root", limited)
        assert limiter.keys_with_own_limits() == []


def test_limits_reset(run: Run, limited: Path) -> None:
    """A key, or all of them, has everything again."""
    assert run("limits", "reset", "nobody", "--root", limited).stdout == "0 keys reset\n"
    assert run("limits", "reset", "--all", "--json", "--root", limited).json == {"reset": 1}
    assert run("limits", "show", "--json", "--root", limited).json["keys"] == []


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("set",), 2),
        (("set", "--per-day", "many"), 2),
        (("set", "--per-day", "0"), 2),
        (("set", "--safety-margin", "2"), 2),
        (("set", "--timezone", "Mars"), 2),
        (("set", "--common"), 2),
        (("reset",), 2),
        (("reset", "a", "--all"), 2),
        (("show", "--name", "nothing"), 4),
        (("show", "--name", "sessions"), 2),
    ],
)
def test_limits_mistakes(
    run: Run, limited: Path, arguments: tuple[str, ...], exit_code: int
) -> None:
    """A mistake is told in a line, and changes nothing."""
    with ds.DataStoreFactory(limited, maintenance="manual") as factory:
        factory.create_state_store("sessions")
    ran = run("limits", *arguments, "--root", limited)
    assert ran.exit_code == exit_code
    assert "Traceback" not in ran.stderr
    shown = run("limits", "show", "--json", "--root", limited).json
    assert shown["limits"]["per_day"] == 1000
    assert len(shown["keys"]) == 1


def test_show_leaves_no_trace(run: Run, limited: Path) -> None:
    """Showing limits notes no time of use."""
    with ds.DataStoreFactory(limited, maintenance="manual") as factory:
        before = factory.get_registered_stores()
    assert run("limits", "show", "--root", limited).exit_code == 0
    with ds.DataStoreFactory(limited, maintenance="manual") as factory:
        assert factory.get_registered_stores() == before
