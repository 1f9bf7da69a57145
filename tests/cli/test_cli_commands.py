"""The commands that look: stores, show, stats, health."""

from __future__ import annotations

import pytest
from schema_files import file_of, put_back, user_version

import dsfactory as ds

LOOKING = (["stores"], ["show", "sessions"], ["stats"], ["health"])


@pytest.mark.parametrize("command", LOOKING)
def test_values_are_not_shown(run, root, command):
    """No command shows a key or a value, neither to people nor to programs."""
    for form in ([], ["--json"]):
        ran = run(*command, "--root", root, *form)
        assert ran.exit_code == 0
        assert "secret" not in ran.stdout + ran.stderr


def test_stores_table(run, root):
    """People read name, kind and type of each store; a type with brackets is shown whole."""
    shown = run("stores", "--root", root).stdout
    for said in ("sessions", "state", "plain values", "thumbs", "cache", "dict[str, int]"):
        assert said in shown
    assert f"3 stores in {root}" in shown


def test_stores_json(run, root):
    """Programs get a record for each store, by name."""
    listed = run("stores", "--root", root, "--json").json
    assert listed["root"] == str(root)
    assert [store["name"] for store in listed["stores"]] == ["counts", "sessions", "thumbs"]
    assert listed["stores"][1]["kind"] == "state"
    assert listed["stores"][1]["path"] == str(root / "stores" / "sessions.db")


def test_stores_of_nothing(run, tmp_path):
    """A directory without a store yet is no error."""
    ds.DataStoreFactory(tmp_path, maintenance="manual").close()
    assert run("stores", "--root", tmp_path).stdout == f"0 stores in {tmp_path}\n"
    assert run("stats", "--root", tmp_path).exit_code == 0


def test_show_marks_what_differs(run, root):
    """An option that was chosen is shown beside the default of the kind."""
    lines = run("show", "thumbs", "--root", root).stdout.splitlines()
    (chosen,) = [line.split() for line in lines if line.startswith("max_entries")]
    (usual,) = [line.split() for line in lines if line.startswith("max_bytes")]
    assert chosen == ["max_entries", "7", "100"]
    assert usual == ["max_bytes", "no", "limit", "the", "same"]


def test_show_json(run, root):
    """Programs get the record, the options and the statistics."""
    shown = run("show", "thumbs", "--root", root, "--json").json
    assert shown["store"]["name"] == "thumbs"
    assert shown["options"]["max_entries"] == 7
    assert shown["stats"]["entries"] == 5


def test_show_unknown_store(run, root):
    """An unknown store is refused, and the known ones are named."""
    ran = run("show", "nosuch", "--root", root)
    assert ran.exit_code == ds.StoreAbsentError.exit_code
    assert "counts, sessions, thumbs" in ran.stderr
    assert ran.stdout == ""


def test_stats_json(run, root):
    """Programs get the statistics of each store, and of all."""
    counted = run("stats", "--root", root, "--json").json
    assert {store["name"]: store["entries"] for store in counted["stores"]} == {
        "counts": 0,
        "sessions": 1,
        "thumbs": 5,
    }
    assert counted["registry"]["entries"] == 6
    assert counted["registry"]["by_kind"] == {"cache": 1, "custom": 1, "state": 1}
    assert counted["registry"]["oldest"] == "sessions"


def test_stats_of_some(run, root):
    """Names narrow the table down to these stores."""
    shown = run("stats", "thumbs", "--root", root).stdout
    assert "thumbs" in shown
    assert "sessions" not in shown.partition("oldest")[0]


def test_stats_of_a_missing_file(run, root):
    """A store whose file is gone is shown with the reason, and does not hide the others."""
    (root / "stores" / "thumbs.db").unlink()
    ran = run("stats", "--root", root)
    assert ran.exit_code == ds.FileMissingError.exit_code
    assert "thumbs.db is gone" in ran.stdout
    assert "sessions" in ran.stdout
    assert not (root / "stores" / "thumbs.db").exists()
    sick = run("stats", "thumbs", "--root", root, "--json").json["stores"]
    assert sick[0]["name"] == "thumbs"
    assert "is gone" in sick[0]["error"]


def test_stats_upgrades_nothing(run, root):
    """A store of an earlier release is shown with the reason: looking does not change files."""
    put_back(root, "thumbs")
    ran = run("stats", "--root", root)
    assert ran.exit_code == ds.OlderSchemaError.exit_code
    assert "thumbs: " in ran.stdout
    assert user_version(file_of(root, "thumbs")) == 1


def test_health_well(run, root):
    """Healthy stores are well, and the exit code is 0."""
    shown = run("health", "--root", root)
    assert shown.exit_code == 0
    assert shown.stdout.count("well") == 4
    assert "SICK" not in shown.stdout


def test_health_json(run, root):
    """Programs get every question with its answer."""
    report = run("health", "--root", root, "--json").json
    assert report["healthy"] is True
    assert report["problems"] == []
    assert {probe["name"] for probe in report["stores"][0]["probes"]} >= {"file", "readable"}
    assert all(probe["ok"] for probe in report["factory"])


def test_health_sick(run, root):
    """A store whose file is gone is sick: exit code 1, the reason, and no new file."""
    (root / "stores" / "thumbs.db").unlink()
    ran = run("health", "--root", root)
    assert ran.exit_code == 1
    assert "SICK" in ran.stdout
    assert "thumbs: file: " in ran.stdout
    assert run("health", "--root", root, "--json").json["healthy"] is False
    assert not (root / "stores" / "thumbs.db").exists()
