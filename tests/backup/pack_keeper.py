"""Keeps and drops backups in a pack until it is killed; says what it has done.

usage: pack_keeper.py ROOT FIRST
"""

from __future__ import annotations

import sys
from pathlib import Path

from pack_samples import Packs, backup_id, edited, text_pages


def image_of(number: int) -> bytes:
    """The image of a round: most of it as in the round before."""
    return b"".join(edited(text_pages(300), 0.1, number))


def main() -> None:
    """Keep one a round, and drop the one of three rounds ago."""
    packs = Packs(Path(sys.argv[1]))
    number = int(sys.argv[2])
    while True:
        packs.keep(number, image_of(number))
        sys.stdout.write(f"kept {number}\n")
        sys.stdout.flush()
        if backup_id(number - 3) in packs.manifests:
            packs.drop(backup_id(number - 3))
            sys.stdout.write(f"dropped {number - 3}\n")
            sys.stdout.flush()
        number += 1


if __name__ == "__main__":
    main()
