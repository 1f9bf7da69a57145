"""Fixtures of the dialect's tests; SQLAlchemy's own suite runs in a process of its own."""

import pytest
from sqlalchemy import create_engine
from sqlalchemy.dialects import registry

from dsfactory.engine import dbapi

collect_ignore = ["compliance"]

# Works without an installation too, whose entry point says the same.
registry.register("sqlite.apsw", "dsfactory.engine.dialect", "SQLiteDialect_apsw")


@pytest.fixture
def path(tmp_path):
    """Where a database may be made."""
    return tmp_path / "test.db"


@pytest.fixture
def connection(path):
    """A PEP 249 connection to a file, with a table ``t (id, name)``."""
    opened = dbapi.connect(path)
    opened.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
    yield opened
    opened.close()


@pytest.fixture
def engine(path):
    """An SQLAlchemy engine on a file."""
    made = create_engine(f"sqlite+apsw:///{path}")
    yield made
    made.dispose()
