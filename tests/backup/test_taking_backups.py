"""Taking a backup: what is kept, when nothing is, and what of it anybody may read."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from spine_samples import content, files_in, filled, flip, kept

import dsfactory as ds
from dsfactory.engine.connection import open_connection
from dsfactory.engine.swapping import RETIRED
from dsfactory.errors import BusyError
from dsfactory.stores import settings_of


def test_backup_is_recorded(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A backup names its store, moment, reason and tags, and the catalog lists it."""
    store = filled(factory)
    backup = store.backup(reason="release", tags=("v1", "v1", "good"))
    assert (backup.store, backup.created_at, backup.reason) == (
        "sessions",
        clock.now_ms(),
        "release",
    )
    assert backup.tags == ("v1", "good")
    assert factory.backups("sessions") == factory.backups() == [backup]
    record = factory.get_registered_store("sessions")
    assert record is not None
    assert record.backup_at == clock.now_ms()


def test_files_are_private(factory: ds.DataStoreFactory) -> None:
    """Payloads and manifests can be read by their owner only, their folders too."""
    umask = os.umask(0)
    try:
        filled(factory).backup()
    finally:
        os.umask(umask)
    for path in (factory.root / "backups").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_manifest_tells_all(factory: ds.DataStoreFactory) -> None:
    """The manifest says what restoring needs, and no value of the store."""
    store = filled(factory)
    store["key-0"] = {"n": 0, "text": "very-secret"}
    backup = store.backup()
    text = kept(factory, backup, ".json").read_text()
    told = json.loads(text)
    assert told["origin"]["name"] == "sessions"
    assert told["origin"]["kind"] == "state"
    assert told["origin"]["options"]["codec"] == "json"
    assert told["image"]["rows"]["entry"] == 50
    assert told["image"]["size_bytes"] % 4096 == 0
    assert told["sqlite"].startswith("3.")
    assert "very-secret" not in text
    assert "key-0" not in text


def test_unchanged_store(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Nothing changed: no other copy is made, and the fact is recorded; force makes one."""
    store = filled(factory)
    first = store.backup()
    clock.advance(1000)
    again = store.backup()
    assert again.id == first.id
    assert again.unchanged_at == clock.now_ms()
    assert len(factory.backups()) == 1
    assert factory.backup("sessions", force=True).id != first.id
    assert factory.backup("sessions", tags=["new"]).id not in {b.id for b in [first, again]}


def test_changed_store(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Every commit since the last backup makes another."""
    store = filled(factory)
    ids = set()
    for n in range(3):
        store["n"] = n
        clock.advance(1)
        ids.add(store.backup().id)
    assert len(ids) == 3


def test_same_as_a_damaged_one(factory: ds.DataStoreFactory) -> None:
    """A copy that is known to be damaged is no reason not to make another."""
    store = filled(factory)
    first = store.backup()
    flip(kept(factory, first, ".db.zst"), 60)
    assert factory.verify(deep=False)[0].problem is not None
    assert store.backup().id != first.id


def test_uncompressed(factory: ds.DataStoreFactory) -> None:
    """Without compression the payload is the database itself."""
    store = filled(factory, backup_compression=False)
    backup = store.backup()
    assert kept(factory, backup, ".db").read_bytes()[:16] == b"SQLite format 3\0"
    factory.restore("sessions")
    assert len(factory.get_store("sessions")) == 50


def test_damaged_store(factory: ds.DataStoreFactory) -> None:
    """Of a damaged store no backup is made, and none is removed."""
    store = filled(factory, max_backups=1)
    whole = store.backup()
    path = store.path
    store.close()
    flip(path, path.stat().st_size - 2000)
    with pytest.raises(ds.CorruptError, match=r"sessions.*Restore"):
        factory.backup("sessions", force=True)
    assert factory.backups() == [whole]
    factory.restore("sessions")


@pytest.mark.parametrize(
    ("application_id", "error"), [(RETIRED, BusyError), (7, ds.ForeignFileError)]
)
def test_another_file(
    factory: ds.DataStoreFactory, application_id: int, error: type[ds.DataStoreError]
) -> None:
    """A file that a restore just replaced, or somebody else's, is not kept as the store."""
    store = filled(factory)
    path, settings = store.path, settings_of(store.options)
    store.close()
    connection = open_connection(path, settings, write=True)
    connection.pragma("application_id", application_id)
    connection.close()
    with pytest.raises(error, match="sessions"):
        factory.backup("sessions")
    assert factory.backups() == []
    factory.unregister_store("sessions", delete_files=True)


def test_flawed_store(factory: ds.DataStoreFactory) -> None:
    """A store whose counters drifted is copied, and the backup says that it needs repair."""
    store = filled(factory)
    path = store.path
    store.close()
    import apsw

    connection = apsw.Connection(str(path), vfs="cksmvfs")
    connection.execute("UPDATE meta SET entries = 7")
    connection.close()
    backup = factory.backup("sessions")
    assert any("I1" in flaw for flaw in backup.flaws)
    again = factory.get_store("sessions")
    assert again.repair() == []
    assert factory.backup("sessions").flaws == ()


def test_copy_of_one_moment(factory: ds.DataStoreFactory) -> None:
    """A backup beside a busy writer holds whole transactions only."""
    store = factory.create_state_store("pairs", max_backups=50)
    with store.transaction():
        store["a"] = store["b"] = 0
    stop = threading.Event()

    def write() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            with store.transaction():
                store["a"] = n
                store["b"] = n

    thread = threading.Thread(target=write)
    thread.start()
    try:
        backups = [factory.backup("pairs", force=True) for _ in range(5)]
    finally:
        stop.set()
        thread.join()
    for n, backup in enumerate(backups):
        with ds.DataStoreFactory(factory.root.parent / f"copy-{n}", maintenance="manual") as other:
            beside = other.root / "stores" / "pairs.db"
            factory.restore("pairs", backup.id, to=beside)
            copy: Any = other.create_state_store("pairs")
            assert copy["a"] == copy["b"]
            assert copy.check() == []


def test_progress_and_breaking_off(factory: ds.DataStoreFactory) -> None:
    """Progress is told to its end; what it raises breaks the backup off and leaves nothing."""
    store = filled(factory)
    told: list[tuple[int, int]] = []
    factory.backup("sessions", progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1]
    assert any(done == total for done, total in told[:-1])
    before = files_in(factory.root / "backups")

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    store["more"] = 1
    with pytest.raises(KeyboardInterrupt):
        factory.backup("sessions", progress=stop)
    assert files_in(factory.root / "backups") == before


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"reason": ""}, ds.OptionError),
        ({"reason": "x" * 65}, ds.OptionError),
        ({"reason": "a\nb"}, ds.OptionError),
        ({"reason": 7}, ds.OptionTypeError),
        ({"tags": "abc"}, ds.OptionTypeError),
        ({"tags": [""]}, ds.OptionError),
        ({"tags": ["a\0"]}, ds.OptionError),
        ({"tags": ["x" * 129]}, ds.OptionError),
    ],
)
def test_refused_wishes(
    factory: ds.DataStoreFactory, wish: dict[str, Any], error: type[ds.OptionError]
) -> None:
    """A reason or a tag that no manifest takes is refused before anything is copied."""
    filled(factory)
    with pytest.raises(error):
        factory.backup("sessions", **wish)
    assert factory.backups() == []


def test_inside_a_transaction(factory: ds.DataStoreFactory) -> None:
    """Inside of a transaction no backup is taken: it would not show what was just written."""
    store = filled(factory)
    with store.transaction(), pytest.raises(ds.TransactionError):
        store.backup()


def test_unknown_store(factory: ds.DataStoreFactory) -> None:
    """A store that is not registered cannot be backed up."""
    with pytest.raises(ds.StoreAbsentError):
        factory.backup("nobody")


def test_file_is_gone(factory: ds.DataStoreFactory) -> None:
    """A store whose file is gone is named, and its backups stay."""
    store = filled(factory)
    backup = store.backup()
    path = store.path
    store.close()
    path.unlink()
    with pytest.raises(ds.FileMissingError):
        factory.backup("sessions")
    assert factory.backups() == [backup]
    factory.restore("sessions")


def test_writers_may_not_wait_for_ever(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """A copy that takes longer than it may pin the log is broken off with a BusyError."""
    from dsfactory.engine import Settings
    from dsfactory.engine.copying import pinned

    store = factory.create_state_store("large", page_checksums=False)
    store.set_many({n: os.urandom(5000).hex() for n in range(1000)})
    with pinned(store.path, Settings()) as moment, pytest.raises(BusyError, match="too long"):
        moment.copy_to(tmp_path / "copy.db", longest_s=0)


def test_full_disk(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """A full disk fails the backup with a typed error, leaves nothing behind, loses nothing."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "small"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)], check=False
    )
    if mounted.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        with ds.DataStoreFactory(
            tmp_path / "full", maintenance="manual", backup_target=str(disk)
        ) as full:
            store = full.create_state_store("big")
            store.set_many({n: os.urandom(1000).hex() for n in range(1000)})
            with pytest.raises(ds.BackupPlaceError, match="No space"):
                store.backup()
            assert files_in(disk) == set()
            assert len(store) == 1000
            assert store.check() == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_opening_imports_nothing_of_it(tmp_path: Path) -> None:
    """Opening a factory and a store imports nothing that only backups need."""
    code = (
        "import sys, dsfactory as ds\n"
        f"with ds.DataStoreFactory({str(tmp_path / 'd')!r}, maintenance='manual') as f:\n"
        "    f.create_state_store('s')['a'] = 1\n"
        "print(*sorted(m for m in sys.modules if m.startswith('dsfactory.backup')))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_two_at_once(factory: ds.DataStoreFactory) -> None:
    """Two threads that back up one store at once both succeed."""
    store = filled(factory)
    expected = content(store)
    taken: list[ds.Backup] = []
    threads = [
        threading.Thread(target=lambda: taken.append(factory.backup("sessions", force=True)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({backup.id for backup in taken}) == 2
    for backup in taken:
        factory.restore("sessions", backup.id)
        assert content(factory.get_store("sessions")) == expected


def test_all_in_the_log(factory: ds.DataStoreFactory) -> None:
    """A store that is mostly in its log is copied with right page checksums."""
    store = factory.create_state_store("young")
    store.set_many({n: os.urandom(1000).hex() for n in range(1000)})
    assert store.stats().wal_bytes > store.stats().file_bytes
    store.backup()
    assert factory.verify("young")[0].problem is None
