"""A piece of a store's journal as a file: ``STORE/log-LINEAGE-FIRST-LAST-UNTIL.seg``.

One line of JSON, then the rows as MessagePack in one zstd frame; encrypted as a whole where backups
are, with ".age" at the end of the name. The line has the hash of the rows and is hashed itself.
Which rows a file holds stands in its name as well: listing a folder tells what can be restored.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from dsfactory.backup.places.place import Place
from dsfactory.codecs.rows import packed_rows, unpacked_rows
from dsfactory.codecs.streams import compressed, decompressed
from dsfactory.engine import Row
from dsfactory.errors import (
    BackupDamagedError,
    BackupError,
    BackupSealedError,
    CorruptError,
)
from dsfactory.options import LARGEST_VALUE

if TYPE_CHECKING:
    from dsfactory.backup.sealing.age import Opener, Seal

FORMAT = 1

SEGMENT_BYTES = 4 * 1024 * 1024
"""Of rows before compression; only one row that is larger makes a larger one."""

LARGEST = SEGMENT_BYTES + 3 * LARGEST_VALUE
"""A row of the history has a key and a value; what claims more is not ours."""

HEADER_BYTES = 1024

CELLS = 14
"""Of a journal's row: its number, what it is, when, and eleven more."""

_NAME = re.compile(r"log-([0-9a-f]{8})-(\d{12})-(\d{12})-(\d{15})\.seg(\.age)?")


class Segment(NamedTuple):
    """Which rows a file holds."""

    lineage: str
    first: int
    last: int
    until: int
    """All that was committed up to this moment is in this segment or one before; milliseconds."""
    sealed: bool = False

    @property
    def file(self) -> str:
        """The name within the store's folder."""
        name = f"log-{self.lineage}-{self.first:012d}-{self.last:012d}-{self.until:015d}.seg"
        return f"{name}.age" if self.sealed else name


class Folder(NamedTuple):
    """Where the journal of one store is kept."""

    place: Place
    store: str
    seal: Seal | None = None
    """Encrypts what is written, where backups are encrypted."""
    opener: Opener | None = None

    def segments(self) -> list[Segment]:
        """Return what is kept, sorted by lineage and number."""
        found = self.place.found(self.store)
        matches = (_NAME.fullmatch(each.name.rpartition("/")[2]) for each in found)
        return sorted(
            Segment(m[1], int(m[2]), int(m[3]), int(m[4]), m[5] is not None) for m in matches if m
        )

    def write(self, segment: Segment, rows: Sequence[Row]) -> int:
        """Keep *rows* durably; return the bytes that they take."""
        segment = segment._replace(sealed=self.seal is not None)
        body = packed_rows(rows)
        chunks = _chunks(_header(self.store, segment, body), body)
        if self.seal is not None:
            chunks = self.seal.sealed(chunks)
        return self.place.write(self._name(segment), chunks)

    def read(self, segment: Segment) -> list[Row]:
        """Return the rows, whole and in order.

        Raises BackupDamagedError or BackupAbsentError, and BackupSealedError without identity.
        """
        try:
            with self._opened(segment) as file:
                line = file.readline(HEADER_BYTES)
                size, digest = _claims(line, self.store, segment)
                body = _body(file, size)
            rows = _rows(body, digest)
            _require_all(rows, segment)
        except BackupError:
            raise  # some of them are KeyErrors too
        except (LookupError, AttributeError, RecursionError) as error:
            raise self._damaged(segment, "its first line is not ours") from error
        except (CorruptError, TypeError, ValueError) as error:
            raise self._damaged(segment, str(error).rstrip(".")) from error
        return rows

    def _damaged(self, segment: Segment, why: str) -> BackupDamagedError:
        return BackupDamagedError(
            f"{self._name(segment)} is damaged ({why}): what was committed in it cannot be "
            "replayed. Restore to an earlier moment, or a backup.",
            store=self.store,
            file=self._name(segment),
        )

    def delete(self, segment: Segment) -> None:
        """Remove what nobody needs any more."""
        self.place.delete(self._name(segment))

    def _name(self, segment: Segment) -> str:
        return f"{self.store}/{segment.file}"

    @contextlib.contextmanager
    def _opened(self, segment: Segment) -> Iterator[BinaryIO]:
        name = self._name(segment)
        with self.place.read(name) as file:
            if not segment.sealed:
                yield file
                return
            if self.opener is None:
                raise BackupSealedError(
                    f"{name} is encrypted, and no identity was given that opens it. Set "
                    "backup_identity.",
                    file=name,
                )
            with self.opener.opened(file, name) as plain:
                yield plain


def _chunks(header: bytes, body: bytes) -> Iterator[bytes]:
    yield header
    yield from compressed([body], size=len(body))


def _header(store: str, segment: Segment, body: bytes) -> bytes:
    told: dict[str, Any] = {
        "format": FORMAT,
        "store": store,
        **_told(segment),
        "size": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    return json.dumps({**told, "checksum": _checksum(told)}).encode() + b"\n"


def _told(segment: Segment) -> dict[str, Any]:
    return {name: getattr(segment, name) for name in ("lineage", "first", "last", "until")}


def _checksum(told: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _claims(line: bytes, store: str, segment: Segment) -> tuple[int, str]:
    """Return size and hash of the rows, as the first line has them."""
    told = json.loads(line)
    if told.pop("checksum") != _checksum(told):
        raise ValueError("its first line was changed")
    if told["format"] != FORMAT:
        raise ValueError(f"format {told['format']!r} is not known to this release")
    if told["store"] != store or any(told[k] != v for k, v in _told(segment).items()):
        raise ValueError("it was written under another name")
    size, digest = told["size"], told["sha256"]
    if not isinstance(size, int) or not 0 < size <= LARGEST:
        raise ValueError("it claims an impossible size")
    return size, str(digest)


def _body(file: BinaryIO, size: int) -> bytes:
    body = b"".join(decompressed(file, limit=size))
    if len(body) < size:
        raise ValueError("it was cut short")
    return body


def _rows(body: bytes, digest: str) -> list[Row]:
    if hashlib.sha256(body).hexdigest() != digest:
        raise ValueError("its rows are not what was written")
    return unpacked_rows(body)


def _require_all(rows: Iterable[Row], segment: Segment) -> None:
    """Refuse rows that are not those of *segment*, one after the other."""
    expected = segment.first
    for row in rows:
        if len(row) != CELLS or row[0] != expected:
            raise ValueError("a row is missing or of the wrong form")
        expected += 1
    if expected != segment.last + 1:
        raise ValueError("its last rows are missing")
