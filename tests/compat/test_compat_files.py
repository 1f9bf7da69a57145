"""Files of every revision that was ever released open with this release, and lose nothing."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import compat_samples as samples
import pytest

import dsfactory as ds
from dsfactory.engine import Settings, checksums, open_connection
from dsfactory.profiles import PROFILES, REGISTRY
from dsfactory.upgrade import lineage_of, upgrade_file
from dsfactory.upgrade.steps import series_0003
from dsfactory.upgrading import Upgrader

ROOT = Path(__file__).resolve().parents[2]
EVERY = list(samples.revisions())
OF_STORES = [(kind, revision) for kind, revision in EVERY if kind != "registry"]
OF_REGISTRY = [revision for kind, revision in EVERY if kind == "registry"]
SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema"
CLOCK = ds.ManualClock(samples.MADE_AT + 1000)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """What a query gives on a closed file."""
    connection = open_connection(path, Settings(page_checksums=checksums.available()))
    try:
        return sorted(connection.execute(query).fetchall(), key=str)
    finally:
        connection.close()


def contents(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every object and row of a closed file."""
    tables = [name for kind, name, _, _ in rows(path, SCHEMA) if kind == "table"]
    found = {name: rows(path, f'SELECT * FROM "{name}"') for name in tables}  # noqa: S608
    return {"schema": rows(path, SCHEMA), **found}


def dropping(found: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """*found* without the series, which a revision that does not know them cannot keep."""
    return {name: rows for name, rows in found.items() if name not in series_0003.TABLES}


@pytest.fixture
def factory(tmp_path: Path) -> Iterator[ds.DataStoreFactory]:
    """A factory at the time of the files, a second after they were made."""
    with ds.DataStoreFactory(tmp_path / "data", maintenance="manual", clock=CLOCK) as made:
        yield made


def create(factory: ds.DataStoreFactory, kind: str, name: str) -> ds.DataStore[Any]:
    """Ask for the store as its application does."""
    options: dict[str, Any] = {}
    if kind == "config":
        options["validator"] = lambda _value: True
    if kind == "custom":
        options["features"] = samples.FEATURES
    store: ds.DataStore[Any] = getattr(factory, f"create_{kind}_store")(name, **options)
    return store


@pytest.fixture
def old_path(factory: ds.DataStoreFactory, revision: str) -> Path:
    """A kept file of *revision*, where the factory looks for it."""
    path = factory.root / "stores" / f"{samples.NAME}.db"
    samples.unpack(revision, path)
    return path


def test_every_revision_is_kept() -> None:
    """There is one file for every revision; scripts/make-compat makes what is missing."""
    kept = sorted(path.name for path in samples.FILES.iterdir())
    assert kept == sorted(samples.kept(revision).name for _, revision in EVERY)


@pytest.mark.parametrize(("kind", "revision"), OF_STORES)
def test_old_store(factory: ds.DataStoreFactory, kind: str, revision: str, old_path: Path) -> None:
    """Opened, it is at head and equal to a new file's schema to the letter, with all its data."""
    with create(factory, kind, samples.NAME) as store:
        assert {key: store[key] for key in samples.values()} == samples.values()
        assert (len(store), store.get("expired")) == (len(samples.values()), None)
        assert store.check() == []
        record = factory.get_registered_store(samples.NAME)
        assert record is not None
        assert record.revision == PROFILES[store.kind].revision
    create(factory, kind, "new").close()
    assert rows(old_path, SCHEMA) == rows(factory.root / "stores" / "new.db", SCHEMA)


@pytest.mark.parametrize(("kind", "revision"), OF_STORES)
def test_features_of_old_store(
    factory: ds.DataStoreFactory, kind: str, revision: str, old_path: Path
) -> None:
    """Tags, history, dictionaries and the order of use came along."""
    with create(factory, kind, samples.NAME) as store:
        features = store.options.features
        compressed = store.entry("large")
        assert compressed is not None
        assert compressed.compressed == store.options.compression
    packed = "SELECT 1 FROM entry WHERE unpacked_bytes < 1000"
    assert bool(rows(old_path, packed)) == store.options.compression
    if "history" in features:
        changes = rows(old_path, "SELECT change, version FROM history WHERE key = 'changed'")
        assert changes == [("create", 1), ("update", 2)]
    if "access" in features:
        used = rows(old_path, "SELECT seq FROM access")
        assert len(used) == len(rows(old_path, "SELECT id FROM entry"))
    if "tags" in features:
        with create(factory, kind, samples.NAME) as store:
            assert store.evict_tag("one") == 1


@pytest.mark.parametrize(
    "revision", [r for k, r in OF_STORES if r > "metrics_0002" and k == "metrics"]
)
def test_series_of_old_store(factory: ds.DataStoreFactory, revision: str, old_path: Path) -> None:
    """Blocks that an earlier release wrote are read, and go on to be written to."""
    with factory.create_metrics_store(samples.NAME) as store:
        store.record("gauge", 7.5, labels={"host": "a"}, at=samples.MADE_AT)
        with store._series.reading() as reader:
            for name, (times, values) in samples.series().items():
                (series,) = reader.catalogue.named(name)
                found = reader.samples(series.id, 0, samples.FAR)
                assert found.times.tolist() == times
                changed = [7.5, *values[1:]] if name == "gauge" else values
                assert found.values.tolist() == changed
        assert store.check() == []


@pytest.mark.parametrize(("kind", "revision"), OF_STORES)
def test_down_and_up_again(
    factory: ds.DataStoreFactory, kind: str, revision: str, old_path: Path
) -> None:
    """Upgraded, walked down to every revision and up again, it says the same (but for series)."""
    create(factory, kind, samples.NAME).close()
    record = factory.get_registered_store(samples.NAME)
    assert record is not None
    target = Upgrader(factory.root, CLOCK, "auto").store(record)
    before = contents(old_path)
    for step in lineage_of(kind).revisions():
        upgrade_file(target, to=step.id, down=True)
        upgrade_file(target)
        assert dropping(contents(old_path)) == dropping(before)
    assert create(factory, kind, samples.NAME).check() == []


@pytest.mark.parametrize("revision", OF_REGISTRY)
def test_old_registry(tmp_path: Path, revision: str) -> None:
    """A directory of an earlier release knows its stores, in a file like a new one."""
    path = tmp_path / "data" / "metadata.db"
    samples.unpack(revision, path)
    with ds.DataStoreFactory(path.parent, maintenance="manual", clock=CLOCK) as factory:
        records = factory.get_registered_stores()
        assert [record.name for record in records] == sorted(
            f"my-{kind}" for kind in samples.STORES
        )
        assert {record.options.max_entries for record in records} == {7}
        new = ds.DataStoreFactory(tmp_path / "new", maintenance="manual", clock=CLOCK)
    new.close()
    assert rows(path, SCHEMA) == rows(tmp_path / "new" / "metadata.db", SCHEMA)
    assert rows(path, "PRAGMA user_version") == [(REGISTRY.revision,)]
    assert len(rows(path, "SELECT * FROM lease")) == 1


@pytest.mark.parametrize("revision", OF_REGISTRY)
def test_registry_down_and_up_again(tmp_path: Path, revision: str) -> None:
    """The registry too says the same after it was walked down and up again."""
    path = tmp_path / "data" / "metadata.db"
    samples.unpack(revision, path)
    settings = Settings(page_checksums=checksums.available())
    target = Upgrader(path.parent, CLOCK, "auto").registry(path, settings)
    upgrade_file(target)
    before = contents(path)
    for step in lineage_of("registry").revisions():
        upgrade_file(target, to=step.id, down=True)
        upgrade_file(target)
        assert contents(path) == before


def test_script_makes_the_same(tmp_path: Path) -> None:
    """What scripts/make-compat makes now says what the kept files say."""
    script = ROOT / "scripts" / "make-compat"
    made = tmp_path / "made"
    command = [sys.executable, str(script), "--into", str(made)]
    first, again = (subprocess.run(command, capture_output=True, text=True) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert (first.stdout.count("made "), again.stdout) == (len(EVERY), "")
    kept = samples.FILES
    for _, revision in EVERY:
        says = []
        for folder in (kept, made):
            path = tmp_path / f"{folder.name}-{revision}.db"
            with contextlib.ExitStack() as stack:
                stack.callback(setattr, samples, "FILES", kept)
                samples.FILES = folder
                samples.unpack(revision, path)
            says.append(contents(path))
        assert says[0] == says[1], revision
