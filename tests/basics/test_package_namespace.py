"""`import dsfactory`: every name is there, and nothing is imported before it is used."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dsfactory as ds

DEAR = {"apsw", "msgspec", "zstandard", "sqlalchemy", "alembic", "sqlite3", "platformdirs"}
NOT_FOR_OPENING = {"alembic", "sqlalchemy", "sqlite3"}
SOURCE = Path(ds.__file__).read_text()


def modules_after(code: str, *arguments: str) -> set[str]:
    """The modules that a new interpreter has imported after *code*."""
    # Measuring coverage in the new interpreter would bring imports of its own.
    bare = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    report = "\nimport json as _json, sys as _sys\nprint(_json.dumps(sorted(_sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code + report, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=bare,
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("name", ds.__all__)
def test_public_name(name: str) -> None:
    """Every name in __all__ can be had, twice the same."""
    assert getattr(ds, name) is getattr(ds, name)


def test_public_names_are_sorted_and_listed() -> None:
    """__all__ is in order without repeats, and dir() shows all of it."""
    assert sorted(set(ds.__all__)) == ds.__all__
    assert set(ds.__all__) <= set(dir(ds))
    assert "__version__" in dir(ds)


def test_type_checkers_see_the_same_names() -> None:
    """The imports under TYPE_CHECKING are the names of __all__."""
    guarded = next(node for node in ast.parse(SOURCE).body if isinstance(node, ast.If))
    imported = [
        alias.name
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert sorted(imported) == ds.__all__


@pytest.mark.parametrize("name", ["Nonsense", "datastore", "__wrapped__", "_Host"])
def test_unknown_name(name: str) -> None:
    """A name that is not there is an AttributeError that repeats it."""
    with pytest.raises(AttributeError, match=f"'dsfactory' has no attribute '{name}'"):
        getattr(ds, name)


def test_import_is_lazy() -> None:
    """Importing the package imports neither a room of it nor any library."""
    imported = modules_after("import dsfactory")
    assert not imported & DEAR
    assert {name for name in imported if name.startswith("dsfactory")} == {"dsfactory"}


def test_errors_cost_no_library() -> None:
    """Whoever only catches our errors imports none of the libraries."""
    assert not modules_after("from dsfactory import DataStoreError, ManualClock") & DEAR


def test_opening_imports_no_sqlalchemy(tmp_path: Path) -> None:
    """Opening a factory and an up-to-date store imports no SQLAlchemy, Alembic or sqlite3."""
    with ds.DataStoreFactory(tmp_path, maintenance="manual") as factory:
        factory.create_state_store("sessions")["a"] = {"n": 1}
    opening = (
        "import sys, dsfactory as ds\n"
        "factory = ds.DataStoreFactory(sys.argv[1])\n"
        "store = factory.create_state_store('sessions')\n"
        "assert store['a'] == {'n': 1}\n"
    )
    imported = modules_after(opening, str(tmp_path))
    assert not imported & NOT_FOR_OPENING
    assert "apsw" in imported
