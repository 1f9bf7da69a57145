"""Bring SQLAlchemy's pytest plugin into the subprocess that runs its compliance suite."""

import pytest

# Has to come before anything of sqlalchemy.testing is imported.
pytest.register_assert_rewrite("sqlalchemy.testing.assertions")

from sqlalchemy.dialects import registry  # noqa: E402 - after the rewriting
from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402, F403 - hooks, by their names

# Works without an installation too, whose entry point says the same.
registry.register("sqlite.apsw", "dsfactory.engine.dialect", "SQLiteDialect_apsw")
