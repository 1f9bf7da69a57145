"""What tests of point-in-time recovery share: a store that is recorded, and the way back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import dsfactory as ds
from dsfactory.backup.moments import shipping as journal
from dsfactory.backup.moments.replaying import Replayed, position_in, replayed
from dsfactory.backup.moments.segments import Folder
from dsfactory.backup.moments.stretches import Base, Known, way_to
from dsfactory.backup.places.place import DirectoryPlace
from dsfactory.backup.snapshot import Subject
from dsfactory.engine import Database
from dsfactory.engine.copying import copy_online
from dsfactory.stores import settings_of

START = ds.ManualClock().now_ms()

CONTENT = {
    "entry": "SELECT * FROM entry ORDER BY id",
    "tag": "SELECT * FROM tag ORDER BY name, entry_id",
    "history": "SELECT * FROM history ORDER BY seq",
    "dictionary": "SELECT * FROM dictionary ORDER BY id",
    "meta": "SELECT entries, stored_bytes, unpacked_bytes, version_floor FROM meta",
}
TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
JOURNAL = "SELECT name FROM sqlite_schema WHERE name LIKE 'journal%'"

Content = dict[str, list[tuple[Any, ...]]]


def content(path: Path, options: Any) -> Content:
    """Every row that makes up a store's state, as the file has it."""
    database = Database(path, settings_of(options), clock=lambda: 0)
    try:
        with database.snapshot() as reading:
            tables = {name for (name,) in reading.rows(TABLES)}
            return {name: reading.rows(sql) for name, sql in CONTENT.items() if name in tables}
    finally:
        database.close()


class Recorded(NamedTuple):
    """A store whose changes are recorded, with a folder for its journal and its backups."""

    subject: Subject
    folder: Folder
    scratch: Path
    clock: ds.ManualClock

    def ship(self) -> journal.Shipped:
        """Move the journal out of the store."""
        return journal.ship(self.folder, self.subject, self.clock.now_ms)

    def base(self, name: str) -> Base:
        """Copy the store as it is now."""
        image = self.scratch / f"{name}.base"
        image.touch()
        copy_online(self.subject.path, self.subject.settings, image)
        position = position_in(image, self.subject.settings)
        assert position is not None
        return Base(name, position)

    def known(self, *bases: Base, lost: bool = False) -> Known:
        """What there is of the store's past, with or without the store itself."""
        held = None if lost else journal.held_by(self.subject, self.clock.now_ms)
        return Known(self.subject.name, bases, self.folder.segments(), held, self.clock.now_ms())

    def restored(self, known: Known, at: int) -> tuple[Path, Replayed]:
        """Restore the store to a moment, beside."""
        way = way_to(known, at)
        image = self.scratch / f"{at}.restored"
        shutil.copy(self.scratch / f"{way.base.id}.base", image)
        return image, replayed(image, self.subject.settings, self.folder, way, at)

    def content(self, path: Path | None = None) -> Content:
        """The rows of the store, or of a copy of it."""
        return content(path or self.subject.path, self.subject.record.options)


def recorded(factory: ds.DataStoreFactory, name: str, scratch: Path, clock: Any) -> Recorded:
    """Return the means for a store that is there."""
    scratch.mkdir(exist_ok=True)
    record = factory.get_registered_store(name)
    assert record is not None
    place = DirectoryPlace(scratch / "kept")
    return Recorded(Subject(record), Folder(place, name), scratch, clock)


def traces(path: Path, options: Any) -> list[str]:
    """The names of everything that recording has put into a file."""
    database = Database(path, settings_of(options), clock=lambda: 0)
    try:
        return [str(name) for (name,) in database.rows(JOURNAL)]
    finally:
        database.close()


def opened_as_store(image: Path, kind: str, root: Path, clock: Any) -> ds.DataStoreFactory:
    """Return a factory that has a restored file as its store "s"."""
    (root / "stores").mkdir(parents=True)
    shutil.copy(image, root / "stores" / "s.db")
    factory = ds.DataStoreFactory(root, maintenance="manual", clock=clock)
    made(factory, kind)
    return factory


def made(factory: ds.DataStoreFactory, kind: str, **options: Any) -> ds.DataStore[Any]:
    """Make or open the store "s"; everything is valid in it."""
    if kind == "config":
        options["validator"] = accept
    store: ds.DataStore[Any] = getattr(factory, f"create_{kind}_store")("s", **options)
    return store


def accept(_value: object) -> bool:
    """Find nothing wrong."""
    return True
