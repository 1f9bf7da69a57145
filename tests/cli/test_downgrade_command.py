"""``dsfactory downgrade``: back to an earlier revision, with the same report."""

from __future__ import annotations

from pathlib import Path

import pytest
from schema_files import base, file_of, head, run_sql, schema, settings, steps, user_version

import dsfactory as ds
from dsfactory.engine.copying import copy_online
from dsfactory.places import METADATA

FAILED = ds.UpgradeError.exit_code


def test_needs_to(run, root):
    """Without --to there is nothing to go back to: exit code 2."""
    ran = run("downgrade", "sessions", "--root", root)
    assert ran.exit_code == 2
    assert "--to" in ran.stderr


def test_needs_a_name(run, root):
    """Downgrading everything is not offered: stores are named."""
    assert run("downgrade", "--to", "1", "--root", root).exit_code == 2


@pytest.mark.parametrize("to", ["1", base("state")])
def test_to(run, root, to):
    """The file is brought back, and the copy from before is named."""
    ran = run("downgrade", "sessions", "--to", to, "--root", root, "--json")
    (file,) = ran.json["files"]
    assert (ran.exit_code, ran.json["at_head"]) == (0, False)
    assert (file["from"], file["to"]) == (head("state"), base("state"))
    assert file["steps"] == steps("state")[::-1]
    assert file["result"] == "downgraded"
    assert user_version(Path(file["snapshot"])) == len(steps("state")) + 1
    assert user_version(file_of(root, "sessions")) == 1


def test_one_step(run, root):
    """-1 is one step back, for each store in its own lineage."""
    ran = run("downgrade", "sessions", "thumbs", "--to", "-1", "--root", root, "--json")
    assert [f["steps"] for f in ran.json["files"]] == [[head("state")], [head("cache")]]


def test_report_for_people(run, root):
    """People read the same line as of an upgrade."""
    shown = run("downgrade", "sessions", "--to", "1", "--root", root).stdout
    assert "downgraded" in shown
    assert "Copies from before are in " in shown
    assert "0 of 1 at head" in shown


def test_back_and_up_again(run, root):
    """Down and up again gives the same schema and the same values."""
    before = schema(file_of(root, "thumbs"))
    run("downgrade", "thumbs", "--to", "1", "--root", root)
    assert schema(file_of(root, "thumbs")) != before
    assert run("upgrade", "thumbs", "--root", root).exit_code == 0
    assert schema(file_of(root, "thumbs")) == before
    with ds.DataStoreFactory(root, maintenance="manual", upgrade="never") as factory:
        assert dict(factory.get_store("thumbs")) == {n: n for n in range(5)}


def test_unknown_name(run, root):
    """An unknown store is refused, before anything is done with the others."""
    ran = run("downgrade", "sessions", "nosuch", "--to", "1", "--root", root)
    assert ran.exit_code == ds.StoreAbsentError.exit_code
    assert user_version(file_of(root, "sessions")) > 1


@pytest.mark.parametrize("to", ["nosuch", "0", "-77"])
def test_unknown_revision(run, root, to):
    """An unknown revision is refused with those that there are, and the file stays at head."""
    ran = run("downgrade", "sessions", "--to", to, "--root", root)
    assert ran.exit_code == FAILED
    assert base("state") in ran.stdout
    assert "1 of 1 at head" in ran.stdout


def test_forward(run, root):
    """Downgrading goes no way forward; it says which command does."""
    run("downgrade", "sessions", "--to", "1", "--root", root)
    ran = run("downgrade", "sessions", "--to", "head", "--root", root)
    assert ran.exit_code == FAILED
    assert "dsfactory upgrade" in ran.stdout


def test_where_it_is(run, root):
    """A file that is there already stays."""
    ran = run("downgrade", "sessions", "--to", "head", "--root", root, "--json")
    assert (ran.exit_code, ran.json["files"][0]["result"]) == (0, "at head")


@pytest.mark.parametrize("to", ["base", f"-{len(steps('state')) + 1}"])
def test_before_the_base(run, root, to):
    """There is nothing before the base: the step refuses, and the file is as it was."""
    before = schema(file_of(root, "sessions"))
    ran = run("downgrade", "sessions", "--to", to, "--root", root)
    assert ran.exit_code == FAILED
    assert "delete the file instead" in ran.stdout
    assert schema(file_of(root, "sessions")) == before


def test_dry_run(run, root):
    """A dry run tries the way back on a copy."""
    ran = run("downgrade", "sessions", "--to", "1", "--dry-run", "--root", root, "--json")
    assert ran.json["files"][0]["result"] == "works on a copy"
    assert ran.json["at_head"] is True
    assert user_version(file_of(root, "sessions")) > 1


def test_sql_does_it(run, root, tmp_path):
    """The printed statements make of a copy what the downgrade makes of the file."""
    path, copy = file_of(root, "sessions"), tmp_path / "copy.db"
    copy_online(path, settings(), copy)
    run_sql(copy, run("downgrade", "sessions", "--to", "1", "--sql", "--root", root).stdout)
    run("downgrade", "sessions", "--to", "1", "--root", root)
    assert schema(copy) == schema(path)
    assert user_version(copy) == 1


def test_registry(run, root):
    """The registry can be brought back as well; then only upgrade still reads it."""
    ran = run("downgrade", "registry", "sessions", "--to", "1", "--root", root)
    assert ran.exit_code == 0
    assert user_version(root / METADATA) == 1
    assert run("stores", "--root", root).exit_code == ds.OlderSchemaError.exit_code
    assert run("upgrade", "--all", "--root", root).exit_code == 0
    assert run("stores", "--root", root).exit_code == 0
