"""The options of backups: when they are taken, in which format, and which are kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dsfactory import options
from dsfactory.errors import OptionError, OptionTypeError
from dsfactory.model import Kind


def check(name: str, value: Any) -> Any:
    """*value* as any store would take it for the option *name*."""
    return options.checked(Kind.CACHE, {name: value})[name]


def test_backup_every() -> None:
    """backup_every is a duration, and None means that none are taken by themselves."""
    assert check("backup_every", "6h") == 21_600_000
    assert check("backup_every", None) is None


@pytest.mark.parametrize("value", [0, -1, "0h", "often", True, 1.5])
def test_backup_every_refused(value: Any) -> None:
    """backup_every is above 0."""
    with pytest.raises(OptionError, match=r"backup_every=.*allowed"):
        check("backup_every", value)


def test_backup_format() -> None:
    """The formats are full and pack."""
    assert [check("backup_format", word) for word in ("full", "PACK")] == ["full", "pack"]
    with pytest.raises(OptionError, match="'full', 'pack'"):
        check("backup_format", "tar")
    with pytest.raises(OptionTypeError, match="allowed"):
        check("backup_format", None)


def test_backup_max_bytes() -> None:
    """backup_max_bytes is at least 1, or None."""
    assert check("backup_max_bytes", 1) == 1
    assert check("backup_max_bytes", None) is None
    for value in (0, -1, "1G", 1.0, False):
        with pytest.raises(OptionError, match="backup_max_bytes"):
            check("backup_max_bytes", value)


def test_backup_keep() -> None:
    """Rules are kept in one order, durations in milliseconds, and survive the registry."""
    given = {"within": "2d", "weekly": 4, "daily": -1, "tags": (("a",),), "timezone": "UTC"}
    kept = check("backup_keep", given)
    assert list(kept) == ["daily", "weekly", "within", "tags", "timezone"]
    assert kept["within"] == 172_800_000
    made = options.defaults(Kind.CACHE)._replace(backup_keep=kept)
    assert options.from_record(json.loads(json.dumps(options.as_record(made)))) == made
    assert check("backup_keep", None) is None


@pytest.mark.parametrize(
    "value",
    [
        "daily",
        [("daily", 7)],
        5,
        {},
        {"daily": 0},
        {"timezone": "UTC"},
        {"fortnightly": 1},
        {"keep_daily": 1},
        {7: 7},
        {"daily": -2},
        {"daily": "7"},
        {"within": 0},
        {"within_weekly": "x"},
        {"daily": 7, "tags": "a"},
        {"daily": 7, "timezone": "Nowhere"},
    ],
)
def test_backup_keep_refused(value: Any) -> None:
    """Rules that are unknown, bad, or keep nothing are refused by name."""
    with pytest.raises(OptionError, match="allowed") as refused:
        check("backup_keep", value)
    assert "backup_keep" in str(refused.value)


def test_rules_lift_the_standard_limits() -> None:
    """Rules come without the standard limits; those given with them hold."""
    chosen = options.checked(Kind.STATE, {"backup_keep": {"daily": 40}, "max_backups": 30})
    assert chosen["max_backups"] == 30
    assert chosen["backup_retention"] > 10**14
    assert options.checked(Kind.STATE, {"backup_keep": None}) == {"backup_keep": None}
