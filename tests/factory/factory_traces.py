"""What a factory leaves behind, so that "nothing was written" can be asserted; forked children."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import apsw

import dsfactory as ds
from dsfactory.engine import checksums

PATIENCE_S = 20
"""How long anything may take before a test calls it stuck."""


class Traces(NamedTuple):
    """Which files the stores' directory holds, and which stores the registry knows."""

    files: list[str]
    stores: list[str]


def traces(factory: ds.DataStoreFactory) -> Traces:
    """What *factory* has left behind so far."""
    directory = factory.get_factory_config().root / "stores"
    return Traces(
        sorted(path.name for path in directory.iterdir()),
        [record.name for record in factory.get_registered_stores()],
    )


def create(
    factory: ds.DataStoreFactory, kind: str, name: str = "x", **options: object
) -> ds.DataStore[object]:
    """Make a store of *kind*; a config store gets a validator that lets everything pass."""
    if kind == "config" and "schema" not in options:
        options.setdefault("validator", anything)
    made: ds.DataStore[object] = getattr(factory, f"create_{kind}_store")(name, **options)
    return made


def raw(path: Path) -> apsw.Connection:
    """Any SQLite tool that knows page checksums."""
    return apsw.Connection(str(path), vfs=checksums.vfs() if checksums.available() else None)


def anything(_value: object) -> bool:
    """A validator that lets everything pass."""
    return True


def forget_registry(root: Path) -> None:
    """Lose the metadata database of a closed factory."""
    for suffix in ("", "-wal", "-shm"):
        (root / f"metadata.db{suffix}").unlink(missing_ok=True)


def in_child(work: Callable[[], str], *, patience_s: int = PATIENCE_S) -> str:
    """Fork; return what *work* returned in the child, or how the child ended otherwise."""
    here, there = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 and later warn of forks beside threads: what these tests are about.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        _report(work, there, patience_s)
    os.close(there)
    with os.fdopen(here) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        return f"ended by {os.waitstatus_to_exitcode(status)}: {said}"
    return said


def _report(work: Callable[[], str], there: int, patience_s: int) -> None:
    status = 1
    try:
        signal.alarm(patience_s)  # a child that is stuck ends by SIGALRM
        said = work()
        status = 0
    except BaseException as error:  # noqa: BLE001 -- told to the parent, which fails the test
        said = f"{type(error).__name__}: {error}"
    finally:
        os.write(there, said.encode()[:4000])
        os._exit(status)
