"""Files behind head, and what their schemas are."""

from __future__ import annotations

from pathlib import Path

import dsfactory as ds
from dsfactory.cli.schemas.targets import Targets
from dsfactory.engine import Connection, Settings, open_connection, register
from dsfactory.engine.checksums import available
from dsfactory.profiles import PROFILES, REGISTRY
from dsfactory.upgrade import lineage_of, upgrade_file

SCHEMA = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"


def settings() -> Settings:
    return Settings(page_checksums=available())


def connection(path: Path) -> Connection:
    """A connection as a store's, with functions that hand values through."""
    made = open_connection(path, settings(), write=True)
    register(made, "ds_pack", lambda value: value, 1)
    register(made, "ds_unpack", lambda value, _size: value, 2)
    return made


def run_sql(path: Path, sql: str) -> list[tuple[object, ...]]:
    made = connection(path)
    try:
        return made.execute(sql).fetchall()
    finally:
        made.close(True)


def schema(path: Path) -> dict[str, str]:
    """Every object of a file, word for word."""
    return {str(name): str(sql) for name, sql in run_sql(path, SCHEMA)}


def user_version(path: Path) -> int:
    ((number,),) = run_sql(path, "PRAGMA user_version")
    return int(str(number))


def file_of(root: Path, name: str) -> Path:
    return root / "stores" / f"{name}.db"


def head(kind: str) -> str:
    return REGISTRY.head if kind == "registry" else PROFILES[ds.Kind(kind)].head


def base(kind: str) -> str:
    return f"{kind}_0001"


def steps(kind: str) -> list[str]:
    """The revisions from the base to head, the base left out."""
    return [revision.id for revision in lineage_of(kind).revisions()][1:]


def put_back(root: Path, *names: str) -> None:
    """Bring stores, or the registry, to the first revision of their kinds."""
    for target in Targets(root).named(names):
        upgrade_file(target, to=base(target.kind), down=True)
