"""The traps of rebuilding a table with Alembic's batch mode, and that we do not fall into them."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from upgrade_tools import changed, contents, step, target_of

import dsfactory as ds
from dsfactory.upgrade import Target, upgrade_file
from dsfactory.upgrade.running import literal

TABLES = (
    "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
    "CREATE TABLE line (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL "
    "REFERENCES customer (id) ON DELETE CASCADE, cents INTEGER)",
    "CREATE TABLE log (text TEXT)",
    "CREATE INDEX customer_name ON customer (name)",
    "CREATE TRIGGER customer_added AFTER INSERT ON customer BEGIN "
    "INSERT INTO log VALUES ('added ' || NEW.name); END",
    "CREATE TRIGGER line_added AFTER INSERT ON line BEGIN "
    "UPDATE customer SET name = name || '!' WHERE id = NEW.customer_id; END",
    "CREATE VIEW dear AS SELECT id, name FROM customer WHERE id < 10",
    "CREATE VIEW dearest AS SELECT name FROM dear WHERE id < 3",
    "CREATE TRIGGER dear_added INSTEAD OF INSERT ON dear BEGIN "
    "INSERT INTO customer (name) VALUES (NEW.name); END",
    "INSERT INTO customer (name) VALUES ('ada'), ('bob')",
    "INSERT INTO line (customer_id, cents) VALUES (1, 5), (1, 7), (2, 9)",
)
REBUILD = "\n    ".join(
    (
        'with rebuilt(op, "customer") as batch:',
        '    batch.alter_column("name", type_=sa.String(80))',
        '    batch.add_column(sa.Column("since", sa.Integer()))',
    )
)

MANY = """
WITH RECURSIVE n (i) AS (VALUES (3) UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
INSERT INTO customer SELECT i, 'c' FROM n
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the application's revisions are."""
    folder = tmp_path / "app" / "versions"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def target(factory: ds.DataStoreFactory, folder: Path) -> Target:
    """A custom store with tables of its application: parent, children, triggers, views."""
    path = factory.create_custom_store("orders").path
    factory.get_store("orders").close()
    changed(path, *TABLES)
    return target_of(factory, "orders", application=folder)


def test_rebuilt_table_keeps_everything(target: Target, folder: Path) -> None:
    """Rows, children, indexes, triggers and views on views are there afterwards, word for word."""
    before = contents(target.path)
    step(folder, "wider", None, REBUILD)
    upgrade_file(target)
    after = contents(target.path)
    assert after["line"] == before["line"]
    assert after["log"] == before["log"]
    assert after["customer"] == [(*row, None) for row in before["customer"]]
    kept = {"trigger", "view", "index"}
    said, says = (
        [row for row in found["schema"] if row[0] in kept and "alembic" not in row[1]]
        for found in (before, after)
    )
    assert says == said


def test_rebuilt_objects_work(target: Target, folder: Path) -> None:
    """The triggers fire and cascades cascade after the rebuild."""
    step(folder, "wider", None, REBUILD)
    upgrade_file(target)
    changed(target.path, "INSERT INTO dear (name) VALUES ('eve')")
    assert ("added eve",) in contents(target.path)["log"]
    changed(target.path, "PRAGMA foreign_keys = on", "DELETE FROM customer WHERE id = 1")
    assert len(contents(target.path)["line"]) == 1


def test_plain_batch_is_caught(target: Target, folder: Path) -> None:
    """Alembic's own batch mode stumbles over what names the table: refused, and nothing is lost."""
    body = REBUILD.replace("rebuilt(op, ", "op.batch_alter_table(")
    step(folder, "wider", None, body)
    before = contents(target.path)
    with pytest.raises(
        ds.UpgradeFailedError, match=r"error in trigger line_added: no such table.*RENAME"
    ):
        upgrade_file(target)
    assert contents(target.path) == before


def test_children_survive_plain_batch(target: Target, folder: Path) -> None:
    """Without views even Alembic's own batch mode does not delete ON DELETE CASCADE children."""
    step(
        folder, "a_no_views", None, 'op.execute("DROP VIEW dearest"); op.execute("DROP VIEW dear")'
    )
    body = REBUILD.replace("rebuilt(op, ", "op.batch_alter_table(")
    step(folder, "b_wider", "a_no_views", "op.execute('DROP TRIGGER line_added')\n    " + body)
    before = contents(target.path)["line"]
    assert upgrade_file(target).steps == ("a_no_views", "b_wider")
    assert contents(target.path)["line"] == before


def test_dependent_on_dropped_column(target: Target, folder: Path) -> None:
    """A view that names a column which the rebuild dropped is found before the commit."""
    body = REBUILD.replace('batch.add_column(sa.Column("since", sa.Integer()))', "pass").replace(
        'batch.alter_column("name", type_=sa.String(80))', 'batch.drop_column("name")'
    )
    step(folder, "narrower", None, "op.execute('DROP INDEX customer_name')\n    " + body)
    before = contents(target.path)
    with pytest.raises(ds.UpgradeFailedError, match=r"error in .*: no such column"):
        upgrade_file(target)
    assert contents(target.path) == before


@pytest.mark.filterwarnings("ignore:Unnamed CHECK constraint")
@pytest.mark.parametrize(
    ("table", "match"),
    [("meta", "meta is altered"), ("entry", r"INSERT into generated column.*at 'INSERT INTO _al")],
)
def test_our_table_rebuilt_carelessly(target: Target, folder: Path, table: str, match: str) -> None:
    """Batch mode forgets CHECKs and the like: a table of ours rebuilt that way is refused."""
    step(folder, "ours", None, f'with rebuilt(op, "{table}", recreate="always"):\n        pass')
    before = contents(target.path)
    with pytest.raises(ds.UpgradeFailedError, match=match):
        upgrade_file(target)
    assert contents(target.path) == before


def test_progress_of_rebuild(target: Target, folder: Path) -> None:
    """While one long statement copies a table, progress counts its rows up to the last."""
    step(folder, "wider", None, REBUILD)
    changed(target.path, MANY)
    told: list[tuple[int, int]] = []
    upgrade_file(target, progress=lambda done, total: told.append((done, total)))
    done = [done for done, _ in told]
    assert done == sorted(done)
    assert len({total for _, total in told}) == 1
    assert told[-1][0] == told[-1][1]
    assert len({count for count in done if 0 < count < 49_999}) > 3


def test_progress_that_raises(target: Target, folder: Path) -> None:
    """A progress function that raises stops the upgrade, which is undone."""
    step(folder, "wider", None, REBUILD)
    changed(target.path, MANY)
    before = contents(target.path)

    def stop(_done: int, _total: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises((ds.UpgradeFailedError, RuntimeError)):
        upgrade_file(target, progress=stop)
    assert contents(target.path) == before


def test_database_of_a_view_in_the_way(target: Target) -> None:
    """The probe for broken triggers and views leaves no trace."""
    from dsfactory.upgrade import examining

    connection = apsw.Connection(":memory:")
    connection.execute("BEGIN; CREATE TABLE t (a); CREATE VIEW v AS SELECT b FROM t")
    assert examining._broken_objects(connection) == ["error in view v: no such column: b"]
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("t",), ("v",)]


def test_script_writes_parameters_out() -> None:
    """The SQL of a dry run holds values where Alembic binds parameters, and only there."""
    statement = "INSERT INTO \"odd?\" (a, b, c) VALUES (?, 'why?', ?)"
    assert literal(statement, ("it's", None)) == (
        "INSERT INTO \"odd?\" (a, b, c) VALUES ('it''s', 'why?', NULL)"
    )
