"""``dsfactory backup prune`` and ``backup run --due``: pages, JSON and exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dsfactory as ds

FAILED = ds.BackupError.exit_code


@pytest.fixture
def ids(root: Path) -> list[str]:
    """Three backups of the store "sessions", which now allows one."""
    made = []
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        for n in range(3):
            factory.create_state_store("sessions")["n"] = n
            made.append(factory.backup("sessions", tags=(f"t{n}",)).id)
            factory.get_store("sessions").close()
        factory.create_state_store("sessions", max_backups=1)
    return made


def left(root: Path) -> set[str]:
    """The ids that are listed."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        return {backup.id for backup in factory.backups()}


def test_prune_dry_run_page(run: Callable[..., Any], root: Path, ids: list[str]) -> None:
    """A dry run prints each backup with its reasons, and removes nothing."""
    ran = run("backup", "prune", "sessions", "--dry-run", "--root", root)
    assert ran.exit_code == 0
    lines = {backup: line for line in ran.stdout.splitlines() for backup in ids if backup in line}
    kept = [backup for backup in ids if " keep " in lines[backup]]
    assert len(kept) == 1
    assert "newest" in lines[kept[0]]
    assert all(
        "remove" in lines[b] and "more than max_backups" in lines[b] for b in {*ids} - {*kept}
    )
    assert "2 backups would be removed" in ran.stdout
    assert left(root) == set(ids)


def test_prune_page(run: Callable[..., Any], root: Path, ids: list[str]) -> None:
    """What is removed is named; a second run finds nothing to do."""
    ran = run("backup", "prune", "--all", "--root", root)
    assert ran.exit_code == 0
    assert "2 backups removed" in ran.stdout
    assert len(left(root)) == 1
    assert "0 backups removed" in run("backup", "prune", "--all", "--root", root).stdout


def test_prune_json(run: Callable[..., Any], root: Path, ids: list[str]) -> None:
    """JSON has what is kept, with reasons, and what is removed, with the reason."""
    told = run("backup", "prune", "sessions", "--root", root, "--json").json
    assert told["dry_run"] is False
    (store,) = told["stores"]
    assert store["store"] == "sessions"
    assert {kept["backup"]["id"] for kept in store["keep"]} == left(root)
    assert "newest" in store["keep"][0]["reasons"]
    assert {gone["because"] for gone in store["remove"]} == {"more than max_backups"}
    assert set(store["removed"]) == set(ids) - left(root)
    assert store["freed_bytes"] > 0


def test_prune_failure(run: Callable[..., Any], root: Path, ids: list[str]) -> None:
    """What cannot be deleted makes the exit code that of backups."""
    for backup in ids:
        path = root / "backups" / "sessions" / f"{backup}.json"
        path.unlink()
        path.mkdir()
    ran = run("backup", "prune", "--all", "--root", root)
    assert ran.exit_code == FAILED
    assert "Not everything could be deleted" in ran.stderr


@pytest.mark.parametrize("arguments", [(), ("sessions", "--all")])
def test_prune_whose(run: Callable[..., Any], root: Path, arguments: tuple[str, ...]) -> None:
    """Names or --all: one of them, never both."""
    assert run("backup", "prune", *arguments, "--root", root).exit_code == 2


def test_prune_unknown_store(run: Callable[..., Any], root: Path) -> None:
    """A name that no store has is an error that lists those there are."""
    ran = run("backup", "prune", "nobody", "--root", root)
    assert ran.exit_code == ds.StoreAbsentError.exit_code
    assert "sessions" in ran.stderr


def scheduled(root: Path) -> None:
    """Give the store "sessions" a schedule."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        factory.create_state_store("sessions", backup_every="6h")


def test_run_due_page(run: Callable[..., Any], root: Path) -> None:
    """What is due is taken once; then nothing is due."""
    scheduled(root)
    ran = run("backup", "run", "--due", "--root", root)
    assert ran.exit_code == 0
    assert "1 backup was due" in ran.stdout
    assert next(iter(left(root))) in ran.stdout
    assert "0 backups were due" in run("backup", "run", "--due", "--root", root).stdout


def test_run_due_early(run: Callable[..., Any], root: Path) -> None:
    """--early takes what becomes due within that time; a bad duration is refused."""
    scheduled(root)
    run("backup", "run", "--due", "--root", root)
    told = run("backup", "run", "--due", "--early", "7h", "--root", root, "--json").json
    assert [backup["store"] for backup in told["backups"]] == ["sessions"]
    ran = run("backup", "run", "--due", "--early", "soon", "--root", root)
    assert ran.exit_code == ds.OptionError.exit_code
    assert "early" in ran.stderr


def test_run_due_failure(run: Callable[..., Any], root: Path) -> None:
    """A store that could not be copied is named, and the exit code says so."""
    scheduled(root)
    (root / "stores" / "sessions.db").unlink()
    ran = run("backup", "run", "--due", "--root", root, "--json")
    assert ran.exit_code == FAILED
    assert ran.json["backups"][0]["error"]
    assert "sessions" in ran.stderr


def test_run_needs_due(run: Callable[..., Any], root: Path) -> None:
    """There is no other way to run them yet."""
    assert run("backup", "run", "--root", root).exit_code == 2
