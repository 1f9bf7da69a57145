"""What an operator writes as the place of backups, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import object_server
import pytest

import dsfactory as ds
from dsfactory.backup.places.locations import place_for
from dsfactory.backup.places.place import DirectoryPlace
from dsfactory.backup.places.remote import RemotePlace


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that lead nowhere."""
    for name, value in object_server.environment("http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0")


@pytest.mark.parametrize("shape", ["{}", "file://{}", "file://localhost{}", "FILE://{}"])
def test_directories(shape: str, tmp_path: Path) -> None:
    """A path and a file URL are the same directory."""
    target = tmp_path / "two words"
    text = str(target).replace(" ", "%20") if "//" in shape else str(target)
    place = place_for(shape.format(text))
    assert isinstance(place, DirectoryPlace)
    assert place.root == target
    assert not target.exists()


def test_relative_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path stays where it was when it was given."""
    monkeypatch.chdir(tmp_path)
    place = place_for(Path("kept"))
    monkeypatch.chdir("/")
    assert place.url == str(tmp_path / "kept")


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("s3://bucket/a/b", "s3://bucket/a/b"),
        ("S3://bucket/a/", "s3://bucket/a"),
        ("s3://bucket", "s3://bucket"),
        ("gs://bucket/a", "gs://bucket/a"),
        ("az://container/a", "az://container/a"),
    ],
)
def test_object_stores(location: str, url: str) -> None:
    """A bucket and a folder in it; nothing is reached."""
    place = place_for(location)
    assert isinstance(place, RemotePlace)
    assert place.url == url
    assert object_server.SECRET not in repr(place) + str(vars(place))


@pytest.mark.parametrize(
    "location",
    [
        "",
        "  ",
        "ftp://host/a",
        "http://host/a",
        "https://bucket.s3.amazonaws.com/a",
        "memory:///a",
        "s3:",
        "s3:bucket",
        "s3:/bucket",
        "s3://",
        "s3:///folder",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "s3://bucket/a/.",
        "s3://bucket/%2e%2e/b",
        "s3://[bucket/a",
        "s3://bucket:80/a",
        "file://host/share",
        "file://",
        "file:relative",
        "a\0b",
        Path("s3://bucket/a"),
    ],
)
def test_refused_locations(location: str | Path) -> None:
    """What is neither a directory nor such a URL is refused, and what is allowed is named."""
    with pytest.raises(ds.OptionError, match="allowed: a directory, or a URL"):
        place_for(location)


@pytest.mark.parametrize("location", [None, 3, b"s3://bucket"])
def test_refused_types(location: Any) -> None:
    """Nor is another type taken for one."""
    with pytest.raises(ds.OptionTypeError):
        place_for(location)


@pytest.mark.parametrize(
    "location",
    [
        "s3://k:hidden@bucket/a",
        "s3://hidden@bucket/a",
        "s3://bucket/a?sig=hidden",
        "az://c/#hidden",
    ],
)
def test_secrets_in_urls(location: str) -> None:
    """Credentials in a URL are refused and not repeated."""
    with pytest.raises(ds.OptionError) as caught:
        place_for(location)
    assert "hidden" not in str(caught.value) + repr(caught.value.facts)


@pytest.mark.parametrize(
    "options",
    [
        {"secret_access_key": "hidden"},
        {"endpoint": "http://k:hidden@host"},
        {"region": 3},
        {"retries": -1},
        {"retries": 1.5},
        {"stall_s": 0},
        {"stall_s": float("nan")},
        {"part_bytes": 1024},
        {"parts_at_once": True},
    ],
)
def test_refused_options(options: dict[str, Any]) -> None:
    """Options are checked like all others, and hold no credentials."""
    with pytest.raises(ds.OptionError) as caught:
        place_for("s3://bucket", options=options)
    assert "hidden" not in str(caught.value)


def test_directory_takes_no_options(tmp_path: Path) -> None:
    """Options for a directory could only be a mistake."""
    with pytest.raises(ds.OptionError, match="no options"):
        place_for(tmp_path, options={"retries": 1})


def test_configuration_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that is not set is found out when the place is made, not at night."""
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME")
    with pytest.raises(ds.OptionError, match="AZURE_STORAGE_ACCOUNT_NAME"):
        place_for("az://container/a")


def test_configuration_that_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So is a file of credentials that cannot be used; its name is not repeated."""
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(tmp_path / "hidden.json"))
    with pytest.raises(ds.OptionError, match="GOOGLE_") as caught:
        place_for("gs://bucket/a")
    assert "hidden" not in str(caught.value)
    assert caught.value.__context__ is None


WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
import dsfactory as ds
from dsfactory.backup.places.locations import place_for
from dsfactory.backup.sealing.age import Opener, Seal
assert place_for("/kept").url == place_for("file:///kept").url == "/kept"
for use in (lambda: place_for("s3://bucket/a"), lambda: Seal(["age1"]), lambda: Opener("/key")):
    try:
        use()
    except ds.UnfitEnvironmentError as error:
        print(error)
    except ds.OptionError:
        pass
"""


@pytest.mark.parametrize(
    ("library", "extra", "times"), [("obstore", "remote", 1), ("pyrage", "encrypt", 2)]
)
def test_missing_extra(library: str, extra: str, times: int) -> None:
    """Without the library the error says what to install; directories need none."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, library], capture_output=True, text=True, check=True
    )
    assert done.stdout.count(f"pip install 'dsfactory[{extra}]'") == times
    assert len(done.stdout.splitlines()) == times


LIGHT = """
import sys
from dsfactory.backup.places.locations import place_for
place_for("/kept")
import dsfactory.backup.sealing.age
assert not {"obstore", "pyrage"} & set(sys.modules), "loaded"
"""


def test_light_imports() -> None:
    """Neither library is loaded before it is needed."""
    subprocess.run([sys.executable, "-c", LIGHT], check=True)
