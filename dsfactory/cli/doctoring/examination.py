"""Every question in its order; what cannot be answered is an answer too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from dsfactory.cli.doctoring import files, host
from dsfactory.cli.doctoring.finding import Finding
from dsfactory.clock import SystemClock
from dsfactory.engine.files import file_size
from dsfactory.errors import DataStoreError, OlderSchemaError
from dsfactory.factory import DataStoreFactory
from dsfactory.model import StoreRecord
from dsfactory.places import METADATA, STORES

Question = Callable[[], Iterator[Finding]]


def examination(root: Path) -> Iterator[Finding]:
    """Yield the answers about the directory *root*, which is one of stores."""
    now = SystemClock().now_ms()
    yield from _answers("SQLite", "this program", host.sqlite)
    yield from _answers("second SQLite library", "this machine", partial(host.second_library, root))
    yield from _answers("file system", str(root), partial(host.file_system, root))
    try:
        with DataStoreFactory(root, maintenance="manual", upgrade="never") as factory:
            records = factory.get_registered_stores()
            yield Finding.good("registry", METADATA, f"{len(records)} stores")
            yield from _of_files(root, records, now)
            for record in records:
                yield from _of_store(factory, record, now)
    except DataStoreError as error:
        yield Finding.mend("registry", METADATA, str(error), _cure(error))


def _cure(error: DataStoreError) -> str:
    if isinstance(error, OlderSchemaError):
        return "dsfactory upgrade registry"
    return "mend what it says; a lost registry: scripts/restore --from BACKUPS --all --root DIR"


def _of_files(root: Path, records: list[StoreRecord], now: int) -> Iterator[Finding]:
    paths = [root / METADATA, *(record.path for record in records)]
    sizes = {record.name: file_size(record.path) for record in records}
    yield from _answers("disk space", str(root), partial(host.disk_space, root, sizes))
    private = [root / STORES, *paths]
    yield from _answers("permissions", str(root), partial(host.permissions, root, private))
    yield from _answers("log", "registry", partial(files.log, "registry", root / METADATA))
    yield from _answers("leftovers", str(root), partial(files.leftovers, root, paths, now))


def _of_store(factory: DataStoreFactory, record: StoreRecord, now: int) -> Iterator[Finding]:
    name = record.name
    yield from _answers("schema", name, partial(files.schema, record))
    yield from _answers("log", name, partial(files.log, name, record.path))
    yield from _answers("backups", name, lambda: files.backups(record, factory.backups(name), now))


def _answers(check: str, subject: str, question: Question) -> Iterator[Finding]:
    try:
        yield from question()
    except (DataStoreError, OSError) as error:
        yield Finding.mend(check, subject, str(error), "mend that, and ask again")
