"""Damaged packs: a clear error that names the backup, and whatever is whole still comes back."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from pack_samples import PAGE, STORE, Packs, backup_id, edited, text_pages

import dsfactory as ds
from dsfactory.backup.packs.checking import check_pack
from dsfactory.backup.packs.file import opened
from dsfactory.backup.packs.lists import ChunkList, decoded_list
from dsfactory.backup.packs.pack import PACK
from dsfactory.codecs.chunks import NO_DICTIONARY, ChunkCodec
from dsfactory.codecs.training import Dictionary, train_dictionary


@pytest.fixture
def packs(tmp_path: Path) -> Packs:
    """A pack of three backups: two alike, one that shares nothing with them."""
    packs = Packs(tmp_path)
    packs.keep(0, b"".join(text_pages(300)))
    packs.keep(1, b"".join(edited(text_pages(300), 0.2, 1)))
    packs.keep(2, random.Random(1).randbytes(40 * PAGE))
    return packs


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Packs]:
    """An empty place on a real file system of 2 MiB."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs takes root")
    packs = Packs(tmp_path)
    packs.place.root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(packs.place.root)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting a small tmpfs is not permitted: {done.stderr.strip()}")
    try:
        yield packs
    finally:
        subprocess.run(["umount", "--lazy", str(packs.place.root)], check=True)


def outcome(packs: Packs, backup: str) -> str:
    """Whether a backup comes back or is refused; anything else fails the test."""
    refusal = None
    try:
        assert packs.back(backup) == packs.images[backup]
    except (ds.BackupDamagedError, ds.BackupAbsentError) as error:
        refusal = error
    if refusal is None:
        return "whole"
    assert backup in str(refusal)
    assert refusal.facts["store"] == STORE
    return "refused"


def change(packs: Packs, sql: str, *parameters: object) -> None:
    """Change something past the house."""
    with opened(packs.path) as pack, pack.write() as tx:
        tx.run(sql, parameters)


def test_flipped_bits_anywhere(packs: Packs) -> None:
    """Wherever a bit flips: each backup is whole or refused, and the check tells of the refused."""
    sound = packs.path.read_bytes()
    rng = random.Random(5)
    places = [*range(0, 100, 7), *(rng.randrange(len(sound)) for _ in range(60))]
    seen = set()
    for place in places:
        damaged = bytearray(sound)
        damaged[place] ^= 1 << rng.randrange(8)
        packs.path.write_bytes(damaged)
        outcomes = {backup: outcome(packs, backup) for backup in packs.images}
        seen |= set(outcomes.values())
        problems = check_pack(packs.path)
        refused = {backup for backup, found in outcomes.items() if found == "refused"}
        told = {problem.backup for problem in problems}
        assert refused <= told or None in told, place
        for side in packs.path.parent.glob("pack.db-*"):
            side.unlink()
    assert seen == {"whole", "refused"}


def test_damaged_chunk_spares_others(packs: Packs) -> None:
    """A damaged chunk hurts the backups that need it and no other."""
    change(
        packs,
        "UPDATE chunk SET frame = zeroblob(length(frame)) WHERE id = (SELECT max(id) FROM chunk)",
    )
    assert [outcome(packs, backup_id(n)) for n in range(3)] == ["whole", "whole", "refused"]
    assert [problem.backup for problem in check_pack(packs.path)] == [backup_id(2)]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated_pack(packs: Packs, share: float) -> None:
    """A pack that was cut short gives what is whole, and refuses the rest."""
    sound = packs.path.read_bytes()
    packs.path.write_bytes(sound[: int(len(sound) * share)])
    assert "refused" in {outcome(packs, backup) for backup in packs.images}
    assert check_pack(packs.path)


@pytest.mark.parametrize("content", [b"", b"x", b"no database at all" * 500])
def test_not_a_pack(packs: Packs, content: bytes) -> None:
    """Something else in the pack's stead is refused, for reading and for writing, and stays."""
    packs.path.write_bytes(content)
    assert outcome(packs, backup_id(0)) == "refused"
    with pytest.raises(ds.BackupError, match=backup_id(3)):
        packs.keep(3, b"x" * PAGE)
    assert packs.path.read_bytes() == content


def test_another_database(packs: Packs) -> None:
    """A database that is no pack is not written into."""
    with ds.DataStoreFactory(packs.root / "data", maintenance="manual") as factory:
        path = factory.create_state_store("other").path
    shutil.copy(path, packs.path)
    before = packs.path.read_bytes()
    assert outcome(packs, backup_id(0)) == "refused"
    with pytest.raises(ds.BackupDamagedError, match="not a pack"):
        packs.keep(3, b"x" * PAGE)
    assert packs.path.read_bytes() == before


def test_newer_pack(packs: Packs) -> None:
    """The pack of a later release is refused as that."""
    change(packs, "PRAGMA user_version = 9")
    with pytest.raises(ds.NewerSchemaError):
        packs.back(backup_id(0))


@pytest.mark.parametrize(
    ("sql", "hurt"),
    [
        ("DELETE FROM chunk WHERE id = 5", [0, 1]),
        ("DELETE FROM chunk WHERE id = 320", [1]),
        ("DELETE FROM delta", [1]),
        ("UPDATE delta SET base = 100000", [1]),
        ("DELETE FROM dictionary", [0, 1, 2]),
        ("UPDATE dictionary SET body = zeroblob(1000)", [0, 1, 2]),
        ("UPDATE backup SET list = zeroblob(9) WHERE number = 2", [1]),
        ("UPDATE backup SET list = (SELECT list FROM backup WHERE number = 3)", [0, 1]),
        ("UPDATE backup SET size_bytes = size_bytes + 1 WHERE number = 1", [0]),
        ("UPDATE chunk SET frame = (SELECT frame FROM chunk WHERE id = 6) WHERE id = 5", [0, 1]),
    ],
)
def test_changed_rows(packs: Packs, sql: str, hurt: list[int]) -> None:
    """Rows that are missing or were changed: refused by name, the others whole, the check says."""
    change(packs, sql)
    refused = [n for n in range(3) if outcome(packs, backup_id(n)) == "refused"]
    assert refused == hurt
    if "size_bytes" not in sql:  # only the manifest knows the size
        assert {problem.backup for problem in check_pack(packs.path)} >= set(map(backup_id, hurt))


def test_swapped_lists(packs: Packs) -> None:
    """The list of another backup of the same size does not pass for this one's."""
    change(
        packs,
        "UPDATE backup SET list = (SELECT list FROM backup WHERE number = 1) WHERE number = 2",
    )
    assert outcome(packs, backup_id(1)) == "refused"
    assert outcome(packs, backup_id(0)) == "whole"


def test_target_not_overrun(packs: Packs) -> None:
    """Never more is written than the manifest says, whatever the pack holds."""
    big = packs.keep(3, bytes(5000 * PAGE))
    small = packs.manifests[backup_id(2)]
    change(packs, "DELETE FROM backup WHERE number = 3")
    change(packs, "UPDATE backup SET id = ?1 WHERE number = 4", small.id)
    assert outcome(packs, small.id) == "refused"
    assert (packs.root / "target").stat().st_size <= small.image.size_bytes
    assert big.image.size_bytes > small.image.size_bytes


def test_damage_heals(packs: Packs) -> None:
    """A backup that would share damaged chunks is refused; the next one keeps them anew."""
    image = packs.images[backup_id(0)]
    change(packs, "UPDATE chunk SET frame = zeroblob(length(frame)) WHERE id BETWEEN 40 AND 60")
    hurt = packs.keep(3, image)
    with pytest.raises(ds.BackupDamagedError, match=hurt.id):
        PACK.confirm(hurt, packs.place)
    packs.drop(hurt.id)
    healed = packs.keep(4, image)
    PACK.confirm(healed, packs.place)
    assert packs.back(healed.id) == image
    assert 0 < healed.payload.size_bytes < 21 * PAGE
    assert {problem.backup for problem in check_pack(packs.path)} == {backup_id(0), backup_id(1)}


def test_damaged_list_keeps_chunks(packs: Packs) -> None:
    """While one list is damaged nothing is removed but lists; dropping that one cleans up."""
    change(packs, "UPDATE backup SET list = zeroblob(9) WHERE number = 1")
    packs.drop(backup_id(2))
    with opened(packs.path) as pack:
        assert pack.rows("SELECT count(*) > 340 FROM chunk") == [(1,)]
    assert outcome(packs, backup_id(1)) == "whole"
    packs.drop(backup_id(0))
    assert outcome(packs, backup_id(1)) == "whole"
    assert check_pack(packs.path) == []


def test_damaged_list_page(packs: Packs) -> None:
    """So it is when SQLite itself refuses to read the list: the drop goes through."""
    pages = text_pages(200)
    shuffled = packs.keep(3, b"".join(random.Random(1).choices(pages, k=6000)))
    with opened(packs.path) as pack:
        ((stored,),) = pack.rows("SELECT list FROM backup WHERE number = 4")
    assert len(stored) > 9000  # it has a page of its own
    content = bytearray(packs.path.read_bytes())
    content[content.index(stored[-100:])] ^= 1
    packs.path.write_bytes(content)
    packs.drop(backup_id(2))
    assert [outcome(packs, backup) for backup in packs.images] == ["whole", "whole", "refused"]
    assert shuffled.id in {problem.backup for problem in check_pack(packs.path)}


def test_keep_beside_damaged_list(packs: Packs) -> None:
    """A damaged list of the latest backup does not keep the next from being taken."""
    change(packs, "UPDATE backup SET list = zeroblob(9) WHERE number = 3")
    kept = packs.keep(3, packs.images[backup_id(0)])
    assert packs.back(kept.id) == packs.images[kept.id]


def test_full_disk(small_disk: Packs) -> None:
    """A full disk: the backup is refused as such, the pack is as before, and later it works."""
    packs = small_disk
    packs.keep(0, random.Random(0).randbytes(50 * PAGE))
    with pytest.raises(ds.BackupPlaceError, match=backup_id(1)):
        packs.keep(1, random.Random(1).randbytes(600 * PAGE))
    assert packs.back(backup_id(0)) == packs.images[backup_id(0)]
    assert check_pack(packs.path) == []
    packs.keep(2, random.Random(2).randbytes(50 * PAGE))
    assert packs.back(backup_id(2)) == packs.images[backup_id(2)]


def test_full_target(small_disk: Packs, tmp_path: Path) -> None:
    """Where the target's disk is full, that is said, and the backup is not blamed."""
    packs = Packs(tmp_path / "elsewhere")
    packs.root.mkdir()
    manifest = packs.keep(0, random.Random(0).randbytes(600 * PAGE))
    target = small_disk.place.root / "target"
    with pytest.raises(ds.DiskFullError, match="target"):
        PACK.bring_back(manifest, packs.place, target)
    assert packs.back(manifest.id) == packs.images[manifest.id]


def test_read_only_place(small_disk: Packs) -> None:
    """Backups come back from where nothing can be written."""
    packs = small_disk
    packs.keep(0, b"".join(text_pages(300)))
    subprocess.run(["mount", "-o", "remount,ro", str(packs.place.root)], check=True)
    assert packs.back(backup_id(0)) == packs.images[backup_id(0)]
    assert check_pack(packs.path) == []
    with pytest.raises(ds.BackupPlaceError):
        packs.keep(1, b"x" * PAGE)


# -- frames and lists by themselves


def test_hostile_frames() -> None:
    """A frame that claims much, asks for much, or has no checksum is refused unread."""
    codec = ChunkCodec(PAGE)
    bomb = zstandard.ZstdCompressor(write_checksum=True).compress(bytes(1 << 24))
    liar = bytes.fromhex("28b52ffd") + bytes([0xE0 | 4]) + (1 << 40).to_bytes(8, "little") + b"\0"
    plain = zstandard.ZstdCompressor(write_checksum=False).compress(b"x" * PAGE)
    unsized = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False)
    good = codec.compress(b"x" * PAGE, NO_DICTIONARY)
    frames: list[object] = [bomb, liar, plain, unsized.compress(b"x"), b"", None, 7, "text"]
    frames += [good + b"\0", good + good, good[:-1], bytes([*good[:-1], good[-1] ^ 1])]
    for frame in frames:
        with pytest.raises(ds.CorruptValueError):
            codec.expand(frame)  # type: ignore[arg-type]
    assert codec.expand(good) == b"x" * PAGE


def test_frames_against_others() -> None:
    """A frame against another chunk needs that very one, and its dictionary."""
    codec, other = ChunkCodec(PAGE), ChunkCodec(PAGE)
    trained = train_dictionary(text_pages(300))
    assert trained is not None
    codec.know(trained)
    base, chunk = text_pages(1)[0], edited(text_pages(1), 1.0, 1)[0]
    frame = codec.compress_against(chunk, base, trained.id)
    assert len(frame) < 100
    assert codec.expand_against(frame, base, trained.id) == chunk
    for reader, against, dictionary in (
        (codec, bytes(PAGE), trained.id),
        (other, base, trained.id),
    ):
        with pytest.raises(ds.CorruptValueError):
            reader.expand_against(frame, against, dictionary)
    with pytest.raises(ds.CorruptValueError):
        other.expand(codec.compress(chunk, trained.id))
    with pytest.raises(ds.CorruptValueError):
        other.know(Dictionary(trained.id, b"no dictionary"))
    with pytest.raises(ds.CorruptValueError):
        other.know(Dictionary(trained.id + 1, trained.body))


def test_lists_come_back() -> None:
    """A list comes back as it was; one of another size, or changed, is refused."""
    ids = [7, 8, 9, 3, 3, 4, 1000, 7]
    made = ChunkList()
    for number in ids:
        made.add(number)
    size = len(ids) * PAGE - 5
    assert list(decoded_list(made.encoded(), size).ids()) == ids
    assert list(decoded_list(ChunkList().encoded(), 0).ids()) == []
    hostile = zstandard.ZstdCompressor(write_checksum=True)
    huge = (2**62).to_bytes(8, "little") + len(ids).to_bytes(8, "little")
    stored: list[tuple[object, int]] = [
        (made.encoded(), size - PAGE),
        (made.encoded(), size + PAGE),
        (made.encoded()[:-1], size),
        (hostile.compress(bytes(1 << 20)), size),
        (hostile.compress(bytes(16)), size),
        (hostile.compress(bytes(15)), size),
        (hostile.compress(huge), size),
        (None, size),
    ]
    for encoded, told in stored:
        with pytest.raises(ds.CorruptValueError):
            decoded_list(encoded, told)  # type: ignore[arg-type]
