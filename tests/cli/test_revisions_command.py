"""``dsfactory revisions``: the lineages, and where a store stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from schema_files import base, file_of, head, put_back, run_sql, settings, steps

import dsfactory as ds
from dsfactory.cli.schemas.targets import Targets
from dsfactory.engine.copying import copy_online
from dsfactory.upgrade import lineage_of, upgrade_file

KINDS = ["registry", *map(str, ds.Kind)]
REVISION = '''"""{title}"""
from alembic import op
revision = "{name}"
down_revision = {down!r}
def upgrade():
    op.execute("CREATE TABLE {name} (n INTEGER)")
def downgrade():
    op.execute("DROP TABLE {name}")
'''


@pytest.fixture
def orders(root: Path, tmp_path: Path) -> Path:
    """A custom store "orders" with one revision of the application's own; one more is pending."""
    versions = tmp_path / "app" / "versions"
    versions.mkdir(parents=True)
    first = REVISION.format(title="Orders.", name="orders_1", down=None)
    (versions / "orders_1.py").write_text(first)
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        factory.create_custom_store("orders", migrations=str(versions.parent)).close()
    upgrade_file(Targets(root).named(["orders"])[0])
    second = REVISION.format(title="Items of orders.", name="orders_2", down="orders_1")
    (versions / "orders_2.py").write_text(second)
    return root


def lines(shown: str) -> dict[str, str]:
    """The lines of a table by their second word, the revision."""
    return {words[1]: line for line in shown.splitlines() if len(words := line.split()) > 2}


def test_every_kind(run):
    """Without a kind all lineages are listed with their titles; it needs no directory."""
    ran = run("revisions")
    assert ran.exit_code == 0
    shown = lines(ran.stdout)
    for kind in KINDS:
        assert "The base of" in shown[base(kind)]
        assert shown[head(kind)].rstrip().endswith("head")
        assert not shown[base(kind)].rstrip().endswith("head")


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind(run, kind):
    """Of a kind its own lineage is listed, the base first."""
    (lineage,) = run("revisions", kind, "--json").json["lineages"]
    assert (lineage["name"], lineage["head"]) == (kind, head(kind))
    assert [r["id"] for r in lineage["revisions"]] == [base(kind), *steps(kind)]
    assert lineage["revisions"][0]["down"] is None
    assert lineage["revisions"][1]["title"] == lineage_of(kind).revisions()[1].title


def test_store_at_head(run, root):
    """A store stands at the newest revision of its kind."""
    ran = run("revisions", "sessions", "--root", root)
    assert ran.exit_code == 0
    assert "stands here" in lines(ran.stdout)[head("state")]
    assert "done" in lines(ran.stdout)[base("state")]
    assert "sessions is at head." in ran.stdout


def test_store_behind(run, root):
    """A store that is behind says what is pending and how to run it; it stays behind."""
    put_back(root, "sessions")
    for _ in range(2):
        ran = run("revisions", "sessions", "--root", root)
        assert "stands here" in lines(ran.stdout)[base("state")]
        assert "pending" in lines(ran.stdout)[head("state")]
        assert "dsfactory upgrade sessions" in ran.stdout


def test_store_json(run, root):
    """Programs get where the store stands, and what is pending."""
    put_back(root, "sessions")
    found = run("revisions", "sessions", "--root", root, "--json").json
    assert [lineage["name"] for lineage in found["lineages"]] == ["state"]
    assert found["store"] == {
        "name": "sessions",
        "kind": "state",
        "revision": base("state"),
        "pending": steps("state"),
    }


def test_registry_behind(run, root):
    """A registry that is behind does not hinder looking."""
    put_back(root, "registry")
    assert "at head" in run("revisions", "sessions", "--root", root).stdout


def test_unknown_name(run, root):
    """What is neither a kind nor a store is refused, naming the stores."""
    ran = run("revisions", "nosuch", "--root", root)
    assert ran.exit_code == ds.StoreAbsentError.exit_code
    assert "counts, sessions, thumbs" in ran.stderr


def test_missing_file(run, root):
    """A store whose file is gone has no revision: the exit code tells, and none is made."""
    file_of(root, "sessions").unlink()
    ran = run("revisions", "sessions", "--root", root)
    assert ran.exit_code == ds.FileMissingError.exit_code
    assert not file_of(root, "sessions").exists()


def test_unknown_revision(run, root):
    """A file at a revision that this release does not have is refused as newer."""
    path = file_of(root, "sessions")
    before = path.with_name("kept.db")
    copy_online(path, settings(), before)
    run_sql(path, "UPDATE alembic_version SET version_num = 'state_7777'; PRAGMA user_version=7777")
    ran = run("revisions", "sessions", "--root", root)
    assert ran.exit_code == ds.NewerSchemaError.exit_code
    assert "7777" in ran.stderr
    before.replace(path)


def test_own_lineage(run, orders):
    """An application's own lineage is listed beside that of the kind, with what is pending."""
    ran = run("revisions", "orders", "--root", orders)
    shown = lines(ran.stdout)
    assert "stands here" in shown[head("custom")]
    assert "done" in shown["orders_1"]
    assert "pending" in shown["orders_2"]
    assert "Items of orders." in shown["orders_2"]
    assert "1 revision is pending" in ran.stdout


def test_own_lineage_as_sql(run, orders):
    """The statements of the application's own lineage leave the revision of ours as it is."""
    script = run("upgrade", "orders", "--sql", "--root", orders).stdout
    assert "CREATE TABLE orders_2" in script
    assert "alembic_version_application" in script
    assert "user_version" not in script


def test_own_lineage_upgraded(run, orders):
    """What is pending of the application's own is upgraded with the rest of the file."""
    assert run("revisions", "orders", "--root", orders, "--json").json["store"]["pending"] == [
        "orders_2"
    ]
    ran = run("upgrade", "orders", "--root", orders, "--json")
    (file,) = ran.json["files"]
    assert (ran.exit_code, file["steps"], file["at_head"]) == (0, ["orders_2"], True)
    assert file["from"] == file["to"] == head("custom")
    assert run("upgrade", "orders", "--root", orders, "--json").json["at_head"] is True
