"""An object store that is out of reach, refuses, lies or breaks off: typed errors, no secrets."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable

import object_server
import pytest
from object_server import KEY_ID, SECRET, Bucket

import dsfactory as ds
from dsfactory.backup.places.remote import Limits, RemotePlace

PART = 5 * 1024 * 1024
QUICK = Limits(connect_s=1, stall_s=0.2, retries=1, retry_s=1, part_bytes=PART)


def content(place: RemotePlace, name: str) -> bytes:
    with place.read(name) as file:
        return file.read()


USES: dict[str, Callable[[RemotePlace], object]] = {
    "list": lambda place: list(place.found()),
    "write": lambda place: place.write("store/one", [b"1"]),
    "upload": lambda place: place.write("store/one", [b"x" * PART, b"1"]),
    "read": lambda place: content(place, "store/one"),
    "delete": lambda place: place.delete("store/one"),
}


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# What S3 says to a wrong secret: the id of the key, and what was signed.
MISMATCH = (
    "<Error><Code>SignatureDoesNotMatch</Code>"
    f"<AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId><StringToSign>{SECRET}</StringToSign></Error>"
).encode()
NO_BUCKET = b"<Error><Code>NoSuchBucket</Code></Error>"

FAULTS: dict[str, tuple[bytes | None, str]] = {
    "silent": (None, "does not answer in time"),
    "refusing": (answer("403 Forbidden", MISMATCH), r"403 SignatureDoesNotMatch"),
    "overloaded": (answer("503 Slow Down", b"<Error><Code>SlowDown</Code></Error>"), "503"),
    "without the bucket": (answer("404 Not Found", NO_BUCKET), "no such bucket"),
    "not speaking HTTP": (b"220 mail.example.org ESMTP\r\n", "cannot be"),
}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the machine takes part."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], RemotePlace]:
    """Make a place at an endpoint, which has credentials in it."""

    def reach(endpoint: str) -> RemotePlace:
        for name, value in object_server.environment(endpoint).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint.replace("://", f"://user:{SECRET}@"))
        return RemotePlace("s3://bucket/folder", limits=QUICK)

    return reach


def refused(use: Callable[[RemotePlace], object], place: RemotePlace, why: str) -> None:
    """The use fails with our error, and nothing that can be seen of it holds a secret."""
    with pytest.raises(ds.BackupPlaceError, match=why) as caught:
        use(place)
    seen = "".join(traceback.format_exception(caught.value)) + repr(caught.value.facts)
    assert "s3://bucket/folder" in seen
    assert SECRET not in seen
    assert KEY_ID not in seen
    assert caught.value.__context__ is None


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize(("said", "why"), FAULTS.values(), ids=FAULTS)
def test_bad_answers(
    use: Callable[[RemotePlace], object],
    said: bytes | None,
    why: str,
    reached: Callable[[str], RemotePlace],
) -> None:
    """Whatever the other side says, the error is ours, ends in time and keeps secrets."""
    with object_server.answering(said) as endpoint:
        refused(use, reached(endpoint), why)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_unreachable(
    use: Callable[[RemotePlace], object], reached: Callable[[str], RemotePlace]
) -> None:
    """A host that nothing listens on is out of reach."""
    refused(use, reached("http://127.0.0.1:1"), "cannot be connected to")


def test_unknown_host(reached: Callable[[str], RemotePlace]) -> None:
    """So is one whose name nobody knows (RFC 6761: .invalid)."""
    refused(USES["list"], reached("http://nowhere.invalid:1"), "not known|connected")


def test_cut_short(reached: Callable[[str], RemotePlace]) -> None:
    """A download that ends early is an error, not a shorter file."""
    whole = answer(
        "200 OK", b"x" * 1000, 'ETag: "a"', "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT"
    )
    with object_server.answering(whole[:-500]) as endpoint:
        refused(USES["read"], reached(endpoint), "cannot be read|too early")


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials in the environment the error says so."""
    for name, value in object_server.environment("http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ds.BackupPlaceError, match="no credentials"):
        list(RemotePlace("s3://bucket", limits=QUICK).found())


def test_plain_http_is_not_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backups travel encrypted unless the environment says otherwise."""
    for name, value in object_server.environment("http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(ds.BackupPlaceError, match="not https"):
        list(RemotePlace("s3://bucket", limits=QUICK).found())


def test_waits_are_bounded() -> None:
    """The standard limits keep what the documentation promises: 30 s, and three minutes."""
    limits = Limits()
    longest_wait_s = 15  # between two attempts, in the library
    assert (limits.retries + 1) * limits.connect_s < 30 - limits.retries * 0.8
    assert limits.retry_s + limits.stall_s + longest_wait_s <= 200
    assert limits.part_bytes * 10_000 > 64 * 2**30


UPLOADER = """
import sys
from dsfactory.backup.places.remote import Limits, RemotePlace
def chunks():
    for number in range(40):
        yield b"n" * (1 << 20)
    print("amid", flush=True)
    sys.stdin.read()
RemotePlace(sys.argv[1], limits=Limits(part_bytes=5 << 20)).write("store/one", chunks())
"""


def test_killed_uploader(bucket: Bucket) -> None:
    """Killed amid an upload: the older file stays, nothing new is seen, the next one works."""
    place = RemotePlace(bucket.url)
    place.write("store/one", [b"old"])
    with subprocess.Popen(
        [sys.executable, "-c", UPLOADER, bucket.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "amid\n"
        process.send_signal(signal.SIGKILL)
    assert [(f.name, f.size_bytes) for f in place.found()] == [("store/one", 3)]
    place.write("store/one", [b"newer"])
    with place.read("store/one") as file:
        assert file.read() == b"newer"


TRAVELLER = """
import resource, sys
from dsfactory.backup.places.remote import RemotePlace
place = RemotePlace(sys.argv[1])
place.write("store/warm", [b"x" * (9 << 20)] * 3)
with place.read("store/warm") as file:
    while file.read(1 << 20): pass
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
place.write("store/one", (bytes([n]) * (1 << 20) for n in range(64)))
with place.read("store/one") as file:
    while file.read(1 << 20): pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_is_bounded(bucket: Bucket) -> None:
    """A file of 64 MiB goes there and back without being in memory."""
    done = subprocess.run(
        [sys.executable, "-c", TRAVELLER, bucket.url], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 32 * 1024  # KiB


FORKING = """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, since Python 3.12
import dsfactory as ds
from dsfactory.backup.places.remote import RemotePlace
place = RemotePlace(sys.argv[1])
place.write("store/one", [b"1"])
child = os.fork()
try:
    os.write(1, b"found %d\\n" % len(list(place.found())))  # whole, beside the other process
except ds.ForkedError:
    os.write(1, b"refused\\n")
if child:
    os.waitpid(child, 0)
"""


def test_forked_child(bucket: Bucket) -> None:
    """A child of fork is refused at once, instead of waiting for threads that it has not."""
    done = subprocess.run(
        [sys.executable, "-c", FORKING, bucket.url], capture_output=True, text=True, check=True
    )
    assert sorted(done.stdout.splitlines()) == ["found 1", "refused"]


def listed_elsewhere(url: str) -> list[str]:
    """What a spawned process sees."""
    return [found.name for found in RemotePlace(url).found()]


def test_spawned_child(bucket: Bucket) -> None:
    """A spawned one is not."""
    RemotePlace(bucket.url).write("store/one", [b"1"])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(listed_elsewhere, (bucket.url,)) == ["store/one"]
