"""What is exported, on its way out: series by series, in portions of at most a block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dsfactory.series.blocks import Block
from dsfactory.series.catalogue import Series
from dsfactory.series.reading import Reader
from dsfactory.series.samples import Samples


class Family(NamedTuple):
    """Metrics that Prometheus describes together: one, or the three of a histogram."""

    name: str
    type: str
    unit: str
    members: Sequence[str]


@dataclass
class Chosen:
    """Which samples are to go out."""

    reader: Reader
    series: dict[str, list[Series]]
    """By the name of the metric, which are sorted, as the series are by their labels."""
    start: int
    end: int
    count: int = 0
    """How many samples went out so far."""

    def portions(self, series: Series) -> Iterator[Samples]:
        """Yield the samples of one series, in the order of time; no portion is empty."""
        for segment in self.reader.segments(series.id, self.start, self.end):
            found = self.reader.decode(segment) if isinstance(segment, Block) else segment
            if len(found.times):
                self.count += len(found.times)
                yield found

    def of(self, family: Family) -> Iterator[Series]:
        """Yield every series of *family*."""
        for name in family.members:
            yield from self.series[name]

    def all(self) -> Iterator[tuple[Series, Iterator[Samples]]]:
        """Yield every series, with its portions."""
        for several in self.series.values():
            for one in several:
                yield one, self.portions(one)


HISTOGRAM = ("_bucket", "_sum", "_count")


def families(found: dict[str, list[Series]]) -> list[Family]:
    """Return the families of these series. A type or unit that not all agree on is left out."""
    types = {
        name: _agreed({s.type for s in several} - {"unknown"}) for name, several in found.items()
    }
    made: dict[str, Family] = {}
    joined = set()
    for name in found:
        base = base_of(name)
        if types[name] != "histogram" or base is None or base in found:
            continue
        members = [base + end for end in HISTOGRAM if types.get(base + end) == "histogram"]
        units = {s.unit for member in members for s in found[member]} - {""}
        made[base] = Family(base, "histogram", _agreed(units), members)
        joined.update(members)
    for name, several in found.items():
        if name not in joined:
            kind = types[name] if types[name] != "histogram" else ""
            made[name] = Family(name, kind, _agreed({s.unit for s in several} - {""}), [name])
    return sorted(made.values())


def base_of(name: str) -> str | None:
    """Return the name of the histogram that *name* would be a part of."""
    return next((name.removesuffix(end) for end in HISTOGRAM if name.endswith(end)), None) or None


def _agreed(words: set[str]) -> str:
    return words.pop() if len(words) == 1 else ""
