"""The catalog made anew from the manifests."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spine_samples import files_in, filled, flip, kept

import dsfactory as ds
from dsfactory.backup.litter import LITTER_AGE_MS
from dsfactory.backup.manifest import LARGEST, decoded, sealed, unsealed


def lose_registry(root: Path) -> None:
    """Delete the registry of a closed factory."""
    for path in root.glob("metadata.db*"):
        path.unlink()


def lose_catalog(factory: ds.DataStoreFactory) -> None:
    """Let the registry forget every backup."""
    for backup in factory.backups():
        factory._registry.catalog.forget(backup.id)


def opened(root: Path) -> ds.DataStoreFactory:
    """A factory of *root*, which may have lost its registry."""
    return ds.DataStoreFactory(root, maintenance="manual")


def test_lost_registry(tmp_path: Path) -> None:
    """Everything that the catalog knew is found again, pins and verdicts too."""
    with opened(tmp_path) as factory:
        store = filled(factory)
        first = store.backup(tags=["keep"])
        factory.pin_backup(first.id)
        factory.verify()
        store["n"] = 1
        store.backup(reason="other")
        before = factory.backups()
    lose_registry(tmp_path)
    with opened(tmp_path) as again:
        assert again.backups() == []
        report = again.rescan_backups()
        assert set(report.added) == {backup.id for backup in before}
        assert again.backups() == before
        assert again.rescan_backups().added == ()
        again.restore("sessions")
        assert again.get_store("sessions").check() == []


def test_manifest_is_gone(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A backup without a manifest is none: forgotten, its payload removed once it is old."""
    backup = filled(factory).backup()
    kept(factory, backup, ".json").unlink()
    report = factory.rescan_backups()
    assert report.forgotten == (backup.id,)
    assert report.removed == ()
    assert kept(factory, backup, ".db.zst").exists()
    clock.advance(LITTER_AGE_MS + 1000)
    assert factory.rescan_backups().removed == (f"sessions/{backup.id}.db.zst",)
    assert files_in(factory.root / "backups") == set()


def test_payload_is_gone(factory: ds.DataStoreFactory) -> None:
    """A backup without its payload is marked as damaged and reported."""
    backup = filled(factory).backup()
    kept(factory, backup, ".db.zst").unlink()
    report = factory.rescan_backups()
    assert report.damaged == (f"{backup.id} of sessions: its payload is gone",)
    assert factory.backups()[0].damaged_at is not None


def test_damaged_manifest(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A manifest that cannot be read is reported; neither it nor its payload is removed."""
    backup = filled(factory).backup()
    path = kept(factory, backup, ".json")
    flip(path, path.stat().st_size // 2)
    clock.advance(10_000_000)
    before = files_in(factory.root / "backups")
    report = factory.rescan_backups()
    assert len(report.damaged) == 1
    assert backup.id in report.damaged[0]
    assert report.removed == ()
    assert files_in(factory.root / "backups") == before


def test_damaged_pack_hinders_no_other(factory: ds.DataStoreFactory) -> None:
    """A pack that cannot be opened is reported, and the other stores' backups are found."""
    filled(factory, "packed", backup_format="pack").backup()
    well = filled(factory, "well").backup()
    (factory.root / "backups" / "packed" / "pack.db").write_bytes(b"garbage!" * 1000)
    lose_catalog(factory)
    report = factory.rescan_backups()
    assert well.id in report.added
    assert len(report.damaged) == 1
    assert "packed" in report.damaged[0]


def test_every_byte_of_a_manifest_counts(factory: ds.DataStoreFactory) -> None:
    """No byte of a manifest can be changed unseen, but for the white space between."""
    backup = filled(factory).backup()
    stored = kept(factory, backup, ".json").read_bytes()
    name = f"sessions/{backup.id}.json"
    whole = decoded(stored, name)
    for at in range(len(stored)):
        bad = stored[:at] + bytes([stored[at] ^ 0x01]) + stored[at + 1 :]
        try:
            assert decoded(bad, name) == whole
        except ds.BackupDamagedError:
            continue
        assert stored[at : at + 1].isspace()


@given(st.binary(max_size=300))
def test_noise_is_no_manifest(noise: bytes) -> None:
    """Whatever is no manifest is refused with a typed error."""
    with pytest.raises(ds.BackupDamagedError):
        decoded(noise, "s/x.json")


HOSTILE = {
    "climbing": {"payload": {"file": "../../etc/passwd"}},
    "absolute": {"payload": {"file": "/etc/passwd"}},
    "another folder": {"payload": {"file": "other/20261122T101500Z-4f2a9c1b.db.zst"}},
    "hidden": {"payload": {"file": "sessions/.x"}},
    "another name": {"origin": {"name": "other"}},
    "no name": {"origin": {"name": "../up"}},
    "a number": {"payload": {"file": 7}},
    "a kind": {"origin": {"kind": "unknown"}},
    "a size": {"image": {"size_bytes": "1"}},
    "less than nothing": {"image": {"size_bytes": -1}},
    "a time": {"created_at": 2**70},
    "a surrogate": {"reason": "\ud800"},
    "the manifest of another": {"payload": {"file": "sessions/20261122T101500Z-4f2a9c1b.json"}},
    "tags": {"tags": "abc"},
    "more": {"surprise": 1},
    "nothing": {"image": None},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_hostile_manifests(factory: ds.DataStoreFactory, change: dict[str, object]) -> None:
    """A manifest that somebody else made, checksum and all, leads nowhere and hinders no other."""
    backup = filled(factory).backup()
    path = kept(factory, backup, ".json")
    name = f"sessions/{backup.id}.json"
    body = unsealed(path.read_bytes(), name)
    for field, value in change.items():
        inner = body.get(field)
        body[field] = {**inner, **value} if isinstance(inner, dict) and value else value
    path.write_bytes(sealed(body))
    with pytest.raises(ds.BackupDamagedError):
        factory.restore("sessions", backup.id)
    well = filled(factory, "well").backup()
    lose_catalog(factory)
    report = factory.rescan_backups()
    assert report.added == (well.id,)
    assert len(report.damaged) == 1


def test_from_another_store(factory: ds.DataStoreFactory) -> None:
    """A manifest that was copied into another store's folder is refused."""
    backup = filled(factory).backup()
    folder = factory.root / "backups" / "other"
    folder.mkdir()
    (folder / f"{backup.id}.json").write_bytes(kept(factory, backup, ".json").read_bytes())
    report = factory.rescan_backups()
    assert len(report.damaged) == 1
    assert factory.backups("other") == []


def test_links_are_not_followed(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """A link among the backups leads nowhere, neither a folder nor a file."""
    backup = filled(factory).backup()
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / f"{backup.id}.json").write_bytes(kept(factory, backup, ".json").read_bytes())
    (factory.root / "backups" / "linked").symlink_to(secret)
    payload = kept(factory, backup, ".db.zst")
    payload.rename(tmp_path / "payload")
    payload.symlink_to(tmp_path / "payload")
    assert factory.rescan_backups().backups == 1
    with pytest.raises(ds.BackupAbsentError):
        factory.restore("sessions")


def test_enormous_manifest(factory: ds.DataStoreFactory) -> None:
    """A manifest is never read whole when it is larger than any of ours."""
    backup = filled(factory).backup()
    with kept(factory, backup, ".json").open("r+b") as file:
        file.truncate(LARGEST * 20)
    (complaint,) = factory.rescan_backups().damaged
    assert "larger" in complaint


def test_frame_that_claims_a_tebibyte(factory: ds.DataStoreFactory) -> None:
    """A payload of a few bytes that says it holds 1 TiB gives an error, not a full memory."""
    backup = filled(factory).backup()
    magic, single_segment = b"\x28\xb5\x2f\xfd", b"\xe0"
    frame = magic + single_segment + (2**40).to_bytes(8, "little") + b"\x01\x00\x00"
    kept(factory, backup, ".db.zst").write_bytes(frame)
    with pytest.raises(ds.BackupDamagedError, match=backup.id):
        factory.restore("sessions", backup.id)


def test_payload_that_never_ends(factory: ds.DataStoreFactory) -> None:
    """A payload that holds more than its manifest says is cut off there."""
    import zstandard

    backup = filled(factory).backup()
    bomb = zstandard.ZstdCompressor().compress(bytes(50_000_000))
    kept(factory, backup, ".db.zst").write_bytes(bomb)
    with pytest.raises(ds.BackupDamagedError, match=backup.id):
        factory.restore("sessions", backup.id)


def test_later_format(factory: ds.DataStoreFactory) -> None:
    """A manifest of a later format is said to be of a later release."""
    backup = filled(factory).backup()
    path = kept(factory, backup, ".json")
    body = json.loads(path.read_bytes())
    path.write_text(json.dumps({**body, "format": 99}))
    with pytest.raises(ds.BackupDamagedError, match="release"):
        factory.restore("sessions", backup.id)


def test_pins_survive(tmp_path: Path) -> None:
    """A pin stands in the manifest: the catalog can be lost."""
    with opened(tmp_path) as factory:
        backup = filled(factory).backup()
        assert factory.pin_backup(backup.id).pinned
    lose_registry(tmp_path)
    with opened(tmp_path) as again:
        again.rescan_backups()
        (found,) = again.backups()
        assert dataclasses.replace(found, pinned=False) == backup
        assert not again.pin_backup(backup.id, pinned=False).pinned
        with pytest.raises(ds.BackupAbsentError):
            again.pin_backup("20261122T101500Z-4f2a9c1b")


def test_rescan_without_tidying(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """What looks like litter stays when somebody says so, and goes otherwise."""
    backup = filled(factory).backup()
    kept(factory, backup, ".json").unlink()
    clock.advance(100 * 86_400_000)
    assert factory.rescan_backups(tidy=False).removed == ()
    assert kept(factory, backup, ".db.zst").exists()
    assert factory.rescan_backups().removed == (f"sessions/{backup.id}.db.zst",)
