"""Every place holds whole files by name; the same for a directory and for a bucket."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from object_server import PAGE, Bucket

import dsfactory as ds
from dsfactory.backup.places.locations import place_for
from dsfactory.backup.places.place import DirectoryPlace, Found, Place
from dsfactory.backup.places.remote import Limits, RemotePlace

PART = 5 * 1024 * 1024
SMALL = Limits(part_bytes=PART)


@pytest.fixture
def remote(bucket: Bucket) -> RemotePlace:
    """A folder of that bucket."""
    return RemotePlace(bucket.url, limits=SMALL)


@pytest.fixture(params=["directory", "remote"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Either kind of place, empty."""
    if request.param == "directory":
        return DirectoryPlace(tmp_path / "backups")
    made: RemotePlace = request.getfixturevalue("remote")
    return made


def content(place: Place, name: str) -> bytes:
    with place.read(name) as file:
        return file.read()


class TestPlaces:
    @pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART + 12345])
    def test_round_trip(self, place: Place, size: int) -> None:
        """What was written in chunks is read back, whatever its size."""
        data = os.urandom(size)
        chunks = (data[at : at + 1_000_003] for at in range(0, size, 1_000_003))
        assert place.write("store/one.db", chunks) == size
        assert content(place, "store/one.db") == data
        assert list(place.found()) == [Found("store/one.db", size)]

    def test_empty_chunks(self, place: Place) -> None:
        """An empty chunk is not the end."""
        place.write("store/one", [b"", b"a", b"", b"b" * PART, b"", b"c"])
        assert content(place, "store/one") == b"a" + b"b" * PART + b"c"

    def test_replacing(self, place: Place) -> None:
        """A file takes the stead of an older one, of any size."""
        for size in (10, PART + 10, 5):
            place.write("store/one", [b"x" * size])
            assert len(content(place, "store/one")) == size

    def test_listing(self, place: Place) -> None:
        """A folder lists its own files; a folder whose name begins alike is another one."""
        assert list(place.found()) == list(place.found("store")) == []
        for name in ("store/a.json", "store/b.db", "store2/a.json"):
            place.write(name, [b"1"])
        assert [f.name for f in place.found("store")] == ["store/a.json", "store/b.db"]
        assert len(list(place.found())) == 3

    def test_absent(self, place: Place) -> None:
        """A missing file is absent to a reader and nothing to a delete."""
        with pytest.raises(ds.BackupAbsentError, match="store/one"), place.read("store/one"):
            pass
        place.delete("store/one")
        place.write("store/one", [b"1"])
        place.delete("store/one")
        place.delete("store/one")
        assert list(place.found()) == []

    def test_seeking(self, place: Place) -> None:
        """A file can be read from anywhere, as often as wanted."""
        data = os.urandom(PART + 7)
        place.write("store/one", [data])
        with place.read("store/one") as file:
            assert file.read(10) == data[:10]
            assert file.seek(-7, io.SEEK_END) == PART
            assert file.read() == data[-7:]
            assert file.read(1) == b""
            file.seek(3_000_000)
            assert file.read(100) == data[3_000_000:3_000_100]
            assert file.tell() == 3_000_100
            file.seek(0)
            assert file.read() == data

    @pytest.mark.parametrize("name", ["one", "../up/one", "a/../b", "/a/b", "a/b/c", "a/.b", ""])
    def test_hostile_names(self, place: Place, name: str) -> None:
        """A name that climbs or hides reaches nothing."""
        for use in (lambda: place.write(name, [b"1"]), lambda: place.delete(name)):
            with pytest.raises(ds.BackupPlaceError):
                use()
        with pytest.raises(ds.BackupPlaceError), place.read(name):
            pass

    @pytest.mark.parametrize("before", [1, PART + 1], ids=["early", "amid the upload"])
    def test_broken_off(self, place: Place, before: int) -> None:
        """When the chunks fail, their error comes out and the older file stays."""

        def chunks() -> Iterator[bytes]:
            yield b"new" * before
            raise error

        place.write("store/one", [b"old"])
        for error in (ZeroDivisionError("mine"), OSError(5, "mine"), KeyboardInterrupt()):
            with pytest.raises(type(error)) as caught:
                place.write("store/one", chunks())
            assert caught.value is error or isinstance(caught.value, ds.BackupPlaceError)
        assert content(place, "store/one") == b"old"
        assert [f.name for f in place.found()] == ["store/one"]


class TestRemote:
    def test_nothing_unfinished(self, remote: RemotePlace, bucket: Bucket) -> None:
        """An upload that is broken off is given up at the server as well."""

        def chunks() -> Iterator[bytes]:
            yield b"x" * (2 * PART + 1)
            yield b"x" * PART
            raise error

        error = OSError(5, "the image cannot be read")
        with pytest.raises(OSError, match="the image cannot be read") as caught:
            remote.write("store/one", chunks())
        assert caught.value is error
        assert bucket.unfinished() == 0
        assert remote.tidy(older_than_s=0, now_s=0) == 0

    def test_foreign_objects(self, remote: RemotePlace, bucket: Bucket) -> None:
        """Objects that are not ours, and those of other folders, are not listed."""
        bucket.put("some/backups/store/ours", b"1")
        bucket.put("some/backups/read.me", b"1")
        bucket.put("some/backups/deep/er/file", b"1")
        bucket.put("some/backups/store/.hidden", b"1")
        bucket.put("some/other/store/file", b"1")
        bucket.put("some/backups2/store/file", b"1")
        assert [f.name for f in remote.found()] == ["store/ours"]

    def test_long_listings(self, bucket: Bucket, remote: RemotePlace) -> None:
        """A listing that comes in several answers is complete."""
        for number in range(2 * PAGE + 1):
            bucket.put(f"some/backups/store/{number:04}", b"")
        assert b"<IsTruncated>true" in bucket.listing()
        assert len(list(remote.found("store"))) == 2 * PAGE + 1

    def test_seeking_before_the_beginning(self, remote: RemotePlace) -> None:
        """There is nothing there."""
        remote.write("store/one", [b"1"])
        with remote.read("store/one") as file, pytest.raises(ValueError, match="negative"):
            file.seek(-1)

    def test_replaced_meanwhile(self, remote: RemotePlace) -> None:
        """A reader never gets a part of one file and a part of another."""
        remote.write("store/one", [b"a" * PART])
        with remote.read("store/one") as file:
            assert file.read(1) == b"a"
            remote.write("store/one", [b"b" * PART])
            file.seek(PART - 10)
            with pytest.raises(ds.BackupPlaceError, match="replaced meanwhile"):
                file.read()

    def test_whole_bucket(self, bucket: Bucket) -> None:
        """A URL without a folder means the bucket itself."""
        place = place_for(f"s3://{bucket.name}/")
        place.write("store/one", [b"1"])
        assert b"<Key>store/one</Key>" in bucket.listing()
        assert place.url == f"s3://{bucket.name}"

    def test_options(self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
        """The endpoint can be given to the place in the stead of the environment."""
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        options: dict[str, str | float] = {"endpoint": bucket.endpoint, "retries": 0}
        place = place_for(bucket.url, options=options)
        place.write("store/one", [b"1"])
        assert [f.name for f in place.found()] == ["store/one"]
