"""The container "full": each backup a file of its own, compressed and, where wanted, encrypted."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from dsfactory.backup.containers import Order
from dsfactory.backup.manifest import Manifest, Payload
from dsfactory.backup.places.place import CHUNK_BYTES, Place
from dsfactory.backup.sealing.age import METHOD, SUFFIX, Opener, Seal
from dsfactory.backup.snapshot import chunks_of
from dsfactory.codecs.streams import compressed, decompressed
from dsfactory.engine.copying import Progress
from dsfactory.engine.files import unmakeable
from dsfactory.errors import BackupDamagedError, BackupSealedError, CorruptError, DataStoreError

COMPRESSORS = 0
"""Threads that compress beside the one that reads. None: another core examines the copy meanwhile,
and the application wants to go on. scripts/bench/backup has the figures."""


class Full:
    """One file a backup: ``ID.db``, ``ID.db.zst``, ``ID.db.zst.age``."""

    def __init__(self, seal: Seal | None = None, opener: Opener | None = None) -> None:
        """Encrypt with *seal*, decrypt with *opener*; None where nobody configured it."""
        self._seal = seal
        self._opener = opener

    def keep(self, order: Order, place: Place) -> Payload:
        """Keep the image as one file, hashed on its way."""
        size = order.image.stat().st_size
        chunks = told(chunks_of(order.image), order.progress, size)
        file = f"{order.store}/{order.id}.db"
        if order.compress:
            file += ".zst"
            chunks = compressed(chunks, size=size, threads=COMPRESSORS)
        if self._seal is not None:
            file += SUFFIX
            chunks = self._seal.sealed(chunks)
        digest = hashlib.sha256()
        written = place.write(file, _hashed(chunks, digest))
        return Payload(
            container="full",
            file=file,
            size_bytes=written,
            sha256=digest.hexdigest(),
            compression="zstd" if order.compress else None,
            encryption=METHOD if self._seal is not None else None,
        )

    def confirm(self, manifest: Manifest, place: Place) -> None:
        """Read the file back and compare it, and what is in it if it can be decrypted here."""
        failure = None
        with place.read(manifest.payload.file) as kept:
            file = _HashedFile(kept)  # read once: it may be far away
            try:
                self._look_inside(cast("BinaryIO", file), manifest)
            except (BackupDamagedError, BackupSealedError) as error:
                failure = error
            while file.read(CHUNK_BYTES):
                pass  # to its end, whatever was found before
        if file.digest.hexdigest() != manifest.payload.sha256:
            raise damaged(manifest, "its file is not what was written") from failure
        if failure is not None:
            raise failure

    def _look_inside(self, file: BinaryIO, manifest: Manifest) -> None:
        openable = manifest.payload.encryption is None or self._opener is not None
        if manifest.payload.compression is None or not openable:
            return
        try:
            # The frame carries a checksum of what went into it.
            for _chunk in _limited(self._unpacked(file, manifest), manifest):
                pass
        except CorruptError as error:
            raise damaged(manifest, str(error)) from error

    def bring_back(
        self, manifest: Manifest, place: Place, target: Path, progress: Progress | None = None
    ) -> None:
        """Write the image into *target*; its hash is compared by who asked for it."""
        try:
            with target.open("wb") as file:
                chunks = _limited(self._chunks(manifest, place), manifest)
                for chunk in told(chunks, progress, manifest.image.size_bytes):
                    file.write(chunk)
        except CorruptError as error:
            raise damaged(manifest, str(error)) from error
        except DataStoreError:
            raise  # ours already; some of them are OSErrors too
        except OSError as error:
            raise unmakeable(error, target) from error

    def _chunks(self, manifest: Manifest, place: Place) -> Iterator[bytes]:
        with place.read(manifest.payload.file) as kept:
            yield from self._unpacked(kept, manifest)

    def _unpacked(self, kept: BinaryIO, manifest: Manifest) -> Iterator[bytes]:
        with self._opened(kept, manifest) as file:
            if manifest.payload.compression is None:
                yield from iter(lambda: file.read(CHUNK_BYTES), b"")
            else:
                yield from decompressed(file, limit=manifest.image.size_bytes)

    @contextlib.contextmanager
    def _opened(self, kept: BinaryIO, manifest: Manifest) -> Iterator[BinaryIO]:
        if manifest.payload.encryption is None:
            yield kept
            return
        if self._opener is None:
            raise BackupSealedError(
                f"Backup {manifest.id} of store {manifest.origin.name!r} is encrypted. Give the "
                "identity that opens it: backup_identity, or --identity.",
                backup=manifest.id,
            )
        with self._opener.opened(kept, f"Backup {manifest.id}") as file:
            yield file

    def drop(self, manifest: Manifest, place: Place) -> None:
        """Remove the file."""
        place.delete(manifest.payload.file)

    def drop_lost(self, store: str, backup_id: str, place: Place) -> None:
        """Remove every file that is named like the backup."""
        for found in list(place.found(store)):
            if found.name.startswith(f"{store}/{backup_id}.db"):
                place.delete(found.name)


def damaged(manifest: Manifest, why: str) -> BackupDamagedError:
    """Return the error for a backup whose kept files are not what they were."""
    return BackupDamagedError(
        f"Backup {manifest.id} of store {manifest.origin.name!r} is damaged: {why}. Use another; "
        "`dsfactory backup verify --all` says which are whole.",
        backup=manifest.id,
        store=manifest.origin.name,
    )


def told(chunks: Iterable[bytes], progress: Progress | None, size: int) -> Iterator[bytes]:
    """Yield *chunks*, telling how many of the *size* bytes have been taken."""
    done = 0
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        if progress is not None:
            progress(done, size)


def _hashed(chunks: Iterable[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


class _HashedFile:
    """A file whose bytes are hashed as they are read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return what comes next."""
        chunk = self._file.read(size)
        self.digest.update(chunk)
        return chunk


def compared(chunks: Iterable[bytes], manifest: Manifest) -> Iterator[bytes]:
    """Yield *chunks* as long as they can be the manifest's image; they were it at the end."""
    digest = hashlib.sha256()
    for chunk in _limited(chunks, manifest):
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != manifest.image.sha256:
        raise damaged(manifest, "its content is not what was written")


def _limited(chunks: Iterable[bytes], manifest: Manifest) -> Iterator[bytes]:
    """Yield *chunks*, which have to be as many bytes as the manifest's image."""
    limit, size = manifest.image.size_bytes, 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise damaged(manifest, "it is longer than when it was written")
        yield chunk
    if size < limit:
        raise damaged(manifest, "it was cut short")
