"""What can go wrong on the way to a moment: each has its typed error, or is made good."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from journal_tools import START, Recorded, made, recorded, traces

import dsfactory as ds
from dsfactory.backup.moments.segments import Folder, Segment
from dsfactory.backup.moments.shipping import ship
from dsfactory.backup.moments.stretches import Base, stretches, way_to
from dsfactory.backup.places.place import DirectoryPlace

WRITER = Path(__file__).with_name("journal_writer.py")

# In another process: a second SQLite in this one would drop the first one's locks.
FOREIGN = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("INSERT INTO entry (key, value) VALUES ('foreign', '1')")
connection.execute("UPDATE entry SET value = '22' WHERE key = 'ours'")
"""


@pytest.fixture
def store(factory: ds.DataStoreFactory) -> ds.DataStore[Any]:
    """A store whose changes are recorded."""
    return made(factory, "state", pitr="24h")


@pytest.fixture
def means(
    factory: ds.DataStoreFactory, store: ds.DataStore[Any], tmp_path: Path, clock: ds.ManualClock
) -> Recorded:
    """The means to restore it."""
    assert store.name == "s"
    return recorded(factory, "s", tmp_path / "scratch", clock)


@pytest.fixture
def base(means: Recorded) -> Base:
    """A copy of it while it was empty."""
    return means.base("first")


def three_segments(store: ds.DataStore[Any], means: Recorded) -> list[Segment]:
    """Set three keys, a second from each other, each shipped by itself."""
    for n in range(3):
        means.clock.advance(1000)
        store[f"key-{n}"] = f"secret-{n}"
        means.clock.advance(1)
        means.ship()
    return means.folder.segments()


def path_of(means: Recorded, segment: Segment) -> Path:
    """Where a segment is."""
    place = means.folder.place
    assert isinstance(place, DirectoryPlace)
    return place.path(f"s/{segment.file}")


def values(means: Recorded, image: Path) -> dict[Any, Any]:
    """Key and stored value of each entry of a copy."""
    return {row[1]: row[-1] for row in means.content(image)["entry"]}


def test_missing_segment_ends_range(store: ds.DataStore[Any], means: Recorded, base: Base) -> None:
    """Where a segment is missing the range ends, whatever comes after it."""
    segments = three_segments(store, means)
    path_of(means, segments[1]).unlink()
    known = means.known(base)
    assert stretches(known) == [(START, segments[0].until)]
    with pytest.raises(ds.RestoreRefusedError, match=r"22:13:21\.000Z") as refusal:
        way_to(known, segments[0].until + 1)
    assert refusal.value.facts["restorable"] == ((START, segments[0].until),)
    image, _ = means.restored(known, segments[0].until)
    assert set(values(means, image)) == {"key-0"}


@pytest.mark.parametrize("where", [0.02, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("how", ["flip", "cut"])
def test_damaged_segment(
    store: ds.DataStore[Any], means: Recorded, base: Base, where: float, how: str
) -> None:
    """A damaged segment is an error that says up to which moment it can be restored."""
    segments = three_segments(store, means)
    path = path_of(means, segments[1])
    body = bytearray(path.read_bytes())
    spot = int(len(body) * where)
    body[spot] ^= 0x10
    path.write_bytes(body if how == "flip" else body[:spot])
    with pytest.raises(ds.BackupDamagedError) as damage:
        means.restored(means.known(base), means.clock.now_ms())
    assert damage.value.facts["restorable_to"] == START + 1000
    assert "secret" not in str(damage.value)
    image, _ = means.restored(means.known(base), START + 1000)
    assert set(values(means, image)) == {"key-0"}


def test_segment_of_another_store(store: ds.DataStore[Any], means: Recorded, base: Base) -> None:
    """A segment that was written for another store, or under another name, is refused."""
    segments = three_segments(store, means)
    foreign = path_of(means, segments[1]).read_bytes()
    path_of(means, segments[2]).write_bytes(foreign)
    with pytest.raises(ds.BackupDamagedError, match="under another name"):
        means.restored(means.known(base), means.clock.now_ms())


def test_hostile_segment_size(store: ds.DataStore[Any], means: Recorded, base: Base) -> None:
    """A segment whose rows are more than it says is not unpacked beyond that."""
    from dsfactory.backup.moments import segments as module
    from dsfactory.codecs.streams import compressed

    (segment, *_) = three_segments(store, means)
    header = module._header("s", segment, b"x")
    bomb = b"".join(compressed([bytes(64 * 1024 * 1024)], size=64 * 1024 * 1024))
    path_of(means, segment).write_bytes(header + bomb)
    with pytest.raises(ds.BackupDamagedError, match="holds more"):
        means.restored(means.known(base), means.clock.now_ms())


def test_base_of_another_lineage(store: ds.DataStore[Any], means: Recorded, base: Base) -> None:
    """A backup that is not the one that was planned with is refused before anything is replayed."""
    three_segments(store, means)
    other = means.base("other")
    (means.scratch / "other.base").rename(means.scratch / "first.base")
    assert other.position != base.position
    with pytest.raises(ds.BackupDamagedError, match="not the one"):
        means.restored(means.known(base), means.clock.now_ms())


def test_lost_store(store: ds.DataStore[Any], means: Recorded, base: Base) -> None:
    """With the file lost, all that was shipped can be restored, and nothing later is promised."""
    segments = three_segments(store, means)
    store["unshipped"] = "gone"
    known = means.known(base, lost=True)
    assert stretches(known) == [(START, segments[-1].until)]
    image, _ = means.restored(known, segments[-1].until)
    assert set(values(means, image)) == {"key-0", "key-1", "key-2"}
    with pytest.raises(ds.RestoreRefusedError):
        way_to(known, means.clock.now_ms())


def test_commits_of_one_millisecond(store: ds.DataStore[Any], means: Recorded, base: Base) -> None:
    """A moment includes all commits of its millisecond; none is promised that may be missing."""
    store["a"] = 1
    means.ship()
    store["a"] = 2
    assert means.known(base, lost=True).segments[-1].until == START - 1
    means.ship()
    image, done = means.restored(means.known(base), START)
    assert values(means, image) == {"a": "2"}
    assert done.commits == 2


def test_clock_set_back(store: ds.DataStore[Any], means: Recorded, base: Base) -> None:
    """Commits keep their order when the clock is set back: their times never do."""
    store["a"] = 1
    means.clock.advance(-60_000)
    with ds.DataStoreFactory(
        means.subject.path.parents[1], maintenance="manual", clock=means.clock
    ) as other:
        other.get_store("s")["a"] = 2
    means.clock.advance(60_000)
    means.ship()
    image, _ = means.restored(means.known(base), START)
    assert values(means, image) == {"a": "2"}


def test_other_program(store: ds.DataStore[Any], means: Recorded, base: Base) -> None:
    """What another program writes is recorded too; its moment is when we found it."""
    store["ours"] = 1
    subprocess.run([sys.executable, "-c", FOREIGN, str(store.path)], check=True)
    means.clock.advance(10)
    store["last"] = 3
    means.ship()
    known = means.known(base)
    before, _ = means.restored(known, START + 9)
    assert values(means, before) == {"ours": "1"}
    after, _ = means.restored(known, START + 10)
    assert values(means, after) == {"ours": "22", "foreign": "1", "last": "3"}
    assert means.content(after) == means.content()


def test_handle_from_before(
    factory: ds.DataStoreFactory, tmp_path: Path, clock: ds.ManualClock
) -> None:
    """A process that has the store open since before it was switched on is recorded as well."""
    old = made(factory, "state")
    with ds.DataStoreFactory(factory.root, maintenance="manual", clock=clock) as other:
        made(other, "state", pitr="24h")
        means = recorded(other, "s", tmp_path / "scratch", clock)
        base = means.base("first")
        clock.advance(5)
        old["from-before"] = 1
        means.ship()
        image, _ = means.restored(means.known(base), clock.now_ms())
    assert values(means, image) == {"from-before": "1"}


class Dying(DirectoryPlace):
    """A place whose writers die when the file is kept, or before."""

    def __init__(self, root: Path, *, kept: bool) -> None:
        super().__init__(root)
        self._kept = kept

    def write(self, name: str, chunks: Iterable[bytes]) -> int:
        """Die."""
        if self._kept:
            super().write(name, chunks)
        raise ds.BackupPlaceError("out of reach")


@pytest.mark.parametrize("kept", [True, False], ids=["after", "before"])
def test_dying_shipper(
    store: ds.DataStore[Any], means: Recorded, base: Base, *, kept: bool
) -> None:
    """Dying after a segment was kept, or before, loses nothing and doubles nothing."""
    store["a"] = 1
    place = means.folder.place
    assert isinstance(place, DirectoryPlace)
    folder = Folder(Dying(place.root, kept=kept), "s")
    with pytest.raises(ds.BackupPlaceError):
        ship(folder, means.subject, means.clock.now_ms)
    means.clock.advance(1)
    store["a"] = 2
    means.ship()
    for at, value in ((START, "1"), (START + 1, "2")):
        image, _ = means.restored(means.known(base), at)
        assert values(means, image) == {"a": value}
    assert not means.ship().rows


@pytest.mark.parametrize("forked", [False, True])
def test_dying_sealer(
    factory: ds.DataStoreFactory, store: ds.DataStore[Any], means: Recorded, *, forked: bool
) -> None:
    """Who can only seal goes on after dying there, and still tells an older file put in place."""
    from dsfactory.backup.sealing.age import Opener, Seal

    identity = pytest.importorskip("pyrage").x25519.Identity.generate()
    place = means.folder.place
    assert isinstance(place, DirectoryPlace)
    folder = Folder(place, "s", Seal([str(identity.to_public())]))
    base = means.base("first")
    store["a"] = 1
    with pytest.raises(ds.BackupPlaceError):
        ship(folder._replace(place=Dying(place.root, kept=True)), means.subject, means.clock.now_ms)
    if forked:
        store.close()
        shutil.copy(means.scratch / "first.base", means.subject.path)
        store = factory.get_store("s")
    means.clock.advance(10)
    store["a"] = 2
    assert ship(folder, means.subject, means.clock.now_ms).restarted is forked
    if not forked:
        opened = means._replace(folder=folder._replace(opener=Opener(str(identity))))
        image, _ = opened.restored(opened.known(base), means.clock.now_ms() - 1)
        assert values(means, image) == {"a": "1"}
        image, _ = opened.restored(opened.known(base), means.clock.now_ms())
        assert values(means, image) == {"a": "2"}


def test_file_put_back(
    factory: ds.DataStoreFactory, store: ds.DataStore[Any], means: Recorded, base: Base
) -> None:
    """An older copy put in the store's place begins a lineage of its own, and mixes nothing up."""
    store["a"] = 1
    means.ship()
    store.close()
    shutil.copy(means.scratch / "first.base", means.subject.path)
    means.clock.advance(10)
    store = factory.get_store("s")
    store["b"] = 2
    assert means.ship().restarted
    known = means.known(base)
    image, _ = means.restored(known, START)
    assert values(means, image) == {"a": "1"}
    means.clock.advance(10)
    again = means.base("again")
    store["c"] = 3
    means.ship()
    image, _ = means.restored(means.known(base, again), means.clock.now_ms())
    assert values(means, image) == {"b": "2", "c": "3"}


def test_restored_file_has_no_journal(
    store: ds.DataStore[Any], means: Recorded, base: Base
) -> None:
    """A restored file has nothing of the journal in it: it begins a life of its own."""
    three_segments(store, means)
    image, _ = means.restored(means.known(base), START)
    assert list(image.parent.glob(f"{image.name}-*")) == []
    assert traces(image, store.options) == []


def killed(root: Path, first: int) -> Iterator[int]:
    """Yield what a writer acknowledged that was killed in the middle of things."""
    command = [sys.executable, str(WRITER), str(root), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(20)]
        process.kill()
        lines += process.stdout.readlines()
    yield from (int(line) for line in lines if line.endswith("\n"))


def test_killed_writer(tmp_path: Path) -> None:
    """Whatever a process acknowledged that was killed is in the journal, each commit whole."""
    clock = ds.SystemClock()
    with ds.DataStoreFactory(tmp_path / "data", maintenance="manual") as factory:
        made(factory, "state", pitr="24h").close()
        means = recorded(factory, "s", tmp_path / "scratch", clock)
        base = means.base("first")
        last = 0
        for _ in range(3):
            last = max(killed(tmp_path / "data", last + 1))
            means.ship()
        at = clock.now_ms()
        image, _ = means.restored(means.known(base), at)
        found = values(means, image)
        assert int(found["counter"]) >= last
        assert found[f"n-{int(found['counter']) % 50}"] == found["counter"]
        assert means.content(image) == means.content()


def test_shipped_while_written(tmp_path: Path) -> None:
    """Shipping while several processes write leaves no row out and none twice."""
    clock = ds.SystemClock()
    with ds.DataStoreFactory(tmp_path / "data", maintenance="manual") as factory:
        made(factory, "state", pitr="24h").close()
        means = recorded(factory, "s", tmp_path / "scratch", clock)
        base = means.base("first")
        command = [sys.executable, str(WRITER), str(tmp_path / "data"), "0"]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as one,
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other,
        ):
            moved = 0
            for process in (one, other, one):
                assert process.stdout is not None
                for _ in range(20):
                    process.stdout.readline()
                moved += means.ship().rows
            one.kill()
            other.kill()
        means.ship()
        image, done = means.restored(means.known(base), clock.now_ms())
        assert done.commits >= 60
        assert moved
        assert means.content(image) == means.content()
