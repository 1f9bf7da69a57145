"""Which series a store has: read as they are asked for, and kept until one is gone or changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from dsfactory.engine import Reading
from dsfactory.errors import AbsentError
from dsfactory.series import sql
from dsfactory.series.names import Identity, stored_identity

_PAGE_ROWS = 1000
MAX_CACHED = 200_000
"""Series kept in memory, at 500 bytes each; beyond, all are forgotten and read again."""


class Series(NamedTuple):
    """One series: what it is called and what its values are."""

    id: int
    identity: Identity
    type: str
    """"counter", "gauge", "histogram" or "unknown"."""
    unit: str
    """As given, such as "seconds"; empty when none was."""

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.identity.name

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels, sorted by name."""
        return dict(self.identity.labels)


class Kept:
    """What was read of the catalogue at one generation."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.named: dict[str, tuple[int, tuple[Series, ...]]] = {}
        """By name: the highest id of the store when they were read, and the series."""
        self.series = 0
        """About how many were read: two threads may count the same one, or miss one."""


class Cache:
    """What was read of the catalogue, shared by the readers of one store, in any thread."""

    def __init__(self) -> None:
        self._kept = Kept(-1)

    def at(self, generation: int) -> Kept:
        """Return what was read at *generation*; nothing when that is another, or too much."""
        kept = self._kept
        if kept.generation != generation or kept.series > MAX_CACHED:
            kept = self._kept = Kept(generation)
        return kept


class Catalogue:
    """The series of a store at one snapshot."""

    def __init__(self, reading: Reading, cache: Cache) -> None:
        self._reading = reading
        ((generation, self._last),) = reading.rows(sql.STATE)
        self._kept = cache.at(generation)

    def names(self) -> list[str]:
        """Return the names of all metrics, sorted."""
        return [name for (name,) in self._reading.rows(sql.NAMES)]

    def named(self, name: str) -> Sequence[Series]:
        """Return every series of the metric *name*, by id; none when there is none."""
        last, known = self._kept.named.get(name, (0, ()))
        if last < self._last:
            new = self._reading.rows(sql.NAMED, (name, last))
            known = (*known, *(_series(*row) for row in new))
            self._kept.named[name] = (self._last, known)
            self._kept.series += len(new)
        return known if last <= self._last else [s for s in known if s.id <= self._last]

    def by_id(self, series: int) -> Series:
        """Return the series with this id; AbsentError when there is none."""
        rows = self._reading.rows(sql.SERIES, (series,))
        if not rows:
            raise AbsentError(f"There is no series with the id {series}.", series=series)
        return _series(*rows[0])

    def find(self, identity: Identity) -> Series | None:
        """Return the series of this identity; None when there is none."""
        rows = self._reading.rows(sql.FIND, (identity.name, identity.text))
        return Series(rows[0][0], identity, rows[0][1], rows[0][2]) if rows else None

    def all(self) -> Iterator[Series]:
        """Yield every series, by id, without keeping them."""
        last = 0
        while rows := self._reading.rows(sql.SERIES_AFTER, (last, _PAGE_ROWS)):
            yield from (_series(*row) for row in rows)
            last = rows[-1][0]

    def __len__(self) -> int:
        ((count,),) = self._reading.rows(sql.COUNT)
        return int(count)


def _series(series: int, name: str, labels: str, kind: str, unit: str) -> Series:
    return Series(series, stored_identity(name, labels), kind, unit)
