"""What stands beside each backup: everything that is needed to restore it when the registry is
gone. The format is JSON, ``NAME/ID.json``; it holds no value of the store.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from dsfactory.backup.places.place import is_file_name
from dsfactory.errors import BackupDamagedError
from dsfactory.keys import is_name
from dsfactory.model import Backup, Kind
from dsfactory.options import StoreOptions, as_record, from_record

FORMAT = 1
SUFFIX = ".json"

LARGEST = 4 * 1024 * 1024
"""Bytes. Nothing that we write comes near; what is larger is no manifest of ours."""


LARGEST_NUMBER = 2**63 - 1
"""Of sizes and moments: what the catalog takes."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The store that was copied."""

    name: str
    id: str
    kind: Kind
    options: StoreOptions
    schema: str | None
    created_at: int
    revision: int


@dataclass(frozen=True, slots=True)
class Image:
    """The database file that was copied, and that restoring gives again."""

    size_bytes: int
    sha256: str
    rows: Mapping[str, int]
    """Rows by table, of our tables and of the application's own."""
    journal: str | None = None
    """Where the journal stood (LINEAGE:ROW:MS), which goes on from here; None without one."""


@dataclass(frozen=True, slots=True)
class Payload:
    """How and where the image is kept."""

    container: str
    """"full" or "pack"."""
    file: str
    size_bytes: int
    """What it takes; of a pack what it added."""
    sha256: str | None
    """Of the file as kept; None of a pack, which others change as well."""
    compression: str | None = "zstd"
    encryption: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup, told whole."""

    id: str
    origin: Origin
    image: Image
    payload: Payload
    created_at: int
    took_ms: int
    reason: str
    release: str
    """Of dsfactory."""
    sqlite: str
    """The version of SQLite that made the copy."""
    tags: tuple[str, ...] = ()
    flaws: tuple[str, ...] = ()
    pinned: bool = False
    verified_at: int | None = None
    group: str | None = None
    base: str | None = None

    @property
    def file(self) -> str:
        """The name under which a place holds this manifest."""
        return manifest_file(self.origin.name, self.id)

    @property
    def backup(self) -> Backup:
        """Return what the catalog tells of it."""
        return Backup(
            id=self.id,
            store=self.origin.name,
            created_at=self.created_at,
            reason=self.reason,
            size_bytes=self.payload.size_bytes,
            sha256=self.image.sha256,
            revision=self.origin.revision,
            verified_at=self.verified_at,
            tags=self.tags,
            pinned=self.pinned,
            container=self.payload.container,
            base=self.base,
            group=self.group,
            flaws=self.flaws,
        )

    def encoded(self) -> bytes:
        """Return the manifest as it is kept: JSON, with a checksum over the rest of it."""
        body = asdict(self)
        body["origin"]["options"] = as_record(self.origin.options)
        return sealed(body)


def manifest_file(store: str, backup_id: str) -> str:
    """Return the name of a manifest."""
    return f"{store}/{backup_id}{SUFFIX}"


def decoded(stored: bytes, name: str) -> Manifest:
    """Return the manifest that *stored* holds; *name* is the file it came from.

    Raises BackupDamagedError when it was changed, is not one, or belongs to another file.
    """
    body = unsealed(stored, name)
    try:
        manifest = _built(body)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(name, "a field is missing or of the wrong kind") from error
    if not is_name(manifest.origin.name) or manifest.file != name:
        raise _damaged(name, "it was written for another name")
    if not is_file_name(manifest.payload.file):
        raise _damaged(name, "it names a file that is none of ours")
    if manifest.payload.file.split("/")[0] != manifest.origin.name:
        raise _damaged(name, "it points into another store's folder")
    # What a backup has to itself is deleted with it.
    alone = manifest.payload.file.startswith(f"{manifest.origin.name}/{manifest.id}.")
    if manifest.payload.container == "full" and not alone:
        raise _damaged(name, "it points to what another backup has")
    return manifest


def sealed(body: Mapping[str, Any]) -> bytes:
    """Return *body* as JSON with the format's number and a checksum over everything."""
    body = {"format": FORMAT, **body}
    checksum = hashlib.sha256(_canonical(body)).hexdigest()
    return json.dumps({**body, "checksum": checksum}, indent=1, sort_keys=True).encode() + b"\n"


def unsealed(stored: bytes, name: str) -> dict[str, Any]:
    """Return what sealed() was given; raise BackupDamagedError when *stored* is something else."""
    try:
        body = json.loads(stored)
        checksum = body.pop("checksum")
        format_number = body.pop("format")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(name, "it is not a manifest") from error
    if format_number != FORMAT:
        raise BackupDamagedError(
            f"Manifest {name} has a format that this release does not know (it knows {FORMAT}). "
            "Use the release that wrote it, or a newer one.",
            manifest=name,
        )
    if checksum != hashlib.sha256(_canonical({"format": FORMAT, **body})).hexdigest():
        raise _damaged(name, "its checksum is wrong")
    return dict(body)


def _canonical(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def _built(body: dict[str, Any]) -> Manifest:
    origin = body.pop("origin")
    options = from_record(origin.pop("options"))
    kind = Kind(origin.pop("kind"))
    manifest = Manifest(
        origin=Origin(kind=kind, options=options, **origin),
        image=Image(**body.pop("image")),
        payload=Payload(**body.pop("payload")),
        tags=_texts(body.pop("tags")),
        flaws=_texts(body.pop("flaws")),
        **body,
    )
    _require_plain(manifest)
    return manifest


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("tags and flaws are lists of texts")
    return tuple(values)


_TYPES: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "str": (str,),
    "bool": (bool,),
    "int | None": (int, type(None)),
    "str | None": (str, type(None)),
}


def _require_plain(record: Any) -> None:
    """Refuse a field of another type than it was written with: it came from a file."""
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, (Origin, Image, Payload)):
            _require_plain(value)
        elif not isinstance(value, _TYPES.get(str(field.type), (object,))):
            raise TypeError(field.name)
        elif isinstance(value, int) and not 0 <= value <= LARGEST_NUMBER:
            raise ValueError(field.name)
        elif isinstance(value, str):
            value.encode()  # JSON has surrogates, which nothing else takes


def _damaged(name: str, why: str) -> BackupDamagedError:
    return BackupDamagedError(
        f"Manifest {name} cannot be used: {why}. Use another backup.", manifest=name
    )
