"""The container "pack": the chunks of all backups of a store, each once, in one SQLite file."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, closing
from pathlib import Path

from dsfactory.backup.containers import Order
from dsfactory.backup.full import compared, told
from dsfactory.backup.manifest import Manifest, Payload
from dsfactory.backup.packs import sql
from dsfactory.backup.packs.checking import distrust_damaged
from dsfactory.backup.packs.file import FILE, blamed_on, made, opened, opened_for_reading, pack_path
from dsfactory.backup.packs.reading import image_chunks
from dsfactory.backup.packs.sweep import remove_backups
from dsfactory.backup.packs.writing import add_image
from dsfactory.backup.places.place import Place
from dsfactory.engine.copying import Progress
from dsfactory.engine.files import unmakeable
from dsfactory.errors import BackupDamagedError, DataStoreError


class Pack:
    """``STORE/pack.db``: what did not change since any kept backup is not kept again."""

    def keep(self, order: Order, place: Place) -> Payload:
        """Add the image in one transaction; killed at any moment, the pack is as before or whole.

        Two processes wait for each other. Chunks are always compressed: *order.compress* is for
        containers that have a choice. Raises OptionError where the place is no directory.
        """
        file = f"{order.store}/{FILE}"
        path = pack_path(place, file)
        with (
            blamed_on(path, store=order.store, backup=order.id, done="written"),
            opened(made(path)) as pack,
        ):
            with pack.write() as tx:
                added = add_image(pack, tx, order)
            pack.checkpoint(truncate=True)
        return Payload(container="pack", file=file, size_bytes=added, sha256=None)

    def confirm(self, manifest: Manifest, place: Place) -> None:
        """Read every chunk of the backup and compare.

        Chunks found damaged are not shared any more: the next backup keeps them anew.
        """
        try:
            with closing(_image(manifest, place)) as chunks:
                for _chunk in chunks:
                    pass
        except BackupDamagedError:
            path = pack_path(place, manifest.payload.file)
            with _blamed(manifest, path, "read"), opened(path) as pack:
                distrust_damaged(pack, manifest.id, manifest.image.size_bytes)
            raise

    def bring_back(
        self, manifest: Manifest, place: Place, target: Path, progress: Progress | None = None
    ) -> None:
        """Write the image into *target*; what comes out is hashed and compared."""
        try:
            with target.open("wb") as file, closing(_image(manifest, place)) as chunks:
                for chunk in told(chunks, progress, manifest.image.size_bytes):
                    file.write(chunk)
        except DataStoreError:
            raise  # ours already; some of them are OSErrors too
        except OSError as error:
            raise unmakeable(error, target) from error

    def drop(self, manifest: Manifest, place: Place) -> None:
        """Remove the backup and the chunks that only it needs; the file shrinks."""
        self.drop_lost(manifest.origin.name, manifest.id, place)

    def drop_lost(self, store: str, backup_id: str, place: Place) -> None:
        """Do the same when the manifest is gone: the pack knows the backup by its id."""
        path = pack_path(place, f"{store}/{FILE}")
        if not path.exists():
            return
        with blamed_on(path, store=store, backup=backup_id, done="dropped"), opened(path) as pack:
            with pack.write() as tx:
                remove_backups(pack, tx, [backup_id])
            pack.checkpoint(truncate=True)


PACK = Pack()


def drop_strays(place: Place, store: str, *, known: set[str], before: str) -> list[str]:
    """Drop what the store's pack holds without a manifest; return the ids.

    They are left by processes killed between keeping and writing the manifest. *known* has the ids
    that have one; ids from *before* on may be in the making and stay.
    """
    path = pack_path(place, f"{store}/{FILE}")
    if not path.exists():
        return []
    with blamed_on(path, store=store, backup="(unfinished)", done="dropped"), opened(path) as pack:
        held = [backup for (backup,) in pack.rows(sql.BACKUPS)]
        strays = [backup for backup in held if backup not in known and backup < before]
        if strays:
            with pack.write() as tx:
                remove_backups(pack, tx, strays)
            pack.checkpoint(truncate=True)
    return strays


def _image(manifest: Manifest, place: Place) -> Generator[bytes, None, None]:
    path = pack_path(place, manifest.payload.file)
    with (
        _blamed(manifest, path, "read"),
        opened_for_reading(path) as pack,
        pack.snapshot() as moment,
    ):
        chunks = image_chunks(moment, manifest.id, manifest.image.size_bytes)
        yield from compared(chunks, manifest)


def _blamed(manifest: Manifest, path: Path, done: str) -> AbstractContextManager[None]:
    return blamed_on(path, store=manifest.origin.name, backup=manifest.id, done=done)
