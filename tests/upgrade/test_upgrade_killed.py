"""Killed before any statement of an upgrade, a file is at the old revision or at the new one."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import apsw
import pytest
from upgrade_tools import Contents, changed, contents, in_child, step, target_of

import dsfactory as ds
from dsfactory.engine import Connection
from dsfactory.upgrade import Target, upgrade_file

TABLES = (
    "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
    "CREATE TABLE line (customer_id INTEGER REFERENCES customer (id) ON DELETE CASCADE)",
    "CREATE TRIGGER added AFTER INSERT ON customer BEGIN INSERT INTO line VALUES (NEW.id); END",
    "CREATE VIEW dear AS SELECT name FROM customer",
    "INSERT INTO customer (name) VALUES ('ada'), ('bob'), ('eve')",
)
REBUILD = 'with rebuilt(op, "customer") as batch:\n        batch.drop_column("name")'
VIEWLESS = "op.execute('DROP VIEW dear')\n    "


class Trace:
    """Counts the statements of a connection, and kills the process before the n-th."""

    def __init__(self, fatal: int = 0) -> None:
        self.count = 0
        self.fatal = fatal

    def watching(self, target: Target) -> Target:
        """Trace the connection that upgrades *target*."""

        def prepare(connection: Connection) -> None:
            target.prepare(connection)
            connection.trace_v2(apsw.SQLITE_TRACE_STMT, self._statement)

        return target._replace(prepare=prepare)

    def _statement(self, _event: object) -> None:
        self.count += 1
        if self.count == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)


class Course:
    """One upgrade, from a file that is kept aside, to be begun again and again."""

    def __init__(self, target: Target, aside: Path) -> None:
        self.target = target
        self.aside = aside
        shutil.copyfile(target.path, aside)
        self.old = contents(target.path)
        trace = Trace()
        upgrade_file(trace.watching(target))
        self.statements = trace.count
        self.new = contents(target.path)

    def killed_before(self, number: int) -> Contents:
        """What the file says when the process died before that statement."""
        for suffix in ("-wal", "-shm"):
            Path(f"{self.target.path}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self.aside, self.target.path)
        doomed = Trace(number).watching(self.target)
        assert in_child(lambda: upgrade_file(doomed)) == -signal.SIGKILL
        return contents(self.target.path)


@pytest.fixture
def ours(factory: ds.DataStoreFactory, behind_path: Path, tmp_path: Path) -> Course:
    """A state store from its base to head."""
    return Course(target_of(factory, "s"), tmp_path / "aside.db")


@pytest.fixture
def rebuild(factory: ds.DataStoreFactory, tmp_path: Path) -> Course:
    """A custom store whose application's migrations rebuild a table with all that hangs on it."""
    app = tmp_path / "app"
    app.mkdir()
    with factory.create_custom_store("s", migrations=app) as store:
        store["k0"] = {"n": 0}
    changed(store.path, *TABLES)
    step(app, "narrower", None, VIEWLESS + REBUILD)
    return Course(target_of(factory, "s"), tmp_path / "aside.db")


@pytest.fixture(params=["ours", "rebuild"])
def course(request: pytest.FixtureRequest) -> Course:
    """Both."""
    made: Course = request.getfixturevalue(request.param)
    return made


def test_every_statement(factory: ds.DataStoreFactory, course: Course) -> None:
    """Killed before every single statement, COMMIT too: the old file, which then goes on to new."""
    assert course.statements > 30
    for number in range(1, course.statements + 1):
        assert course.killed_before(number) == course.old, number
        if number % 4 == 1:  # the way of an application; it takes longest
            with factory.get_store("s") as store:
                assert store["k0"] == {"n": 0}
                assert store.check() == []
        else:
            upgrade_file(course.target)
        assert contents(course.target.path) == course.new, number


def test_killed_after_commit(factory: ds.DataStoreFactory, course: Course) -> None:
    """Killed right after the commit, before anything is closed: the new file."""

    for suffix in ("-wal", "-shm"):
        Path(f"{course.target.path}{suffix}").unlink(missing_ok=True)
    shutil.copyfile(course.aside, course.target.path)
    assert (
        in_child(lambda: upgrade_file(course.target, progress=_die_at_the_end)) == -signal.SIGKILL
    )
    assert contents(course.target.path) == course.new
    assert factory.get_store("s").check() == []


def _die_at_the_end(done: int, total: int) -> None:
    if done == total:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.usefixtures("behind_path")
def test_killed_while_copying(factory: ds.DataStoreFactory) -> None:
    """What a killed process left of its copy is cleared away an hour later, by the next."""
    target = target_of(factory, "s")
    left = target.snapshots / ".s-state_0001-000009.db.0123.unfinished"
    left.write_bytes(b"half")
    os.utime(left, (1, 1))
    upgrade_file(target)
    assert not left.exists()
    assert not list(target.snapshots.glob(".*"))
