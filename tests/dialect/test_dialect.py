"""What the sqlite+apsw dialect promises beyond SQLAlchemy's compliance suite."""

import datetime as dt
import decimal
import subprocess
import sys
import uuid
from pathlib import Path

import apsw
import pytest
import sqlalchemy as sa
from sqlalchemy import exc, pool
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

import dsfactory
from dsfactory.engine import dbapi
from dsfactory.engine.dialect import SQLiteDialect_apsw, add_functions

META = sa.MetaData()
PERSON = sa.Table(
    "person",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(20), nullable=False, index=True),
    sa.Column("boss_id", sa.ForeignKey("person.id", ondelete="CASCADE")),
    sa.CheckConstraint("name <> ''", name="named"),
    sa.UniqueConstraint("name", "boss_id", name="once"),
)
ALICE = PERSON.insert().values(name="Alice")
COUNT = sa.select(sa.func.count()).select_from(PERSON)

ONLY_ONE_SQLITE = """
import sys
import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.orm import Session
import alembic.command
registry.register("sqlite.apsw", "dsfactory.engine.dialect", "SQLiteDialect_apsw")
for url in ("sqlite+apsw:///:memory:", "sqlite+apsw:///x.db", "sqlite+apsw:///file:x.db?uri=true"):
    engine = sa.create_engine(url)
    with Session(engine) as session:
        assert session.scalar(sa.text("SELECT 1")) == 1
    sa.inspect(engine).get_table_names()
    engine.dispose()
print(sorted({"sqlite3", "_sqlite3", "pysqlite3", "aiosqlite"} & set(sys.modules)))
"""


@pytest.fixture
def people(engine):
    """The engine of a database with a table of people."""
    META.create_all(engine)
    return engine


def test_no_second_sqlite(tmp_path):
    """Creating engines, querying and reflecting never import another SQLite library."""
    command = [sys.executable, "-c", ONLY_ONE_SQLITE]
    env = {"PYTHONPATH": str(Path(dsfactory.__file__).parents[1])}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite+apsw://", pool.SingletonThreadPool),
        ("sqlite+apsw:///:memory:", pool.SingletonThreadPool),
        ("sqlite+apsw:///x.db", pool.QueuePool),
        ("sqlite+apsw:///file:x.db?uri=true", pool.QueuePool),
    ],
)
def test_pool_class(url, expected):
    """Pools are chosen as for pysqlite: one connection a thread in memory, a queue for files."""
    assert type(sa.create_engine(url).pool) is expected


def test_memory_shared_by_static_pool():
    """With a StaticPool all connections see the one memory database."""
    engine = sa.create_engine("sqlite+apsw://", poolclass=pool.StaticPool)
    META.create_all(engine)
    with engine.begin() as one:
        one.execute(ALICE)
    with engine.connect() as another:
        assert another.scalar(COUNT) == 1
    engine.dispose()


def test_sqlite_version(engine):
    """The server's version is that of apsw's SQLite."""
    with engine.connect() as connection:
        assert connection.dialect.server_version_info == dbapi.sqlite_version_info


@pytest.mark.skipif(not hasattr(sa.util, "VersionInfo"), reason="SQLAlchemy 2.0 does not ask")
def test_driver_version(engine):
    """The driver's version is apsw's."""
    found = engine.dialect.retrieve_dbapi_version(dbapi)
    assert ".".join(map(str, found)) == apsw.apsw_version()


def test_driver_connection(engine):
    """The driver's connection is the apsw.Connection itself."""
    raw = engine.raw_connection()
    assert isinstance(raw.driver_connection, apsw.Connection)
    assert isinstance(raw.dbapi_connection, dbapi.Connection)
    raw.close()


def test_uri_parameters(people, path):
    """Parameters of a URI file name reach SQLite."""
    readonly = sa.create_engine(f"sqlite+apsw:///file:{path}?mode=ro&uri=true")
    with readonly.connect() as connection:
        assert connection.scalar(COUNT) == 0
        with pytest.raises(exc.OperationalError):
            connection.execute(ALICE)
    readonly.dispose()


def test_opener_as_connect_arg(path):
    """An opener among the connect_args makes the connections."""
    opened = []

    def opener(name):
        opened.append(name)
        return apsw.Connection(name)

    engine = sa.create_engine(f"sqlite+apsw:///{path}", connect_args={"opener": opener})
    with engine.connect():
        assert opened == [str(path)]
    engine.dispose()


def test_native_datetime():
    """Without converters native_datetime cannot work, and is refused."""
    with pytest.raises(exc.ArgumentError, match="native_datetime"):
        sa.create_engine("sqlite+apsw://", native_datetime=True)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (PERSON.insert().values(name=""), exc.IntegrityError),
        (sa.text("SELECT nothing"), exc.OperationalError),
        (sa.text("SELECT 1; SELECT 2"), exc.ProgrammingError),
    ],
)
def test_errors_are_wrapped(people, statement, expected):
    """The facade's errors arrive as SQLAlchemy's, with SQLite's result code within reach."""
    with people.connect() as connection, pytest.raises(expected) as caught:
        connection.execute(statement)
    assert isinstance(caught.value.orig, dbapi.Error)
    assert not caught.value.connection_invalidated


def test_lost_connection_is_replaced(people):
    """A connection closed underneath is a disconnect: the pool opens another."""
    with people.connect() as connection:
        connection.connection.driver_connection.close()
        with pytest.raises(exc.DBAPIError) as caught:
            connection.execute(COUNT)
        assert caught.value.connection_invalidated
    with people.connect() as connection:
        assert connection.scalar(COUNT) == 0


def test_inserted_primary_key_with_cte(people):
    """An insert that begins with WITH reports its primary key."""
    source = sa.select(sa.literal("Carol").label("name")).cte()
    insert = PERSON.insert().values(name=sa.select(source.c.name).scalar_subquery())
    with people.begin() as connection:
        connection.execute(ALICE)
        assert connection.execute(insert).inserted_primary_key == (2,)


def test_returning_of_many(people):
    """RETURNING of many inserts keeps the order of the parameters."""
    rows = [{"name": f"n{i}"} for i in range(2500)]
    insert = PERSON.insert().returning(PERSON.c.name, sort_by_parameter_order=True)
    with people.begin() as connection:
        assert connection.scalars(insert, rows).all() == [row["name"] for row in rows]


@pytest.mark.filterwarnings("ignore:Dialect sqlite:sqlalchemy.exc.SAWarning")  # Numeric is float
def test_types_round_trip(engine):
    """SQLAlchemy's types bring back what was stored."""
    values = {
        "date": (sa.Date, dt.date(2024, 2, 29)),
        "time": (sa.Time, dt.time(1, 2, 3, 4)),
        "moment": (sa.DateTime, dt.datetime(2024, 2, 29, 1, 2, 3, 4)),
        "stamp": (sa.TIMESTAMP, dt.datetime(2024, 2, 29)),
        "span": (sa.Interval, dt.timedelta(days=3, microseconds=1)),
        "amount": (sa.Numeric(10, 2), decimal.Decimal("12.34")),
        "data": (sa.JSON, {"a": [1, None, "ä"]}),
        "blob": (sa.LargeBinary, b"\0\xff"),
        "flag": (sa.Boolean, True),
        "key": (sa.Uuid, uuid.UUID(int=7)),
    }
    table = sa.Table("v", sa.MetaData(), *(sa.Column(n, t) for n, (t, _) in values.items()))
    table.create(engine)
    with engine.begin() as connection:
        connection.execute(table.insert(), {n: v for n, (_, v) in values.items()})
        assert connection.execute(table.select()).one() == tuple(v for _, v in values.values())


def test_options_of_sqlite_dialects(path):
    """Options that SQLAlchemy's SQLite dialects take are still taken."""
    engine = sa.create_engine(f"sqlite+apsw:///{path}", json_serializer=lambda _: '"mine"')
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.literal({}, sa.JSON))) == "mine"
    engine.dispose()


def test_named_parameters(path):
    """The named paramstyle works too."""
    engine = sa.create_engine(f"sqlite+apsw:///{path}", paramstyle="named")
    META.create_all(engine)
    with engine.begin() as connection:
        connection.execute(ALICE)
        assert connection.scalar(sa.select(PERSON.c.id).where(PERSON.c.name == "Alice")) == 1
    engine.dispose()


def test_reflection(people):
    """Columns, keys, checks and indexes are read back from the database."""
    inspector = sa.inspect(people)
    assert [c["name"] for c in inspector.get_columns("person")] == ["id", "name", "boss_id"]
    assert inspector.get_foreign_keys("person")[0]["options"] == {"ondelete": "CASCADE"}
    assert inspector.get_check_constraints("person")[0]["name"] == "named"
    assert inspector.get_unique_constraints("person")[0]["column_names"] == ["name", "boss_id"]
    assert [i["name"] for i in inspector.get_indexes("person")] == ["ix_person_name"]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 'abc' REGEXP '^a.c$'", 1),
        ("SELECT 'abc' REGEXP 'd'", 0),
        ("SELECT NULL REGEXP 'd'", None),
        ("SELECT floor(2.5)", 2),
    ],
)
def test_functions(engine, sql, expected):
    """REGEXP searches as re.search does, and floor() is there."""
    with engine.connect() as connection:
        assert connection.scalar(sa.text(sql)) == expected


def test_functions_in_untrusted_schema(engine):
    """A CHECK may use REGEXP although the schema is not trusted."""
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA trusted_schema = OFF")
        connection.exec_driver_sql("CREATE TABLE c (a CHECK (a REGEXP '^x'))")
        connection.exec_driver_sql("INSERT INTO c VALUES ('xy')")


def test_functions_in_place_stay(connection):
    """A function that the connection brings along is not replaced."""
    connection.create_function("regexp", 2, lambda *_: "mine")
    add_functions(connection)
    assert connection.execute("SELECT 'a' REGEXP 'a'").fetchone() == ("mine",)


def test_function_by_event(engine):
    """Functions are added as SQLAlchemy's documentation shows for pysqlite."""

    @sa.event.listens_for(engine, "connect")
    def connect(dbapi_connection, _record):
        dbapi_connection.create_function("udf", 0, lambda: "udf-ok")

    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT udf()")) == "udf-ok"


def test_class_and_entry_point():
    """The dialect is an SQLite dialect to SQLAlchemy and is found by its URL."""
    assert sa.make_url("sqlite+apsw://").get_dialect() is SQLiteDialect_apsw
    assert issubclass(SQLiteDialect_apsw, SQLiteDialect)
    assert SQLiteDialect_apsw.supports_statement_cache
