"""Damage to stores, raw connections, and children that are not root."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

import dsfactory as ds
from dsfactory.engine import checksums

PATIENCE_S = 20
NOBODY = 65534


def raw(path: Path) -> apsw.Connection:
    """Any SQLite tool that knows page checksums."""
    vfs = checksums.vfs() if checksums.available() else None
    return apsw.Connection(str(path), vfs=vfs)


@contextlib.contextmanager
def being_written(path: Path) -> Iterator[None]:
    """Somebody else is in the middle of a write transaction."""
    connection = raw(path)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.close()


def flip_a_byte(path: Path, text: bytes) -> None:
    """Change one letter of *text*, in every copy of it, past SQLite."""
    contents = path.read_bytes()
    assert text in contents
    path.write_bytes(contents.replace(text, text[:-1] + b"!"))


def answers(report: ds.HealthReport, name: str) -> dict[str, ds.Probe]:
    """The probes of one store by name."""
    (store,) = [store for store in report.stores if store.name == name]
    return {probe.name: probe for probe in store.probes}


def give_away(root: Path) -> None:
    """Make everything below *root* belong to nobody in particular."""
    for path in (root, *root.rglob("*")):
        os.chown(path, NOBODY, NOBODY)


def as_nobody(work: Callable[[], str]) -> str:
    """Run *work* in a forked child that may not write whatever it likes; return its answer."""
    here, there = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            said = work()
        except BaseException as error:  # noqa: BLE001 -- told to the parent
            said = f"{type(error).__name__}: {error}"
        finally:
            os.write(there, said.encode()[:8000])
            os._exit(0)
    os.close(there)
    with os.fdopen(here) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said
