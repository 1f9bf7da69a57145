"""Images that change as databases do, and packs of them."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

from dsfactory.backup.containers import Order
from dsfactory.backup.manifest import Image, Manifest, Origin
from dsfactory.backup.packs.pack import PACK
from dsfactory.backup.places.place import DirectoryPlace
from dsfactory.model import Kind
from dsfactory.options import defaults

PAGE = 4096
STORE = "packed"


_rng = random.Random(1)
WORDS = ["".join(_rng.choices("abcdefghijklmnopqrstuvwxyz", k=9)) for _ in range(600)]


def text_page(seed: int) -> bytes:
    """A page of words that others have too, so that there is something to learn."""
    return " ".join(random.Random(seed).choices(WORDS, k=PAGE // 9)).encode()[:PAGE]


def text_pages(count: int, seed: int = 0) -> list[bytes]:
    """Pages that differ."""
    return [text_page(seed * 1_000_003 + n) for n in range(count)]


def edited(pages: list[bytes], share: float, seed: int) -> list[bytes]:
    """The pages with a few bytes of some of them changed, as an update does it."""
    rng = random.Random(seed)
    pages = list(pages)
    for at in rng.sample(range(len(pages)), max(1, int(len(pages) * share))):
        place = rng.randrange(PAGE - 100)
        pages[at] = pages[at][:place] + rng.randbytes(20) + pages[at][place + 20 :]
    return pages


def backup_id(number: int) -> str:
    """Ids that sort as they were made."""
    return f"20261122T{number // 3600:02}{number // 60 % 60:02}{number % 60:02}Z-4f2a9c1b"


class Packs:
    """A place with one store's pack, and the images that were kept in it."""

    def __init__(self, root: Path) -> None:
        self.place = DirectoryPlace(root / "backups")
        self.path = root / "backups" / STORE / "pack.db"
        self.images: dict[str, bytes] = {}
        self.manifests: dict[str, Manifest] = {}
        self.root = root

    def order(self, number: int, image: bytes) -> Order:
        """An order to keep *image*."""
        path = self.root / f"image-{number}"
        path.write_bytes(image)
        return Order(STORE, backup_id(number), path, compress=True)

    def keep(self, number: int, image: bytes) -> Manifest:
        """Keep *image*; return its manifest."""
        order = self.order(number, image)
        payload = PACK.keep(order, self.place)
        order.image.unlink()
        manifest = Manifest(
            id=order.id,
            origin=Origin(STORE, "id", Kind.STATE, defaults(Kind.STATE), None, 0, 2),
            image=Image(len(image), hashlib.sha256(image).hexdigest(), {}),
            payload=payload,
            created_at=0,
            took_ms=0,
            reason="manual",
            release="0",
            sqlite="3",
        )
        self.images[manifest.id] = image
        self.manifests[manifest.id] = manifest
        return manifest

    def drop(self, backup: str) -> None:
        """Drop a backup."""
        PACK.drop(self.manifests.pop(backup), self.place)
        del self.images[backup]

    def back(self, backup: str) -> bytes:
        """Bring a backup back."""
        target = self.root / "target"
        target.write_bytes(b"")
        PACK.bring_back(self.manifests[backup], self.place, target)
        return target.read_bytes()
