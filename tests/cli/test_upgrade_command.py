"""``dsfactory upgrade``: every file by itself, a line each, and an exit code."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from schema_files import (
    base,
    file_of,
    head,
    put_back,
    run_sql,
    schema,
    settings,
    steps,
    user_version,
)

import dsfactory as ds
from dsfactory.engine.copying import copy_online
from dsfactory.places import METADATA

FAILED = ds.UpgradeError.exit_code
OBSTACLE = "CREATE TABLE lease (mine)"
NO_OBSTACLE = "DROP TABLE lease"


@pytest.fixture
def behind(root: Path) -> Path:
    """The directory, with its state store and its cache at the first revision."""
    put_back(root, "sessions", "thumbs")
    return root


def results(ran) -> dict[str, str]:
    return {file["name"]: file["result"] for file in ran.json["files"]}


def kept(root: Path) -> set[Path]:
    """The copies from before, and whatever else lies beside them."""
    return set((root / "backups").rglob("*"))


def one(ran):
    (file,) = ran.json["files"]
    return file


def test_without_names(run, root):
    """Without a name and without --all it says what to give, and does nothing."""
    ran = run("upgrade", "--root", root)
    assert ran.exit_code == 2
    assert "names of stores, or --all" in ran.stderr


def test_names_and_all(run, root):
    """Names beside --all contradict it."""
    assert run("upgrade", "sessions", "--all", "--root", root).exit_code == 2


def test_all_at_head(run, root):
    """Files at head are left alone: exit code 0, no copy, and the registry is among them."""
    ran = run("upgrade", "--all", "--root", root, "--json")
    assert ran.exit_code == 0
    assert ran.json["at_head"] is True
    assert results(ran) == dict.fromkeys(("registry", "counts", "sessions", "thumbs"), "at head")
    assert not (root / "backups").exists()


def test_all(run, behind):
    """What is behind is upgraded, what is at head stays, and values are as they were."""
    ran = run("upgrade", "--all", "--root", behind, "--json")
    assert ran.exit_code == 0
    assert ran.json["at_head"] is True
    assert results(ran)["sessions"] == results(ran)["thumbs"] == "upgraded"
    assert results(ran)["counts"] == results(ran)["registry"] == "at head"
    with ds.DataStoreFactory(behind, maintenance="manual", upgrade="never") as factory:
        assert len(factory.get_store("thumbs")) == 5


def test_report_for_programs(run, behind):
    """Programs get the file, the way that it went, and the copy from before."""
    file = one(run("upgrade", "sessions", "--root", behind, "--json"))
    assert (file["kind"], file["path"]) == ("state", str(file_of(behind, "sessions")))
    assert (file["from"], file["to"]) == (base("state"), head("state"))
    assert file["steps"] == steps("state")
    assert (file["error"], file["sql"]) == (None, [])
    assert user_version(Path(file["snapshot"])) == 1


def test_report_for_people(run, behind):
    """People read a line a file, and the folder with the copies."""
    shown = run("upgrade", "sessions", "counts", "--root", behind).stdout
    (line,) = [line for line in shown.splitlines() if line.startswith("sessions")]
    for said in ("state", base("state"), head("state"), "upgraded", "sessions-state_0001-"):
        assert said in line
    assert f"Copies from before are in {behind / 'backups'}" in shown
    assert shown.endswith("2 of 2 at head\n")


def test_named_only(run, behind):
    """Only the named stores are upgraded, each once."""
    ran = run("upgrade", "sessions", "sessions", "--root", behind, "--json")
    assert results(ran) == {"sessions": "upgraded"}
    assert user_version(file_of(behind, "thumbs")) == 1


def test_unknown_name(run, behind):
    """An unknown name is refused with the known ones, before anything is done with the others."""
    ran = run("upgrade", "sessions", "nosuch", "--root", behind)
    assert ran.exit_code == ds.StoreAbsentError.exit_code
    assert "counts, sessions, thumbs" in ran.stderr
    assert user_version(file_of(behind, "sessions")) == 1


def test_absent_directory(run, tmp_path):
    """Where there are no stores it says so, and makes no directory."""
    assert run("upgrade", "--all", "--root", tmp_path / "typo").exit_code == 4
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize("to", [base("state"), "1", "state_0001"])
def test_to_where_it_is(run, behind, to):
    """A file that is at the wanted revision stays there: that is no failure, and not head."""
    ran = run("upgrade", "sessions", "--to", to, "--root", behind, "--json")
    assert ran.exit_code == 0
    assert ran.json["at_head"] is False
    assert results(ran) == {"sessions": "unchanged"}


@pytest.mark.parametrize("to", ["2", "+1", steps("state")[0]])
def test_to(run, behind, to):
    """A revision is given by its name, its number, or the steps to it."""
    file = one(run("upgrade", "sessions", "--to", to, "--root", behind, "--json"))
    assert (file["to"], file["steps"]) == (steps("state")[0], steps("state")[:1])
    assert user_version(file_of(behind, "sessions")) == 2


def test_to_behind(run, root):
    """Upgrading goes no way back: a file that is further stays where it is."""
    ran = run("upgrade", "sessions", "--to", "1", "--root", root, "--json")
    assert (ran.exit_code, results(ran)) == (0, {"sessions": "at head"})


@pytest.mark.parametrize("to", ["nosuch", "state", "777", "+9", "-9"])
def test_to_unknown(run, behind, to):
    """An unknown revision is refused, naming those that there are."""
    ran = run("upgrade", "sessions", "--to", to, "--root", behind)
    assert ran.exit_code == FAILED
    assert "FAILED" in ran.stdout
    assert head("state") in ran.stdout
    assert user_version(file_of(behind, "sessions")) == 1


def test_one_fails(run, behind):
    """What cannot be upgraded is as it was and says why; the others are upgraded."""
    path = file_of(behind, "sessions")
    run_sql(path, OBSTACLE)
    ran = run("upgrade", "--all", "--root", behind)
    assert ran.exit_code == FAILED
    assert "sessions: revision state_0002 failed" in ran.stdout
    assert "CREATE TABLE lease" in ran.stdout
    assert "A copy from before is " in ran.stdout
    assert "3 of 4 at head" in ran.stdout
    assert user_version(path) == 1
    run_sql(path, NO_OBSTACLE)


def test_second_run(run, behind):
    """A second run goes on with what the first left, once the reason is mended."""
    path = file_of(behind, "sessions")
    run_sql(path, OBSTACLE)
    first = run("upgrade", "--all", "--root", behind, "--json")
    failed = {file["name"]: file for file in first.json["files"]}["sessions"]
    assert user_version(Path(failed["snapshot"])) == 1
    run_sql(path, NO_OBSTACLE)
    again = run("upgrade", "--all", "--root", behind, "--json")
    assert (failed["result"], failed["steps"], failed["at_head"]) == ("FAILED", [], False)
    assert failed["from"] == failed["to"] == base("state")
    assert (again.exit_code, again.json["at_head"]) == (0, True)
    assert results(again)["sessions"] == "upgraded"
    assert results(again)["thumbs"] == "at head"


def test_missing_file(run, behind):
    """A file that is gone fails by itself, and is not made anew."""
    file_of(behind, "sessions").unlink()
    ran = run("upgrade", "--all", "--root", behind)
    assert ran.exit_code == FAILED
    assert "sessions.db is gone" in ran.stdout
    assert "3 of 4 at head" in ran.stdout
    assert not file_of(behind, "sessions").exists()


def test_copies_cannot_be_made(run, behind):
    """Without room for the copy from before, nothing is changed."""
    shutil.rmtree(behind / "backups")
    (behind / "backups").write_text("in the way")
    ran = run("upgrade", "sessions", "--root", behind)
    assert ran.exit_code == FAILED
    assert "backups" in ran.stdout
    assert user_version(file_of(behind, "sessions")) == 1
    (behind / "backups").unlink()


def test_system_error(run, behind, monkeypatch):
    """An error of the operating system belongs to the one file as well."""
    from dsfactory.cli.schemas import walks

    def refuse(*_arguments, **_options):
        raise PermissionError(13, "not yours")

    monkeypatch.setattr(walks, "upgrade_file", refuse)
    ran = run("upgrade", "--all", "--root", behind)
    assert ran.exit_code == FAILED
    assert ran.stdout.count("not yours") == 2


def test_dry_run(run, behind):
    """A dry run tries what is pending on copies, and changes no file."""
    before = {name: schema(file_of(behind, name)) for name in ("sessions", "thumbs")}
    copies = kept(behind)
    ran = run("upgrade", "--all", "--dry-run", "--root", behind, "--json")
    assert ran.exit_code == 0
    assert ran.json["tried"] is True
    assert ran.json["at_head"] is False
    file = next(file for file in ran.json["files"] if file["name"] == "sessions")
    assert (file["result"], file["steps"]) == ("works on a copy", steps("state"))
    assert file["snapshot"] is None
    assert {name: schema(file_of(behind, name)) for name in before} == before
    assert kept(behind) == copies


def test_dry_run_fails(run, behind):
    """A dry run finds what would fail."""
    path = file_of(behind, "sessions")
    run_sql(path, OBSTACLE)
    ran = run("upgrade", "--all", "--dry-run", "--root", behind)
    assert ran.exit_code == FAILED
    assert "2 of 4 at head" in ran.stdout
    assert "Copies from before" not in ran.stdout
    assert user_version(file_of(behind, "thumbs")) == 1
    run_sql(path, NO_OBSTACLE)


@pytest.mark.parametrize("name", ["sessions", "thumbs"])
def test_sql_does_it(run, behind, tmp_path, name):
    """The printed statements make of a copy what the upgrade makes of the file."""
    path, copy = file_of(behind, name), tmp_path / "copy.db"
    copy_online(path, settings(), copy)
    script = run("upgrade", name, "--sql", "--root", behind)
    assert script.exit_code == 0
    assert user_version(path) == 1
    run_sql(copy, script.stdout)
    run("upgrade", name, "--root", behind)
    assert schema(copy) == schema(path)
    assert user_version(copy) == user_version(path)
    assert "quick_check" not in script.stdout


def test_sql_form(run, behind):
    """Comments say which file; every statement ends with a semicolon; at head there is none."""
    shown = run("upgrade", "sessions", "counts", "--sql", "--root", behind).stdout
    assert f"-- sessions (state): {base('state')} -> {head('state')}\n-- {behind}" in shown
    mine, _, others = shown.partition("-- counts (custom): at head")
    assert mine.rstrip().endswith("COMMIT;")
    assert mine.count("BEGIN IMMEDIATE;") == 1
    assert ";" not in others


def test_sql_fails(run, behind):
    """What would fail is a comment in the script, and an error on standard error."""
    path = file_of(behind, "sessions")
    run_sql(path, OBSTACLE)
    ran = run("upgrade", "sessions", "thumbs", "--sql", "--root", behind)
    assert ran.exit_code == FAILED
    assert ran.stderr.startswith("dsfactory: sessions: revision state_0002 failed")
    assert f"-- sessions (state): FAILED, {base('state')}" in ran.stdout
    assert ran.stdout.count("COMMIT;") == 1
    run_sql(path, NO_OBSTACLE)


def test_sql_of_a_statement_with_a_comment():
    """A comment at the end of a statement does not swallow its semicolon."""
    from dsfactory.cli.schemas.reports import _ended

    assert _ended("SELECT 1 -- one") == "SELECT 1 -- one\n;"
    assert _ended("SELECT 1;\n") == "SELECT 1;"


@pytest.fixture
def registry_behind(behind: Path) -> Path:
    """The same, with the registry at its first revision too."""
    put_back(behind, "registry")
    return behind


def test_registry(run, registry_behind):
    """A registry that is behind hinders nothing: it is upgraded with the others."""
    ran = run("upgrade", "--all", "--root", registry_behind, "--json")
    assert (ran.exit_code, ran.json["at_head"]) == (0, True)
    first = ran.json["files"][0]
    assert (first["name"], first["steps"]) == ("registry", steps("registry"))
    assert user_version(Path(first["snapshot"])) == 1
    assert run("stores", "--root", registry_behind).exit_code == 0


@pytest.mark.parametrize("how", [["--all", "--dry-run"], ["sessions"]])
def test_registry_left_alone(run, registry_behind, how):
    """A registry that nobody asked to upgrade stays behind, and is read all the same."""
    ran = run("upgrade", *how, "--root", registry_behind)
    assert ran.exit_code == 0
    assert head("state") in ran.stdout
    assert user_version(registry_behind / METADATA) == 1


def test_registry_by_name(run, registry_behind):
    """The registry can be named."""
    ran = run("upgrade", "registry", "--root", registry_behind, "--json")
    assert results(ran) == {"registry": "upgraded"}


def test_store_named_registry(run, root):
    """A store that is called "registry" is meant by its name; --all has both."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        factory.create_state_store("registry")
    assert one(run("upgrade", "registry", "--root", root, "--json"))["kind"] == "state"
    files = run("upgrade", "--all", "--root", root, "--json").json["files"]
    assert [f["kind"] for f in files if f["name"] == "registry"] == ["registry", "state"]


def test_progress_on_a_terminal(run, behind, monkeypatch):
    """On a terminal a bar on standard error says which file is at work, and its rows."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    ran = run("upgrade", "--all", "--root", behind, "--json")
    assert "rows of " in ran.stderr
    assert "files" in ran.stderr
    assert results(ran)["sessions"] == "upgraded"


def test_no_progress_elsewhere(run, behind):
    """Into a file or a pipe no bar is written."""
    assert run("upgrade", "--all", "--root", behind).stderr == ""


@pytest.mark.parametrize("name", ["upgrade", "downgrade", "revisions"])
def test_help_is_cheap(name):
    """The help of these commands imports neither SQLAlchemy nor Alembic."""
    code = "import sys; from dsfactory.cli.main import main\n"
    code += f"try: main([{name!r}, '--help'])\n"
    code += "except SystemExit as end: print('IMPORTED', end.code, *sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    imported = ran.stdout.partition("IMPORTED")[2].split()
    assert imported[0] == "0"
    assert not {"sqlalchemy", "alembic"} & set(imported)
