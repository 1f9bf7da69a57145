"""``dsfactory backup ...``, ``dsfactory restore`` and ``scripts/restore``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from spine_samples import content, filled, flip, kept

import dsfactory as ds

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    """What the shell saw."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*command: object) -> Ran:
    """Run a command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "200"}
    environment.pop("DSFACTORY_ROOT", None)
    ran = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert "Traceback" not in ran.stderr
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def dsfactory(root: Path, *arguments: object) -> Ran:
    """Run the command line on a directory."""
    return run("-m", "dsfactory", *arguments, "--root", root)


def script(*arguments: object) -> Ran:
    """Run scripts/restore."""
    return run(CHECKOUT / "scripts" / "restore", *arguments)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with two stores, closed."""
    where = tmp_path / "data"
    with ds.DataStoreFactory(where, maintenance="manual") as factory:
        filled(factory)
        filled(factory, "other")
    return where


def held(root: Path, name: str = "sessions") -> dict[Any, Any]:
    """What a store holds, checked."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        store = factory.get_store(name)
        assert store.check() == []
        return content(store)


def change(root: Path) -> None:
    """Change a store."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        factory.get_store("sessions")["key-1"] = "changed"


def test_create_list_verify_restore(root: Path) -> None:
    """The way of an operator, in tables and in JSON."""
    before = held(root)
    made = dsfactory(root, "backup", "create", "sessions", "--tag", "v1", "--json")
    assert made.code == 0
    (backup,) = made.json["backups"]
    assert backup["tags"] == ["v1"]
    listed = dsfactory(root, "backup", "list", "sessions")
    assert backup["id"] in listed.out
    assert "1 backup" in listed.out
    assert dsfactory(root, "backup", "verify", "--all", "--deep").code == 0
    assert "verified" in dsfactory(root, "backup", "list").out
    change(root)
    refused = dsfactory(root, "restore", "sessions")
    assert refused.code == ds.RestoreRefusedError.exit_code
    assert "--force" in refused.err
    assert dsfactory(root, "restore", "sessions", "--dry-run").code == 0
    assert held(root)["key-1"] == "changed"
    done = dsfactory(root, "restore", "sessions", "--force", "--json")
    assert done.json["restored"][0]["safety"]["reason"] == "before-restore"
    assert held(root) == before


def test_set(root: Path) -> None:
    """All stores are copied and restored together."""
    before = held(root), held(root, "other")
    assert dsfactory(root, "backup", "create", "--all").code == 0
    (set_id,) = dsfactory(root, "backup", "list", "--sets", "--json").json["sets"]
    change(root)
    done = dsfactory(root, "restore", "--all", "--set", set_id, "--force", "--json")
    assert len(done.json["restored"]) == 2
    assert (held(root), held(root, "other")) == before


def test_pin_prune_run_rescan(root: Path) -> None:
    """Pins, rules, the schedule and the catalog are there for cron and for people."""
    dsfactory(root, "backup", "create", "--all")
    (backup, _) = dsfactory(root, "backup", "list", "--json").json["backups"]
    assert dsfactory(root, "backup", "pin", backup["id"], "--json").json["backup"]["pinned"]
    plan = dsfactory(root, "backup", "prune", "--all", "--dry-run")
    assert plan.code == 0
    assert "pinned" in plan.out
    assert dsfactory(root, "backup", "run", "--due").code == 0
    for path in root.glob("metadata.db*"):
        path.unlink()
    ds.DataStoreFactory(root, maintenance="manual").close()
    report = dsfactory(root, "backup", "rescan", "--json").json
    assert (report["backups"], len(report["added"])) == (2, 2)


def test_damage_has_its_exit_code(root: Path) -> None:
    """A damaged backup makes verify and restore end with 13, and names itself."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        backup = factory.backup("sessions")
        flip(kept(factory, backup, ".db.zst"), 100)
    for command in (["backup", "verify", "--all"], ["restore", "sessions", "--force"]):
        ended = dsfactory(root, *command)
        assert ended.code == 13
        assert backup.id in ended.err
    again = dsfactory(root, "backup", "create", "sessions", "--json")
    assert again.json["backups"][0]["id"] != backup.id


def test_verify_passes_over_what_is_elsewhere(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Backups that another place keeps are named, and are no damage."""
    dsfactory(root, "backup", "create", "sessions")
    monkeypatch.setenv("DSFACTORY_BACKUP_TARGET", str(tmp_path / "second"))
    dsfactory(root, "backup", "create", "sessions")
    ended = dsfactory(root, "backup", "verify", "--all")
    assert ended.code == 0
    assert "kept elsewhere" in ended.out
    assert "1 backup verified" in ended.out


def test_one_hinders_no_other(root: Path) -> None:
    """A store that cannot be copied is named; those that were asked for after it are copied."""
    (root / "stores" / "other.db").write_bytes(b"garbage!" * 1000)
    ended = dsfactory(root, "backup", "create", "other", "sessions")
    assert ended.code == 13
    assert "other" in ended.err
    (backup,) = dsfactory(root, "backup", "list", "--json").json["backups"]
    assert backup["store"] == "sessions"


def test_verifying_nothing(root: Path) -> None:
    """A name without backups is not passed over as verified."""
    ended = dsfactory(root, "backup", "verify", "sessions")
    assert ended.code == 13
    assert "'sessions'" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("backup", "create"),
        ("backup", "create", "x", "--all"),
        ("backup", "verify"),
        ("backup", "verify", "--all", "--sample", "200%"),
        ("restore",),
        ("restore", "--all"),
        ("restore", "sessions", "--at", "yesterday"),
    ],
)
def test_wrong_use(root: Path, arguments: tuple[str, ...]) -> None:
    """What makes no sense is said to make none, and nothing is done."""
    assert dsfactory(root, *arguments).code == 2


class TestScript:
    """Restoring with nothing but the backups."""

    @pytest.fixture
    def backups(self, root: Path) -> Path:
        """The backups of two stores whose directory is otherwise lost."""
        dsfactory(root, "backup", "create", "--all")
        kept_aside = root.parent / "rescued"
        (root / "backups").rename(kept_aside)
        return kept_aside

    def test_list(self, backups: Path) -> None:
        """What could be restored is listed, without a registry."""
        listed = script("--from", backups, "--list")
        assert listed.code == 0
        assert "sessions" in listed.out
        assert "other" in listed.out

    def test_to_a_file(self, backups: Path, tmp_path: Path) -> None:
        """One store is written to a file, and never over one that is there."""
        target = tmp_path / "sessions.db"
        assert script("--from", backups, "sessions", "--to", target).code == 0
        assert target.read_bytes()[:15] == b"SQLite format 3"
        assert script("--from", backups, "sessions", "--to", target).code == 13
        assert script("--from", backups, "sessions", "--to", target, "--force").code == 0

    def test_into_a_new_directory(self, root: Path, backups: Path, tmp_path: Path) -> None:
        """Everything is brought back where a factory finds it."""
        fresh = tmp_path / "fresh"
        assert script("--from", backups, "--all", "--root", fresh).code == 0
        assert held(fresh) == held(root)
        assert held(fresh, "other") == held(root, "other")

    def test_over_a_live_directory(self, root: Path, backups: Path) -> None:
        """What is there is overwritten only when forced."""
        before = held(root)
        change(root)
        refused = script("--from", backups, "sessions", "--root", root)
        assert refused.code == 13
        assert "--force" in refused.err
        assert held(root)["key-1"] == "changed"
        assert script("--from", backups, "sessions", "--root", root, "--force").code == 0
        assert held(root) == before

    def test_damaged_registry(self, root: Path, backups: Path) -> None:
        """A registry that cannot be read is put aside when forced, and the stores come back."""
        before = held(root)
        for path in root.glob("metadata.db*"):
            path.unlink()
        (root / "metadata.db").write_bytes(b"garbage!" * 1000)
        assert script("--from", backups, "--all", "--root", root).code == 13
        assert script("--from", backups, "--all", "--root", root, "--force").code == 0
        assert held(root) == before
        aside = root / "quarantine" / "metadata-0001" / "metadata.db"
        assert aside.read_bytes() == b"garbage!" * 1000

    def test_one_of_all_is_damaged(self, root: Path, backups: Path, tmp_path: Path) -> None:
        """A store that cannot be restored is named; all others are."""
        (payload,) = (backups / "other").glob("*.zst")
        flip(payload, 80)
        ended = script("--from", backups, "--all", "--root", tmp_path / "fresh")
        assert ended.code == 13
        assert "other" in ended.err
        assert held(tmp_path / "fresh") == held(root)

    def test_nothing_is_tidied_up(self, backups: Path) -> None:
        """A payload that lost its manifest is left to whoever can still use it."""
        (manifest,) = (backups / "other").glob("*.json")
        (payload,) = (backups / "other").glob("*.zst")
        manifest.unlink()
        payload.rename(payload.with_name("20201122T101500Z-4f2a9c1b.db.zst"))
        script("--from", backups, "--list")
        assert len(list((backups / "other").glob("*.zst"))) == 1

    def test_damaged_backup_among_them(self, backups: Path, tmp_path: Path) -> None:
        """A damaged manifest is complained of and does not hinder the others."""
        (manifest,) = (backups / "other").glob("*.json")
        manifest.write_text("{}")
        ended = script("--from", backups, "sessions", "--to", tmp_path / "s.db")
        assert ended.code == 0
        assert manifest.stem in ended.err

    @pytest.mark.parametrize(
        "arguments",
        [("sessions",), ("--all",), ("--all", "--to", "x"), ("a", "b", "--to", "x")],
    )
    def test_wrong_use(self, backups: Path, arguments: tuple[str, ...]) -> None:
        """What makes no sense is said to make none."""
        assert script("--from", backups, *arguments).code == 2

    def test_place_is_not_there(self, tmp_path: Path) -> None:
        """An empty or missing place has nothing to restore."""
        ended = script("--from", tmp_path / "nowhere", "sessions", "--to", tmp_path / "s.db")
        assert ended.code == 13
