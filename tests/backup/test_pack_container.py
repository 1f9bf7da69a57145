"""The container "pack": each backup comes back by itself, and what is shared is kept once."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pack_keeper import image_of
from pack_samples import PAGE, STORE, Packs, backup_id, edited, text_pages

import dsfactory as ds
from dsfactory.backup.containers import Order
from dsfactory.backup.packs.checking import check_pack
from dsfactory.backup.packs.file import opened
from dsfactory.backup.packs.pack import PACK, drop_strays
from dsfactory.engine import Database

KEEPER = Path(__file__).with_name("pack_keeper.py")


def frames(pack: Database) -> int:
    """How many chunks there are."""
    ((count,),) = pack.rows("SELECT count(*) FROM chunk")
    return int(count)


@pytest.fixture
def packs(tmp_path: Path) -> Packs:
    """An empty place."""
    return Packs(tmp_path)


def test_pack_ten_nights(packs: Packs) -> None:
    """Ten backups with 1 % of the pages changed cost less than 1.1 times the first."""
    pages = text_pages(1500)
    first = packs.keep(0, b"".join(pages)).payload.size_bytes
    alone = packs.path.stat().st_size
    for night in range(1, 10):
        pages = edited(pages, 0.01, night)
        packs.keep(night, b"".join(pages))
    added = sum(manifest.payload.size_bytes for manifest in packs.manifests.values())
    assert added < 1.1 * first
    assert packs.path.stat().st_size < 1.1 * alone
    for backup, image in packs.images.items():
        assert packs.back(backup) == image
    assert check_pack(packs.path) == []


def test_pack_moved_pages(packs: Packs) -> None:
    """Pages are found again wherever they have moved to, and within one image."""
    pages = text_pages(300)
    first = packs.keep(0, b"".join(pages))
    second = packs.keep(1, b"".join([*reversed(pages), *pages]))
    assert second.payload.size_bytes < first.payload.size_bytes / 20
    with opened(packs.path) as pack:
        assert frames(pack) == 300
    assert packs.back(second.id) == packs.images[second.id]


def test_pack_payload(packs: Packs) -> None:
    """The manifest says where the pack is, and no hash of a file that goes on changing."""
    payload = packs.keep(0, b"x" * 10_000).payload
    assert (payload.container, payload.file) == ("pack", f"{STORE}/pack.db")
    assert payload.sha256 is None
    assert payload.size_bytes > 0
    assert packs.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("size", [0, 1, PAGE - 1, PAGE, PAGE + 1, 256 * PAGE + 7])
def test_pack_sizes(packs: Packs, size: int) -> None:
    """An image of any size comes back, whole pages or not."""
    image = random.Random(size).randbytes(size)
    assert packs.back(packs.keep(0, image).id) == image
    assert check_pack(packs.path) == []


def test_pack_drop_gives_back(packs: Packs) -> None:
    """What only a dropped backup needed is gone from the disk; a second drop does nothing."""
    packs.keep(0, random.Random(0).randbytes(PAGE * 200))
    kept = packs.keep(1, random.Random(1).randbytes(PAGE * 50))
    full = packs.path.stat().st_size
    dropped = packs.manifests[backup_id(0)]
    packs.drop(dropped.id)
    left = packs.path.stat().st_size
    assert left < full - PAGE * 180
    PACK.drop(dropped, packs.place)
    assert packs.path.stat().st_size == left
    with pytest.raises(ds.BackupAbsentError):
        PACK.confirm(dropped, packs.place)
    assert packs.back(kept.id) == packs.images[kept.id]
    packs.drop(kept.id)
    assert packs.path.stat().st_size < 150_000
    assert check_pack(packs.path) == []


def test_pack_drop_without_file(packs: Packs) -> None:
    """Where the pack is gone, there is nothing to drop, and nothing to bring back."""
    manifest = packs.keep(0, b"x" * PAGE)
    packs.path.unlink()
    PACK.drop(manifest, packs.place)
    with pytest.raises(ds.BackupAbsentError, match=manifest.id):
        PACK.confirm(manifest, packs.place)
    assert not packs.path.exists()


def test_pack_keep_again(packs: Packs) -> None:
    """Keeping under an id again puts the new image in the place of the old one."""
    packs.keep(0, b"a" * PAGE * 3)
    manifest = packs.keep(0, b"b" * PAGE * 2)
    assert packs.back(manifest.id) == b"b" * PAGE * 2
    with opened(packs.path) as pack:
        assert pack.rows("SELECT count(*) FROM backup") == [(1,)]


def test_pack_leaves_one_file(packs: Packs) -> None:
    """After each operation the pack is one file: it can be copied as it is."""
    manifest = packs.keep(0, b"".join(text_pages(300)))
    assert [path.name for path in packs.path.parent.iterdir()] == ["pack.db"]
    PACK.confirm(manifest, packs.place)
    packs.back(manifest.id)
    assert [path.name for path in packs.path.parent.iterdir()] == ["pack.db"]


def test_pack_progress(packs: Packs) -> None:
    """Progress is told in bytes, to the end; what it raises undoes the backup."""
    packs.keep(0, b"".join(text_pages(10)))
    told: list[tuple[int, int]] = []
    image = b"".join(text_pages(600, seed=1))
    order = packs.order(1, image)
    PACK.keep(order._replace(progress=lambda done, size: told.append((done, size))), packs.place)
    assert told == [(PAGE * n, len(image)) for n in (256, 512, 600)]

    def stop(_done: int, _size: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PACK.keep(order._replace(id=backup_id(2), progress=stop), packs.place)
    assert packs.back(backup_id(0)) == packs.images[backup_id(0)]
    with opened(packs.path) as pack:
        assert pack.rows("SELECT count(*) FROM backup") == [(2,)]


def test_pack_needs_directory(packs: Packs) -> None:
    """A place that is no directory is refused by name of the format that works there."""

    class Elsewhere:
        url = "s3://bucket"

    order = packs.order(0, b"x")
    with pytest.raises(ds.OptionError, match="full"):
        PACK.keep(order, Elsewhere())  # type: ignore[arg-type]


def test_pack_refuses_links(packs: Packs, tmp_path: Path) -> None:
    """A pack behind a symbolic link was not made by us."""
    packs.path.parent.mkdir(parents=True)
    packs.path.symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(ds.BackupPlaceError, match="link"):
        packs.keep(0, b"x")
    assert not (tmp_path / "elsewhere.db").exists()


def test_pack_strays(packs: Packs) -> None:
    """What was kept without a manifest is dropped later, unless it may be in the making."""
    for number in range(4):
        packs.keep(number, b"%d" % number * PAGE)
    known = {backup_id(0)}
    assert drop_strays(packs.place, "another", known=known, before=backup_id(3)) == []
    found = drop_strays(packs.place, STORE, known=known, before=backup_id(3))
    assert found == [backup_id(1), backup_id(2)]
    assert drop_strays(packs.place, STORE, known=known, before=backup_id(3)) == []
    for number in (0, 3):
        assert packs.back(backup_id(number)) == packs.images[backup_id(number)]
    assert check_pack(packs.path) == []


def test_pack_learns_again(packs: Packs) -> None:
    """A store that has grown fourfold gets another dictionary; the old one still serves."""
    packs.keep(0, b"".join(text_pages(300)))
    packs.keep(1, b"".join(text_pages(400)))
    packs.keep(2, b"".join(text_pages(1300)))
    with opened(packs.path) as pack:
        trained = [chunks for (chunks,) in pack.rows("SELECT chunks FROM dictionary ORDER BY 1")]
    assert trained == [300, 1300]
    for backup, image in packs.images.items():
        assert packs.back(backup) == image


def test_pack_two_threads(packs: Packs) -> None:
    """Two that keep at once wait for each other; both are whole."""
    images = {number: b"".join(edited(text_pages(600), 0.2, number)) for number in range(4)}
    orders = [packs.order(number, image) for number, image in images.items()]

    def keep(some: list[Order]) -> None:
        for order in some:
            PACK.keep(order, packs.place)

    threads = [threading.Thread(target=keep, args=(orders[n::2],)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, image in images.items():
        manifest = packs.keep(number + 10, image)
        assert manifest.payload.size_bytes < 10_000  # nothing of it is new
        assert packs.back(manifest.id) == image
    with opened(packs.path) as pack:
        assert pack.rows("SELECT count(*) FROM backup") == [(8,)]
    assert check_pack(packs.path) == []


def test_pack_killed(packs: Packs) -> None:
    """Killed at any moment, what was kept comes back, what was dropped is gone, and no litter."""
    number, random_moments = 0, random.Random(7)
    for _ in range(12):
        said = killed_keeper(packs.root, number, random_moments.uniform(0.0, 0.25))
        number = max([number, *(n for what, n in said if what == "kept")]) + 2
        kept = {n for what, n in said if what == "kept"}
        dropped = {n for what, n in said if what == "dropped"}
        with opened(packs.path) as pack:
            held = {backup for (backup,) in pack.rows("SELECT id FROM backup")}
        for sure in kept - dropped - {max(kept, default=0) - 3}:
            assert backup_id(sure) in held
        assert not {backup_id(n) for n in dropped} & held
        assert check_pack(packs.path) == []
    last = packs.keep(number, image_of(number))
    assert packs.back(last.id) == image_of(number)


def killed_keeper(root: Path, first: int, delay: float) -> list[tuple[str, int]]:
    """Run the keeper; kill it *delay* seconds after it has kept its first."""
    command = [sys.executable, str(KEEPER), str(root), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(delay)
        process.kill()
        lines += process.stdout.readlines()
    return [(what, int(n)) for what, n in (line.split() for line in lines if line.strip())]


PAGES = st.integers(0, 12)
IMAGES = st.lists(PAGES, max_size=30)
ROUNDS = st.lists(st.one_of(IMAGES, st.integers(0, 5)), min_size=1, max_size=12)
SHAPES = [bytes(PAGE), b"a" * PAGE, *text_pages(3), *edited(text_pages(3), 1.0, 1)]
SHAPES += [random.Random(n).randbytes(PAGE) for n in range(5)]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rounds=ROUNDS)
def test_pack_random_rounds(tmp_path_factory: pytest.TempPathFactory, rounds: list[object]) -> None:
    """Whatever is kept and dropped, every kept one comes back and only what it needs is there."""
    packs = Packs(tmp_path_factory.mktemp("rounds"))
    for number, step in enumerate(rounds):
        if isinstance(step, list):
            packs.keep(number, b"".join(SHAPES[page] for page in step))
        elif packs.images:
            packs.drop(sorted(packs.images)[step % len(packs.images)])
    for backup, image in packs.images.items():
        assert packs.back(backup) == image
    if packs.path.exists():
        assert check_pack(packs.path) == []  # which counts unneeded chunks too
