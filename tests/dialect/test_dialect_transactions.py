"""What the sqlite+apsw dialect promises about transactions, and Alembic on top of it."""

import textwrap

import apsw
import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import exc, pool

from dsfactory.engine import dbapi

CREATE = sa.text("CREATE TABLE t (a INTEGER)")
INSERT = sa.text("INSERT INTO t VALUES (1)")
COUNT = sa.text("SELECT count(*) FROM t")
BEGUN = {"isolation_level": "IMMEDIATE"}

REVISION = """
from alembic import op
import sqlalchemy as sa

revision, down_revision = {revision!r}, {down!r}


def upgrade():
    {upgrade}
"""
UPGRADES = [
    'op.create_table("t", sa.Column("a", sa.Integer))',
    'op.execute("INSERT INTO t VALUES (1)")',
    """with op.batch_alter_table("t") as batch:
        batch.add_column(sa.Column("b", sa.Text, server_default="new", nullable=False))
        batch.alter_column("a", new_column_name="c")
        batch.create_check_constraint("positive", "c > 0")""",
]


@pytest.fixture
def table(engine):
    """An engine on a database with a table of one column."""
    with engine.begin() as connection:
        connection.execute(CREATE)
    return engine


@pytest.fixture
def autocommit(table):
    """A connection in autocommit."""
    with table.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


@pytest.fixture
def scripts(tmp_path):
    """An Alembic script directory with three revisions, one of which rebuilds a table."""
    folder = tmp_path / "migrations" / "versions"
    folder.mkdir(parents=True)
    for number, upgrade in enumerate(UPGRADES, 1):
        down = str(number - 1) if number > 1 else None
        text = REVISION.format(revision=str(number), down=down, upgrade=upgrade)
        (folder / f"{number}.py").write_text(textwrap.dedent(text))
    config = Config()
    config.set_main_option("script_location", str(folder.parent))
    config.set_main_option("path_separator", "os")
    return config, ScriptDirectory.from_config(config)


def upgrade(scripts, connection):
    """Bring the database of *connection* to head, within its transaction."""
    config, directory = scripts

    def steps(revision, _context):
        return directory._upgrade_revs("head", revision)

    with EnvironmentContext(config, directory, fn=steps) as environment:
        environment.configure(connection=connection)
        environment.run_migrations()


def test_ddl_rolls_back(engine):
    """DDL belongs to the transaction in which it was executed."""
    with engine.connect() as connection:
        connection.execute(CREATE)
        connection.rollback()
        assert sa.inspect(connection).get_table_names() == []


def test_begin_is_real(table):
    """Begin reaches SQLite at once, unlike pysqlite's."""
    with table.connect() as connection, connection.begin():
        assert connection.connection.driver_connection.in_transaction


def test_savepoint(table):
    """A nested transaction rolls back without the outer one."""
    with table.begin() as connection:
        connection.execute(INSERT)
        with connection.begin_nested() as inner:
            connection.execute(INSERT)
            inner.rollback()
        assert connection.scalar(COUNT) == 1
    with table.connect() as connection:
        assert connection.scalar(COUNT) == 1


@pytest.mark.parametrize("level", ["SERIALIZABLE", "READ UNCOMMITTED", "AUTOCOMMIT"])
def test_isolation_level(table, level):
    """Every isolation level can be set, reads back, and is reset for the next user."""
    with table.connect().execution_options(isolation_level=level) as connection:
        assert connection.get_isolation_level() == level
        connection.execute(INSERT)
    with table.connect() as connection:
        assert connection.get_isolation_level() == "SERIALIZABLE"
        assert connection.scalar(COUNT) == (level == "AUTOCOMMIT")


def test_isolation_level_of_engine(path):
    """An engine made with AUTOCOMMIT keeps it after a connection used another level."""
    engine = sa.create_engine(f"sqlite+apsw:///{path}", isolation_level="AUTOCOMMIT")
    with engine.connect().execution_options(isolation_level="SERIALIZABLE") as connection:
        connection.execute(CREATE)
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == []
        assert connection.get_isolation_level() == "AUTOCOMMIT"
    engine.dispose()


def test_immediate_lasts(table, path):
    """BEGIN IMMEDIATE, once asked for, is still in force after a spell of AUTOCOMMIT."""
    engine = sa.create_engine(f"sqlite+apsw:///{path}", connect_args=BEGUN | {"timeout": 0})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT"):
        pass
    with engine.begin(), engine.connect() as other:
        with pytest.raises(exc.OperationalError) as caught:
            other.begin()
        assert caught.value.orig.sqlite_errorcode == apsw.SQLITE_BUSY
    engine.dispose()


@pytest.mark.parametrize(
    ("sql", "check", "expected"),
    [
        ("VACUUM", "PRAGMA freelist_count", 0),
        ("PRAGMA foreign_keys = ON", "PRAGMA foreign_keys", 1),
    ],
)
def test_outside_transactions(autocommit, sql, check, expected):
    """Statements that want no transaction around them work in AUTOCOMMIT."""
    autocommit.exec_driver_sql(sql)
    assert autocommit.exec_driver_sql(check).scalar() == expected


def test_detach_after_use_in_transaction(table):
    """DETACH of a database used in the open transaction is an OperationalError."""
    with table.connect() as connection:
        connection.exec_driver_sql("ATTACH ':memory:' AS side")
        connection.exec_driver_sql("CREATE TABLE side.u (a)")
        with pytest.raises(exc.OperationalError):
            connection.exec_driver_sql("DETACH side")


def test_detach_in_autocommit(autocommit):
    """DETACH works in AUTOCOMMIT, after use too."""
    autocommit.exec_driver_sql("ATTACH ':memory:' AS side")
    autocommit.exec_driver_sql("CREATE TABLE side.u (a)")
    autocommit.exec_driver_sql("DETACH side")
    assert len(autocommit.exec_driver_sql("PRAGMA database_list").all()) == 1


def test_alembic_upgrade(engine, scripts):
    """Alembic upgrades in process, rebuilding a table in batch mode."""
    with engine.begin() as connection:
        upgrade(scripts, connection)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT c, b FROM t")).all() == [(1, "new")]
        assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == "3"
    assert [c["name"] for c in sa.inspect(engine).get_check_constraints("t")] == ["positive"]


@pytest.mark.parametrize(("end", "tables"), [("COMMIT", 2), ("ROLLBACK", 0)])
def test_alembic_in_owners_transaction(path, scripts, end, tables):
    """On a borrowed connection an upgrade is part of its owner's transaction."""
    store = apsw.Connection(str(path))
    store.execute("BEGIN IMMEDIATE")
    engine = sa.create_engine(
        "sqlite+apsw://",
        creator=lambda: dbapi.Connection(store, owned=False),
        poolclass=pool.NullPool,
    )
    with engine.begin() as connection:
        upgrade(scripts, connection)
    engine.dispose()
    assert store.in_transaction
    store.execute(end)
    assert store.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'table'").get == tables
    store.close()
