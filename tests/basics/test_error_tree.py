"""The exception tree: drawn at the top of errors.py, and true."""

from __future__ import annotations

import builtins
import copy
import multiprocessing
import pickle
import re
from typing import NamedTuple

import pytest

import dsfactory as ds
from dsfactory import errors

CLASSES = [
    found
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, ds.DataStoreError)
]
LINE = re.compile(r"    (?P<limbs>[ |`-]*)(?P<name>\w+Error)\b(?P<rest>.*)")


class Drawn(NamedTuple):
    """One line of the drawing."""

    name: str
    parent: str | None
    builtin: str | None
    exit_code: int | None


def drawing() -> dict[str, Drawn]:
    """The tree as the docstring of errors.py draws it."""
    lines: dict[str, Drawn] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = LINE.fullmatch(line)
        if match is None:
            continue
        depth = len(match["limbs"]) // 4
        words = match["rest"].split()
        builtin = words.pop(0) if words and hasattr(builtins, words[0]) else None
        code = int(words[0]) if words and words[0].isdigit() else None
        del above[depth:]
        name = match["name"]
        lines[name] = Drawn(name, above[-1] if above else None, builtin, code)
        above.append(name)
    return lines


DRAWING = drawing()


def of_class(cls: type[ds.DataStoreError]) -> Drawn:
    """What a line about *cls* has to say."""
    ours = [base.__name__ for base in cls.__bases__ if base.__module__ == errors.__name__]
    theirs = [base.__name__ for base in cls.__bases__ if base.__module__ == "builtins"]
    root = cls is ds.DataStoreError
    return Drawn(
        cls.__name__,
        ours[0] if ours else None,
        theirs[0] if theirs and not root else None,
        vars(cls).get("exit_code"),
    )


def test_every_error_is_drawn() -> None:
    """The drawing names every class once and nothing else."""
    assert sorted(DRAWING) == sorted(cls.__name__ for cls in CLASSES)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_error_as_drawn(cls: type[ds.DataStoreError]) -> None:
    """Parent, built-in base and exit code of each class are those of the drawing."""
    assert of_class(cls) == DRAWING[cls.__name__]


def test_exit_codes_tell_families_apart() -> None:
    """Each family has an exit code of its own, none of them 0, and its members share it."""
    codes = [drawn.exit_code for drawn in DRAWING.values() if drawn.exit_code is not None]
    assert len(codes) == len(set(codes))
    assert min(codes) == 1
    for cls in CLASSES:
        family = next(base for base in cls.__mro__ if "exit_code" in vars(base))
        assert cls.exit_code == family.exit_code


def test_every_error_is_public() -> None:
    """Whatever can be raised can be named: every class is in dsfactory.__all__."""
    assert {cls.__name__ for cls in CLASSES} <= set(ds.__all__)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_error_is_documented(cls: type[ds.DataStoreError]) -> None:
    """Each class says when it is raised, and is caught as DataStoreError."""
    assert issubclass(cls, ds.DataStoreError)
    assert cls.__doc__
    assert vars(cls).get("__doc__")


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_error_says_its_message(cls: type[ds.DataStoreError]) -> None:
    """str() is the message, also where the built-in base prints something else."""
    error = cls("What happened, to 'what', and what to do.", path="/data/x.db", size=3)
    assert str(error) == error.message == "What happened, to 'what', and what to do."
    assert error.facts == {"path": "/data/x.db", "size": 3}
    assert str(cls()) == ""


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_error_travels(cls: type[ds.DataStoreError]) -> None:
    """An error comes through pickle, copy and a pipe between processes as it was."""
    error = cls("It happened.", store="x", limit=3)
    here, there = multiprocessing.Pipe()
    with here, there:
        here.send(error)
        received = there.recv()
    for found in (received, pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):  # noqa: S301
        assert type(found) is cls
        assert (str(found), found.facts) == ("It happened.", {"store": "x", "limit": 3})
