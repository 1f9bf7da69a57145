"""Files to upgrade, migrations to upgrade them with, and everything a file says."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

import dsfactory as ds
from dsfactory.engine import Settings, checksums, open_connection
from dsfactory.model import Kind
from dsfactory.profiles import PROFILES
from dsfactory.upgrade import Target, lineage_of
from dsfactory.upgrading import Upgrader

ROOT = Path(__file__).resolve().parents[2]
CLOCK = ds.ManualClock()
NOBODY = 65534
HEAD = PROFILES[Kind.STATE].head
Contents = dict[str, list[tuple[Any, ...]]]

STEP = '''
"""A step of a test."""
import sqlalchemy as sa
from alembic import op
from dsfactory.upgrade.operations import rebuilt

revision = "{revision}"
down_revision = {down!r}
{more}


def upgrade():
    {body}


def downgrade():
    {back}
'''


def contents(path: Path) -> Contents:
    """Every object and every row of a file."""
    connection = open_connection(path, Settings(page_checksums=checksums.available()))
    try:
        schema = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")
        found: Contents = {"schema": sorted(schema.fetchall(), key=str)}
        found["header"] = [(connection.pragma("user_version"),)]
        for kind, name, _, _ in list(found["schema"]):
            if kind == "table" and not name.startswith("sqlite_"):
                rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608
                found[name] = sorted(rows, key=str)
        return found
    finally:
        connection.close()


def changed(path: Path, *statements: str) -> None:
    """Let somebody change a closed file by hand."""
    connection = apsw.Connection(str(path), vfs=checksums.vfs())
    for name, arguments in (("ds_pack", 1), ("ds_unpack", 2)):
        connection.create_scalar_function(
            name, lambda value, *_: value, arguments, flags=apsw.SQLITE_INNOCUOUS
        )
    for statement in statements:
        connection.execute(statement)
    connection.close()


def step(folder: Path, revision: str, down: str | None, body: str, **rest: str) -> Path:
    """Write one revision."""
    folder.mkdir(parents=True, exist_ok=True)
    text = STEP.format(
        revision=revision,
        down=down,
        body=body,
        back=rest.get("back", "pass"),
        more=rest.get("more", ""),
    )
    path = folder / f"{revision}.py"
    path.write_text(text)
    return path


def with_step(tmp_path: Path, body: str, kind: str = "state", **rest: str) -> Path:
    """Copy our migrations and add one revision after the head of *kind*."""
    root = tmp_path / "their-migrations"
    if not root.exists():
        shutil.copytree(ROOT / "migrations", root, ignore=shutil.ignore_patterns("__pycache__"))
    step(root / "versions" / kind, next_revision(kind), lineage_of(kind).head(), body, **rest)
    return root


def next_revision(kind: str) -> str:
    """The revision that with_step adds."""
    head = lineage_of(kind).head()
    return f"{kind}_{int(str(head)[-4:]) + 1:04d}"


def after_base(kind: str) -> tuple[str, ...]:
    """Every revision of *kind* but the base."""
    return tuple(revision.id for revision in lineage_of(kind).revisions())[1:]


def target_of(factory: ds.DataStoreFactory, name: str, **changes: Any) -> Target:
    """What upgrading a store of *factory* needs to know, with *changes*."""
    record = factory.get_registered_store(name)
    assert record is not None
    return Upgrader(factory.root, CLOCK, "auto").store(record)._replace(**changes)


def in_child(work: Callable[[], Any], *, as_nobody: bool = False) -> Any:
    """Return what *work* answers in a forked child; the signal's number, negative, if it died."""
    here, there = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if child == 0:
        _answer(work, there, as_nobody=as_nobody)
    os.close(there)
    with os.fdopen(here) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code else json.loads(said)


def _answer(work: Callable[[], Any], there: int, *, as_nobody: bool) -> None:
    try:
        if as_nobody and os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        answer = work()
    except BaseException as error:  # noqa: BLE001 -- the parent judges it
        answer = [type(error).__name__, str(error)]
    finally:
        os.write(there, json.dumps(answer).encode())
        os._exit(0)
