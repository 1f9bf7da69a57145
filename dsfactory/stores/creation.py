"""Making a store's file, and finding out what an existing one is."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dsfactory import __version__
from dsfactory.engine import (
    Connection,
    Database,
    Identity,
    Reading,
    Settings,
    checksums,
    create_database,
    open_connection,
)
from dsfactory.errors import (
    ConfigurationConflictError,
    ForeignFileError,
    KindConflictError,
    LineageError,
    NewerSchemaError,
    OlderSchemaError,
)
from dsfactory.model import Kind
from dsfactory.options import StoreOptions
from dsfactory.profiles import PROFILES, Profile, contents, ddl, kind_of, stamp
from dsfactory.stores import sql

HEADER = "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version"
RELEASE = "SELECT release FROM meta"
LINEAGE = "SELECT lineage FROM meta"
REGISTRY_RELEASE = "SELECT release FROM registry_meta"


Finish = Callable[[Connection], None]
"""Completes a new file inside of the transaction that makes it."""


class FileIdentity(NamedTuple):
    """What a store's file says of itself."""

    store_id: str
    name: str
    kind: Kind
    codec: str
    features: tuple[str, ...]


def create_file(
    path: Path,
    who: FileIdentity,
    options: StoreOptions,
    now: int,
    finish: Finish | None = None,
) -> None:
    """Make the file of a new store, whole from its first moment, unless it exists."""
    profile = PROFILES[who.kind]
    meta = (
        who.store_id,
        who.name,
        str(who.kind),
        who.codec,
        ",".join(who.features),
        __version__,
        now,
    )
    create_database(
        path,
        [
            *stamp(profile),
            *((statement, ()) for statement in ddl(contents(who.kind, who.features))),
            (sql.NEW_META, meta),
        ],
        Identity(profile.application_id, profile.revision),
        page_checksums=options.page_checksums,
        finish=finish,
    )


def file_identity(reading: Reading, path: Path, kind: Kind) -> FileIdentity:
    """Return what the file says of itself, when it is one of *kind* and at head.

    Raises ForeignFileError, KindConflictError, NewerSchemaError or OlderSchemaError.
    """
    require_profile(reading, path, PROFILES[kind])
    return _says(reading)


def _says(reading: Reading) -> FileIdentity:
    ((store_id, name, found, codec, features, *_),) = reading.rows(sql.META)
    return FileIdentity(
        store_id, name, Kind(found), codec, tuple(filter(None, features.split(",")))
    )


def require_profile(reading: Reading, path: Path, profile: Profile) -> None:
    """Refuse a file that is not of *profile* or not at its head."""
    revision = _known_revision(reading, path, profile)
    if revision < profile.revision:
        raise OlderSchemaError(
            f"{path} is at revision {revision}, head is {profile.revision}. Upgrade it first.",
            path=str(path),
            revision=revision,
            head=profile.revision,
        )


def _known_revision(reading: Reading, path: Path, profile: Profile) -> int:
    ((application_id, revision),) = reading.rows(HEADER)
    require_application(application_id, path, profile)
    if revision > profile.revision:
        ((release,),) = reading.rows(RELEASE if profile.name != "registry" else REGISTRY_RELEASE)
        raise newer_schema(path, profile, revision, release)
    return int(revision)


def require_application(application_id: int, path: Path, profile: Profile) -> None:
    """Refuse a file whose header names another kind or application."""
    if application_id != profile.application_id:
        raise _another_kind(path, application_id, profile)


def newer_schema(path: Path, profile: Profile, revision: int, release: str) -> NewerSchemaError:
    """Return the refusal of a file that a newer release wrote."""
    return NewerSchemaError(
        f"{path} is at revision {revision}, written by dsfactory {release}; this release "
        f"({__version__}) knows up to {profile.revision}. Upgrade dsfactory.",
        path=str(path),
        revision=revision,
        head=profile.revision,
        release=release,
    )


def _another_kind(path: Path, application_id: int, profile: Profile) -> Exception:
    other = kind_of(application_id)
    if other is None:
        return ForeignFileError(
            f"{path} is a database of another application. Move it away.", path=str(path)
        )
    return KindConflictError(
        f"{path} is a {other} file, not a {profile.name} file. Open it as that, or choose "
        "another name.",
        path=str(path),
        found=other,
        wanted=profile.name,
    )


def adopt_or_create(
    path: Path,
    who: FileIdentity,
    options: StoreOptions,
    now: int,
    finish: Finish | None = None,
) -> str:
    """Make the file of a new store and return the store's id.

    *finish* adds to a new file what is not ours. A file that is there already (the registry was
    lost, or its process was killed in between) is adopted when it is the same store, at whatever
    revision; else ConfigurationConflictError says what differs.
    """
    if not path.exists():
        create_file(path, who, options, now, finish)
    database = Database(path, settings_of(options), clock=lambda: now)
    try:
        _known_revision(database, path, PROFILES[who.kind])
        found = _says(database)
    finally:
        database.close()
    differing = [
        f"{name}={getattr(found, name)!r} there, {getattr(who, name)!r} asked for"
        for name in ("name", "codec", "features")
        if getattr(found, name) != getattr(who, name)
    ]
    carried = _carries_checksums(path, options)
    if carried != options.page_checksums:
        differing.append(f"page_checksums={carried} there, {options.page_checksums} asked for")
    if differing:
        raise ConfigurationConflictError(
            f"{path} holds another store already ({'; '.join(differing)}). Ask for the same, or "
            "move the file away.",
            path=str(path),
        )
    return found.store_id


def _carries_checksums(path: Path, options: StoreOptions) -> bool:
    connection = open_connection(path, settings_of(options))
    try:
        return checksums.carried(connection)
    finally:
        connection.close()


def require_lineage(reading: Reading, path: Path, folder: str | None) -> None:
    """Refuse a file that has not seen the application's migrations as they are now."""
    if folder is None:
        return
    ((seen,),) = reading.rows(LINEAGE)
    if seen != fingerprint(Path(folder)):
        raise OlderSchemaError(
            f"{path} has not seen the application's migrations in {folder} as they are now. "
            "Upgrade it first.",
            path=str(path),
            migrations=folder,
        )


def versions_folder(folder: Path) -> Path:
    """Return where the revisions of an application are: in ``versions``, or in *folder* itself.

    Raises LineageError when *folder* is gone.
    """
    if not folder.is_dir():
        raise LineageError(
            f"The migrations folder {folder} is not there. Bring it back, or open the store with "
            "create_custom_store(..., migrations=FOLDER).",
            lineage="application",
        )
    versions = folder / "versions"
    return versions if versions.is_dir() else folder


def fingerprint(folder: Path) -> str:
    """Return what changes when a revision joins the migrations of an application.

    Of names and sizes: times change with every deployment, and reading costs.
    """
    found = sorted(f"{p.name} {p.stat().st_size}" for p in versions_folder(folder).glob("*.py"))
    # Not hashlib: it loads OpenSSL, and nobody forges this.
    text = "\n".join(found)
    return f"{len(found)}:{zlib.crc32(text.encode()):08x}"


def settings_of(options: StoreOptions) -> Settings:
    """Return what *options* say about connections."""
    return Settings(
        synchronous=options.synchronous,
        page_checksums=options.page_checksums,
        busy_timeout_ms=options.busy_timeout_ms,
        max_wal_bytes=options.max_wal_bytes,
    )
