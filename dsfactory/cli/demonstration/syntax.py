"""The summary of one Python source file, from its syntax tree."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_Defining = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_BODIES = ("body", "orelse", "handlers", "finalbody", "cases")


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class."""

    name: str
    """With the names of what it stands in: ``Thread.run``."""
    kind: str
    """"function" or "class"."""
    line: int
    lines: int
    nesting: int
    """How deep statements stand in it; that of the file is counted from its own margin."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What one source file consists of."""

    path: str
    lines: int
    bytes: int
    definitions: list[Definition]
    imports: list[str]
    """Top-level names of the imported modules, sorted; "." stands for the file's own package."""
    nesting: int

    @property
    def functions(self) -> list[Definition]:
        """Functions and methods."""
        return [found for found in self.definitions if found.kind == "function"]

    @property
    def classes(self) -> list[Definition]:
        """Classes."""
        return [found for found in self.definitions if found.kind == "class"]


def summarise(path: Path) -> Summary:
    """Return the summary of the file; raise SyntaxError or ValueError when it is no Python."""
    source = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the files' own escapes and comparisons
        tree = ast.parse(source)
    return Summary(
        path=str(path),
        lines=source.count(b"\n"),
        bytes=len(source),
        definitions=list(_definitions(tree, "")),
        imports=sorted({name for node in _statements(tree) for name in _imported(node)}),
        nesting=_nesting(tree),
    )


def _children(node: ast.AST) -> Iterator[ast.AST]:
    for body in _BODIES:
        yield from getattr(node, body, ())


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    waiting = list(_children(node))
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(_children(found))


def _definitions(node: ast.AST, inside: str) -> Iterator[Definition]:
    for child in _children(node):
        if not isinstance(child, _Defining):
            yield from _definitions(child, inside)
            continue
        kind = "class" if isinstance(child, ast.ClassDef) else "function"
        lines = (child.end_lineno or child.lineno) - child.lineno + 1
        yield Definition(inside + child.name, kind, child.lineno, lines, _nesting(child))
        yield from _definitions(child, f"{inside}{child.name}.")


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield "." if node.level else str(node.module).partition(".")[0]


def _nesting(node: ast.AST) -> int:
    """How many compound statements stand in each other at the deepest place."""
    deepest = 0
    for child in _children(node):
        if not (hasattr(child, "body") or isinstance(child, ast.Match)):
            continue  # a simple statement
        # An "elif" is an "if" in an "else", written at the same margin.
        own = 0 if _continues(node, child) else 1
        deepest = max(deepest, own + _nesting(child))
    return deepest


def _continues(node: ast.AST, child: ast.AST) -> bool:
    if isinstance(child, (ast.ExceptHandler, ast.match_case)):
        return True
    return (
        isinstance(node, ast.If)
        and isinstance(child, ast.If)
        and child.col_offset == node.col_offset
    )
