"""What the demo reads out of a syntax tree."""

from __future__ import annotations

import warnings
from textwrap import dedent

import pytest

from dsfactory.cli.demonstration.syntax import Summary, summarise


@pytest.fixture
def summary_of(tmp_path):
    def summary(source: str) -> Summary:
        path = tmp_path / "module.py"
        path.write_text(dedent(source))
        return summarise(path)

    return summary


def test_definitions(summary_of):
    """Functions and classes are named with what they stand in, with line and length."""
    summary = summary_of(
        """\
        class A:
            def b(self):
                async def c():
                    pass

        if True:
            def d(): pass
        """
    )
    found = [(d.name, d.kind, d.line, d.lines) for d in summary.definitions]
    assert found == [
        ("A", "class", 1, 4),
        ("A.b", "function", 2, 3),
        ("A.b.c", "function", 3, 2),
        ("d", "function", 7, 1),
    ]
    assert [d.name for d in summary.classes] == ["A"]
    assert len(summary.functions) == 3


def test_imports(summary_of):
    """Imports are top-level names, wherever they stand; relative ones are a dot."""
    summary = summary_of(
        """\
        import os.path, sys
        def f():
            try:
                from json import loads
            except ImportError:
                from . import x
        """
    )
    assert summary.imports == [".", "json", "os", "sys"]


@pytest.mark.parametrize(
    ("source", "nesting"),
    [
        ("x = 1\n", 0),
        ("if a:\n  pass\nelif b:\n  pass\nelif c:\n  pass\nelse:\n  pass\n", 1),
        ("if a:\n  pass\nelse:\n  if b:\n    pass\n", 2),
        ("try:\n  pass\nexcept E:\n  for a in b:\n    pass\n", 2),
        ("match a:\n  case 1:\n    while b:\n      pass\n", 2),
        ("class A:\n  def f():\n    with a: pass\n", 3),
    ],
)
def test_nesting(summary_of, source, nesting):
    """Compound statements in each other count; elif, except and case add nothing."""
    assert summary_of(source).nesting == nesting


def test_lines_and_bytes(summary_of):
    """Lines and bytes are those of the file."""
    summary = summary_of("a = 'ä'\n\n")
    assert (summary.lines, summary.bytes) == (2, 10)


def test_no_python(summary_of):
    """What is no Python is refused."""
    with pytest.raises(SyntaxError):
        summary_of("import import")


def test_warnings_of_old_files(summary_of):
    """The compiler's complaints about other people's files are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert summary_of("a = '\\d'\n").lines == 1
