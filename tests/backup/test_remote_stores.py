"""Backups off the machine, from end to end: to S3, encrypted, and back on another root."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import object_server
import pyrage
import pytest
from object_server import KEY_ID, SECRET, Bucket

import dsfactory as ds
from dsfactory.backup.places.locations import place_for

IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())
NEEDLE = "a value that only its owner may read"

Making = Callable[..., ds.DataStoreFactory]


@pytest.fixture
def made(tmp_path: Path, clock: ds.ManualClock) -> Iterator[Making]:
    """Open factories on roots of the test's folder; all are closed at the end."""
    with ExitStack() as stack:

        def make(root: str, **options: Any) -> ds.DataStoreFactory:
            options = {"maintenance": "manual", "clock": clock} | options
            return stack.enter_context(ds.DataStoreFactory(tmp_path / root, **options))

        yield make


def filled(factory: ds.DataStoreFactory, name: str = "sessions") -> ds.DataStore[Any]:
    store = factory.create_state_store(name)
    store.set_many({n: {"n": n, "text": NEEDLE} for n in range(300)})
    return store


def objects(bucket: Bucket) -> dict[str, bytes]:
    """Everything that the bucket holds."""
    place, held = place_for(bucket.url), {}
    for found in place.found():
        with place.read(found.name) as file:
            held[found.name] = file.read()
    return held


def files_of(root: Path) -> Iterator[bytes]:
    return (path.read_bytes() for path in root.rglob("*") if path.is_file())


class TestRemoteBackups:
    def test_copy_of_an_upgrade(self, made: Making, bucket: Bucket) -> None:
        """A report names a file of this machine: the copy, which becomes a backup afterwards."""
        factory = made("root", backup_target=bucket.url)
        filled(factory).close()
        factory.upgrade("sessions", to="state_0001", down=True)
        (report,) = factory.upgrade("sessions")
        assert report.snapshot is not None
        assert report.snapshot.is_file()
        assert factory.maintain().failures == ()
        assert not report.snapshot.exists()
        assert {backup.reason for backup in factory.backups()} == {"before-upgrade"}

    def test_back_on_another_root(
        self, made: Making, bucket: Bucket, clock: ds.ManualClock
    ) -> None:
        """What one machine backed up, another one finds and restores, with nothing else at hand."""
        here = made("here", backup_target=bucket.url)
        store = filled(here)
        first = here.backup("sessions")
        clock.advance(60_000)
        store["late"] = {"n": -1}
        second = here.backup("sessions")
        assert [backup.id for backup in here.backups("sessions")] == [first.id, second.id]
        assert not list((here.root / "backups").rglob("*.zst"))

        there = made("there", backup_target=bucket.url)
        assert there.rescan_backups().added == (first.id, second.id)
        report = there.restore("sessions")
        assert report.backup.id == second.id
        restored = there.get_store("sessions")
        assert dict(restored) == dict(store)
        assert restored.check() == []
        there.restore("sessions", first.id)
        assert "late" not in there.get_store("sessions")

    def test_set(self, made: Making, bucket: Bucket) -> None:
        """All stores of a moment, from one root to another."""
        here = made("here", backup_target=bucket.url)
        stores = [filled(here, name) for name in ("one", "two")]
        taken = here.backup()
        assert not taken.failures

        there = made("there", backup_target=bucket.url)
        there.rescan_backups()
        there.restore_set(taken.id)
        for store in stores:
            assert dict(there.get_store(store.name)) == dict(store)

    def test_deep_verification(self, made: Making, bucket: Bucket) -> None:
        """A backup that is kept elsewhere is verified as deep as one that is kept here."""
        here = made("here", backup_target=bucket.url)
        filled(here)
        here.backup("sessions")
        (report,) = here.verify("sessions")
        assert report.problem is None
        (backup,) = here.backups("sessions")
        assert backup.verified_at is not None

    def test_pruned(self, made: Making, bucket: Bucket, clock: ds.ManualClock) -> None:
        """Rotation removes the objects as well."""
        here = made("here", backup_target=bucket.url)
        store = here.create_state_store("sessions", max_backups=2)
        for n in range(4):
            clock.advance(60_000)
            store["n"] = n
            last = here.backup("sessions")
        assert len(here.backups("sessions")) == 2
        assert len(objects(bucket)) == 4
        assert any(last.id in name for name in objects(bucket))

    def test_damaged_there(self, made: Making, bucket: Bucket, clock: ds.ManualClock) -> None:
        """A flipped bit in the bucket is found; the older backup is still there and restores."""
        here = made("here", backup_target=bucket.url)
        store = filled(here)
        first = here.backup("sessions")
        clock.advance(60_000)
        store["late"] = {"n": -1}
        second = here.backup("sessions")
        place = place_for(bucket.url)
        (name,) = (n for n in objects(bucket) if second.id in n and not n.endswith(".json"))
        content = bytearray(objects(bucket)[name])
        content[len(content) // 2] ^= 1
        place.write(name, [bytes(content)])
        with pytest.raises(ds.BackupDamagedError, match=second.id):
            here.restore("sessions", second.id)
        assert [r.problem is None for r in here.verify("sessions")] == [True, False]
        here.restore("sessions", first.id)
        assert "late" not in here.get_store("sessions")

    def test_unreachable(
        self, made: Making, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While the target is out of reach backups fail, the store does not, none is given up."""
        here = made("here", backup_target=bucket.url)
        store = filled(here)
        kept = here.backup("sessions")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        here.close()

        cut_off = made("here", backup_target=bucket.url)
        store = cut_off.get_store("sessions")
        store["late"] = {"n": -1}
        with pytest.raises(ds.BackupPlaceError, match="cannot be"):
            cut_off.backup("sessions", force=True)
        with pytest.raises(ds.BackupPlaceError, match="cannot be"):
            cut_off.verify("sessions")
        with pytest.raises(ds.BackupPlaceError, match="cannot be"):
            cut_off.restore("sessions")
        assert [(b.id, b.damaged_at) for b in cut_off.backups("sessions")] == [(kept.id, None)]
        assert cut_off.get_store("sessions")["late"] == {"n": -1}

    def test_no_credentials_anywhere(self, made: Making, bucket: Bucket) -> None:
        """They are in no file of ours and in no object."""
        here = made("here", backup_target=bucket.url)
        filled(here)
        here.backup()
        here.close()
        for content in (*files_of(here.root), *objects(bucket).values()):
            assert SECRET.encode() not in content
            assert KEY_ID.encode() not in content

    @pytest.mark.parametrize("target", ["ftp://host/a", "s3://k:hidden@bucket", "s3://bucket?a=b"])
    def test_refused_targets(self, made: Making, target: str) -> None:
        """A target that is none is refused when the factory is made."""
        with pytest.raises(ds.OptionError, match="backup_target") as caught:
            made("here", backup_target=target)
        assert "hidden" not in str(caught.value)


class TestEncryptedBackups:
    @pytest.fixture(params=["beside the stores", "in a bucket"])
    def target(self, request: pytest.FixtureRequest) -> str | None:
        """Encryption works wherever backups are kept."""
        if request.param == "beside the stores":
            return None
        return str(request.getfixturevalue("bucket").url)

    def test_round_trip(self, made: Making, target: str | None, tmp_path: Path) -> None:
        """Written for a recipient; restored by who has the identity, deep verified too."""
        (tmp_path / "key").write_text(f"# mine\n{IDENTITY}\n")
        here = made(
            "here",
            backup_target=target,
            backup_recipients=[RECIPIENT],
            backup_identity=tmp_path / "key",
        )
        store = filled(here)
        before = dict(store)
        backup = here.backup("sessions")
        assert here.verify("sessions")[0].problem is None
        store.clear()
        here.restore("sessions", backup.id)
        assert dict(here.get_store("sessions")) == before

    def test_who_writes_need_not_read(self, made: Making, bucket: Bucket) -> None:
        """A machine without the identity keeps backups that it cannot read itself."""
        here = made("here", backup_target=bucket.url, backup_recipients=[RECIPIENT])
        before = dict(filled(here))
        backup = here.backup("sessions")
        with pytest.raises(ds.BackupSealedError, match=backup.id):
            here.restore("sessions", backup.id)
        (listed,) = here.backups("sessions")
        assert (listed.damaged_at, listed.verified_at) == (None, None)

        there = made("there", backup_target=bucket.url, backup_identity=str(IDENTITY))
        there.rescan_backups()
        there.restore("sessions")
        assert dict(there.get_store("sessions")) == before

    def test_wrong_identity(self, made: Making, bucket: Bucket) -> None:
        """Another identity opens nothing, changes nothing, and marks nothing as damaged."""
        other = str(pyrage.x25519.Identity.generate())
        here = made(
            "here",
            backup_target=bucket.url,
            backup_recipients=[RECIPIENT],
            backup_identity=str(IDENTITY),
        )
        filled(here)
        here.backup("sessions")
        there = made("there", backup_target=bucket.url, backup_identity=other)
        there.rescan_backups()
        with pytest.raises(ds.BackupSealedError, match="not for this identity"):
            there.restore("sessions")
        assert there.get_registered_store("sessions") is None
        assert there.backups("sessions")[0].damaged_at is None

    def test_nothing_plain(self, made: Making, bucket: Bucket) -> None:
        """No value reaches the place or stays beside the stores, compressed or not."""
        here = made("here", backup_target=bucket.url, backup_recipients=[RECIPIENT])
        store = here.create_state_store("sessions", compression=False, backup_compression=False)
        store["k"] = NEEDLE
        here.backup("sessions")
        here.backup()
        held = objects(bucket)
        payloads = [name for name in held if not name.endswith(".json")]
        assert payloads
        assert all(name.endswith(".age") for name in payloads)
        for content in (*held.values(), *files_of(here.root / "backups")):
            assert NEEDLE.encode() not in content
            assert b"SQLite format 3" not in content
            assert str(IDENTITY).encode() not in content

    def test_damaged_there(self, made: Making, bucket: Bucket) -> None:
        """A flipped bit is damage, and the store stays as it is."""
        here = made(
            "here",
            backup_target=bucket.url,
            backup_recipients=[RECIPIENT],
            backup_identity=str(IDENTITY),
        )
        before = dict(filled(here))
        backup = here.backup("sessions")
        ((name, content),) = ((n, c) for n, c in objects(bucket).items() if n.endswith(".age"))
        place_for(bucket.url).write(name, [content[:-100] + bytes(1) + content[-99:]])
        with pytest.raises(ds.BackupDamagedError, match=backup.id):
            here.restore("sessions", backup.id)
        assert dict(here.get_store("sessions")) == before

    @pytest.mark.parametrize(
        "options",
        [
            {"backup_recipients": ["age1nobody"]},
            {"backup_recipients": [str(IDENTITY)]},
            {"backup_identity": str(IDENTITY)[:-1]},
        ],
    )
    def test_refused_keys(self, made: Making, options: dict[str, Any]) -> None:
        """What is no key is refused when the factory is made, and not repeated."""
        with pytest.raises(ds.OptionError) as caught:
            made("here", **options)
        assert str(IDENTITY)[20:40] not in str(caught.value)


WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
import dsfactory as ds
try:
    target, recipients = sys.argv[3] or None, sys.argv[4:]
    ds.DataStoreFactory(sys.argv[2], backup_target=target, backup_recipients=recipients)
except ds.UnfitEnvironmentError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("library", "target", "recipients"),
    [("obstore", "s3://bucket/a", []), ("pyrage", "", [RECIPIENT])],
    ids=["obstore", "pyrage"],
)
def test_missing_extra(library: str, target: str, recipients: list[str], tmp_path: Path) -> None:
    """Configured without the library: no factory, and so never a plain or a local copy instead."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, library, str(tmp_path / "data"), target, *recipients],
        capture_output=True,
        text=True,
        check=True,
        env=object_server.environment("http://127.0.0.1:1") | {"PYTHONPATH": ":".join(sys.path)},
    )
    assert f"library {library}, which is not installed" in done.stdout
