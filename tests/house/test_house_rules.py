"""The rules that keep the house as its DESIGN.md files draw it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "dsfactory"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# Lower floors never import higher ones. Rooms on the same floor may not import each other either,
# except the basics, which are single files that know each other.
FLOORS = [
    {"errors", "model", "clock", "durations", "keys", "checks", "options", "places"},
    {"codecs", "engine"},
    {"profiles"},
    {"series"},
    {"stores"},
    {"registry"},
    {"upgrade"},
    {"backup"},
    {"health"},
    {"maintenance"},
    {"upgrading"},
    {"shelf"},
    {"rescuing"},
    {"safe"},
    {"caretaking"},
    {"safekeeping"},
    {"factory"},
    {"services"},
    {"cli"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# A foreign library and the only rooms that may know it.
OWNERS = {
    "apsw": {"engine", "upgrade"},
    "zstandard": {"codecs"},
    "msgspec": {"codecs"},
    "pydantic": {"codecs"},
    "attrs": {"codecs"},
    "sqlalchemy": {"engine", "profiles", "upgrade"},
    "alembic": {"upgrade"},
    "click": {"cli"},
    "rich": {"cli"},
    "platformdirs": {"places", "cli"},
    "obstore": {"backup"},
    "pyrage": {"backup"},
    "numpy": {"series"},
    "pcodec": {"series"},
    "pyarrow": {"series"},
    "pandas": {"series"},
    "polars": {"series"},
    "cronsim": {"services"},
    "tomllib": {"services"},
    "tomli_w": {"services"},
    "yaml": {"services"},
}

# The demonstration's own records are typed values of an application, not of the house.
DEMONSTRATION = PACKAGE / "cli"


def room_of(path: Path) -> str:
    """The room a source file belongs to: its folder, or its own name at the top."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, ast.stmt]]:
    """Every module that a file imports, type-checking-only imports left out."""
    tree = ast.parse(path.read_text())
    unseen = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module == "dsfactory":
                yield from ((f"dsfactory.{alias.name}", node) for alias in node.names)
            else:
                yield node.module, node


def calls(path: Path) -> Iterator[ast.Call]:
    """Every call in a file."""
    return (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call))


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    """Every function in a file."""
    return (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_downward(path: Path) -> None:
    """No file imports from a higher floor, nor from another room on its own floor."""
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    for module, _ in imports(path):
        parts = module.split(".")
        if parts[0] != "dsfactory" or len(parts) < 2 or parts[1] not in FLOOR_OF:
            continue
        other = parts[1]
        same_basics = FLOOR_OF[room] == FLOOR_OF[other] == 0
        assert other == room or same_basics or FLOOR_OF[other] < FLOOR_OF[room], (
            f"{path.name} imports {module}"
        )


def test_every_room_has_its_floor() -> None:
    """A new room has to be given its place."""
    rooms = {room_of(path) for path in SOURCES} - {"__init__", "__main__"}
    assert rooms <= set(FLOOR_OF)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_foreign_libraries_stay_in_their_rooms(path: Path) -> None:
    """Each foreign library is known to the rooms that own it, and to no other."""
    for module, _ in imports(path):
        owner = OWNERS.get(module.split(".")[0])
        if owner is None or (module == "msgspec" and DEMONSTRATION in path.parents):
            continue
        assert room_of(path) in owner, f"{path.name} imports {module}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_second_sqlite(path: Path) -> None:
    """Nobody imports sqlite3: a second SQLite library would drop the first one's locks."""
    assert not [module for module, _ in imports(path) if module.split(".")[0] == "sqlite3"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_pickle_no_eval(path: Path) -> None:
    """Nothing stored is ever executed."""
    assert not {m.split(".")[0] for m, _ in imports(path)} & {"pickle", "marshal", "shelve"}
    names = {n.func.id for n in calls(path) if isinstance(n.func, ast.Name)}
    assert not names & {"eval", "exec"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_clock_reads_clocks(path: Path) -> None:
    """Time enters through clock.py."""
    if path == PACKAGE / "clock.py":
        return
    assert "time" not in {module for module, _ in imports(path)}
    for call in calls(path):
        if isinstance(call.func, ast.Attribute):
            assert call.func.attr not in {"now", "utcnow", "today"} or call.args, path.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_sql_is_never_assembled(path: Path) -> None:
    """SQL is named text: no f-string or concatenation reaches an execute."""
    for call in calls(path):
        if isinstance(call.func, ast.Attribute) and call.func.attr in {
            "execute",
            "executemany",
            "rows",
            "run",
            "many",
        }:
            assert not (call.args and isinstance(call.args[0], (ast.JoinedStr, ast.BinOp)))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_few_positional_parameters(path: Path) -> None:
    """Nobody has to count: at most five positional parameters."""
    for function in functions(path):
        arguments = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
        assert len([a for a in arguments if a not in ("self", "cls")]) <= 5, function.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(path: Path) -> None:
    """A file is at most 450 lines (frozen text aside), a function at most 45."""
    if path.name != "frozen.py":
        assert len(path.read_text().splitlines()) <= 450
    for function in functions(path):
        body = function.body
        documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
        first = body[1].lineno if documented and len(body) > 1 else function.lineno
        assert (function.end_lineno or 0) - first <= 45, function.name


def test_no_machine_paths() -> None:
    """No file names a place of somebody's machine."""
    tracked = [*SOURCES, *(ROOT / "scripts").rglob("*"), *(ROOT / "migrations").rglob("*")]
    for path in tracked:
        if path.is_file() and path.suffix in ("", ".py", ".sh", ".md", ".mako", ".ini"):
            assert not re.search(r"/(home|work|root|Users)/", path.read_text()), path


def test_public_names_are_documented() -> None:
    """Every public name is documented: modules, classes and functions."""
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree) or not tree.body, path
        for node in ast.walk(tree):
            named = isinstance(node, (ast.ClassDef, ast.FunctionDef))
            if named and not node.name.startswith("_"):
                overloaded = any("overload" in ast.dump(d) for d in node.decorator_list)
                inner = isinstance(node, ast.FunctionDef) and is_nested(tree, node)
                assert overloaded or inner or ast.get_docstring(node), f"{path}: {node.name}"


def is_nested(tree: ast.AST, wanted: ast.FunctionDef) -> bool:
    """Whether a function stands inside of another one."""
    return any(
        wanted in ast.walk(outer)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef) and outer is not wanted
    )
