"""Reading series back, as plain pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import dsfactory as ds
from dsfactory.series.names import identity
from dsfactory.series.reading import Reader

T0 = 1_700_000_000_000
"""The time of the tests' clock."""
FAR = 253_402_300_800_000

Pairs = list[tuple[int, float]]


def found(reader: Reader, name: str, labels: Mapping[str, str] | None = None) -> Pairs:
    """All samples of one series, through a reader; none when there is no such series."""
    series = reader.catalogue.find(identity(name, labels))
    if series is None:
        return []
    samples = reader.samples(series.id, 0, FAR)
    return list(zip(samples.times.tolist(), samples.values.tolist(), strict=True))


def read(store: ds.MetricsStore[Any], name: str, labels: Mapping[str, str] | None = None) -> Pairs:
    """All samples of one series of a store."""
    with store._series.reading() as reader:
        return found(reader, name, labels)


def alike(one: Pairs, other: Pairs) -> bool:
    """Whether two lists say the same, NaN being equal to NaN."""
    return len(one) == len(other) and all(
        t == u and (v == w or (math.isnan(v) and math.isnan(w)))
        for (t, v), (u, w) in zip(one, other, strict=True)
    )


def blocks_of(store: ds.MetricsStore[Any], name: str) -> list[int]:
    """How many samples each block of an unlabelled series has, in the order of time."""
    with store._series.reading() as reader:
        series = reader.catalogue.find(identity(name))
        assert series is not None
        return [block.samples for block in reader.blocks(series.id, 0, FAR)]
