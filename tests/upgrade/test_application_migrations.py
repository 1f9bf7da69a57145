"""An application's own tables in a custom store: their lineage beside ours, in one transaction."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from upgrade_tools import after_base, contents, next_revision, step, target_of, with_step

import dsfactory as ds
from dsfactory.upgrade import dry_run, pending, upgrade_file

CREATE = (
    'op.create_table("invoice", sa.Column("id", sa.Integer, primary_key=True), '
    'sa.Column("total", sa.Integer))'
)
ADD = 'op.add_column("invoice", sa.Column("paid", sa.Integer))'
BATCH = "\n    ".join(
    (
        'with op.batch_alter_table("invoice") as batch:',
        '    batch.alter_column("total", nullable=False)',
    )
)
INVOICES = "SELECT name FROM sqlite_schema WHERE name = 'invoice'"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The folder of an application's migrations, with the first revision."""
    step(tmp_path / "app" / "versions", "a1", None, CREATE, back='op.drop_table("invoice")')
    return tmp_path / "app"


def orders(factory: ds.DataStoreFactory, app: Path | None = None) -> ds.CustomStore[Any]:
    """Ask for the store as the application does."""
    options = {} if app is None else {"migrations": app}
    return factory.create_custom_store("orders", **options)


def more(app: Path) -> None:
    """Add two revisions."""
    step(app / "versions", "a2", "a1", ADD)
    step(app / "versions", "a3", "a2", BATCH)


def reached(path: Path) -> list[tuple[Any, ...]]:
    """Where the application's lineage stands."""
    return contents(path)["alembic_version_application"]


def test_new_store(factory: ds.DataStoreFactory, app: Path) -> None:
    """A new store has the application's tables from its first moment, under every policy."""
    more(app)
    store = orders(factory, app)
    assert reached(store.path) == [("a3",)]
    assert store.options.migrations == str(app.resolve())
    assert not list((factory.root / "backups").glob("*/*.db"))
    store["k"] = 1
    with ds.DataStoreFactory(factory.root, maintenance="manual", upgrade="never") as strict:
        strict.create_custom_store("more", migrations=app)
        assert strict.get_store("orders")["k"] == 1
        strict.unregister_store("more", delete_files=True)


def test_new_store_with_bad_migrations(factory: ds.DataStoreFactory, app: Path) -> None:
    """When the application's migrations fail, there is no file and no record of the store."""
    step(app / "versions", "a2", "a1", "raise RuntimeError('no')")
    with pytest.raises(ds.UpgradeFailedError, match=r"revision a2 failed .*RuntimeError: no"):
        orders(factory, app)
    assert factory.get_registered_stores() == []
    assert list((factory.root / "stores").iterdir()) == []


def test_new_revisions_at_opening(factory: ds.DataStoreFactory, app: Path) -> None:
    """Revisions that came since are run when the store is opened, after a copy."""
    with orders(factory, app) as store:
        store["k"] = 1
    more(app)
    store = orders(factory)
    assert reached(store.path) == [("a3",)]
    assert store["k"] == 1
    assert len(list((factory.root / "backups" / "before-upgrade").glob("orders-*.db"))) == 1


def test_migrations_given_later(factory: ds.DataStoreFactory, app: Path) -> None:
    """A store that was made without gets its application's tables when they are named."""
    orders(factory).close()
    store = orders(factory, app)
    assert reached(store.path) == [("a1",)]
    store.close()
    assert factory.get_store("orders").options.migrations == str(app.resolve())


@pytest.mark.parametrize("policy", ["never", "check"])
def test_policies(factory: ds.DataStoreFactory, app: Path, policy: str) -> None:
    """New revisions are refused where ours would be; an operator can run them then."""
    orders(factory).close()
    with ds.DataStoreFactory(factory.root, maintenance="manual", upgrade=policy) as strict:
        match = "a1 went well" if policy == "check" else "migrations in .* as they are now"
        with pytest.raises(ds.OlderSchemaError, match=match):
            orders(strict, app)
        (report,) = strict.upgrade("orders")
        assert (report.steps, report.error) == (("a1",), None)
        assert reached(orders(strict, app).path) == [("a1",)]


def test_folder_that_changed_without_a_revision(factory: ds.DataStoreFactory, app: Path) -> None:
    """A comment added to a revision is noted under every policy, with nothing to run or copy."""
    orders(factory, app).close()
    path = app / "versions" / "a1.py"
    path.write_text(path.read_text() + "# a comment\n")
    with ds.DataStoreFactory(factory.root, maintenance="manual", upgrade="never") as strict:
        strict.get_store("orders")
    assert not list((factory.root / "backups").glob("*/*.db"))
    assert len(contents(factory.get_store("orders").path)["meta"]) == 1


def test_folder_that_is_gone(factory: ds.DataStoreFactory, app: Path) -> None:
    """A folder that is gone is named, with the way to say where it is now."""
    orders(factory, app).close()
    moved = app.rename(app.with_name("moved"))
    with pytest.raises(ds.LineageError, match=r"migrations folder .*app is not there"):
        factory.get_store("orders")
    assert orders(factory, moved).options.migrations == str(moved.resolve())


def test_theirs_fails_ours_is_undone(factory: ds.DataStoreFactory, app: Path) -> None:
    """Ours and theirs are one transaction: when theirs fails, ours is undone as well."""
    store = orders(factory, app)
    store["k"] = 1
    store.close()
    target = target_of(factory, "orders")
    upgrade_file(target, to="custom_0001", down=True)
    bad = step(app / "versions", "a2", "a1", ADD + '; op.execute("no sql")')
    before = contents(store.path)
    assert pending(target) == (*after_base("custom"), "a2")
    with pytest.raises(ds.UpgradeFailedError, match=r"revision a2 failed.*no sql") as caught:
        factory.get_store("orders")
    assert caught.value.facts["revision"] == "a2"
    assert contents(store.path) == before
    assert contents(Path(caught.value.facts["snapshot"])) == before
    step(app / "versions", "a2", "a1", ADD)
    assert bad.exists()
    assert factory.get_store("orders")["k"] == 1
    assert reached(store.path) == [("a2",)]


def test_ours_fails_theirs_does_not_run(
    factory: ds.DataStoreFactory, app: Path, tmp_path: Path
) -> None:
    """When ours fails, theirs has not begun."""
    orders(factory, app).close()
    more(app)
    root = with_step(tmp_path, "raise RuntimeError('ours')", kind="custom")
    target = target_of(factory, "orders", migrations=root)
    with pytest.raises(ds.UpgradeFailedError, match=next_revision("custom") + " failed .*ours"):
        upgrade_file(target)
    assert reached(target.path) == [("a1",)]


def test_their_rows_are_theirs(factory: ds.DataStoreFactory, app: Path) -> None:
    """Their revisions may add and remove their own rows, but ours not unsaid."""
    store = orders(factory, app)
    store["k"] = 1
    store.close()
    step(app / "versions", "a2", "a1", 'op.execute("INSERT INTO invoice VALUES (1, 5)")')
    step(app / "versions", "a3", "a2", 'op.drop_table("invoice")')
    orders(factory).close()
    step(app / "versions", "a4", "a3", 'op.execute("DELETE FROM entry")')
    with pytest.raises(ds.UpgradeFailedError, match="table entry had 1 rows and has 0"):
        orders(factory)
    (app / "versions" / "a4.py").unlink()
    assert orders(factory)["k"] == 1


def test_their_migration_reads_our_view(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """Compressed values, those of a dictionary too, are readable through the view entries."""
    store = factory.create_custom_store("orders", compression_threshold=100)
    for n in range(200):
        store[f"k{n}"] = {"customer": f"customer number {n}", "items": ["tea", "coffee"], "n": n}
    factory.maintain()
    store["last"] = {"customer": "customer number 7", "items": ["tea", "coffee"], "n": 7}
    store["large"] = "x" * 1000
    store.close()
    body = (
        'op.execute("CREATE TABLE total AS SELECT sum(length(value)) AS n FROM entries"); '
        "op.execute(\"UPDATE entries SET value = '1' WHERE key = 'k0'\")"
    )
    step(tmp_path / "app", "a1", None, body)
    store = orders(factory, tmp_path / "app")
    assert contents(store.path)["total"][0][0] > 200 * 50
    assert store["k0"] == 1


def test_two_heads_of_theirs(factory: ds.DataStoreFactory, app: Path) -> None:
    """Two heads of theirs are refused, and merged ones run."""
    orders(factory, app).close()
    step(app / "versions", "left", "a1", "pass")
    step(app / "versions", "right", "a1", ADD)
    with pytest.raises(ds.LineageError, match="migrations of application have 2 heads"):
        orders(factory)
    step(app / "versions", "merge", None, "pass")
    text = (app / "versions" / "merge.py").read_text()
    (app / "versions" / "merge.py").write_text(
        text.replace("down_revision = None", 'down_revision = ("left", "right")')
    )
    assert reached(orders(factory).path) == [("merge",)]


def test_unknown_revision_of_theirs(factory: ds.DataStoreFactory, app: Path) -> None:
    """A file at a revision that their folder no longer has is refused, naming it."""
    more(app)
    orders(factory, app).close()
    (app / "versions" / "a3.py").unlink()
    with pytest.raises(ds.LineageError, match="'a3', which the migrations of application"):
        orders(factory)
    step(app / "versions", "a3", "a2", BATCH)


def test_empty_folder(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """A folder without revisions is no reason to refuse."""
    (tmp_path / "app").mkdir()
    store = orders(factory, tmp_path / "app")
    assert "alembic_version_application" not in contents(store.path)


def test_dry_run_of_theirs(factory: ds.DataStoreFactory, app: Path) -> None:
    """A dry run shows their statements too."""
    orders(factory, app).close()
    more(app)
    statements = dry_run(target_of(factory, "orders"))
    assert any("ALTER TABLE invoice ADD COLUMN paid" in statement for statement in statements)


def test_plain_store_has_none(factory: ds.DataStoreFactory) -> None:
    """A store without migrations of its own has no plan for them."""
    from dsfactory.upgrade.planning import application_plan

    orders(factory).close()
    with pytest.raises(ds.LineageError, match="no migrations of its own"):
        application_plan(target_of(factory, "orders"), None)  # type: ignore[arg-type]


OPEN_AND_LOOK = """
import sys
import dsfactory as ds
with ds.DataStoreFactory(sys.argv[1], maintenance="manual") as factory:
    assert factory.get_store("orders")["k"] == 1
print(sorted({"alembic", "sqlalchemy"} & set(sys.modules)))
"""


def test_opening_imports_no_alembic(factory: ds.DataStoreFactory, app: Path) -> None:
    """Opening an up-to-date store with migrations of its own imports no Alembic."""
    store = orders(factory, app)
    store["k"] = 1
    store.close()
    command = [sys.executable, "-c", OPEN_AND_LOOK, str(factory.root)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.stdout == "[]\n", ran.stderr
