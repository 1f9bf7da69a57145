"""From what an operator writes, a directory or a URL, to the place it means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from dsfactory.backup.places.place import DirectoryPlace, Place
from dsfactory.backup.places.remote import ENVIRONMENT, Limits, RemotePlace
from dsfactory.errors import OptionError, OptionTypeError

OPTION = "backup_target"

ALLOWED = (
    "a directory, or a URL without user, password or query: s3://BUCKET/FOLDER, "
    "gs://BUCKET/FOLDER, az://CONTAINER/FOLDER, file:///DIRECTORY"
)

SETTINGS = ("endpoint", "region")
"""Of the library's settings those that may be given here; it reads all from the environment."""

LEAST = {"retries": 0, "part_bytes": 5 * 1024 * 1024, "parts_at_once": 1}

# A letter alone is a drive of Windows, not a scheme.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://.*|(?:s3|gs|az|file):.*", re.IGNORECASE | re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{0,254}")
_FOLDER = re.compile(
    r"(?!\.\.?(?:/|$))[^/%?#\x00-\x1f\x7f]+(?:/(?!\.\.?(?:/|$))[^/%?#\x00-\x1f\x7f]+)*"
)


def place_for(location: str | Path, *, options: Mapping[str, str | float] | None = None) -> Place:
    """Return the place that *location* names; nothing is reached or made yet.

    *options* are for object stores: "endpoint", "region", and the fields of Limits. Credentials
    are read from the environment; a URL that holds some is refused. Raises OptionError, or
    UnfitEnvironmentError when the library for object stores is missing.
    """
    if isinstance(location, Path):
        return _directory(location, options)
    if not isinstance(location, str):
        raise OptionTypeError(f"{OPTION} is of no such type; allowed: {ALLOWED}.", option=OPTION)
    if not location.strip():
        raise _refused("is empty")
    if not _URL.fullmatch(location):
        return _directory(Path(location), options)
    url = _plain(location)
    if url.scheme == "file":
        return _directory(_file(url), options)
    if url.scheme not in ENVIRONMENT:
        raise _refused("has another scheme")
    return _remote(url, options or {})


def _plain(location: str) -> SplitResult:
    """Return the parts of a URL. What may be a secret is refused, and not repeated."""
    try:
        url = urlsplit(location)
    except ValueError:
        raise _refused("is no URL") from None
    if "@" in url.netloc or url.query or url.fragment or "://" not in location:
        raise _refused("is of another form")
    return url


def _file(url: SplitResult) -> Path:
    path = Path(unquote(url.path))
    if url.netloc not in ("", "localhost") or not path.is_absolute():
        raise _refused("names no directory of this machine")
    return path


def _directory(path: Path, options: Mapping[str, str | float] | None) -> DirectoryPlace:
    if "\0" in str(path) or _URL.fullmatch(str(path)):
        raise _refused("is no directory: give a URL as text")
    if options:
        raise _refused("is a directory, which has no options")
    return DirectoryPlace(path.expanduser().absolute())


def _remote(url: SplitResult, options: Mapping[str, str | float]) -> RemotePlace:
    folder = url.path.strip("/")
    if not _BUCKET.fullmatch(url.netloc) or (folder and not _FOLDER.fullmatch(folder)):
        raise _refused("needs a bucket, and a folder of plain names")
    unknown = sorted(set(options) - {*SETTINGS, *Limits._fields})
    if unknown:
        raise OptionError(
            f"Option {unknown[0]!r} is not for an object store; allowed: "
            f"{', '.join((*SETTINGS, *Limits._fields))}. Credentials are read from the "
            "environment.",
            option=unknown[0],
        )
    return RemotePlace(
        f"{url.scheme}://{url.netloc}/{folder}".rstrip("/"),
        limits=Limits(**{n: _limit(n, v) for n, v in options.items() if n in Limits._fields}),
        config={n: _setting(n, v) for n, v in options.items() if n in SETTINGS},
    )


def _limit(name: str, value: Any) -> Any:
    least = LEAST.get(name, 0.001)
    kinds = int if name in LEAST else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value < 1e9:
        number = "an int" if name in LEAST else "a number"
        raise OptionError(f"Option {name} is {number} of at least {least}.", option=name)
    return value


def _setting(name: str, value: object) -> str:
    if not isinstance(value, str) or not value or "@" in value or "?" in value:
        raise OptionError(f"Option {name} is text, without user, password or query.", option=name)
    return value


def _refused(why: str) -> OptionError:
    return OptionError(f"{OPTION} {why}; allowed: {ALLOWED}.", option=OPTION)
